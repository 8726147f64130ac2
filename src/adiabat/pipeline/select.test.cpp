// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/select.h"

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"
#include "adiabat/net/architectures.test.h"

namespace adiabat::pipeline {
namespace {

bool matches(const char* pattern, const std::string& name) {
    return NamePattern(pattern, "--keep").matches(name);
}

template <typename Work>
std::string refusal(const Work& work) {
    try {
        work();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

TEST(Select, NamesThreeWays) {
    const std::string name = "/layer1/layer1.0/conv1/Conv";
    for (const char* pattern :
         {"/layer1/layer1.0/conv1/Conv", "*conv1*", "/layer?/*", "*", "re:conv1", "re:^/layer1/",
          "re:layer[12]\\.0/conv.*Conv$", "re:(conv1|conv2)/Conv$", "re:"}) {
        EXPECT_TRUE(matches(pattern, name)) << pattern;
    }
    for (const char* pattern : {"/layer1/layer1.0/conv1", "conv1", "/layer?", "", "re:^conv1",
                                "re:conv3", "re:Conv/$", "/layer1.*/", "?"}) {
        EXPECT_FALSE(matches(pattern, name)) << pattern;
    }
    // A name is itself, whatever characters it has.
    for (const char* odd : {"a*b", "[x]?", "re:x"}) EXPECT_TRUE(matches(odd, odd)) << odd;
    EXPECT_TRUE(matches("[x]", "[x]"));
    EXPECT_FALSE(matches("[x]", "x"));
}

// Backtracking would not end here, and a frame a character would not fit.
TEST(Select, LongNamesAndNestedStarsEnd) {
    const std::string name(200000, 'a');
    EXPECT_FALSE(matches("re:^(a*)*b$", name));
    EXPECT_TRUE(matches("re:^(a|b)*$", name));
    EXPECT_FALSE(matches("*a*a*a*b", name.substr(0, 5000)));
}

TEST(Select, ExpressionsThatAreNoneAreRefusedInOneLine) {
    for (const char* bad : {"re:(", "re:[", "re:a{2,1}", "re:*(", "re:a\\"}) {
        const std::string why = refusal([&] { NamePattern(bad, "--only"); });
        EXPECT_EQ(why.rfind("--only: `", 0), 0u) << bad << ": " << why;
        EXPECT_NE(why.find("no regular expression"), std::string::npos) << why;
        EXPECT_EQ(why.find('\n'), std::string::npos);
    }
}

TEST(Select, ReadsWidths) {
    EXPECT_EQ(parse_widths("2,3,4,6,8"), (std::vector<int>{2, 3, 4, 6, 8}));
    EXPECT_EQ(parse_widths("8,4,4"), (std::vector<int>{4, 8}));
    EXPECT_EQ(parse_widths("5"), (std::vector<int>{5}));
    for (const char* wrong :
         {"", "2,", ",2", "1,2", "9", "2;3", "two", "2 ,3", "4.5", "-2", "32"}) {
        EXPECT_EQ(refusal([&] { parse_widths(wrong); }).rfind("--bits: ", 0), 0u) << wrong;
    }
}

TEST(Select, ControlsAreChecked) {
    EXPECT_NE(refusal([] { network_options({.least_kept = 1.5}); }), "");
    EXPECT_NE(refusal([] { network_options({.least_kept = -0.1}); }), "");
    EXPECT_NE(refusal([] { network_options({.first_last = 16}); }), "");
    EXPECT_NE(refusal([] { network_options({.bits = "1"}); }), "");
    EXPECT_EQ(refusal([] { network_options({}); }), "");
    const net::Graph graph = net::architectures()[0].build();
    const std::string name = net::find_layers(graph)[0].name;
    EXPECT_EQ(refusal([&] { require_matches({.keep = {name}, .only = {"*"}}, graph); }), "");
    EXPECT_EQ(refusal([&] {
                  require_matches({.keep = {name, "nobody"}}, graph);
              }),
              "--keep: `nobody` names no layer of the network (inspect lists them)");
    EXPECT_EQ(refusal([&] { require_matches({.only = {"re:^nobody"}}, graph); }),
              "--only: `re:^nobody` names no layer of the network (inspect lists them)");
}

// A row of four convolutions: those named are cut and get other widths, the others neither.
TEST(Select, OnlyTheseLayersChange) {
    net::NetworkBuilder b;
    net::ValueId x = b.image();
    for (int k = 0; k < 4; ++k) {
        x = b.relu(b.conv(x, k == 0 ? 3 : 6, 6));
        b.graph.nodes[b.graph.nodes.size() - 2].name = "/conv" + std::to_string(k);
    }
    const net::Graph graph = b.classify(x, 6);
    const auto of = [&](const Controls& controls) {
        return std::make_unique<plan::Network>(graph, network_options(controls));
    };
    const auto cut_layers = [&](const plan::Network& network) {
        std::string names;
        for (size_t k = 0; k < network.layers.size(); ++k) {
            if (!network.filter_shares(k).empty()) names += network.layers[k].name;
        }
        return names;
    };
    const auto all = of({});
    EXPECT_EQ(cut_layers(*all), "/conv0/conv1/conv2/conv3");
    const auto only = of({.only = {"/conv1", "re:3$"}, .bits = "2,4"});
    EXPECT_EQ(cut_layers(*only), "/conv1/conv3");
    for (size_t k = 0; k < only->layers.size(); ++k) {
        const bool named = k == 1 || k == 3;
        EXPECT_EQ(only->widths(k), named ? (std::vector<int>{2, 4}) : std::vector<int>{8}) << k;
    }
    const auto both = of({.keep = {"*3"}, .only = {"/conv1", "re:3$"}, .first_last = 6});
    EXPECT_EQ(cut_layers(*both), "/conv1");
    EXPECT_EQ(both->widths(3).size(), 7u);
    EXPECT_EQ(both->widths(0), std::vector<int>{8});  // first, but not named
    EXPECT_EQ(of({.first_last = 6})->widths(0), std::vector<int>{6});
}

}  // namespace
}  // namespace adiabat::pipeline
