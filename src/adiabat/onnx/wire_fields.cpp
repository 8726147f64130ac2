// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/wire_fields.h"

#include <algorithm>

namespace adiabat::onnx {

namespace {

constexpr uint64_t kNumber = 0, kEightBytes = 1, kLengthPrefixed = 2, kFourBytes = 5;

// How many bytes the body of a field takes, its length taken off already.
std::optional<uint64_t> body_bytes(uint64_t wire_type, std::span<const uint8_t>& bytes) {
    if (wire_type == kEightBytes) return 8;
    if (wire_type == kFourBytes) return 4;
    if (wire_type != kLengthPrefixed) return std::nullopt;
    return take_varint(bytes);
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
    WireField field;
    field.number = *tag >> 3;
    field.type = static_cast<int>(*tag & 7);
    if ((*tag & 7) == kNumber) {
        const auto value = take_varint(bytes);
        if (!value) return std::nullopt;
        field.value = *value;
        return field;
    }
    const auto size = body_bytes(*tag & 7, bytes);
    if (!size || *size > bytes.size()) return std::nullopt;
    field.body = bytes.first(static_cast<size_t>(*size));
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
