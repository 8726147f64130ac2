// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/plan_file.h"

#include <gtest/gtest.h>

#include <functional>

#include "adiabat/net/architectures.test.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/plan/fixture.test.h"

namespace adiabat::pipeline {
namespace {

Json document_of(const net::Graph& graph, const plan::Network& network, const plan::Plan& plan) {
    Json document;
    add_plan(document, graph, network, plan);
    return Json::parse(to_text(document));  // as a file has it
}

TEST(PlanFile, IsReadBackTheSameOnEveryArchitecture) {
    int elsewhere = 0, cut = 0, dropped = 0, floats = 0;
    for (const net::Architecture& architecture : net::architectures()) {
        const net::Graph graph = architecture.build();
        const plan::Network with_branches(graph, plan::with_branches()),
            with_activations(graph, plan::with_activations());
        Random random(11, 2);
        for (int k = 0; k < 20; ++k) {
            const plan::Network& network = k % 2 ? with_branches : with_activations;
            const plan::Plan plan = plan::random_plan(network, random);
            const Json document = document_of(graph, network, plan);
            elsewhere += document.contains("also_cut");
            dropped += document.contains("dropped");
            floats += document.contains("float_activations");
            for (size_t f = 0; f < network.families(); ++f) cut += plan::cut_count(plan, f) > 0;
            ASSERT_EQ(plan_from_json(graph, network, document, "plan.json"), plan)
                << architecture.name << " " << document.dump();
        }
    }
    EXPECT_GT(elsewhere, 20);  // channels of no layer's filters
    EXPECT_GT(dropped, 5);
    EXPECT_GT(floats, 50);
    EXPECT_GT(cut, 200);
}

TEST(PlanFile, LayersOfOneNameAreTakenInOrder) {
    net::Graph graph = net::residual_network(3);
    for (net::Node& node : graph.nodes) {
        if (node.op == "Conv") node.name = "same";
    }
    const plan::Network network(graph);
    Random random(1, 2);
    const plan::Plan plan = plan::random_plan(network, random);
    EXPECT_EQ(plan_from_json(graph, network, document_of(graph, network, plan), "p"), plan);
}

struct Damage {
    const char* expected;  // part of the message
    std::function<void(Json&)> change;
};

TEST(PlanFile, EveryBreachIsOneLineThatNamesIt) {
    const net::Graph graph = net::residual_network(3);
    const plan::Network network(graph);
    const plan::Plan whole = plan::uniform_plan(network, 8);
    const std::string first = network.layers[0].name;
    const int64_t filters = network.layers[0].filters;
    Json all = Json::array();
    for (int64_t i = 0; i < network.layers[1].filters; ++i) all.push_back(i);
    const std::vector<Damage> damages = {
        {"no \"plan\"", [](Json& d) { d.erase("plan"); }},
        {"expected a list", [](Json& d) { d["plan"] = 3; }},
        {"is missing", [](Json& d) { d["plan"].erase(1); }},
        {"there twice", [](Json& d) { d["plan"][1]["name"] = d["plan"][0]["name"]; }},
        {"no layer nobody", [](Json& d) { d["plan"][0]["name"] = "nobody"; }},
        {"expected text", [](Json& d) { d["plan"][0]["name"] = 3; }},
        {"no \"bits\"", [](Json& d) { d["plan"][0].erase("bits"); }},
        {"found 9, expected one of 2, 3, 4", [](Json& d) { d["plan"][0]["bits"] = 9; }},
        {"expected a whole number", [](Json& d) { d["plan"][0]["bits"] = 4.5; }},
        {"expected name, bits and cut", [](Json& d) { d["plan"][0]["bit"] = 4; }},
        {"numbers from 0 to ", [&](Json& d) { d["plan"][0]["cut"] = {filters}; }},
        {"numbers from 0 to ", [](Json& d) { d["plan"][0]["cut"] = {-1}; }},
        {"each number once",
         [](Json& d) {
             d["plan"][1]["cut"] = {1, 1};
         }},
        {"expected both or none",
         [](Json& d) {
             d["plan"][0]["cut"] = {0};
             d["plan"][0].erase("filters");
         }},
        {"1 at least", [&](Json& d) { d["plan"][1]["cut"] = all; }},
        {"but stays", [](Json& d) { d["plan"].back()["cut"] = {0}; }},
        {"\"filters\"", [](Json& d) { d["plan"][1]["cut"] = {0}; }},
        {"\"filters_before\"", [](Json& d) { d["plan"][1]["filters_before"] = 1000; }},
        {"no parameter w9",
         [](Json& d) {
             d["also_cut"] = {{{"parameter", "w9"}, {"axis", 0}, {"indices", {0}}}};
         }},
    };
    for (const Damage& damage : damages) {
        Json document = document_of(graph, network, whole);
        damage.change(document);
        try {
            plan_from_json(graph, network, document, "here.json");
            ADD_FAILURE() << "taken: " << damage.expected;
        } catch (const InputError& error) {
            const std::string text = error.what();
            EXPECT_TRUE(text.starts_with("here.json: ")) << text;
            EXPECT_NE(text.find(damage.expected), std::string::npos) << text;
        }
    }
    EXPECT_EQ(plan_from_json(graph, network, document_of(graph, network, whole), "h"), whole);
}

}  // namespace
}  // namespace adiabat::pipeline
