// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quantized form of a float graph: QuantizeLinear and DequantizeLinear around every operator
// that has an integer kernel, integer weights and biases, all constants still to be filled in
// (calibrate.h does it).
//
// Activations are coded in 8 bits, asymmetric, one scale a tensor, where net/coding.h says so;
// those that are to stay float have no codes, and biases of layers that read them are float. A
// spatial ReduceMean becomes GlobalAveragePool. Operators without an integer kernel stay float.
//
// Which names and nodes there are depends on the float graph alone but for the decoders of the
// weights, and for what codes and decodes each activation: what reads a float activation knows it
// by the name that its decoded codes would have. So the size of the written file is a sum over
// layers and activations (file_size.h).

#include <span>
#include <string>
#include <vector>

#include "adiabat/apply/parameters.h"
#include "adiabat/net/coding.h"
#include "adiabat/net/graph.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/plan/plan.h"

namespace adiabat::apply {

// What the quantized graph computes, in order: each stage is one value of the float graph.
struct Stage {
    net::ValueId original = net::kNoValue;  // the value in the float graph, before an absorbed ReLU
    net::ValueId activated =
        net::kNoValue;  // the same behind the ReLU; = original where there is none
    int layer = -1;     // index of the layer that computes it, -1 for other operators
    net::ValueId real =
        net::kNoValue;  // float value in the quantized graph; kNoValue where codes move
    net::ValueId codes = net::kNoValue;  // uint8; kNoValue where the value stays float
    net::ValueId scale = net::kNoValue, zero_point = net::kNoValue;  // of the codes

    bool has_relu() const { return activated != original; }
};

struct Quantized {
    net::Graph graph;
    std::vector<Stage> stages;
    std::vector<LayerParameters> layers;  // one a layer
    // Constants that were taken over as they are, here and in the float graph.
    struct Copied {
        net::ValueId here = net::kNoValue, original = net::kNoValue;
    };
    std::vector<Copied> copied;
    std::vector<int> node_of;  // for every node of the float graph the one that computes it, or -1
    std::string prefix;        // of the names that are ours
};

// The opset that a graph must have before it is quantized (net/raise_opset.h).
int least_opset(onnx::Storage storage);

// What graphs are quantized to.
struct Widths {
    std::vector<int> layers;  // bits, one a layer
    // Values of activations that stay float.
    std::vector<net::ValueId> floats = {};
};
Widths widths_of(const plan::Network& network, const plan::Plan& plan);

// The float graph, cut or not, with its `layers` at these widths.
Quantized quantize(const net::Graph& graph, std::span<const net::Layer> layers,
                   const Widths& widths, onnx::Storage storage);

// Throws InputError for a network that cannot be quantized at all: no layers, or quantized already.
void require_quantizable(const net::Graph& graph, std::span<const net::Layer> layers);

}  // namespace adiabat::apply
