// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/optima.test.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/brute_force.test.h"

namespace adiabat::anneal {
namespace {

// Twenty problems by way of each format, up to 20 variables, and the quicker techniques;
// optima.perf.cpp is the large version.
TEST(Optima, AreFoundByWayOfEveryFormat) {
    constexpr int kProblems = 20;
    for (const testing::Origin& origin : testing::origins()) {
        for (int k = 0; k < kProblems; ++k) {
            const testing::Known known = testing::known_problem(origin, k);
            for (const char* const technique :
                 {"annealing", "bifurcation", "descent", "branch-and-bound"})
                EXPECT_FALSE(testing::misses(technique, known))
                    << technique << ", " << origin.name << " " << k;
        }
    }
}

// The oracle against counting order and energies from scratch, and that it can say no.
TEST(Optima, AreThoseOfBruteForce) {
    for (const testing::Origin& origin : testing::origins()) {
        for (int k = 0; k < 10; ++k) {
            const testing::Known known = testing::known_problem(origin, k);
            EXPECT_NEAR(known.optimum, brute_force(known.problem), 1e-9) << origin.name << " " << k;
            EXPECT_TRUE(testing::misses("descent", {known.problem, known.optimum - 1e-3}));
        }
    }
}

}  // namespace
}  // namespace adiabat::anneal
