// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/roof_duality.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "adiabat/anneal/bounds/max_flow.h"
#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/random_problem.test.h"

namespace adiabat::anneal {
namespace {

// The linear relaxation, products bounded by their envelopes: its optima are half whole, so all
// assignments of 0, 1/2 and 1 are enough.
double linear_bound_naively(const qubo::Problem& problem) {
    const int n = problem.variables();
    int64_t words = 1;
    for (int i = 0; i < n; ++i) words *= 3;
    double lowest = std::numeric_limits<double>::infinity();
    for (int64_t word = 0; word < words; ++word) {
        std::vector<double> x;
        for (int64_t rest = word, i = 0; i < n; ++i, rest /= 3)
            x.push_back(static_cast<double>(rest % 3) / 2);
        double value = problem.offset();
        for (int i = 0; i < n; ++i) {
            const double xi = x[static_cast<size_t>(i)];
            value += problem.linear(i) * xi;
            qubo::for_each_coupling(problem, i, [&](int j, double coupling) {
                const double xj = x[static_cast<size_t>(j)];
                if (j < i)
                    value +=
                        coupling * (coupling > 0 ? std::max(0.0, xi + xj - 1) : std::min(xi, xj));
            });
        }
        lowest = std::min(lowest, value);
    }
    return lowest;
}

TEST(RoofDuality, IsABoundWhosePersistenciesEveryOptimumKeeps) {
    int persistent = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        const int n = 1 + static_cast<int>(seed % 12);
        const qubo::Problem problem{qubo::sparse_of({random_form(n, seed)})};
        const RoofDual roof = roof_dual(std::get<qubo::Sparse>(problem.form), {});
        EXPECT_TRUE(roof.complete);
        EXPECT_LE(roof.bound, brute_force(problem)) << "seed " << seed;
        for (const auto& x : brute_force_states(problem, 1e-12)) {
            for (size_t i = 0; i < x.size(); ++i) {
                if (roof.persistent[i] < 0) continue;
                EXPECT_EQ(x[i], roof.persistent[i]) << "seed " << seed << ", variable " << i;
                ++persistent;
            }
        }
    }
    EXPECT_GT(persistent, 1000);
}

TEST(RoofDuality, EqualsTheLinearRelaxation) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        const qubo::Problem problem{
            qubo::sparse_of({random_form(1 + static_cast<int>(seed % 7), seed)})};
        EXPECT_NEAR(roof_dual(std::get<qubo::Sparse>(problem.form), {}).bound,
                    linear_bound_naively(problem), 1e-11)
            << "seed " << seed;
    }
}

// Couplings that reward agreement alone make a cut problem: the roof is the optimum.
TEST(RoofDuality, SolvesSubmodularProblems) {
    Random random(5);
    for (int trial = 0; trial < 50; ++trial) {
        std::vector<qubo::Edge> edges;
        for (int e = 0; e < 30; ++e)
            edges.push_back({static_cast<int>(random.below(7)),
                             7 + static_cast<int>(random.below(7)), -random.uniform()});
        std::vector<double> linear;
        for (int i = 0; i < 14; ++i) linear.push_back(2 * random.normal());
        const qubo::Sparse problem(14, edges, linear);
        const RoofDual roof = roof_dual(problem, {});
        EXPECT_NEAR(roof.bound, brute_force({problem}), 1e-12);
        for (const int8_t value : roof.persistent) EXPECT_GE(value, 0);
    }
}

TEST(RoofDuality, StaysABoundWhenStopped) {
    StopSource source;
    source.request();
    const Watch watch(source.token(), {}, {}, no_progress());
    const qubo::Problem problem{qubo::sparse_of({random_form(12, 2)})};
    const RoofDual roof = roof_dual(std::get<qubo::Sparse>(problem.form), watch);
    EXPECT_FALSE(roof.complete);
    EXPECT_LE(roof.bound, brute_force(problem));
    for (const int8_t value : roof.persistent) EXPECT_EQ(value, -1);
}

// Flows on random networks against the smallest of all cuts.
TEST(MaxFlow, EqualsTheSmallestCut) {
    Random random(9);
    for (int trial = 0; trial < 200; ++trial) {
        constexpr int kNodes = 8;
        std::vector<std::array<int, 3>> arcs;
        for (int a = 0; a < 24; ++a) {
            const auto from = static_cast<int>(random.below(kNodes));
            const auto to = static_cast<int>(random.below(kNodes));
            if (from != to) arcs.push_back({from, to, static_cast<int>(random.below(20))});
        }
        MaxFlow flow(kNodes);
        for (const auto& [from, to, capacity] : arcs) flow.add_arc(from, to, capacity);
        EXPECT_TRUE(flow.run(0, kNodes - 1, {}));
        int64_t smallest = std::numeric_limits<int64_t>::max();
        for (int side = 0; side < 1 << (kNodes - 2); ++side) {
            const int inside = side << 1 | 1;
            int64_t cut = 0;
            for (const auto& [from, to, capacity] : arcs)
                cut += (inside >> from & 1) && !(inside >> to & 1) ? capacity : 0;
            smallest = std::min(smallest, cut);
        }
        EXPECT_EQ(flow.sent(), smallest);
    }
}

}  // namespace
}  // namespace adiabat::anneal
