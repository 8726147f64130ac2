// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/wire_fields.h"

#include <algorithm>

namespace adiabat::onnx {

namespace {

// How many bytes the body of a field takes, its number or length taken off already.
std::optional<uint64_t> body_bytes(uint64_t wire_type, std::span<const uint8_t>& bytes) {
    if (wire_type == 1) return 8;
    if (wire_type == 5) return 4;
    if (wire_type != 0 && wire_type != 2) return std::nullopt;
    const auto number = take_varint(bytes);
    if (!number) return std::nullopt;
    return wire_type == 0 ? 0 : *number;
}

}  // namespace

std::optional<uint64_t> take_varint(std::span<const uint8_t>& bytes) {
    uint64_t number = 0;
    for (size_t k = 0; k < std::min<size_t>(10, bytes.size()); ++k) {
        number |= uint64_t{bytes[k] & 0x7Fu} << (7 * k);
        if (bytes[k] < 0x80) {
            bytes = bytes.subspan(k + 1);
            return number;
        }
    }
    return std::nullopt;
}

std::optional<WireField> take_field(std::span<const uint8_t>& bytes) {
    const auto tag = take_varint(bytes);
    if (!tag) return std::nullopt;
    const auto size = body_bytes(*tag & 7, bytes);
    if (!size || *size > bytes.size()) return std::nullopt;
    WireField field{*tag >> 3, static_cast<int>(*tag & 7), bytes.first(static_cast<size_t>(*size))};
    bytes = bytes.subspan(field.body.size());
    return field;
}

std::vector<std::string> fields_of(std::string_view message, int field_number) {
    std::span bytes(reinterpret_cast<const uint8_t*>(message.data()), message.size());
    std::vector<std::string> found;
    while (!bytes.empty()) {
        const auto field = take_field(bytes);
        if (!field) break;
        if (field->number != static_cast<uint64_t>(field_number) || field->type != 2) continue;
        found.emplace_back(field->body.begin(), field->body.end());
    }
    return found;
}

}  // namespace adiabat::onnx
