// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/model.h"

#include <thread>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/simplify.h"
#include "adiabat/net/to_float32.h"
#include "adiabat/net/unused_names.h"
#include "adiabat/onnx/read.h"
#include "adiabat/pipeline/fold_with_engine.h"

namespace adiabat::pipeline {

namespace {

// x.view(x.size(0), -1) is exported as a Reshape to {1, -1} where the batch was fixed at 1: that
// entry repeats the batch, which is said by a 0.
void free_reshapes(net::Graph& graph, int64_t batch) {
    net::infer_shapes(graph);
    net::UnusedNames names(graph);
    const auto begins_with_batch = [&](const std::optional<net::Shape>& shape) {
        return shape && !shape->empty() && shape->front() == batch;
    };
    for (net::Node& node : graph.nodes) {
        const net::Tensor* target =
            node.op == "Reshape" && node.domain.empty() ? graph.constant(node.input(1)) : nullptr;
        if (!target || target->type != net::DType::kInt64 || target->rank() != 1 ||
            node.input(0) == net::kNoValue || node.int_or("allowzero", 0) != 0 ||
            !begins_with_batch(graph.value(node.inputs[0]).shape) ||
            !begins_with_batch(target->to_ints())) {
            continue;
        }
        auto entries = target->to_ints();
        entries[0] = 0;
        const std::string wanted = graph.value(node.inputs[1]).name + "_free";
        node.inputs[1] = graph.add_constant(
            names.take(wanted), net::Tensor::of<int64_t>({std::ssize(entries)}, entries));
    }
}

// Exporters fix the batch, often at 1. The network is run on many images at once all the same: the
// leading dimension of its only input is made unknown, and what was inferred from it is inferred
// anew.
void free_batch(net::Graph& graph) {
    if (graph.inputs.size() != 1) return;
    auto& input = graph.value(graph.inputs[0]).shape;
    if (!input || input->empty() || input->front() == net::kUnknown) return;
    const int64_t batch = input->front();
    free_reshapes(graph, batch);
    for (net::ValueId id : graph.outputs) {
        const auto& shape = graph.value(id).shape;
        if (shape && !shape->empty() && shape->front() == batch)
            graph.value(id).fixed_batch = batch;
    }
    graph.value(graph.inputs[0]).fixed_batch = batch;
    for (const net::Node& node : graph.nodes) {
        for (net::ValueId id : node.outputs) {
            if (id != net::kNoValue) graph.value(id).shape.reset();
        }
    }
    input->front() = net::kUnknown;
}

}  // namespace

void check_output(const std::filesystem::path& path,
                  const std::vector<std::filesystem::path>& inputs) {
    std::error_code error;
    for (const auto& input : inputs) {
        if (std::filesystem::weakly_canonical(path, error) ==
            std::filesystem::weakly_canonical(input, error)) {
            throw InputError("{}: the output would overwrite the input {}", path.string(),
                             input.string());
        }
    }
    check_writable(path);
}

net::Graph parse_simplified(std::span<const uint8_t> bytes, const std::string& where) {
    net::Graph graph = onnx::parse_model(bytes, where);
    free_batch(graph);
    net::simplify(graph);
    return graph;
}

Model load_model(const std::filesystem::path& path) {
    std::vector<uint8_t> bytes = read_file(path);
    Model model;
    model.path = path.string();
    model.file_bytes = static_cast<int64_t>(bytes.size());
    {
        // Of a large file the digest takes longer than all the rest.
        const std::jthread hashing([&] { model.sha256 = sha256(bytes); });
        model.graph = onnx::parse_model(bytes, model.path, onnx::folder_of(path));
    }
    bytes = {};  // the graph has all there is
    model.file_bytes += model.graph.notes.external_bytes;
    try {
        free_batch(model.graph);
        net::FoldBudget budget(model.graph);
        net::simplify(model.graph, budget);
        if (fold_with_engine(model.graph, budget) > 0) net::simplify(model.graph, budget);
    } catch (const InputError& error) {
        throw InputError("{}: {}", model.path, error.what());
    }
    return model;
}

void compute_in_float(Model& model) {
    if (!net::needs_float32(model.graph)) return;
    std::string type;
    for (const net::Value& value : model.graph.values) {
        if (type.empty() && value.type != net::DType::kFloat && net::is_real(value.type)) {
            type = net::name_of(value.type);
        }
    }
    net::to_float32(model.graph);
    net::simplify(model.graph);
    model.computed_in = type;
}

Json to_json(const Model& model) {
    Json json = {{"path", model.path}, {"bytes", model.file_bytes}, {"sha256", model.sha256}};
    if (!model.computed_in.empty()) json["computed_in"] = model.computed_in;
    return json;
}

void require_one_input(const Model& model) {
    const auto& inputs = model.graph.inputs;
    if (inputs.size() != 1) {
        throw InputError("{}: has {} inputs: networks with one image input can be run so far",
                         model.path, inputs.size());
    }
    const net::Value& input = model.graph.value(inputs[0]);
    if (!net::is_real(input.type)) {
        throw InputError("{}: input {} takes {}: networks whose input is real can be run so far",
                         model.path, input.name, net::name_of(input.type));
    }
}

}  // namespace adiabat::pipeline
