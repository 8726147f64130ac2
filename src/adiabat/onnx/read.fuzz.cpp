// SPDX-License-Identifier: Apache-2.0
//
// Any bytes at all: read, simplified, written, read again; channels followed and cut, the opset
// raised. The one way out is InputError. Built with clang's libFuzzer (-D
// ADIABAT_BUILD_FUZZERS=ON); dev/fuzz.sh runs it.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "adiabat/apply/cut.h"
#include "adiabat/apply/prepare.h"
#include "adiabat/base/errors.h"
#include "adiabat/net/branches.h"
#include "adiabat/net/cost_model.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"
#include "adiabat/net/raise_opset.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/simplify.h"
#include "adiabat/net/to_float32.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/wire.h"
#include "adiabat/onnx/write.h"

namespace {

using namespace adiabat;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// What is written must be read again, of the size that was predicted.
void go_there_and_back(const net::Graph& graph) {
    const auto bytes = onnx::serialize_model(graph);
    require(bytes.size() == onnx::model_bytes(graph), "the size is as predicted");
    const net::Graph back = onnx::parse_model(bytes, "written");
    net::check_graph(back);
    require(back.nodes.size() == graph.nodes.size(), "the nodes are there again");
}

// Every second group of every family.
void cut(net::Graph graph) {
    net::raise_opset(graph, 13);
    net::check_graph(graph);
    apply::prepare_for_cutting(graph, net::find_coupling(graph));
    const net::Coupling coupling = net::find_coupling(graph);
    std::vector<uint8_t> flags(coupling.groups.size(), 0);
    std::vector<int64_t> counts(coupling.families.size(), 0);
    for (size_t g = 0; g < flags.size(); ++g) {
        flags[g] = coupling.groups[g].member % 2 != 0;
        counts[static_cast<size_t>(coupling.groups[g].family)] += flags[g];
    }
    const auto layers = net::find_layers(graph);
    const std::vector<int> bits(layers.size(), 32);
    net::CostModel(graph, coupling, layers).cost(counts, bits);
    const auto branches = net::find_branches(graph);
    net::check_graph(apply::cut_groups(graph, coupling, flags, branches));
}

void use(std::span<const uint8_t> bytes) {
    net::Graph graph;
    try {
        graph = onnx::parse_model(bytes, "bytes");
    } catch (const InputError&) {
        return;
    }
    net::check_graph(graph);
    go_there_and_back(graph);
    try {
        net::Graph as_it_is = graph;
        net::infer_shapes(as_it_is);
        net::simplify(graph);
        net::check_graph(graph);
        net::to_float32(as_it_is);
        cut(graph);
    } catch (const InputError&) {
        return;
    }
    go_there_and_back(graph);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    use({data, size});
    return 0;
}
