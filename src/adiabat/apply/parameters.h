// SPDX-License-Identifier: Apache-2.0
#pragma once

// The parameters of one quantized layer in a graph: integer weights, scales, zero points, biases,
// and the DequantizeLinear nodes that read them. The values are zeros until calibration fills them
// in.
//
// Weights of convolutions are int8, one scale a filter; uint8 with zero point 128 at 8 bits, where
// int8 would saturate the 16-bit pair sums of x86 processors without VNNI; those of Gemms always
// uint8 with zero point 2^(b-1), the only form for which ONNX Runtime has a kernel. Biases are
// int32 in units of input scale x weight scale, float where the layer reads a float activation.

#include <string>

#include "adiabat/net/cost.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"
#include "adiabat/onnx/self_decoding.h"

namespace adiabat::apply {

struct LayerParameters {
    onnx::WeightCodes weight;
    net::ValueId bias = net::kNoValue;            // constant, one a filter
    net::ValueId decoded_weight = net::kNoValue;  // float values for the operator to read
    net::ValueId decoded_bias = net::kNoValue;
    int code_offset = 0;  // zero point of the weight codes as stored
};

// Adds the parameters of layer number `ordinal`, whose weight has `shape`, to the graph.
// `input_scale` is the scale of the codes that the layer reads, kNoValue for a float activation.
// Names begin with `prefix` and end in the ordinal.
LayerParameters add_parameters(net::Graph& graph, const net::Layer& layer, const net::Shape& shape,
                               int bits, bool is_gemm, int ordinal, net::ValueId input_scale,
                               const std::string& prefix);

}  // namespace adiabat::apply
