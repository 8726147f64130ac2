// SPDX-License-Identifier: Apache-2.0
//
// What plans may become: allowed widths and least counts, wherever plans are made or changed.
#include "adiabat/plan/plan.h"

#include <gtest/gtest.h>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

NetworkOptions some_options() {
    NetworkOptions options;
    options.widths = {6, 2, 4, 4};
    options.first_last = 8;
    options.least_kept = 0.5;
    return options;
}

TEST(Network, WidthsAreThoseOfTheOptions) {
    const net::Graph graph = net::residual_network(1);
    const Network all(graph);
    for (size_t k = 0; k < all.layers.size(); ++k) {
        EXPECT_EQ(all.widths(k), (std::vector<int>{2, 3, 4, 5, 6, 7, 8}));
    }
    for (size_t f = 0; f < all.families(); ++f) EXPECT_EQ(all.least_kept(f), kLeastKept);

    NetworkOptions options = some_options();
    const std::string fixed = all.layers[2].name;
    options.stays = [&](const net::Layer& layer) { return layer.name == fixed; };
    const Network some(graph, options);
    const size_t last = some.layers.size() - 1;
    for (size_t k = 0; k <= last; ++k) {
        const bool single = k == 0 || k == 2 || k == last;
        EXPECT_EQ(some.widths(k), single ? std::vector<int>{8} : (std::vector<int>{2, 4, 6}));
    }
    for (size_t f = 0; f < some.families(); ++f) {
        EXPECT_EQ(some.least_kept(f), (some.groups(f) + 1) / 2);
        EXPECT_EQ(allowed_kept(some, f, 1), some.least_kept(f));
    }
}

TEST(Network, SharesThatAreWholeAreNotRoundedUp) {
    net::GraphBuilder b;
    net::ValueId x = b.input({net::kUnknown, 3, 4, 4});
    x = b.node("Conv", {x, b.constant(net::random_tensor({100, 3, 1, 1}, 1))});
    b.graph.outputs = {b.node("Conv", {x, b.constant(net::random_tensor({2, 100, 1, 1}, 2))})};
    net::infer_shapes(b.graph);
    for (int64_t percent = 1; percent <= 100; ++percent) {
        NetworkOptions options;
        options.least_kept = static_cast<double>(percent) / 100;
        EXPECT_EQ(Network(b.graph, options).least_kept(0), percent);
    }
    NetworkOptions options;
    options.least_kept = 0.21;
    options.align = 8;
    EXPECT_EQ(allowed_kept(Network(b.graph, options), 0, 1), 24);
}

// A node that serves two branches and nothing else goes with neither: of the two one may go.
TEST(Network, BranchesThatShareANodeDoNotBothGo) {
    for (const bool shares : {false, true}) {
        net::GraphBuilder b;
        uint64_t seed = 0;
        const auto conv = [&](net::ValueId x, int64_t from, int64_t to) {
            return b.node("Conv", {x, b.constant(net::random_tensor({to, from, 1, 1}, ++seed))});
        };
        net::ValueId x = b.node("Relu", {conv(b.input({net::kUnknown, 3, 4, 4}), 3, 4)});
        const net::ValueId gate = b.node("Sigmoid", {conv(x, 4, 4)});
        for (int block = 0; block < 2; ++block) {
            net::ValueId y = conv(b.node("Relu", {conv(x, 4, 5)}), 5, 4);
            if (shares) y = b.node("Mul", {y, gate});
            x = b.node("Add", {x, y});
        }
        b.graph.outputs = {conv(x, 4, 2)};
        if (!shares) b.graph.outputs.push_back(gate);
        net::infer_shapes(b.graph);
        const Network network(b.graph, with_branches());
        ASSERT_EQ(network.branches.size(), shares ? 1u : 2u);
        EXPECT_EQ(network.branches[0].layers.size(), 2u);
        NetworkOptions options = with_branches();
        options.least_kept = 0.1;
        EXPECT_EQ(Network(b.graph, options).branches.size(), 0u);
    }
}

TEST(Plan, UniformOnesHaveTheNextAllowedWidth) {
    const net::Graph graph = net::residual_network(1);
    const Network network(graph, some_options());
    const std::vector<std::pair<int, int>> expected = {{2, 2}, {3, 4}, {4, 4}, {5, 6},
                                                       {6, 6}, {7, 6}, {8, 6}};
    for (const auto& [bits, allowed] : expected) {
        const Plan plan = uniform_plan(network, bits);
        check_plan(network, plan);
        EXPECT_EQ(plan.bits[1], allowed);
        EXPECT_EQ(plan.bits[0], 8);
    }
}

TEST(Plan, ChecksFindWhatIsNotAllowed) {
    const net::Graph graph = net::residual_network(1);
    const Network network(graph, some_options());
    Plan plan = uniform_plan(network, 4);
    plan.bits[1] = 5;
    EXPECT_THROW(check_plan(network, plan), InternalError);
    plan.bits[1] = 6;
    check_plan(network, plan);
    for (size_t i = 0; i < plan.cut[0].size(); ++i) plan.cut[0][i] = i > 0;
    EXPECT_THROW(check_plan(network, plan), InternalError);
}

}  // namespace
}  // namespace adiabat::plan
