// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "adiabat/anneal/bounds/energy_unit.h"
#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/random_problem.test.h"
#include "adiabat/base/processor_time.h"

namespace adiabat::anneal {
namespace {

TEST(Bound, IsNeverAboveTheOptimumAndOftenIsTheOptimum) {
    int reached = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        const int n = 1 + static_cast<int>(seed % 12);
        const auto [problem, start] = random_problem(n, seed, seed % 2 == 1);
        const double optimum = brute_force(problem);
        const Bound bound = lower_bound(problem, {});
        EXPECT_LE(bound.value, optimum) << "seed " << seed << ", " << bound.method;
        EXPECT_TRUE(std::isfinite(bound.value));
        reached += bound.value > optimum - 1e-6;
        // With no time at all there is a bound, too.
        const Bound at_once = lower_bound(problem, {.time_limit = 0});
        EXPECT_LE(at_once.value, optimum);
        EXPECT_EQ(at_once.method, "terms");
    }
    EXPECT_GT(reached, 300);
}

TEST(Bound, ComesBackInTime) {
    qubo::Factored factored(200'000);
    factored.add_squared({{{0, 1.0}, {199'999, 2.0}}}, 1, 1);
    Random random(1);
    std::vector<qubo::Edge> edges;
    for (int e = 0; e < 400'000; ++e)
        edges.push_back({static_cast<int>(random.below(100'000)),
                         static_cast<int>(random.below(100'000)), random.normal()});
    const std::vector<qubo::Problem> problems = {
        {qubo::random_dense(1500, 1)}, {factored}, {qubo::Sparse(100'000, edges)}};
    for (const auto& problem : problems) {
        for (const double limit : {0.05, 0.5}) {
            const double before = processor_seconds();  // the machine may do other work
            const Bound bound = lower_bound(problem, {.time_limit = limit});
            EXPECT_LT(processor_seconds() - before, limit + 0.4) << problem.form_name();
            EXPECT_TRUE(std::isfinite(bound.value));
        }
    }
    StopSource source;
    source.request();
    EXPECT_EQ(lower_bound(problems[0], {}, source.token()).method, "terms");
}

TEST(EnergyUnit, IsTheDivisorOfAllCoefficients) {
    qubo::Dense problem(3);
    problem.add_linear(0, 1.5);
    problem.add_coupling(0, 2, -4.5);
    problem.add_offset(0.1);
    EXPECT_EQ(energy_unit({problem}), 1.5);
    EXPECT_NEAR(round_up(-2.0, 0.1, 1.5), -1.4, 1e-8);
    EXPECT_EQ(round_up(-2.0, 3, 1.5), -1.5);
    EXPECT_NEAR(round_up(-1.4 + 1e-9, 0.1, 1.5), -1.4, 1e-8);
    EXPECT_EQ(round_up(-2.0, 0.1, 0), -2.0);
    problem.add_linear(1, 1.0 / 3);
    EXPECT_EQ(energy_unit({problem}), 0);
}

}  // namespace
}  // namespace adiabat::anneal
