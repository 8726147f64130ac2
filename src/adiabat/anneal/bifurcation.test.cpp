// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bifurcation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/solve.h"

namespace adiabat::anneal {
namespace {

SolveResult bifurcation(const qubo::Problem& problem, const std::string& variant, int reads,
                        const std::string& dt = "") {
    SolveOptions options;
    options.technique = "bifurcation";
    options.values = {{"variant", variant}, {"sweeps", "200"}};
    if (!dt.empty()) options.values["dt"] = dt;
    options.reads = reads;
    options.threads = 1;
    options.polish = false;
    return solve(problem, options);
}

// Reads alternate by their number: each is what it is where all are of its variant.
TEST(Bifurcation, AlternatesBetweenItsVariants) {
    const auto problem = testing::random_problem(testing::Form::kDense, 30, 3);
    const auto both = bifurcation(problem, "alternating", 20).last,
               ballistic = bifurcation(problem, "ballistic", 20).last,
               discrete = bifurcation(problem, "discrete", 20).last;
    for (size_t r = 0; r < both.size(); ++r)
        EXPECT_EQ(both[r].x, (r % 2 ? discrete : ballistic)[r].x) << r;
    EXPECT_NE(ballistic[1].x, discrete[1].x);
}

// With linear terms every ballistic read ends in the same state here, and not the lowest one;
// found among 1,000 random problems. (A problem whose reads do find it would show nothing.)
TEST(Bifurcation, DoesNotEndInOneStateWhereLinearTermsLeadTheFlow) {
    const auto problem = testing::random_problem(testing::Form::kSparse, 14, 5193);
    const double optimum = brute_force(problem);
    const SolveResult ballistic = bifurcation(problem, "ballistic", 64);
    for (const Solution& solution : ballistic.last) EXPECT_EQ(solution.x, ballistic.last.front().x);
    EXPECT_GT(ballistic.lowest.front().energy, optimum + 1e-3);
    EXPECT_NEAR(bifurcation(problem, "alternating", 16).lowest.front().energy, optimum, 1e-9);
}

// Couplings that all push apart have one stiff direction: with a step of 1.25 every read of this
// maximum cut ended with all spins alike, the worst there is.
TEST(Bifurcation, TakesStepsThatAreStableOnGraphs) {
    constexpr int kSize = 100;
    std::vector<qubo::Edge> edges;
    std::vector<double> linear(kSize, 0.0);
    for (int i = 0; i < kSize; ++i) {
        for (int k = 1; k <= 15; ++k) {  // a ring: x_i x_j is 2, x_i and x_j are -1 an edge
            const int j = (i + k) % kSize;
            edges.push_back({i, j, 2});
            linear[static_cast<size_t>(i)] -= 1;
            linear[static_cast<size_t>(j)] -= 1;
        }
    }
    const qubo::Problem problem{qubo::Sparse(kSize, edges, linear, 0)};
    const double half = -0.5 * static_cast<double>(edges.size());  // what random sides would cut
    for (const Solution& solution : bifurcation(problem, "ballistic", 16).last)
        EXPECT_LT(solution.energy, half);
    for (const Solution& solution : bifurcation(problem, "ballistic", 16, "1.25").last)
        EXPECT_GT(solution.energy, half);
}

}  // namespace
}  // namespace adiabat::anneal
