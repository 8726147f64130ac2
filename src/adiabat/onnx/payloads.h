// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the numbers of tensors lie in the bytes of an ONNX file.
//
// A tensor's numbers are one field of a TensorProto (raw_data, or packed float_data or
// double_data), wherever the tensor stands: initializers, sparse ones, attributes, subgraphs,
// functions. Only tags and lengths are walked: what nobody knows, and what is no protobuf, is
// simply not found. Numbers of other fields (int32_data, int64_data, string_data: numbers of any
// length) are not listed either. O(fields), no number is touched.
//
// Source: onnx/onnx.proto; "Protocol Buffers encoding".

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::onnx {

struct Payload {
    uint64_t offset = 0, bytes = 0;
    // The tensor's, or that of the value that its node makes.
    std::string name;
    net::DType type = net::DType::kUndefined;
    // b of the bit planes [m, 1, b] of b-bit codes (onnx/self_decoding.h), 0 of other tensors.
    int planes = 0;
};

// In the order of the file, none empty. Throws InputError that begins with `where` for what is no
// ONNX model, and for one that keeps numbers in other files.
std::vector<Payload> payloads_of(std::span<const uint8_t> model, const std::string& where);

}  // namespace adiabat::onnx
