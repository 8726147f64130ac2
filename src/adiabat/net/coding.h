// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which activations of a float graph are coded in 8 bits once its layers are quantized, and which
// values share one scale.
//
// Coded is what an operator with an integer kernel makes or reads: layers, Add, AveragePool,
// Concat, spatial means. A ReLU whose input nobody else reads is absorbed: a zero point of 0 clamps
// where it would. Operators that only move values (Slice, Pad, Flatten, Transpose, MaxPool ..) move
// codes and keep their input's scale. Everything else stays float. O(nodes).

#include <span>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"

namespace adiabat::net {

// What has one scale.
struct Activation {
    ValueId value = kNoValue;   // that is coded
    ValueId before = kNoValue;  // before the ReLU that is absorbed; = value where there is none
    // These and all that operators move of it, in the order of the nodes that make them.
    std::vector<ValueId> values = {};
    std::vector<size_t> readers = {};  // layers, ascending
    // The layer that makes it, if its integer kernel ends in codes: a convolution, or a Gemm that
    // absorbs a ReLU or whose value is an output; another Gemm may end in float. -1 for none.
    int maker = -1;
    // Whether nobody knows any of its values by name.
    bool is_inner = true;

    bool has_relu() const { return before != value; }
};

struct Coding {
    std::vector<Activation> activations;  // in the order in which they are made
    std::vector<int> of_value;            // the activation of each value of the graph, -1 for none
    // Of each value that has codes, counted in the order of the nodes; -1 for none. Where a spatial
    // mean drops its axes, the number before belongs to what has them still.
    std::vector<int> number;

    int of(ValueId id) const { return of_value[static_cast<size_t>(id)]; }
    // Whether the ReLU that makes the value is absorbed.
    bool is_absorbed(ValueId id) const {
        const int a = of(id);
        return a >= 0 && activations[static_cast<size_t>(a)].has_relu() &&
               activations[static_cast<size_t>(a)].value == id;
    }
};

// The graph's shapes have been inferred.
Coding find_coding(const Graph& graph, std::span<const Layer> layers);

// ReduceMean over exactly the spatial axes: the integer kernel is GlobalAveragePool's.
bool is_spatial_mean(const Graph& graph, const Node& node);

}  // namespace adiabat::net
