// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "adiabat/anneal/states.h"

namespace adiabat::anneal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

qubo::Problem two_variables() {
    return {.form = qubo::Sparse(2, std::vector<qubo::Edge>{{0, 1, 1.0}}, {-1.0, -2.0})};
}

SolveResult found() {
    SolveResult result;
    result.lowest.all = {{{0, 1}, -2, 3}, {{1, 0}, -1, 1}};
    result.best = {{{0, 1}, -2, 1}, {{0, 1}, -2, 1}, {{0, 1}, -2, 1}, {{1, 0}, -1, 1}};
    result.last = result.best;
    result.last[0] = {{0, 0}, 0, 1};
    result.seconds = 2;
    result.proposals = 100;
    result.options = {{"sweeps", 10}};
    return result;
}

TEST(Document, SaysHowFarABoundIs) {
    const auto problem = two_variables();
    EXPECT_EQ(gap_text(problem, -2, {}), "no lower bound");
    EXPECT_EQ(gap_text(problem, -2, Certificate{-2.5, "convex"}),
              "lower bound -2.5 (convex), gap 25 %");
    EXPECT_EQ(gap_text(problem, 0, Certificate{-0.5, "convex"}),
              "lower bound -0.5 (convex), gap 0.5");
    EXPECT_EQ(gap_text(problem, -2, Certificate{-2, "branch-and-bound"}),
              "optimal, proven (branch-and-bound)");
    EXPECT_EQ(gap_text(problem, -2, Certificate{-kInfinity, "none"}), "no lower bound");
    // A bound above by rounding is met all the same.
    EXPECT_TRUE(gap_json(problem, -2, Certificate{-2 + 1e-13, "x"})["optimal"].get<bool>());
    EXPECT_FALSE(gap_json(problem, -2, Certificate{-2.001, "x"})["optimal"].get<bool>());
}

TEST(Document, HoldsAResult) {
    DocumentOptions options;
    options.solve.target = -2;
    options.solve.reads = 4;
    options.samples = Samples::kLast;
    const Json document = result_json(two_variables(), found(), options);
    EXPECT_EQ(document["energy"], -2);
    EXPECT_EQ(document["solutions"][0]["x"], "01");
    EXPECT_EQ(document["solutions"][0]["multiplicity"], 3);
    EXPECT_EQ(document["samples"].size(), 4u);
    EXPECT_EQ(document["samples"][0]["x"], "00");
    EXPECT_EQ(document["success"]["successes"], 3);
    EXPECT_EQ(document["work"]["proposals_per_second"], 50);
    EXPECT_EQ(document["options"]["technique"], "annealing");
    EXPECT_EQ(document["options"]["values"]["sweeps"], 10);
    EXPECT_TRUE(document["certificate"].is_null());
    EXPECT_EQ(document["statement"], "no lower bound");
    // It is a warm start.
    EXPECT_EQ(states_of(document, 2, "document"),
              (std::vector<std::vector<uint8_t>>{{0, 1}, {1, 0}}));
}

TEST(Document, WritesNoInfiniteNumbersAsJson) {
    Comparison comparison;
    comparison.target = -2;
    comparison.rows.push_back({.technique = "a", .energy = -1.0, .runs = {0, 0.5, 10, 0}});
    comparison.rows.push_back({.technique = "b", .refused = "no"});
    const Json document = comparison_json(two_variables(), comparison, {});
    EXPECT_TRUE(document["rows"][0]["time_to_target_seconds"].is_null());
    EXPECT_EQ(document["rows"][1]["refused"], "no");
    EXPECT_EQ(Json::parse(document.dump()), document);
    const std::string csv = comparison_csv(comparison);
    EXPECT_NE(csv.find(",inf,"), std::string::npos);
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);  // titles, a; b has no figures
}

TEST(Document, CsvHasALineOfEach) {
    EXPECT_EQ(solutions_csv(found().lowest.all),
              "rank,energy,multiplicity,x\n1,-2,3,01\n2,-1,1,10\n");
    Ladder ladder;
    ladder.rungs.push_back({.runs = {16, 0.5, 10, 10}, .success = {0.7, 1}});
    EXPECT_EQ(ladder_csv(ladder),
              "length,reads,successes,success_low,success_high,seconds_a_read,time_to_target\n"
              "16,10,10,0.7,1,0.5,0.5\n");
}

}  // namespace
}  // namespace adiabat::anneal
