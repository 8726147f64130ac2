// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/time_to_target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

double optimum(const qubo::Dense& problem) {
    double least = problem.energy_of_word(0);
    for (uint64_t word = 1; word < uint64_t{1} << problem.variables(); ++word)
        least = std::min(least, problem.energy_of_word(word));
    return least;
}

// Reads of one length that reach a target, by a call of its own.
int64_t successes_naively(const qubo::Problem& problem, const SolveOptions& options, int64_t length,
                          double reached) {
    SolveOptions own = options;
    own.target.reset();
    own.values["sweeps"] = std::to_string(length);
    const SolveResult result = solve(problem, own);
    return std::ranges::count_if(result.best,
                                 [&](const Solution& read) { return read.energy <= reached; });
}

LadderOptions ladder_options() {
    return {.solve = {.reads = 30, .seed = 4, .threads = 1, .polish = false},
            .shortest = 2,
            .longest = 100};
}

TEST(Ladder, CountsWhatItsNaiveTwinCounts) {
    const qubo::Dense dense = qubo::random_dense(16, 3);
    const qubo::Problem problem{.form = dense};
    LadderOptions options = ladder_options();
    options.solve.target = optimum(dense);
    const Ladder ladder = measure_ladder(problem, options);
    ASSERT_GE(ladder.rungs.size(), 2u);
    EXPECT_EQ(ladder.option, "sweeps");
    EXPECT_TRUE(ladder.target_given);
    EXPECT_EQ(ladder.end, EndReason::kFinished);
    int64_t length = 2;
    double least = INFINITY;
    for (const Rung& rung : ladder.rungs) {
        EXPECT_EQ(rung.runs.length, length);
        EXPECT_EQ(rung.runs.runs, 30);
        EXPECT_EQ(rung.runs.successes, successes_naively(problem, options.solve, length,
                                                         ladder.target + ladder.tolerance));
        EXPECT_EQ(rung.success, wilson_interval(rung.runs.successes, 30));
        EXPECT_GT(rung.runs.seconds_a_run, 0);
        least = std::min(least, rung.runs.time_to_target());
        length *= 2;
    }
    EXPECT_EQ(ladder.seconds, least);
    EXPECT_EQ(ladder.rungs[ladder.best].runs.time_to_target(), least);
    EXPECT_LE(ladder.interval.low, ladder.seconds);
    EXPECT_GE(ladder.interval.high, ladder.seconds);
}

TEST(Ladder, TakesTheLowestItFoundWhereThereIsNoTarget) {
    const qubo::Problem problem{.form = qubo::random_dense(30, 5)};
    const Ladder ladder = measure_ladder(problem, ladder_options());
    EXPECT_FALSE(ladder.target_given);
    EXPECT_EQ(ladder.target, ladder.lowest.energy);
    EXPECT_DOUBLE_EQ(problem.energy(ladder.lowest.x), ladder.target);
    EXPECT_TRUE(std::isfinite(ladder.seconds));
}

TEST(Ladder, EndsWhereEveryReadSucceeds) {
    const qubo::Dense dense = qubo::random_dense(3, 1);
    LadderOptions options = ladder_options();
    options.shortest = 64;
    options.longest = 1 << 16;
    const Ladder ladder = measure_ladder({.form = dense}, options);
    EXPECT_EQ(ladder.rungs.back().runs.successes, 30);
    EXPECT_LE(ladder.rungs.size(), 2u);
}

TEST(Ladder, OfAnUnreachableTargetIsInfinite) {
    LadderOptions options = ladder_options();
    options.solve.target = -1e9;
    const Ladder ladder = measure_ladder({.form = qubo::random_dense(10, 1)}, options);
    EXPECT_EQ(ladder.rungs.size(), 6u);  // 2, 4, .., 64
    EXPECT_TRUE(std::isinf(ladder.seconds));
    EXPECT_TRUE(std::isinf(ladder.interval.low));
}

TEST(Ladder, KeepsItsTimeLimit) {
    LadderOptions options = ladder_options();
    options.solve.time_limit = 0.1;
    options.solve.target = -1e9;
    options.solve.reads = 1000;
    options.longest = 1 << 30;
    const Ladder ladder = measure_ladder({.form = qubo::random_dense(100, 1)}, options);
    EXPECT_EQ(ladder.end, EndReason::kTimeLimit);
    // Lengths that were cut short do not count.
    for (const Rung& rung : ladder.rungs) EXPECT_EQ(rung.runs.runs, 1000);
}

TEST(Ladder, IsRefusedWhereThereIsNoRunLength) {
    Technique none{};
    none.name = "none";
    EXPECT_THROW(length_option(none), InputError);
    EXPECT_EQ(length_option(technique("annealing")), "sweeps");
}

}  // namespace
}  // namespace adiabat::anneal
