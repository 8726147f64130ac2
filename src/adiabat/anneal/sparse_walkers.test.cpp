// SPDX-License-Identifier: Apache-2.0
//
// Sparse walks equal a plain walk in double, on every instruction set and however replicas are put
// together; they keep the contract of walkers and the Boltzmann distribution.
#include "adiabat/anneal/sparse_walkers.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/anneal/walkers.test.h"

namespace adiabat::anneal {
namespace {

enum class Values { kSigns, kGrid, kAny };

// About five neighbors a variable, near and far; every tenth variable has none, a third no linear
// term. kSigns: a unit of 0.3 (16 bits); kGrid: multiples of 2^-10, the sums beyond 16 bits.
qubo::Sparse random_sparse(int n, Values values, uint64_t seed) {
    Random random(seed);
    const auto value = [&] {
        if (values == Values::kSigns) return random() & 1 ? 0.3 : -0.3;
        if (values == Values::kGrid) return (random.below(4001) - 2000.0) / 1024;
        return 2 * random.uniform() - 1;
    };
    std::vector<qubo::Edge> edges;
    std::vector<double> linear;
    for (int i = 0; i < n; ++i) {
        linear.push_back(random.below(3) == 0 ? 0 : value());
        for (int k = 0; k < 3 && n > 1; ++k) {
            const int near = i + 1 + static_cast<int>(random.below(4));
            const int j = k < 2 ? near : static_cast<int>(random.below(static_cast<uint32_t>(n)));
            if (i % 10 == 3 || j % 10 == 3 || j == i || j >= n) continue;
            edges.push_back({i, j, value()});
        }
    }
    return {n, edges, std::move(linear), 1.25};
}

// Fields from the problem at every proposal. Exact where energies are multiples of a power of two.
void naive_sweep(const qubo::Sparse& problem, std::vector<uint8_t>& x, double beta, uint64_t seed,
                 uint32_t replica, uint32_t sweep) {
    const auto scale = static_cast<float>(1 / beta);
    for (int i = 0; i < problem.variables(); ++i) {
        const auto k = static_cast<size_t>(i);
        double field = problem.linear(i);
        for (size_t e = 0; e < problem.degree(i); ++e)
            field += x[static_cast<size_t>(problem.neighbors(i)[e])] * problem.couplings(i)[e];
        const double change = x[k] ? -field : field;
        const auto word = draw_words(seed, replica, sweep, static_cast<uint32_t>(i) / 4)[k % 4];
        if (change <= static_cast<double>(threshold_of(word) * scale)) x[k] ^= 1;
    }
}

std::vector<std::vector<uint8_t>> naive_walk(const qubo::Sparse& problem, int replicas,
                                             int sweeps) {
    std::vector<std::vector<uint8_t>> states, lowest;
    const std::vector<double> betas = spread_betas(replicas, 0.05, 5.0);
    for (int r = 0; r < replicas; ++r) {
        auto x = random_bits(problem.variables(), static_cast<uint64_t>(r));
        auto best = x;
        for (int s = 0; s < sweeps; ++s) {
            naive_sweep(problem, x, betas[static_cast<size_t>(r)], 99, 7 + static_cast<uint32_t>(r),
                        static_cast<uint32_t>(s));
            if (problem.energy(x) < problem.energy(best)) best = x;
        }
        states.push_back(x);
        lowest.push_back(best);
    }
    for (auto& x : lowest) states.push_back(std::move(x));
    return states;
}

class SparseWalks : public ::testing::Test {
  protected:
    void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_F(SparseWalks, EqualAPlainWalkOnEveryInstructionSetInAnyGrouping) {
    constexpr int kReplicas = 21, kSweeps = 25;
    for (const Values values : {Values::kSigns, Values::kGrid}) {
        for (const int n : {150, 64, 7}) {
            qubo::Sparse problem = random_sparse(n, values, static_cast<uint64_t>(n));
            if (values == Values::kSigns) {
                // Signs of 1/4: exact in the twin.
                std::vector<qubo::Edge> edges;
                std::vector<double> linear(problem.linear().begin(), problem.linear().end());
                for (double& h : linear) h /= 1.2;
                for (int i = 0; i < n; ++i) {
                    for (const int j : problem.neighbors(i))
                        if (j > i)
                            edges.push_back({i, j, problem.coupling(i, j) > 0 ? 0.25 : -0.25});
                }
                for (double& h : linear) h = std::round(4 * h) / 4;
                problem = {n, edges, std::move(linear)};
            }
            const auto expected = naive_walk(problem, kReplicas, kSweeps);
            const auto model = make_sparse_model(problem, kReplicas);
            hwy::SetSupportedTargetsForTest(0);
            for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
                hwy::SetSupportedTargetsForTest(target);
                for (const int together : {1, 5, 8, 11, 16, 21}) {
                    EXPECT_EQ(walk_in_groups(*model, kReplicas, together, kSweeps), expected)
                        << hwy::TargetName(target) << ", " << together << " together, n " << n;
                }
            }
        }
    }
}

TEST_F(SparseWalks, AnyCoefficientsWalkTheSameOnEveryInstructionSet) {
    const auto problem = random_sparse(300, Values::kAny, 4);
    const auto model = make_sparse_model(problem, 16);
    const auto expected = walk_in_groups(*model, 20, 20, 40);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        for (const int together : {1, 7, 20})
            EXPECT_EQ(walk_in_groups(*model, 20, together, 40), expected)
                << hwy::TargetName(target) << ", " << together;
    }
}

TEST_F(SparseWalks, KeepTheContract) {
    for (const int replicas : {1, 3, 6, 18}) {
        for (const Values values : {Values::kSigns, Values::kGrid, Values::kAny}) {
            const auto sparse = random_sparse(101, values, 9);
            const auto model = make_sparse_model(sparse, replicas);
            check_contract(*model, {sparse}, replicas, 1e-4);
            check_watch(*model, replicas);
        }
    }
}

TEST_F(SparseWalks, EnergiesOfWholeMultiplesAreExact) {
    const auto signs = random_sparse(400, Values::kSigns, 2);
    const auto model = make_sparse_model(signs, 4);
    check_contract(*model, {signs}, 4, 1e-10);
    // 16 bits: two bytes a variable and lane.
    EXPECT_LT(model->walker_bytes(8), uint64_t{400} * 8 * 3);
    const auto grid = random_sparse(400, Values::kGrid, 2);
    check_contract(*make_sparse_model(grid, 4), {grid}, 4, 1e-10);
}

TEST_F(SparseWalks, SampleTheBoltzmannDistribution) {
    const qubo::Sparse any(
        5,
        std::vector<qubo::Edge>{
            {0, 1, 1.37}, {1, 2, -1.11}, {2, 3, 0.73}, {3, 0, -0.89}, {2, 0, 0.61}},
        {-0.31, 0.4, 0.57, -0.83, 1.17});
    check_boltzmann(*make_sparse_model(any, 16), {any}, 16);
    const qubo::Sparse signs(
        5, std::vector<qubo::Edge>{{0, 1, 1}, {1, 2, -1}, {2, 3, 1}, {3, 4, -1}, {4, 0, 2}},
        {0, 1, 1, -1, 0});
    check_boltzmann(*make_sparse_model(signs, 8), {signs}, 8);
}

TEST_F(SparseWalks, AreValidWhereverASweepEnds) {
    // Too large for the time: the sweep ends somewhere inside.
    constexpr int kVariables = 100'000;
    const auto problem = random_sparse(kVariables, Values::kGrid, 6);
    for (const int replicas : {1, 8}) {
        const auto model = make_sparse_model(problem, replicas);
        const auto walkers = model->walkers(replicas, 1, 0);
        const std::vector<double> betas(static_cast<size_t>(replicas), 0.5);
        for (const double limit : {0.0003, 0.001}) {
            const Watch watch({}, limit, {}, no_progress());
            walkers->sweep(betas, 0, watch);
        }
        const int last = replicas - 1;
        EXPECT_NEAR(walkers->energy(last), problem.energy(walkers->state(last)), 1e-6);
        EXPECT_NEAR(walkers->best_energy(last), problem.energy(walkers->best(last)), 1e-6);
    }
}

TEST_F(SparseWalks, EdgeCases) {
    // Nothing at all: every flip is accepted.
    const qubo::Sparse zero(70, std::vector<qubo::Edge>{}, {}, 3.5);
    for (const int replicas : {1, 9}) {
        const auto model = make_sparse_model(zero, replicas);
        const auto walkers = model->walkers(replicas, 1, 0);
        const std::vector<double> betas(static_cast<size_t>(replicas), 1.0);
        walkers->sweep(betas, 0, Watch());
        EXPECT_EQ(walkers->energy(replicas - 1), 3.5);
        EXPECT_EQ(walkers->state(replicas - 1), std::vector<uint8_t>(70, 1));
        EXPECT_EQ(walkers->flips(), 70 * replicas);
    }
    // One variable, and fields so large that nothing uphill is ever accepted, or beta is none.
    for (const double h : {1.0, 1e12, -1e-12, 0.1}) {
        const qubo::Sparse one(1, std::vector<qubo::Edge>{}, {h});
        const auto model = make_sparse_model(one, 1);
        const auto walkers = model->walkers(1, 1, 0);
        const Watch watch;
        for (uint32_t s = 0; s < 10; ++s)
            walkers->sweep(std::vector<double>{100 / std::abs(h)}, s, watch);
        EXPECT_EQ(walkers->state(0)[0], h < 0 ? 1 : 0);
        EXPECT_NEAR(walkers->energy(0), std::min(h, 0.0), 1e-6 * std::abs(h));
        const int64_t flips = walkers->flips();
        for (uint32_t s = 0; s < 10; ++s) walkers->sweep(std::vector<double>{0.0}, s, watch);
        EXPECT_EQ(walkers->flips() - flips, 10) << "beta 0 accepts everything";
    }
    const qubo::Sparse none(0, std::vector<qubo::Edge>{});
    const auto model = make_sparse_model(none, 1);
    const auto walkers = model->walkers(2, 1, 0);
    walkers->sweep(std::vector<double>{1, 1}, 0, Watch());
    EXPECT_TRUE(walkers->state(1).empty());
}

}  // namespace
}  // namespace adiabat::anneal
