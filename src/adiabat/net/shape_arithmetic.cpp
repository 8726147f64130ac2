// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/shape_arithmetic.h"

#include <algorithm>

namespace adiabat::net {

namespace {

// Product of the known dimensions, and how many are not.
struct Extent {
    int64_t known = 1;
    int unknown = 0;
};

Extent extent_of(const Shape& shape) {
    Extent extent;
    Shape known;
    for (int64_t dimension : shape) {
        if (dimension == kUnknown) {
            ++extent.unknown;
        } else {
            known.push_back(dimension);
        }
    }
    extent.known = elements(known);
    return extent;
}

}  // namespace

std::optional<int64_t> normal_axis(int64_t axis, int64_t rank) {
    if (axis < -rank || axis >= rank) return std::nullopt;
    return axis < 0 ? axis + rank : axis;
}

SliceRange slice_range(int64_t start, int64_t end, int64_t step, int64_t size) {
    if (size <= 0) return {0, step, 0};
    const auto from_front = [&](int64_t at) { return at < 0 ? at + size : at; };
    const bool forward = step > 0;
    const int64_t first = std::clamp<int64_t>(from_front(start), 0, forward ? size : size - 1);
    const int64_t last = std::clamp<int64_t>(from_front(end), forward ? 0 : -1, size);
    const int64_t distance = forward ? last - first : first - last;
    if (distance <= 0) return {first, step, 0};
    // The magnitude of INT64_MIN is no int64_t.
    const uint64_t stride =
        forward ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
    return {first, step, static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride) + 1};
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
    const size_t rank = std::max(a.size(), b.size());
    Shape result(rank);
    for (size_t k = 0; k < rank; ++k) {
        const int64_t x = k + a.size() < rank ? 1 : a[k + a.size() - rank];
        const int64_t y = k + b.size() < rank ? 1 : b[k + b.size() - rank];
        if (x == y || y == 1) {
            result[k] = x;
        } else if (x == 1 || x == kUnknown) {
            result[k] = y;
        } else if (y == kUnknown) {
            result[k] = x;
        } else {
            return std::nullopt;
        }
    }
    return result;
}

std::optional<Shape> reshape(const Shape& from, const std::vector<std::optional<int64_t>>& to,
                             bool allow_zero) {
    Shape result(to.size(), kUnknown);
    std::optional<size_t> inferred;
    int candidates = 0, copied_unknown = 0;
    for (size_t k = 0; k < to.size(); ++k) {
        if (!to[k] || *to[k] == -1) {
            inferred = k;
            ++candidates;
        } else if (*to[k] == 0 && !allow_zero) {
            if (k >= from.size()) return std::nullopt;
            result[k] = from[k];
            copied_unknown += from[k] == kUnknown;
        } else if (*to[k] < 0) {
            return std::nullopt;
        } else {
            result[k] = *to[k];
        }
    }
    if (std::count(to.begin(), to.end(), std::optional<int64_t>(-1)) > 1) return std::nullopt;
    const Extent before = extent_of(from), after = extent_of(result);
    if (before.unknown > copied_unknown || candidates > 1) return result;
    // Now the unknown dimensions, if any, are on both sides and cancel.
    if (candidates == 0) return before.known == after.known ? std::optional(result) : std::nullopt;
    if (after.known == 0) {
        if (before.known != 0) return std::nullopt;
        result[*inferred] = 0;
        return result;
    }
    if (before.known % after.known != 0) return std::nullopt;
    result[*inferred] = before.known / after.known;
    return result;
}

}  // namespace adiabat::net
