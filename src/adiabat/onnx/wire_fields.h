// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fields of a protobuf message by number, from its bytes: for fields that are younger than the
// schema we are built with. O(fields).
//
// Source: "Protocol Buffers encoding", protobuf.dev/programming-guides/encoding.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adiabat::onnx {

// Takes a base-128 number off the front; nothing where it does not end.
std::optional<uint64_t> take_varint(std::span<const uint8_t>& bytes);

struct WireField {
    uint64_t number = 0;
    int type = 0;                   // 0 number, 1 eight bytes, 2 length-prefixed, 5 four bytes
    uint64_t value = 0;             // of a number
    std::span<const uint8_t> body;  // empty for a number
};

// Takes a field off the front; nothing where the bytes end before it or make no sense.
std::optional<WireField> take_field(std::span<const uint8_t>& bytes);

// The bodies of the length-prefixed fields of that number, in order; none from where the bytes make
// no sense.
std::vector<std::string> fields_of(std::string_view message, int field_number);

}  // namespace adiabat::onnx
