// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/exhaustive.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/random_problem.test.h"
#include "adiabat/anneal/run_task.test.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/processor_time.h"

namespace adiabat::anneal {
namespace {

TEST(Exhaustive, AgreesWithCountingOnProblemsOfAllForms) {
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        const int n = 1 + static_cast<int>(seed % (seed % 50 == 0 ? 19 : 12));
        const auto [problem, start] = random_problem(n, seed, seed % 2 == 1);
        const auto outcome = run_task(kExhaustive, problem, {.initial = {start}});
        ASSERT_EQ(outcome.reads.size(), 1u);
        const auto& best = outcome.reads[0].best;
        EXPECT_TRUE(problem.constraints.keeps(best)) << "seed " << seed;
        EXPECT_NEAR(problem.energy(best), brute_force(problem), 1e-9) << "seed " << seed;
        EXPECT_EQ(outcome.bound, problem.energy(best));
    }
}

TEST(Exhaustive, FindsTheSameOfManyTiedStatesWithAnyNumberOfThreads) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
        qubo::Problem problem{qubo::random_integer(21, seed)};
        if (seed % 2) problem.constraints.groups.push_back({{1, 9, 19, 20}, true});
        const std::vector<std::vector<uint8_t>> start = {std::vector<uint8_t>(21)};
        const auto one = run_task(kExhaustive, problem, {.threads = 1, .initial = start});
        for (const int threads : {2, 3, 8}) {
            const auto many =
                run_task(kExhaustive, problem, {.threads = threads, .initial = start});
            EXPECT_EQ(many.reads[0].best, one.reads[0].best) << threads << " threads";
            EXPECT_EQ(many.proposals, 1 << 21);
        }
    }
    // Everything is tied: the first visited is the smallest word.
    const auto flat = run_task(kExhaustive, {qubo::Dense(20)}, {.threads = 4});
    EXPECT_EQ(flat.reads[0].best, std::vector<uint8_t>(20));
}

TEST(Exhaustive, TakesProblemsWithoutVariablesAndGivesEachReadItsAnswer) {
    qubo::Dense empty(0);
    empty.add_offset(2.5);
    const auto outcome = run_task(kExhaustive, {empty}, {.reads = 3});
    ASSERT_EQ(outcome.reads.size(), 3u);
    EXPECT_TRUE(outcome.reads[2].best.empty());
    EXPECT_EQ(outcome.bound, 2.5);
}

TEST(Exhaustive, RefusesWhatWouldNotFinish) {
    const qubo::Problem problem{qubo::random_dense(kMaxExhaustiveVariables + 1, 0)};
    EXPECT_THROW(run_task(kExhaustive, problem), InputError);
}

TEST(Exhaustive, StopsWhenAskedWithoutClaimingABound) {
    StopSource source;
    source.request();
    const std::vector<uint8_t> start(30, 1);
    const qubo::Problem problem{qubo::random_dense(30, 1)};
    const auto stopped =
        run_task(kExhaustive, problem, {.initial = {start}, .stop = source.token()});
    EXPECT_EQ(stopped.reads[0].best, start);
    EXPECT_FALSE(stopped.bound.has_value());

    const double before = processor_seconds();
    const auto limited = run_task(kExhaustive, problem, {.time_limit = 0.05});
    EXPECT_LT(processor_seconds() - before, 0.2);
    EXPECT_FALSE(limited.bound.has_value());
}

}  // namespace
}  // namespace adiabat::anneal
