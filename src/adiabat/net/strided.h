// SPDX-License-Identifier: Apache-2.0
#pragma once

// Loops over several arrays of one shape, each with strides of its own: what slicing, transposing,
// broadcasting and padding all come down to.
//
// Neighbouring dimensions that every array walks through without a gap are merged first, so that
// the row function gets the longest rows there are and a copy without gaps is one memcpy. A stride
// of 0 repeats an element. Strides count elements. O(elements).

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::net {

using Strides = std::vector<int64_t>;

// Strides of a dense row-major array.
Strides dense_strides(const Shape& shape);

// Strides that walk an array of shape `from` as if it had the shape `to` that it broadcasts to.
Strides broadcast_strides(const Shape& from, const Shape& to);

template <size_t K>
struct Loops {
    Shape shape;
    std::array<Strides, K> strides;  // one an array, as many entries as the shape has
};

// The same loops with dimensions of one dropped and mergeable neighbours merged; at least one
// dimension.
template <size_t K>
Loops<K> merged(const Loops<K>& loops) {
    Loops<K> result;
    for (size_t d = 0; d < loops.shape.size(); ++d) {
        if (loops.shape[d] == 1) continue;
        bool mergeable = !result.shape.empty();
        for (size_t k = 0; k < K && mergeable; ++k) {
            mergeable = result.strides[k].back() == loops.strides[k][d] * loops.shape[d];
        }
        if (mergeable) {
            result.shape.back() *= loops.shape[d];
            for (size_t k = 0; k < K; ++k) result.strides[k].back() = loops.strides[k][d];
        } else {
            result.shape.push_back(loops.shape[d]);
            for (size_t k = 0; k < K; ++k) result.strides[k].push_back(loops.strides[k][d]);
        }
    }
    if (result.shape.empty()) {
        result.shape.push_back(1);
        for (auto& strides : result.strides) strides.push_back(1);
    }
    return result;
}

// Calls row(offsets, count, strides) for every row along the last merged dimension; offsets and
// strides are std::array<int64_t, K>.
template <size_t K, typename Row>
void for_each_row(const Loops<K>& unmerged, Row row) {
    const Loops<K> loops = merged(unmerged);
    for (int64_t dimension : loops.shape) {
        if (dimension == 0) return;
    }
    const size_t outer = loops.shape.size() - 1;
    std::array<int64_t, K> offsets{}, inner{};
    for (size_t k = 0; k < K; ++k) inner[k] = loops.strides[k].back();
    std::vector<int64_t> index(outer, 0);
    while (true) {
        row(offsets, loops.shape.back(), inner);
        size_t d = outer;
        while (d > 0) {
            --d;
            for (size_t k = 0; k < K; ++k) offsets[k] += loops.strides[k][d];
            if (++index[d] < loops.shape[d]) break;
            for (size_t k = 0; k < K; ++k) offsets[k] -= loops.strides[k][d] * loops.shape[d];
            index[d] = 0;
            if (d == 0) return;
        }
        if (outer == 0) return;
    }
}

// Copies elements of 1, 2, 4 or 8 bytes from one strided array to another.
void copy_strided(size_t element_bytes, const Shape& shape, uint8_t* to, const Strides& to_strides,
                  const uint8_t* from, const Strides& from_strides);

}  // namespace adiabat::net
