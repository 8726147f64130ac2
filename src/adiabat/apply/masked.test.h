// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: the naive twin of surgery. Nothing is cut; whatever sums over an axis (Conv, Gemm,
// MatMul, Einsum, ReduceSum) sees zeros at the indices that would go, and an addition sees zeros
// where its branch would be dropped.

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/net/branches.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::apply {

// Which axes of an input a node sums over.
inline std::vector<int> summed_axes(const net::Graph& graph, const net::Node& node, size_t input) {
    const auto& shape = graph.value(node.input(input)).shape;
    if (!node.domain.empty() || !shape) return {};
    const int rank = static_cast<int>(shape->size());
    if (node.op == "Conv" || node.op == "ConvTranspose") {
        return input == 0 ? std::vector<int>{1} : std::vector<int>{};
    }
    if (node.op == "Gemm" && input < 2) {
        const bool transposed = node.int_or(input == 0 ? "transA" : "transB", 0) != 0;
        return {(input == 0) != transposed ? 1 : 0};
    }
    if (node.op == "MatMul") return {input == 0 ? rank - 1 : std::max(0, rank - 2)};
    if (node.op == "Einsum") {
        const std::string equation = node.string_or("equation", "");
        const std::string output = equation.substr(equation.find("->") + 2);
        std::vector<int> summed;
        size_t operand = 0;
        int axis = 0;
        for (char letter : equation.substr(0, equation.find("->"))) {
            if (letter == ' ') continue;
            if (letter == ',') {
                ++operand;
                axis = 0;
            } else {
                if (operand == input && output.find(letter) == std::string::npos) {
                    summed.push_back(axis);
                }
                ++axis;
            }
        }
        return summed;
    }
    if (node.op == "ReduceSum" && input == 0) {
        std::vector<int> summed;
        const net::Tensor* given = graph.constant(node.input(1));
        for (int64_t axis : given ? given->to_ints() : node.ints_or("axes", {})) {
            summed.push_back(static_cast<int>(axis < 0 ? axis + rank : axis));
        }
        return summed;
    }
    return {};
}

class Masking {
  public:
    Masking(const net::Graph& graph, const net::Coupling& coupling, std::span<const uint8_t> cut)
        : from_(graph), coupling_(coupling), cut_(cut), to_(graph) {
        to_.nodes.clear();
    }

    net::Graph mask(std::span<const net::Branch> dropped) {
        for (size_t n = 0; n < from_.nodes.size(); ++n) {
            net::Node node = from_.nodes[n];
            for (size_t k = 0; k < node.inputs.size(); ++k) {
                if (node.inputs[k] == net::kNoValue || from_.constant(node.inputs[k])) continue;
                for (int axis : summed_axes(from_, from_.nodes[n], k)) {
                    node.inputs[k] = masked(from_.nodes[n].inputs[k], node.inputs[k], axis);
                }
            }
            for (const net::Branch& branch : dropped) {
                if (branch.add != static_cast<int>(n)) continue;
                net::ValueId& id = node.inputs[static_cast<size_t>(branch.operand)];
                id = times(id, net::Tensor::scalar<float>(0));
            }
            to_.nodes.push_back(std::move(node));
        }
        net::infer_shapes(to_);
        return std::move(to_);
    }

  private:
    net::ValueId times(net::ValueId id, net::Tensor factor) {
        const std::string name = "masked_" + std::to_string(to_.values.size());
        const net::ValueId constant = to_.add_constant(name + "_mask", std::move(factor));
        const net::ValueId product = to_.add_value(name, to_.value(id).type, to_.value(id).shape);
        to_.nodes.push_back({"Mul", "", name, {id, constant}, {product}, {}});
        return product;
    }

    net::ValueId masked(net::ValueId original, net::ValueId id, int axis) {
        const auto* labels = coupling_.labels_of(original, axis);
        if (!labels) return id;
        const size_t rank = from_.value(original).shape->size();
        net::Shape shape(rank - static_cast<size_t>(axis), 1);
        shape[0] = static_cast<int64_t>(labels->groups.size());
        std::vector<float> mask;
        bool any = false;
        for (net::GroupId group : labels->groups) {
            const bool goes = group != net::kStays && cut_[static_cast<size_t>(group)];
            mask.push_back(goes ? 0.0f : 1.0f);
            any = any || goes;
        }
        return any ? times(id, net::Tensor::of<float>(shape, mask)) : id;
    }

    const net::Graph& from_;
    const net::Coupling& coupling_;
    std::span<const uint8_t> cut_;
    net::Graph to_;
};

// `coupling` is that of `graph`; the result has more nodes and values, and the same outputs.
inline net::Graph mask_groups(const net::Graph& graph, const net::Coupling& coupling,
                              std::span<const uint8_t> cut,
                              std::span<const net::Branch> dropped = {}) {
    return Masking(graph, coupling, cut).mask(dropped);
}

}  // namespace adiabat::apply
