// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/decide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

// Two convolutions, five inner channels.
net::Graph two_layers(uint64_t seed) {
    net::GraphBuilder b;
    net::ValueId x = b.input({net::kUnknown, 3, 6, 6});
    x = b.node("Relu", {b.node("Conv", {x, b.constant(net::random_tensor({5, 3, 3, 3}, seed))})});
    b.graph.outputs = {b.node("Conv", {x, b.constant(net::random_tensor({4, 5, 3, 3}, seed + 1))})};
    net::infer_shapes(b.graph);
    return b.graph;
}

// The naive twin: every pair of widths and every subset of channels.
double least_loss_naively(const Fixture& f, const std::vector<Budget>& budgets) {
    double least = std::numeric_limits<double>::infinity();
    Plan plan = uniform_plan(f.network, kMinBits);
    for (plan.bits[0] = kMinBits; plan.bits[0] <= kMaxBits; ++plan.bits[0]) {
        for (plan.bits[1] = kMinBits; plan.bits[1] <= kMaxBits; ++plan.bits[1]) {
            for (unsigned word = 0; word < 31; ++word) {
                for (size_t i = 0; i < 5; ++i) plan.cut[0][i] = word >> i & 1;
                if (is_feasible(budgets, f.costs, plan))
                    least = std::min(least, f.problem.loss(plan));
            }
        }
    }
    return least;
}

TEST(Decide, FindsTheBestPlanOfSmallNetworks) {
    int optimal = 0, cases = 0;
    for (uint64_t seed = 0; seed < 6; ++seed) {
        const Fixture f(two_layers(10 * seed));
        const Reachable range = reachable(f.network, f.costs, Quantity::kBytes);
        for (int percent = 0; percent <= 100; percent += 10) {
            const int64_t limit = range.smallest + (range.largest - range.smallest) * percent / 100;
            const std::vector<Budget> budgets = {{Quantity::kBytes, limit}};
            const Decision decision =
                decide(f.problem, budgets, f.costs, {.seed = seed, .threads = 1});
            EXPECT_TRUE(is_feasible(budgets, f.costs, decision.plan));
            EXPECT_LE(decision.loss, decision.annealed_loss * (1 + 1e-12));
            EXPECT_EQ(decision.loss, f.problem.loss(decision.plan));
            const double least = least_loss_naively(f, budgets);
            EXPECT_LE(decision.loss, 1.3 * least + 1e-12)
                << "seed " << seed << ", " << percent << " %";
            optimal += decision.loss <= least * (1 + 1e-9);
            ++cases;
        }
    }
    EXPECT_GE(optimal, cases * 9 / 10) << "of " << cases;
}

TEST(Decide, KeepsEveryBudgetOnResidualNetworks) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Fixture f(seed);
        const Reachable file = reachable(f.network, f.costs, Quantity::kFile);
        const Reachable bytes = reachable(f.network, f.costs, Quantity::kBytes);
        double before = std::numeric_limits<double>::infinity();
        for (int percent : {20, 40, 60, 95}) {
            const std::vector<Budget> budgets = {
                {Quantity::kFile, file.smallest + (file.largest - file.smallest) * percent / 100},
                {Quantity::kBytes,
                 bytes.smallest + (bytes.largest - bytes.smallest) * percent / 100}};
            const Decision decision = decide(f.problem, budgets, f.costs, {.seed = seed});
            EXPECT_TRUE(is_feasible(budgets, f.costs, decision.plan));
            EXPECT_LT(decision.loss, before);  // more room, less loss
            before = decision.loss;
        }
    }
}

TEST(Decide, SameSeedSamePlanForAnyNumberOfThreads) {
    const Fixture f(5);
    const int64_t limit = f.costs.cost(Quantity::kFile, uniform_plan(f.network, 4));
    const std::vector<Budget> budgets = {{Quantity::kFile, limit}};
    const Decision one = decide(f.problem, budgets, f.costs, {.seed = 3, .threads = 1});
    const Decision two = decide(f.problem, budgets, f.costs, {.seed = 3, .threads = 2});
    EXPECT_EQ(one.plan, two.plan);
    EXPECT_EQ(one.flips, two.flips);
}

TEST(Decide, StopsWhenAsked) {
    const Fixture f(5);
    StopSource source;
    source.request();
    EXPECT_THROW(
        decide(f.problem,
               {{Quantity::kFile, f.costs.cost(Quantity::kFile, uniform_plan(f.network, 3))}},
               f.costs, {}, source.token()),
        Interrupted);
}

TEST(Budget, ReadsWhatPeopleWrite) {
    const Originals originals{1000000, {.bytes = 800000}};
    const auto one = [&](const char* text) { return parse_budgets(text, originals).at(0).limit; };
    EXPECT_EQ(one("file=175KB"), 175000);
    EXPECT_EQ(one("file=1KiB"), 1024);
    EXPECT_EQ(one("file=30%"), 300000);
    EXPECT_EQ(one("bytes=8x"), 100000);
    const auto two = parse_budgets("file=8x,bytes=131072", originals);
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[1].quantity, Quantity::kBytes);
    for (const char* wrong : {"", "175KB", "file", "file=", "file=-3", "file=0%", "size=3KB",
                              "file=nan%", "file=1KB,file=2KB", "file=1KB,", "file=x"}) {
        EXPECT_THROW(parse_budgets(wrong, originals), InputError) << wrong;
    }
}

TEST(Budget, AnUnsatisfiableOneNamesTheNearest) {
    const Fixture f(2);
    const Reachable range = reachable(f.network, f.costs, Quantity::kFile);
    EXPECT_LT(range.smallest, range.middle);
    const Reachable bytes = reachable(f.network, f.costs, Quantity::kBytes);
    EXPECT_LT(bytes.smallest, bytes.middle);
    EXPECT_LT(bytes.middle, bytes.largest);
    EXPECT_EQ(f.costs.cost(Quantity::kFile, range.smallest_plan), range.smallest);
    require_satisfiable(f.network, f.costs, {{Quantity::kFile, range.smallest}});
    try {
        require_satisfiable(f.network, f.costs, {{Quantity::kFile, range.smallest - 1}});
        FAIL() << "not refused";
    } catch (const InputError& error) {
        EXPECT_NE(std::string(error.what()).find(std::to_string(range.smallest)),
                  std::string::npos);
    }
}

}  // namespace
}  // namespace adiabat::plan
