// SPDX-License-Identifier: Apache-2.0
#pragma once

// Why bytes are not an ONNX model, in words: protobuf itself only says that they are none.
//
// Walks the outermost fields of the message (tag, length, body) until one does not fit. O(fields).

#include <cstdint>
#include <span>
#include <string>

namespace adiabat::onnx {

// "is cut short: ...", for bytes that protobuf refused or that hold no graph.
std::string damage_of(std::span<const uint8_t> bytes);

}  // namespace adiabat::onnx
