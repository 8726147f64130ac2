// SPDX-License-Identifier: Apache-2.0
#pragma once

// What can be said of bytes before protobuf makes a model of them.
//
// Walks tags and lengths alone, nothing is allocated: why bytes are not an ONNX model, in words
// (protobuf itself only says that they are none), and whether a small file asks for much memory
// (an empty node takes two bytes of a file and hundreds in memory). O(fields).

#include <cstdint>
#include <span>
#include <string>

namespace adiabat::onnx {

// "is cut short: ...", for bytes that protobuf refused or that hold no graph.
std::string damage_of(std::span<const uint8_t> bytes);

// More nodes than any network, and more fields than so many nodes have.
inline constexpr int64_t kMostNodes = int64_t{1} << 18, kMostFields = int64_t{1} << 21;

// "has more than 262144 nodes, ...", empty for a model of sensible size. Damaged bytes are left to
// protobuf.
std::string excess_of(std::span<const uint8_t> bytes);

}  // namespace adiabat::onnx
