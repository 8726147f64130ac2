// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace adiabat::onnx {

namespace {

constexpr int kVarint = 0, kLengthPrefixed = 2;
constexpr uint64_t kGraphField = 7;

// Takes a base-128 number off the front; nothing where it does not end.
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

// Whether ModelProto has a field of that number and kind.
bool is_model_field(uint64_t tag) {
    const uint64_t field = tag >> 3, kind = tag & 7;
    if (field == 1 || field == 5) return kind == kVarint;
    constexpr uint64_t kOthers[] = {2, 3, 4, 6, 7, 8, 14, 20, 25, 26};
    return kind == kLengthPrefixed &&
           std::find(std::begin(kOthers), std::end(kOthers), field) != std::end(kOthers);
}

// The first few bytes as a reader would want to see them.
std::string beginning_of(std::span<const uint8_t> bytes) {
    std::string text;
    for (uint8_t byte : bytes.first(std::min<size_t>(16, bytes.size()))) {
        text += byte >= 0x20 && byte < 0x7F ? std::string(1, static_cast<char>(byte))
                                            : fmt::format("\\x{:02x}", byte);
    }
    return text;
}

}  // namespace

std::string damage_of(std::span<const uint8_t> bytes) {
    auto rest = bytes;
    bool has_graph = false;
    while (!rest.empty()) {
        const bool first = rest.size() == bytes.size();
        const auto tag = take_varint(rest);
        if (!tag || !is_model_field(*tag)) {
            return first ? fmt::format("is not an ONNX model: it begins with '{}'",
                                       beginning_of(bytes))
                         : "is damaged or cut short: what follows its first fields is not ONNX";
        }
        const auto number = take_varint(rest);
        if (!number) return "is cut short inside a number";
        if ((*tag & 7) == kVarint) continue;
        if (*number > rest.size()) {
            return fmt::format("is cut short: field {} has {} bytes, {} are there", *tag >> 3,
                               *number, rest.size());
        }
        has_graph |= *tag >> 3 == kGraphField;
        rest = rest.subspan(static_cast<size_t>(*number));
    }
    return has_graph ? "is damaged: its graph is not valid protobuf"
                     : "holds no graph: an ONNX model has one";
}

}  // namespace adiabat::onnx
