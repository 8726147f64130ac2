// SPDX-License-Identifier: Apache-2.0
#pragma once

// Small graphs for tests, one call a value.

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/net/graph.h"

namespace adiabat::net {

struct GraphBuilder {
    Graph graph;

    explicit GraphBuilder(int opset = 13) {
        graph.name = "test";
        graph.opset = opset;
        graph.ir_version = 8;
    }
    ValueId input(const std::string& name, Shape shape, DType type = DType::kFloat) {
        const ValueId id = graph.add_value(name, type, std::move(shape));
        graph.inputs.push_back(id);
        return id;
    }
    // With a name of its own, and the leading dimension unknown.
    ValueId input(Shape shape, DType type = DType::kFloat) {
        shape[0] = kUnknown;
        return input(fmt::format("in{}", graph.values.size()), std::move(shape), type);
    }
    ValueId constant(Tensor tensor, const std::string& name = "") {
        return graph.add_constant(name.empty() ? fmt::format("c{}", graph.values.size()) : name,
                                  std::move(tensor));
    }
    template <typename T>
    ValueId constant(Shape shape, const std::vector<T>& values) {
        return constant(Tensor::of<T>(std::move(shape), values));
    }
    template <typename T>
    ValueId scalar(T value) {
        return constant(Tensor::scalar<T>(value));
    }
    ValueId ints(const std::vector<int64_t>& values) {
        return constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
    }
    ValueId floats(Shape shape, const std::vector<float>& values) {
        return constant(Tensor::of<float>(std::move(shape), values));
    }
    // Zeros: where only the shape matters.
    ValueId weight(Shape shape, DType type = DType::kFloat) {
        return constant(Tensor(type, std::move(shape)));
    }
    std::vector<ValueId> nodes(const std::string& op, std::vector<ValueId> inputs, size_t outputs,
                               std::map<std::string, Attribute> attributes = {}) {
        Node node;
        node.op = op;
        node.name = fmt::format("{}_{}", op, graph.nodes.size());
        node.inputs = std::move(inputs);
        node.attributes = std::move(attributes);
        for (size_t k = 0; k < outputs; ++k) {
            node.outputs.push_back(graph.add_value(fmt::format("v{}", graph.values.size())));
        }
        graph.nodes.push_back(node);
        return node.outputs;
    }
    ValueId node(const std::string& op, std::vector<ValueId> inputs,
                 std::map<std::string, Attribute> attributes = {}) {
        return nodes(op, std::move(inputs), 1, std::move(attributes))[0];
    }
    void output(ValueId id) { graph.outputs.push_back(id); }
};

using Ints = std::vector<int64_t>;

// Uniform in [low, high).
inline Tensor random_tensor(Shape shape, uint64_t seed, float low = -1, float high = 1) {
    Tensor tensor(DType::kFloat, std::move(shape));
    Random random(seed);
    for (float& v : tensor.as<float>()) v = low + (high - low) * random.uniform_float();
    return tensor;
}

// Uniform integers in low..high.
template <typename T>
Tensor random_codes(Shape shape, uint64_t seed, int low, int high) {
    Tensor tensor(DTypeOf<T>::value, std::move(shape));
    Random random(seed);
    for (T& v : tensor.as<T>()) {
        v = static_cast<T>(low +
                           static_cast<int>(random.below(static_cast<uint32_t>(high - low + 1))));
    }
    return tensor;
}

}  // namespace adiabat::net
