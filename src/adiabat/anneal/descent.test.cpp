// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/descent.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/problems.test.h"

namespace adiabat::anneal {
namespace {

Outcome run(const qubo::Problem& problem, bool pairs) {
    OptionValues values(kDescent.options);
    values.set("pairs", pairs ? "yes" : "no");
    Watch watch;
    return kDescent.run({problem, values, 5, 20, 1, 0, {}, watch});
}

TEST(Descent, GoesTheWayOfThePlainOne) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const qubo::Problem dense{qubo::random_integer(30, seed)};
        const qubo::Problem sparse{qubo::sparse_of(dense)};
        OptionValues values(kDescent.options);
        Watch watch;
        const Task task{dense, values, 5, 20, 1, 0, {}, watch};
        const Outcome by_scan = run(dense, false), by_heap = run(sparse, false);
        for (int r = 0; r < 20; ++r) {
            LocalFields state(dense, start_of(task, r));
            descend(state, energy_tolerance(dense));
            EXPECT_TRUE(std::ranges::equal(by_scan.reads[static_cast<size_t>(r)].best, state.x()));
            EXPECT_TRUE(std::ranges::equal(by_heap.reads[static_cast<size_t>(r)].best, state.x()));
        }
        EXPECT_EQ(by_scan.flips, by_heap.flips);
    }
}

TEST(Descent, EndsWhereNoPairHelpsIfPairsAreAskedFor) {
    int better = 0;
    for (const testing::Form form : testing::kForms) {
        const qubo::Problem problem = testing::random_problem(form, 20, 3);
        const Outcome singles = run(problem, false), pairs = run(problem, true);
        for (size_t r = 0; r < pairs.reads.size(); ++r) {
            std::vector<uint8_t> x = pairs.reads[r].best;
            const double energy = problem.energy(x);
            better += energy < problem.energy(singles.reads[r].best) - 1e-9;
            for (size_t i = 0; i < x.size(); ++i) {
                for (size_t j = 0; j <= i; ++j) {  // j = i: one flip
                    x[i] ^= 1;
                    if (j < i) x[j] ^= 1;
                    EXPECT_GE(problem.energy(x), energy - 1e-9);
                    x = pairs.reads[r].best;
                }
            }
        }
    }
    EXPECT_GT(better, 5);
}

}  // namespace
}  // namespace adiabat::anneal
