// SPDX-License-Identifier: Apache-2.0
// What moves elements and computes nothing: Reshape and kin, Transpose, Slice, Gather, Pad, Concat,
// Split, Expand, and the values of shapes.
#include <algorithm>
#include <numeric>

#include "adiabat/net/evaluate_scope.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/strided.h"

namespace adiabat::net {

namespace {

size_t bytes_of(const Tensor& tensor) { return static_cast<size_t>(bits_of(tensor.type)) / 8; }

Results one(Tensor tensor) {
    std::vector<Tensor> results;
    results.push_back(std::move(tensor));
    return results;
}

// A tensor to fill for the output, 4-bit types a byte each; packed again by `done`.
Tensor wide_out(const EvaluateScope& scope, size_t output, const Tensor& like) {
    Tensor out(like.type, scope.out(output).shape);
    return out;
}
Tensor done(Tensor tensor, DType type) {
    return bits_of(type) < 8 ? packed(tensor, type) : std::move(tensor);
}

Results renamed(const EvaluateScope& scope) {
    Tensor out = scope.in(0);
    out.shape = scope.out().shape;
    return one(std::move(out));
}

Results shape_of(const EvaluateScope& scope) {
    const Shape& shape = scope.in(0).shape;
    Tensor out = scope.out();
    const auto rank = static_cast<int64_t>(shape.size());
    int64_t start = scope.node.int_or("start", 0);
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    std::copy_n(shape.begin() + start, out.size(), out.as<int64_t>().begin());
    return one(std::move(out));
}

Results constant_of_shape(const EvaluateScope& scope) {
    Tensor out = scope.out();
    if (!scope.node.has("value")) return one(std::move(out));
    const Tensor& value = std::get<Tensor>(scope.node.attributes.at("value"));
    if (bits_of(value.type) < 8) return std::nullopt;
    const Strides none(out.shape.size(), 0);
    copy_strided(bytes_of(out), out.shape, out.bytes.data(), dense_strides(out.shape),
                 value.bytes.data(), none);
    return one(std::move(out));
}

Results transpose(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    const Tensor x = widened(scope.in(0));
    Tensor out = wide_out(scope, 0, x);
    std::vector<int64_t> reversed(x.shape.size());
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    const Strides dense = dense_strides(x.shape);
    Strides strides;
    for (int64_t axis : scope.node.ints_or("perm", reversed)) {
        strides.push_back(dense[static_cast<size_t>(axis)]);
    }
    copy_strided(bytes_of(x), out.shape, out.bytes.data(), dense_strides(out.shape), x.bytes.data(),
                 strides);
    return one(done(std::move(out), type));
}

Results expand(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    const Tensor x = widened(scope.in(0));
    Tensor out = wide_out(scope, 0, x);
    copy_strided(bytes_of(x), out.shape, out.bytes.data(), dense_strides(out.shape), x.bytes.data(),
                 broadcast_strides(x.shape, out.shape));
    return one(done(std::move(out), type));
}

Results slice(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    const Tensor x = widened(scope.in(0));
    const auto starts = scope.ints("starts", 1), ends = scope.ints("ends", 2);
    auto axes = scope.ints("axes", 3), steps = scope.ints("steps", 4);
    if (axes.empty()) {
        axes.resize(starts.size());
        std::iota(axes.begin(), axes.end(), 0);
    }
    if (steps.empty()) steps.assign(starts.size(), 1);
    Tensor out = wide_out(scope, 0, x);
    if (out.bytes.empty()) return one(done(std::move(out), type));
    const Strides dense = dense_strides(x.shape);
    Strides strides = dense;
    int64_t offset = 0;
    for (size_t k = 0; k < starts.size(); ++k) {
        const auto axis = static_cast<size_t>(*normal_axis(axes[k], x.rank()));
        const SliceRange range = slice_range(starts[k], ends[k], steps[k], x.shape[axis]);
        offset += range.start * dense[axis];
        // A step is walked only where there is a second element; alone it may be any int64_t.
        strides[axis] = range.count > 1 ? dense[axis] * range.step : 0;
    }
    copy_strided(bytes_of(x), out.shape, out.bytes.data(), dense_strides(out.shape),
                 x.bytes.data() + offset * static_cast<int64_t>(bytes_of(x)), strides);
    return one(done(std::move(out), type));
}

Results gather(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    const Tensor x = widened(scope.in(0));
    const auto axis = x.shape.begin() + *normal_axis(scope.node.int_or("axis", 0), x.rank());
    const int64_t size = *axis;
    Tensor out = wide_out(scope, 0, x);
    const int64_t outer = elements(Shape(x.shape.begin(), axis));
    const int64_t row =
        elements(Shape(axis + 1, x.shape.end())) * static_cast<int64_t>(bytes_of(x));
    auto indices = scope.in(1).to_ints();
    for (int64_t& index : indices) {
        if (index < -size || index >= size) {
            scope.fail("index {} along an axis of {}", index, size);
        }
        if (index < 0) index += size;
    }
    uint8_t* to = out.bytes.data();
    for (int64_t o = 0; o < outer; ++o) {
        const uint8_t* from = x.bytes.data() + o * size * row;
        for (int64_t index : indices) {
            std::copy_n(from + index * row, row, to);
            to += row;
        }
    }
    return one(done(std::move(out), type));
}

// Constant mode: the output filled, then what is kept of the input laid into it. Negative pads cut.
Results pad(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    if (scope.node.string_or("mode", "constant") != "constant" || bits_of(type) < 8) {
        return std::nullopt;
    }
    const Tensor& x = scope.in(0);
    const auto pads = scope.ints(scope.node.has("paddings") ? "paddings" : "pads", 1);
    auto axes = scope.ints("axes", 3);
    if (axes.empty()) {
        axes.resize(x.shape.size());
        std::iota(axes.begin(), axes.end(), 0);
    }
    Tensor out = scope.out();
    const Strides to = dense_strides(out.shape), from = dense_strides(x.shape),
                  none(out.shape.size(), 0);
    if (scope.has(2)) {
        if (scope.in(2).type != type || scope.in(2).size() != 1) {
            scope.fail("pads with {} {}: one {}", name_of(scope.in(2).type),
                       to_string(scope.in(2).shape), name_of(type));
        }
        copy_strided(bytes_of(x), out.shape, out.bytes.data(), to, scope.in(2).bytes.data(), none);
    } else if (const float value = scope.node.float_or("value", 0.0f); value != 0.0f) {
        if (type != DType::kFloat) return std::nullopt;
        std::fill(out.as<float>().begin(), out.as<float>().end(), value);
    }
    Shape kept = x.shape;
    int64_t to_offset = 0, from_offset = 0;
    for (size_t k = 0; k < axes.size(); ++k) {
        const auto axis = static_cast<size_t>(*normal_axis(axes[k], x.rank()));
        const int64_t before = pads[k], after = pads[k + axes.size()];
        to_offset += std::max<int64_t>(before, 0) * to[axis];
        from_offset += std::max<int64_t>(-before, 0) * from[axis];
        kept[axis] += std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
        if (kept[axis] <= 0) return one(std::move(out));
    }
    const auto width = static_cast<int64_t>(bytes_of(x));
    copy_strided(bytes_of(x), kept, out.bytes.data() + to_offset * width, to,
                 x.bytes.data() + from_offset * width, from);
    return one(std::move(out));
}

Results concat(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    Tensor out = wide_out(scope, 0, widened(Tensor(type, Shape{0})));
    const auto axis = static_cast<size_t>(*normal_axis(scope.node.int_or("axis", 1), out.rank()));
    const Strides to = dense_strides(out.shape);
    int64_t at = 0;
    for (size_t k = 0; k < scope.node.inputs.size(); ++k) {
        if (scope.in(k).type != type) {
            scope.fail("inputs of {} and {}: all have one type", name_of(type),
                       name_of(scope.in(k).type));
        }
        const Tensor part = widened(scope.in(k));
        const auto width = static_cast<int64_t>(bytes_of(part));
        copy_strided(bytes_of(part), part.shape, out.bytes.data() + at * to[axis] * width, to,
                     part.bytes.data(), dense_strides(part.shape));
        at += part.shape[axis];
    }
    return one(done(std::move(out), type));
}

Results split(const EvaluateScope& scope) {
    const DType type = scope.in(0).type;
    const Tensor x = widened(scope.in(0));
    const auto axis = static_cast<size_t>(*normal_axis(scope.node.int_or("axis", 0), x.rank()));
    const Strides from = dense_strides(x.shape);
    const auto width = static_cast<int64_t>(bytes_of(x));
    std::vector<Tensor> results;
    int64_t at = 0;
    for (size_t k = 0; k < scope.node.outputs.size(); ++k) {
        Tensor part = wide_out(scope, k, x);
        copy_strided(bytes_of(x), part.shape, part.bytes.data(), dense_strides(part.shape),
                     x.bytes.data() + at * from[axis] * width, from);
        at += part.shape[axis];
        results.push_back(done(std::move(part), type));
    }
    return results;
}

}  // namespace

std::vector<NamedEvaluator> layout_evaluators() {
    return {
        {"Identity", renamed},    {"Reshape", renamed},
        {"Squeeze", renamed},     {"Unsqueeze", renamed},
        {"Flatten", renamed},     {"Shape", shape_of},
        {"Slice", slice},         {"ConstantOfShape", constant_of_shape},
        {"Transpose", transpose}, {"Expand", expand},
        {"Gather", gather},       {"Pad", pad},
        {"Concat", concat},       {"Split", split},
    };
}

}  // namespace adiabat::net
