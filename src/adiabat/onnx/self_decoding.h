// SPDX-License-Identifier: Apache-2.0
#pragma once

// Self-decoding weights: b-bit codes stored in b bits, decoded by standard operators when a runtime
// loads the file.
//
// Code c of b bits is stored in b bit planes: byte j of plane k holds bit k of codes 8j .. 8j+7.
// The decoder is a chain of constant operators, which ONNX Runtime folds as it loads the model,
// before it chooses kernels, so that what runs is the int8 kernel:
//
//   BitShift left by 7-i, i = 0..7   brings bit i of a byte to its top       [m, 1, b] -> [m, 8, b]
//   BitShift right by 7              leaves that bit alone
//   Cast to float, MatMul with the place values (1, 2, 4, .., -2^(b-1))      -> [m, 8]
//   Reshape (to a vector and Slice first where the number of codes is no multiple of 8), Cast to
//   int8
//
// The last place value is negative: the planes hold two's complement. Codes that must be uint8 (a
// Gemm's, and 8-bit ones) have positive place values and a zero point of 2^(b-1). 8-bit codes are
// stored as they are. The scale of a bias is a product in the graph too, input scale x weight
// scale, which saves four bytes a filter. Other storage: kInt4 (INT4/UINT4 initializers behind a
// Cast, opset 21; codes above 4 bits as bytes) and kInt8 (a byte a code).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::onnx {

enum class Storage { kPlanes, kInt4, kInt8 };

// "planes", "int4", "int8". Throws InputError for anything else.
Storage parse_storage(std::string_view name);
std::string_view name_of(Storage storage);

// The parameters of one quantized layer in a graph: an int8 or uint8 constant read by
// DequantizeLinear.
struct WeightCodes {
    int ordinal = 0;  // names of what the decoder adds end in it
    int bits = 8;
    net::ValueId codes = net::kNoValue;        // int8 or uint8 constant, weight's shape
    net::ValueId scales = net::kNoValue;       // float constant, one a filter
    net::ValueId bias_scales = net::kNoValue;  // float constant, = input scale x scales
    net::ValueId input_scale = net::kNoValue;  // float scalar constant
};

// Replaces the constants by what decodes to them; every name it gives begins with `prefix`
// (unused_prefix). Throws InputError for kInt4 where the graph's opset is below 21. Where it is for
// the size alone, planes are zeros.
void encode_weights(net::Graph& graph, const std::vector<WeightCodes>& weights, Storage storage,
                    const std::string& prefix, bool is_for_size = false);

// Names in a written file are a letter and a number: "w12". The prefix that keeps them apart from
// the names of the network's inputs and outputs; empty but for networks that use such names
// themselves.
std::string unused_prefix(const net::Graph& graph);

// Names of the constants that decoders share, which a file has once however many layers use them.
bool is_shared_by_decoders(std::string_view value_name, std::string_view prefix);

// Where a graph as it was read keeps the codes of a weight, int8 or uint8: a constant of their own,
// or the planes or nibbles from which encode_weights' nodes decode them.
struct StoredCodes {
    net::ValueId constant = net::kNoValue;
    Storage storage = Storage::kInt8;
    int bits = 8;  // of kPlanes those of a code; else those of the place that a code has
};
// Nothing where `codes` are neither. O(nodes).
std::optional<StoredCodes> find_stored(const net::Graph& graph, net::ValueId codes);

// What that constant is where it holds these codes.
net::Tensor packed(const net::Graph& graph, const StoredCodes& stored, const net::Tensor& codes);

// The packed planes of codes in -2^(b-1) .. 2^(b-1)-1 or 0 .. 2^b-1, a byte each: bytes [ceil(n /
// 8), 1, b].
std::vector<uint8_t> pack_planes(std::span<const uint8_t> codes, int bits);

}  // namespace adiabat::onnx
