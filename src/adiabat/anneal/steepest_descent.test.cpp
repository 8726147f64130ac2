// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/steepest_descent.h"

#include <gtest/gtest.h>

#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

TEST(SteepestDescent, EndsWhereNoFlipHelps) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
        const auto problem = qubo::random_dense(24, seed);
        const double tolerance = energy_tolerance(problem);
        std::vector<uint8_t> x(24, seed % 2);
        const double before = problem.energy(x);
        const int64_t flips = descend(problem, x, tolerance);
        const double after = problem.energy(x);
        EXPECT_TRUE(flips == 0 ? after == before : after < before);
        for (auto& value : x) {
            value ^= 1;
            EXPECT_GE(problem.energy(x), after - 1e-11);
            value ^= 1;
        }
        EXPECT_EQ(descend(problem, x, tolerance), 0);
    }
}

TEST(SteepestDescent, TakesTheSteepestFlipFirst) {
    qubo::Dense problem(
        2);  // either flip helps, the second more, and then the first no longer does
    problem.add_linear(0, -1);
    problem.add_linear(1, -2);
    problem.add_coupling(0, 1, 5);
    std::vector<uint8_t> x{0, 0};
    EXPECT_EQ(descend(problem, x, energy_tolerance(problem)), 1);
    EXPECT_EQ(x, (std::vector<uint8_t>{0, 1}));
}

TEST(SteepestDescent, HasNothingToDoOnAFlatProblem) {
    const qubo::Dense problem(3);
    std::vector<uint8_t> x{1, 0, 1};
    EXPECT_EQ(descend(problem, x, energy_tolerance(problem)), 0);
}

}  // namespace
}  // namespace adiabat::anneal
