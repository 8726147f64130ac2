// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plan: which steps of a graph a run needs, in which order, and when each value is dead.
//
// A run feeds some values and fetches others; walking backwards from the fetched ones gives the
// steps between, O(nodes). A step is a node, or an integer layer: DequantizeLinear of the input,
// the weight and the bias, the Conv, Gemm or MatMul between them, and the Relu and QuantizeLinear
// that may follow, which are evaluated together as the runtime's integer kernels do. Nothing here
// knows LibTorch.
//
// A plan also says whether the batch may be cut into slices: only if every operator on the way
// treats the leading dimension as so many independent images.

#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::torch {

using net::Graph;
using net::Node;
using net::ValueId;

// Scale and zero point of a Quantize/DequantizeLinear; zero_point is kNoValue where it is 0.
struct Affine {
    ValueId scale = net::kNoValue;
    ValueId zero_point = net::kNoValue;
};

// An operator whose inputs and perhaps output are 8-bit codes. Interior values are those between
// the codes.
struct IntegerLayer {
    int node = -1;                      // Conv, Gemm or MatMul
    ValueId x = net::kNoValue;          // activation codes
    ValueId w = net::kNoValue;          // weight codes, a constant
    ValueId b = net::kNoValue;          // int32 bias, a constant, or kNoValue
    Affine of_x, of_w, of_y;            // of_y.scale is kNoValue where the output is not quantized
    net::DType code_type{};             // of the output codes
    ValueId real = net::kNoValue;       // the node's output in real numbers
    ValueId rectified = net::kNoValue;  // after the Relu, kNoValue where there is none
    ValueId codes = net::kNoValue;      // after the QuantizeLinear, kNoValue where there is none
    std::vector<ValueId> before;  // interior values that the layer bypasses (dequantized inputs)
    std::vector<ValueId> constants() const;
};

struct Step {
    int node = -1;                 // of the graph
    int layer = -1;                // index of the integer layer it stands for, -1 for a plain node
    std::vector<ValueId> inputs;   // kNoValue where left out
    std::vector<ValueId> outputs;  // kNoValue where not wanted
    std::vector<uint8_t> last;     // whether this is the last use of inputs[k]
};

struct Plan {
    std::vector<Step>
        constant;  // depend on constants alone: evaluated once, until a constant is replaced
    std::vector<Step> steps;  // in order
    std::vector<ValueId>
        inputs;  // constants and results of `constant` that `steps` read or that are fetched
    std::vector<uint8_t> carries_batch;  // a value of the graph: whether it has the batch in front
    bool sliceable = true;
};

// What a run touches. `wanted` are values whose gradient is asked for: they are neither folded nor
// fused over.
struct Request {
    std::vector<ValueId> feeds, fetches, wanted;
    bool no_batch = false;  // the fed values have no leading dimension in common
    bool operator<(const Request& other) const {
        return std::tie(feeds, fetches, wanted, no_batch) <
               std::tie(other.feeds, other.fetches, other.wanted, other.no_batch);
    }
};

// The types of all values: as the graph has them, and by the operators' rules where it is silent.
std::vector<net::DType> value_types(const Graph& graph);

// The integer layers of a graph, in topological order.
std::vector<IntegerLayer> find_integer_layers(const Graph& graph,
                                              std::span<const net::DType> types);

// Throws InputError naming all needed inputs that are not fed.
Plan make_plan(const Graph& graph, std::span<const IntegerLayer> layers, const Request& request);

// Whether the node's outputs have the batch in front, image by image, if the inputs in `carries`
// have.
bool keeps_batch(const Graph& graph, const Node& node, std::span<const uint8_t> carries);

}  // namespace adiabat::torch
