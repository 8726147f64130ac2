// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/partial_ints.h"

#include <algorithm>

#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

namespace {

using Entry = std::optional<int64_t>;
using Result = std::optional<PartialInts>;
using Inputs = std::vector<const PartialInts*>;

bool is_integer(DType type) { return type == DType::kInt64 || type == DType::kInt32; }

Result shape_entries(const Graph& graph, const Node& node) {
    const ValueId input = node.input(0);
    if (input == kNoValue || !graph.value(input).shape) return std::nullopt;
    const Shape& shape = *graph.value(input).shape;
    const auto rank = static_cast<int64_t>(shape.size());
    const auto clamp = [&](int64_t axis) {
        return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
    };
    const int64_t start = clamp(node.int_or("start", 0)), end = clamp(node.int_or("end", rank));
    PartialInts result;
    for (int64_t k = start; k < end; ++k) {
        const int64_t dimension = shape[static_cast<size_t>(k)];
        result.entries.push_back(dimension == kUnknown ? Entry() : Entry(dimension));
    }
    return result;
}

Result gather(const PartialInts& data, const PartialInts& indices) {
    if (data.scalar || !indices.all_known()) return std::nullopt;
    PartialInts result{.scalar = indices.scalar, .entries = {}, .plain = data.plain};
    const auto count = static_cast<int64_t>(data.entries.size());
    for (int64_t index : indices.values()) {
        if (index < 0) index += count;
        if (index < 0 || index >= count) return std::nullopt;  // the evaluator says what is wrong
        result.entries.push_back(data.entries[static_cast<size_t>(index)]);
    }
    return result;
}

// Before opset 10 the ends are attributes, later inputs.
Result slice(const Node& node, const Inputs& in) {
    if (in[0]->scalar) return std::nullopt;
    const auto one = [&](const char* attribute, size_t k) -> Entry {
        const auto values = node.ints_or(attribute, {});
        if (values.size() == 1) return values[0];
        const bool there = k < in.size() && in[k] && in[k]->entries.size() == 1;
        return there ? in[k]->entries[0] : Entry();
    };
    const Entry start = one("starts", 1), end = one("ends", 2);
    const Entry step = node.input(4) == kNoValue ? Entry(1) : one("steps", 4);
    if (!start || !end || !step || *step == 0) return std::nullopt;
    const SliceRange range =
        slice_range(*start, *end, *step, static_cast<int64_t>(in[0]->entries.size()));
    PartialInts result;
    result.plain = in[0]->plain;
    for (int64_t k = 0; k < range.count; ++k) {
        result.entries.push_back(in[0]->entries[static_cast<size_t>(range.start + k * range.step)]);
    }
    return result;
}

Result concat(const Inputs& in) {
    PartialInts result;
    for (const PartialInts* part : in) {
        if (!part || part->scalar) return std::nullopt;
        result.entries.insert(result.entries.end(), part->entries.begin(), part->entries.end());
        result.plain = result.plain && part->plain;
    }
    if (result.entries.size() > kMaxPartialInts) return std::nullopt;
    return result;
}

Entry apply(const std::string& op, const Entry& a, const Entry& b) {
    if (op == "Mul" && ((a && *a == 0) || (b && *b == 0))) return 0;
    if (!a || !b) return std::nullopt;
    int64_t result = 0;
    bool overflow = false;
    if (op == "Add") overflow = __builtin_add_overflow(*a, *b, &result);
    if (op == "Sub") overflow = __builtin_sub_overflow(*a, *b, &result);
    if (op == "Mul") overflow = __builtin_mul_overflow(*a, *b, &result);
    if (op == "Div") {
        if (*b == 0 || *b == -1) return std::nullopt;
        result = *a / *b;
    }
    return overflow ? Entry() : Entry(result);
}

Result arithmetic(const std::string& op, const PartialInts& a, const PartialInts& b) {
    const size_t count = std::max(a.entries.size(), b.entries.size());
    if ((a.entries.size() != count && a.entries.size() != 1) ||
        (b.entries.size() != count && b.entries.size() != 1)) {
        return std::nullopt;
    }
    PartialInts result{.scalar = a.scalar && b.scalar, .entries = {}, .plain = false};
    for (size_t k = 0; k < count; ++k) {
        result.entries.push_back(apply(op, a.entries[a.entries.size() == 1 ? 0 : k],
                                       b.entries[b.entries.size() == 1 ? 0 : k]));
    }
    return result;
}

Result evaluate(const Graph& graph, const Node& node, const Inputs& in) {
    const std::string& op = node.op;
    if (op == "Shape") return shape_entries(graph, node);
    if (in.empty() || !in[0]) return std::nullopt;
    if (op == "Identity") return *in[0];
    if (op == "Cast") {
        const auto to = static_cast<DType>(node.int_or("to", 0));
        return is_integer(to) ? Result(*in[0]) : std::nullopt;
    }
    if (op == "Gather" && in.size() == 2 && in[1]) return gather(*in[0], *in[1]);
    if (op == "Slice") return slice(node, in);
    if (op == "Concat") return concat(in);
    // A scalar and a vector of one entry turn into each other; more axes make arrays of higher
    // rank.
    const size_t axes = in.size() > 1 && in[1] ? in[1]->entries.size() : 1;
    if (op == "Unsqueeze" && in[0]->scalar && axes == 1 && node.ints_or("axes", {}).size() <= 1) {
        return PartialInts{false, in[0]->entries, in[0]->plain};
    }
    if (op == "Squeeze" && in[0]->entries.size() == 1)
        return PartialInts{true, in[0]->entries, in[0]->plain};
    if (op == "Reshape" && in.size() > 1 && in[1] && in[1]->entries.size() == 1) {
        return PartialInts{false, in[0]->entries, in[0]->plain};
    }
    if ((op == "Add" || op == "Sub" || op == "Mul" || op == "Div") && in.size() == 2 && in[1]) {
        return arithmetic(op, *in[0], *in[1]);
    }
    return std::nullopt;
}

}  // namespace

bool PartialInts::all_known() const { return unknown() == 0; }

size_t PartialInts::unknown() const {
    return static_cast<size_t>(std::count(entries.begin(), entries.end(), std::nullopt));
}

std::vector<int64_t> PartialInts::values() const {
    std::vector<int64_t> known;
    for (const Entry& entry : entries) {
        ADIABAT_CHECK(entry.has_value(), "an entry is not known");
        known.push_back(*entry);
    }
    return known;
}

PartialTable::PartialTable(const Graph& graph) : graph_(graph), known_(graph.values.size()) {
    for (size_t v = 0; v < graph.values.size(); ++v) learn(static_cast<ValueId>(v));
}

void PartialTable::learn(ValueId id) {
    const Tensor* tensor = graph_.constant(id);
    if (!tensor || !is_integer(tensor->type) || tensor->rank() > 1) return;
    if (tensor->size() > static_cast<int64_t>(kMaxPartialInts)) return;
    PartialInts known{.scalar = tensor->rank() == 0, .entries = {}, .plain = true};
    for (int64_t value : tensor->to_ints()) known.entries.emplace_back(value);
    known_[static_cast<size_t>(id)] = std::move(known);
}

const PartialInts* PartialTable::find(ValueId id) const {
    if (id == kNoValue || static_cast<size_t>(id) >= known_.size()) return nullptr;
    const auto& known = known_[static_cast<size_t>(id)];
    return known ? &*known : nullptr;
}

std::optional<std::vector<int64_t>> PartialTable::ints(ValueId id) const {
    const PartialInts* known = find(id);
    if (!known || !known->all_known()) return std::nullopt;
    return known->values();
}

void PartialTable::visit(const Node& node) {
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kNoValue) return;
    Inputs inputs;
    for (ValueId id : node.inputs) inputs.push_back(find(id));
    Result result = evaluate(graph_, node, inputs);
    if (result) known_[static_cast<size_t>(node.outputs[0])] = std::move(*result);
}

}  // namespace adiabat::net
