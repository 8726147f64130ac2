// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "adiabat/onnx/wire_fields.h"

namespace adiabat::onnx {

namespace {

constexpr int kVarint = 0, kLengthPrefixed = 2;
constexpr uint64_t kGraphField = 7;

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

// Messages whose fields are counted, as far as they hold one another.
enum class Kind { kModel, kFunction, kGraph, kNode, kAttribute, kOther };

Kind kind_inside(Kind outer, uint64_t field) {
    switch (outer) {
        case Kind::kModel:
            return field == kGraphField ? Kind::kGraph
                   : field == 25        ? Kind::kFunction
                                        : Kind::kOther;
        case Kind::kFunction:
            return field == 7 ? Kind::kNode : Kind::kOther;
        case Kind::kGraph:
            return field == 1 ? Kind::kNode : Kind::kOther;
        case Kind::kNode:
            return field == 5 ? Kind::kAttribute : Kind::kOther;
        case Kind::kAttribute:
            return field == 6 || field == 11 ? Kind::kGraph : Kind::kOther;
        default:
            return Kind::kOther;
    }
}

struct Counts {
    int64_t nodes = 0, fields = 0;
};

// protobuf itself stops at a hundred messages inside one another.
constexpr int kDeepest = 100;

// False where the bytes end or make no sense.
bool count(std::span<const uint8_t> bytes, Kind kind, int depth, Counts& counts) {
    if (depth > kDeepest) return false;
    while (!bytes.empty()) {
        const auto field = take_field(bytes);
        if (!field) return false;
        const Kind inner = kind_inside(kind, field->number);
        ++counts.fields;
        counts.nodes += inner == Kind::kNode;
        if (counts.nodes > kMostNodes || counts.fields > kMostFields) return false;
        if (inner != Kind::kOther && !count(field->body, inner, depth + 1, counts)) return false;
    }
    return true;
}

}  // namespace

std::string excess_of(std::span<const uint8_t> bytes) {
    Counts counts;
    count(bytes, Kind::kModel, 0, counts);
    if (counts.nodes > kMostNodes) {
        return fmt::format("has more than {} nodes, which no network has", kMostNodes);
    }
    if (counts.fields > kMostFields) {
        return fmt::format("has more than {} fields, which no network has", kMostFields);
    }
    return "";
}

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
