// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/compare.h"

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

CompareOptions two_of(std::map<std::string, std::string> values = {}) {
    return {.techniques = {"annealing", "descent"},
            .solve = {.values = std::move(values), .reads = 4, .threads = 1, .time_limit = 0.06}};
}

TEST(Compare, JudgesByTheLowestOfAll) {
    const qubo::Dense dense = qubo::random_dense(16, 2);
    const qubo::Problem problem{.form = dense};
    const Comparison found = compare(problem, two_of());
    ASSERT_EQ(found.rows.size(), 2u);
    EXPECT_FALSE(found.target_given);
    EXPECT_NEAR(found.target, optimum(dense), 1e-9);
    EXPECT_DOUBLE_EQ(problem.energy(found.lowest.x), found.target);
    for (const Compared& row : found.rows) {
        EXPECT_EQ(row.end, EndReason::kTimeLimit) << row.technique;
        EXPECT_GT(row.runs.successes, 0) << row.technique;
        EXPECT_LE(row.runs.successes, row.runs.runs);
        EXPECT_EQ(row.success, wilson_interval(row.runs.successes, row.runs.runs));
        EXPECT_DOUBLE_EQ(row.runs.seconds_a_run * static_cast<double>(row.runs.runs),
                         row.processor_seconds);
        EXPECT_EQ(row.time_to_target, row.runs.time_to_target());
        EXPECT_LE(row.interval.low, row.time_to_target);
        EXPECT_GE(row.interval.high, row.time_to_target);
        EXPECT_NEAR(row.seconds, 0.06, 0.5);
    }
}

// The equal reads of an exact technique would look like so many independent successes.
TEST(Compare, CountsAnExactSearchOnce) {
    const qubo::Problem problem{.form = qubo::random_dense(12, 2)};
    CompareOptions options = two_of();
    options.techniques = {"exhaustive", "branch-and-bound"};
    for (const Compared& row : compare(problem, options).rows) {
        EXPECT_EQ(row.runs.runs, 1) << row.technique;
        EXPECT_EQ(row.runs.successes, 1) << row.technique;
    }
}

TEST(Compare, GivesOptionsToThoseThatHaveThem) {
    const qubo::Problem problem{.form = qubo::random_dense(8, 2)};
    const Comparison found =
        compare(problem, two_of({{"sweeps", "7"}, {"annealing.beta-max", "50"}}));
    EXPECT_EQ(found.rows[0].options["sweeps"], 7);
    EXPECT_EQ(found.rows[0].options["beta-max"], 50);
    EXPECT_FALSE(found.rows[1].options.contains("sweeps"));
    // To one technique over to all.
    const Comparison own = compare(problem, two_of({{"sweeps", "7"}, {"annealing.sweeps", "9"}}));
    EXPECT_EQ(own.rows[0].options["sweeps"], 9);
}

TEST(Compare, AnUnreachableTargetIsNeverReached) {
    CompareOptions options = two_of();
    options.solve.target = -1e9;
    const Comparison found = compare({.form = qubo::random_dense(8, 2)}, options);
    EXPECT_TRUE(found.target_given);
    for (const Compared& row : found.rows) {
        EXPECT_EQ(row.runs.successes, 0);
        EXPECT_TRUE(std::isinf(row.time_to_target));
        EXPECT_TRUE(std::isinf(row.interval.high));
        EXPECT_TRUE(std::isfinite(row.interval.low));
    }
}

TEST(Compare, RefusesWhatMakesNoSense) {
    const qubo::Problem problem{.form = qubo::random_dense(8, 2)};
    const auto with = [&](auto&& change) {
        CompareOptions options = two_of();
        change(options);
        return compare(problem, options);
    };
    EXPECT_THROW(with([](auto& o) { o.techniques.clear(); }), InputError);
    EXPECT_THROW(with([](auto& o) { o.techniques = {"annealing", "annealing"}; }), InputError);
    EXPECT_THROW(with([](auto& o) { o.techniques = {"none"}; }), InputError);
    EXPECT_THROW(with([](auto& o) { o.solve.time_limit.reset(); }), InputError);
    EXPECT_THROW(with([](auto& o) { o.solve.values["no-such"] = "1"; }), InputError);
    EXPECT_THROW(with([](auto& o) { o.solve.values["tabu.tenure"] = "1"; }), InputError);
    // Every technique refuses: their error is ours.
    EXPECT_THROW(with([](auto& o) { o.solve.reads = 0; }), InputError);
}

TEST(Compare, StopsAtARequest) {
    StopSource source;
    source.request();
    EXPECT_THROW(compare({.form = qubo::random_dense(8, 2)}, two_of(), source.token()),
                 Interrupted);
}

}  // namespace
}  // namespace adiabat::anneal
