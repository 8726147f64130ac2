// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/payloads.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/onnx/damage.h"
#include "adiabat/onnx/wire_fields.h"

namespace adiabat::onnx {

namespace {

using net::DType;
using Bytes = std::span<const uint8_t>;

constexpr int kNumber = 0, kLengthPrefixed = 2;
constexpr int kDeepest = 100;  // as protobuf itself
constexpr uint64_t kGraphField = 7;

// Messages in which tensors can be, as far as they hold one another.
enum class Message {
    kModel,
    kTraining,
    kFunction,
    kGraph,
    kNode,
    kAttribute,
    kSparse,
    kTensor,
    kOther
};

Message inside(Message outer, uint64_t field) {
    struct Way {
        Message outer;
        uint64_t field;
        Message inner;
    };
    constexpr Way kWays[] = {{Message::kModel, kGraphField, Message::kGraph},
                             {Message::kModel, 20, Message::kTraining},
                             {Message::kModel, 25, Message::kFunction},
                             {Message::kTraining, 1, Message::kGraph},
                             {Message::kTraining, 2, Message::kGraph},
                             {Message::kFunction, 7, Message::kNode},
                             {Message::kFunction, 11, Message::kAttribute},
                             {Message::kGraph, 1, Message::kNode},
                             {Message::kGraph, 5, Message::kTensor},
                             {Message::kGraph, 15, Message::kSparse},
                             {Message::kNode, 5, Message::kAttribute},
                             {Message::kAttribute, 5, Message::kTensor},
                             {Message::kAttribute, 6, Message::kGraph},
                             {Message::kAttribute, 10, Message::kTensor},
                             {Message::kAttribute, 11, Message::kGraph},
                             {Message::kAttribute, 22, Message::kSparse},
                             {Message::kAttribute, 23, Message::kSparse},
                             {Message::kSparse, 1, Message::kTensor},
                             {Message::kSparse, 2, Message::kTensor}};
    for (const Way& way : kWays) {
        if (way.outer == outer && way.field == field) return way.inner;
    }
    return Message::kOther;
}

std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// The first output of a node, which names its tensors.
std::string output_of(Bytes node) {
    constexpr uint64_t kOutput = 2;
    while (const auto field = take_field(node)) {
        if (field->number == kOutput && field->type == kLengthPrefixed) return text_of(field->body);
    }
    return "";
}

// What a TensorProto says, field by field.
struct Tensor {
    enum { kDims = 1, kType = 2, kFloats = 4, kName = 8, kRaw = 9, kDoubles = 10 };
    enum { kExternal = 13, kLocation = 14 };

    std::vector<uint64_t> dims;
    uint64_t type = 0;
    std::string name;
    bool is_elsewhere = false;
    std::vector<std::pair<Bytes, DType>> numbers;

    void take(const WireField& field) {
        const bool is_number = field.type == kNumber, is_body = field.type == kLengthPrefixed;
        if (field.number == kDims && is_number) dims.push_back(field.value);
        if (field.number == kDims && is_body) take_packed(field.body);
        if (field.number == kType && is_number) type = field.value;
        if (field.number == kLocation && is_number) is_elsewhere |= field.value == 1;
        if (!is_body) return;
        if (field.number == kName) name = text_of(field.body);
        if (field.number == kExternal) is_elsewhere = true;
        if (field.body.empty()) return;
        if (field.number == kRaw) numbers.emplace_back(field.body, DType::kUndefined);
        if (field.number == kFloats) numbers.emplace_back(field.body, DType::kFloat);
        if (field.number == kDoubles) numbers.emplace_back(field.body, DType::kDouble);
    }

    // Of bit planes [m, 1, b] their b.
    int planes(uint64_t bytes) const {
        const bool is_form = type == static_cast<uint64_t>(DType::kUint8) && dims.size() == 3 &&
                             dims[1] == 1 && dims[2] >= 2 && dims[2] <= 7;
        return is_form && bytes % dims[2] == 0 && bytes / dims[2] == dims[0]
                   ? static_cast<int>(dims[2])
                   : 0;
    }

  private:
    void take_packed(Bytes bytes) {
        while (const auto value = take_varint(bytes)) dims.push_back(*value);
    }
};

class Walk {
  public:
    Walk(Bytes model, const std::string& where) : model_(model), where_(where) {}

    std::vector<Payload> found() {
        walk(model_, Message::kModel, "", 0);
        return std::move(found_);
    }

  private:
    // `maker`: the value that the node around it makes.
    void walk(Bytes bytes, Message message, const std::string& maker, int depth) {
        if (message == Message::kTensor) return take_tensor(bytes, maker);
        if (depth > kDeepest) return;
        const std::string name = message == Message::kNode ? output_of(bytes) : maker;
        while (const auto field = take_field(bytes)) {
            const Message inner = inside(message, field->number);
            if (field->type != kLengthPrefixed || inner == Message::kOther) continue;
            walk(field->body, inner, name, depth + 1);
        }
    }

    void take_tensor(Bytes bytes, const std::string& maker) {
        Tensor tensor;
        while (const auto field = take_field(bytes)) tensor.take(*field);
        const std::string& name = tensor.name.empty() ? maker : tensor.name;
        if (tensor.is_elsewhere) {
            throw InputError(
                "{}: tensor '{}' keeps its numbers in another file: expected a model with its "
                "weights inside",
                where_, name);
        }
        for (const auto& [numbers, type] : tensor.numbers) {
            const bool is_raw = type == DType::kUndefined;
            found_.push_back(
                {.offset = static_cast<uint64_t>(numbers.data() - model_.data()),
                 .bytes = numbers.size(),
                 .name = name,
                 .type = is_raw ? static_cast<DType>(std::min<uint64_t>(tensor.type, 255)) : type,
                 .planes = is_raw ? tensor.planes(numbers.size()) : 0});
        }
    }

    const Bytes model_;
    const std::string& where_;
    std::vector<Payload> found_;
};

// Whether all fields of a message end where it does, and one of them is a graph.
bool is_model(Bytes bytes) {
    bool has_graph = false;
    while (!bytes.empty()) {
        const auto field = take_field(bytes);
        if (!field) return false;
        has_graph |= field->number == kGraphField && field->type == kLengthPrefixed;
    }
    return has_graph;
}

}  // namespace

std::vector<Payload> payloads_of(Bytes model, const std::string& where) {
    if (!is_model(model)) throw InputError("{}: {}", where, damage_of(model));
    return Walk(model, where).found();
}

}  // namespace adiabat::onnx
