// SPDX-License-Identifier: Apache-2.0
#pragma once

// Axes, slices, broadcasting and reshaping as ONNX counts them; shared by shape inference, the
// partial integers and the evaluator. Dimensions may be kUnknown.

#include <cstdint>
#include <optional>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::net {

// 0 <= axis < rank from -rank <= axis < rank; nothing for an axis that the array does not have.
std::optional<int64_t> normal_axis(int64_t axis, int64_t rank);

// No dimension is larger, so that sums of a few of them fit 63 bits.
inline constexpr int64_t kMaxDimension = int64_t{1} << 40;

struct SliceRange {
    int64_t start = 0;  // the first position taken, if count > 0
    int64_t step = 1;
    int64_t count = 0;
};

// Positions that Slice takes along a dimension of `size`; step must not be 0. Any int64_t is a
// legal start or end: exporters write INT64_MAX for "to the end" and INT64_MIN backwards.
SliceRange slice_range(int64_t start, int64_t end, int64_t step, int64_t size);

// The shape that both broadcast to, as numpy does; nothing where they do not fit. An unknown
// dimension beside one greater than 1 takes it.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// The shape that Reshape gives `from`. `to` holds its second input: -1 infers, 0 copies (unless
// `allow_zero`), an entry that is not known infers where it is the only such and is kUnknown
// otherwise. Nothing where the elements do not fit.
std::optional<Shape> reshape(const Shape& from, const std::vector<std::optional<int64_t>>& to,
                             bool allow_zero);

}  // namespace adiabat::net
