// SPDX-License-Identifier: Apache-2.0
//
// What the Walkers contract says, for every form of problem and with constraints; what they sample
// is in boltzmann.test.cpp.
#include "adiabat/anneal/walkers.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {
namespace {

using testing::Form;

struct Case {
    const char* name;
    Form form;
    bool constrained;
};
constexpr Case kCases[] = {{"dense", Form::kDense, false},
                           {"sparse", Form::kSparse, false},
                           {"factored", Form::kFactored, false},
                           {"dense, constrained", Form::kDense, true},
                           {"sparse, constrained", Form::kSparse, true},
                           {"factored, constrained", Form::kFactored, true}};

qubo::Problem make(const Case& which, int n, uint64_t seed) {
    qubo::Problem problem = testing::random_problem(which.form, n, seed);
    if (which.constrained) problem.constraints = testing::random_constraints(n, seed);
    return problem;
}

// A state that keeps the constraints of make().
std::vector<uint8_t> feasible(const qubo::Problem& problem, uint64_t seed) {
    Random random(seed, 5);
    const int n = problem.variables();
    while (true) {
        auto x = testing::bits_of(uint64_t{random()} << 32 | random(), n);
        if (problem.constraints.keeps(x)) return x;
    }
}

class WalkersOf : public ::testing::TestWithParam<Case> {};

TEST_P(WalkersOf, EnergiesAreThoseOfTheStates) {
    const auto problem = make(GetParam(), 30, 1);
    Watch watch;
    const auto model = make_model(problem, 5, watch);
    const auto walkers = model->walkers(5, 7, 0);
    for (int r = 0; r < 5; ++r) walkers->set_state(r, feasible(problem, static_cast<uint64_t>(r)));
    for (uint32_t k = 0; k < 200; ++k) {
        walkers->sweep(std::vector<double>{0, 0.5, 1, 3, 20}, k, watch);
        for (int r = 0; r < 5; ++r) {
            const auto x = walkers->state(r), best = walkers->best(r);
            EXPECT_NEAR(walkers->energy(r), problem.energy(x), 1e-4);
            EXPECT_NEAR(walkers->best_energy(r), problem.energy(best), 1e-4);
            EXPECT_LE(walkers->best_energy(r), walkers->energy(r) + 1e-4);
            EXPECT_TRUE(problem.constraints.keeps(x));
            EXPECT_TRUE(problem.constraints.keeps(best));
        }
    }
    EXPECT_GT(walkers->flips(), 0);
}

TEST_P(WalkersOf, ReplicasDoNotDependOnTheirCompany) {
    const auto problem = make(GetParam(), 40, 2);
    Watch watch;
    constexpr int kReplicas = 9;
    std::vector<std::vector<uint8_t>> expected;
    for (const int together : {kReplicas, 1, 4}) {
        const auto model = make_model(problem, together, watch);
        for (int first = 0; first < kReplicas; first += together) {
            const int count = std::min(together, kReplicas - first);
            const auto walkers = model->walkers(count, 3, static_cast<uint32_t>(first));
            for (int r = 0; r < count; ++r) {
                const int read = first + r;
                walkers->set_state(r, feasible(problem, static_cast<uint64_t>(read)));
            }
            for (uint32_t k = 0; k < 50; ++k) {
                walkers->sweep(std::vector<double>(static_cast<size_t>(count), 0.1 * k), k, watch);
            }
            for (int r = 0; r < count; ++r) {
                const int read = first + r;
                if (together == kReplicas) {
                    expected.push_back(walkers->state(r));
                } else {
                    EXPECT_EQ(walkers->state(r), expected[static_cast<size_t>(read)]) << together;
                }
            }
        }
    }
}

TEST_P(WalkersOf, FlipsAndCopies) {
    const auto problem = make({"", GetParam().form, false}, 20, 3);
    Watch watch;
    const auto model = make_model(problem, 3, watch);
    const auto walkers = model->walkers(3, 3, 0);
    const auto x = testing::bits_of(0x5A5A5, 20);
    walkers->set_state(0, x);
    for (int i = 0; i < 20; ++i) {
        auto y = walkers->state(0);
        const double before = problem.energy(y);
        y[static_cast<size_t>(i)] ^= 1;
        EXPECT_NEAR(walkers->change(0, i), problem.energy(y) - before, 1e-4);
        walkers->flip(0, i);
        EXPECT_EQ(walkers->state(0), y);
        EXPECT_NEAR(walkers->energy(0), problem.energy(y), 1e-4);
        EXPECT_NEAR(walkers->best_energy(0), problem.energy(walkers->best(0)), 1e-4);
    }
    walkers->copy(0, 2);
    EXPECT_EQ(walkers->state(2), walkers->state(0));
    EXPECT_EQ(walkers->best(2), walkers->best(0));
    EXPECT_NEAR(walkers->energy(2), walkers->energy(0), 1e-9);
    for (int i = 0; i < 20; ++i) EXPECT_NEAR(walkers->change(2, i), walkers->change(0, i), 1e-9);
}

TEST_P(WalkersOf, OddProblems) {
    Watch watch;
    for (const int n : {1, 2, 3}) {
        qubo::Problem problem = make({"", GetParam().form, false}, n, 1);
        const auto model = make_model(problem, 2, watch);
        const auto walkers = model->walkers(2, 1, 0);
        walkers->set_state(0, std::vector<uint8_t>(static_cast<size_t>(n), 1));
        for (uint32_t k = 0; k < 20; ++k) walkers->sweep(std::vector<double>{1, 1e9}, k, watch);
        EXPECT_NEAR(walkers->energy(0), problem.energy(walkers->state(0)), 1e-5);
        // At zero temperature it ends in a local minimum.
        for (int i = 0; i < n; ++i) EXPECT_GE(walkers->change(1, i), -1e-5);
    }
}

TEST_P(WalkersOf, ASweepEndsWhereTheWatchIsOver) {
    const auto problem = make(GetParam(), 12, 4);
    Watch watch;
    const auto model = make_model(problem, 2, watch);
    const auto walkers = model->walkers(2, 1, 0);
    const auto x = feasible(problem, 1);
    walkers->set_state(0, x);
    walkers->set_state(1, x);
    StopSource source;
    source.request();
    Watch over(source.token(), {}, {}, no_progress());
    walkers->sweep(std::vector<double>{0, 0}, 0, over);
    EXPECT_EQ(walkers->state(0), x);
    EXPECT_EQ(walkers->flips(), 0);
}

INSTANTIATE_TEST_SUITE_P(Forms, WalkersOf, ::testing::ValuesIn(kCases), [](const auto& tested) {
    std::string name = tested.param.name;
    std::erase_if(name, [](char c) { return c == ' ' || c == ','; });
    return name;
});

}  // namespace
}  // namespace adiabat::anneal
