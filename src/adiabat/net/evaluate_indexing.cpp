// SPDX-License-Identifier: Apache-2.0
// What picks elements by constant positions, and makes positions: as exporters write it before a
// Reshape, an Expand or a mask.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/net/evaluate_scope.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/strided.h"

namespace adiabat::net {

namespace {

size_t bytes_of(const Tensor& tensor) { return static_cast<size_t>(bits_of(tensor.type)) / 8; }

bool is_packed(const Tensor& tensor) { return bits_of(tensor.type) < 8; }

Results one(Tensor tensor) {
    std::vector<Tensor> results;
    results.push_back(std::move(tensor));
    return results;
}

// Counted from the front; fails where there is none.
int64_t position(const EvaluateScope& scope, int64_t index, int64_t size) {
    if (index < -size || index >= size) {
        scope.fail("index {} along an axis of {}", index, size);
    }
    return index < 0 ? index + size : index;
}

Results range(const EvaluateScope& scope) {
    Tensor out = scope.out();
    const Tensor &start = scope.in(0), &delta = scope.in(2);
    if (start.type != out.type || delta.type != out.type) return std::nullopt;
    const bool known = with_arithmetic_type(out.type, [&](auto typed) {
        using T = decltype(typed);
        const T first = start.as<T>()[0], step = delta.as<T>()[0];
        int64_t k = 0;
        for (T& element : out.as<T>()) {
            element = static_cast<T>(static_cast<T>(static_cast<T>(k++) * step) + first);
        }
    });
    if (!known) return std::nullopt;
    return one(std::move(out));
}

Results size_of(const EvaluateScope& scope) {
    return one(Tensor::scalar<int64_t>(scope.in(0).size()));
}

// An array [repeats, size] an axis, of which the repeats have no stride.
Results tile(const EvaluateScope& scope) {
    const Tensor& x = scope.in(0);
    if (is_packed(x)) return std::nullopt;
    Tensor out = scope.out();
    const auto repeats = scope.in(1).to_ints();
    const Strides from = dense_strides(x.shape), to = dense_strides(out.shape);
    Shape shape;
    Strides from_twice, to_twice;
    for (size_t k = 0; k < x.shape.size(); ++k) {
        shape.insert(shape.end(), {repeats[k], x.shape[k]});
        from_twice.insert(from_twice.end(), {0, from[k]});
        to_twice.insert(to_twice.end(), {to[k] * x.shape[k], to[k]});
    }
    copy_strided(bytes_of(x), shape, out.bytes.data(), to_twice, x.bytes.data(), from_twice);
    return one(std::move(out));
}

Results gather_elements(const EvaluateScope& scope) {
    const Tensor& x = scope.in(0);
    if (is_packed(x)) return std::nullopt;
    Tensor out = scope.out();
    const auto indices = scope.in(1).to_ints();
    const auto axis = static_cast<size_t>(*normal_axis(scope.node.int_or("axis", 0), x.rank()));
    const Strides from = dense_strides(x.shape), own = dense_strides(out.shape);
    const size_t width = bytes_of(x);
    for (size_t d = 0; d < x.shape.size(); ++d) {
        if (d != axis && out.shape[d] > x.shape[d]) {
            scope.fail("indices of shape {} for data of shape {}", to_string(out.shape),
                       to_string(x.shape));
        }
    }
    for (size_t k = 0; k < indices.size(); ++k) {
        int64_t at = 0;
        for (size_t d = 0; d < x.shape.size(); ++d) {
            const int64_t own_index = static_cast<int64_t>(k) / own[d] % out.shape[d];
            at += from[d] * (d == axis ? position(scope, indices[k], x.shape[d]) : own_index);
        }
        std::copy_n(x.bytes.data() + static_cast<size_t>(at) * width, width,
                    out.bytes.data() + k * width);
    }
    return one(std::move(out));
}

// Where rows of indices lead in data whose axes from `first` on they name.
std::vector<int64_t> places(const EvaluateScope& scope, const Tensor& indices, const Shape& sizes) {
    const auto all = indices.to_ints();
    std::vector<int64_t> result;
    for (size_t k = 0; k + sizes.size() <= all.size(); k += sizes.size()) {
        int64_t at = 0;
        for (size_t d = 0; d < sizes.size(); ++d) {
            at = at * sizes[d] + position(scope, all[k + d], sizes[d]);
        }
        result.push_back(at);
    }
    return result;
}

Results gather_nd(const EvaluateScope& scope) {
    const Tensor &x = scope.in(0), &indices = scope.in(1);
    if (is_packed(x) || scope.node.int_or("batch_dims", 0) != 0) return std::nullopt;
    Tensor out = scope.out();
    const auto depth = x.shape.begin() + indices.shape.back();
    const size_t row = static_cast<size_t>(elements(Shape(depth, x.shape.end()))) * bytes_of(x);
    uint8_t* to = out.bytes.data();
    for (int64_t at : places(scope, indices, Shape(x.shape.begin(), depth))) {
        to = std::copy_n(x.bytes.data() + static_cast<size_t>(at) * row, row, to);
    }
    return one(std::move(out));
}

Results scatter_nd(const EvaluateScope& scope) {
    const Tensor &x = scope.in(0), &indices = scope.in(1), &updates = scope.in(2);
    if (is_packed(x) || scope.node.string_or("reduction", "none") != "none") return std::nullopt;
    Tensor out = x;
    const auto depth = x.shape.begin() + indices.shape.back();
    const size_t row = static_cast<size_t>(elements(Shape(depth, x.shape.end()))) * bytes_of(x);
    const auto at = places(scope, indices, Shape(x.shape.begin(), depth));
    if (updates.type != x.type || updates.bytes.size() != at.size() * row) {
        scope.fail("updates of shape {} for indices of shape {}", to_string(updates.shape),
                   to_string(indices.shape));
    }
    for (size_t k = 0; k < at.size(); ++k) {
        std::copy_n(updates.bytes.data() + k * row, row,
                    out.bytes.data() + static_cast<size_t>(at[k]) * row);
    }
    return one(std::move(out));
}

Results one_hot(const EvaluateScope& scope) {
    const Tensor& values = scope.in(2);
    if (is_packed(values) || values.size() != 2) return std::nullopt;
    Tensor out = scope.out();
    const auto axis = static_cast<size_t>(
        *normal_axis(scope.node.int_or("axis", -1), static_cast<int64_t>(out.shape.size())));
    const int64_t depth = out.shape[axis];
    const int64_t inner =
        elements(Shape(out.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, out.shape.end()));
    const size_t width = bytes_of(values);
    const auto indices = scope.in(0).to_doubles();
    for (size_t k = 0; k * width < out.bytes.size(); ++k) {
        const auto at = static_cast<int64_t>(k);
        const auto place = static_cast<size_t>(at / (inner * depth) * inner + at % inner);
        const double given = indices[place];
        const double wanted = given < 0 ? given + static_cast<double>(depth) : given;
        const bool on = static_cast<double>(at / inner % depth) == wanted;
        std::copy_n(values.bytes.data() + (on ? width : 0), width, out.bytes.data() + k * width);
    }
    return one(std::move(out));
}

Results trilu(const EvaluateScope& scope) {
    Tensor out = scope.in(0);
    if (is_packed(out) || out.rank() < 2) return std::nullopt;
    const bool upper = scope.node.int_or("upper", 1) != 0;
    const int64_t k = scope.has(1) ? scope.in(1).to_ints().at(0) : 0;
    const int64_t columns = out.shape.back(), rows = out.shape[out.shape.size() - 2];
    const int64_t diagonal = std::clamp(k, -rows - 1, columns + 1);
    const size_t width = bytes_of(out);
    for (size_t e = 0; e * width < out.bytes.size(); ++e) {
        const auto at = static_cast<int64_t>(e);
        const int64_t ahead = at % columns - at / columns % rows - diagonal;
        if (upper ? ahead >= 0 : ahead <= 0) continue;
        std::fill_n(out.bytes.data() + e * width, width, uint8_t{0});
    }
    return one(std::move(out));
}

}  // namespace

std::vector<NamedEvaluator> indexing_evaluators() {
    return {
        {"Range", range},          {"Size", size_of},   {"Tile", tile},
        {"GatherND", gather_nd},   {"OneHot", one_hot}, {"GatherElements", gather_elements},
        {"ScatterND", scatter_nd}, {"Trilu", trilu},
    };
}

}  // namespace adiabat::net
