// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/reshape_segments.h"

#include <algorithm>

namespace adiabat::net {

namespace {

// Segments from the front of both shapes until an unknown dimension is mixed with others; `in` and
// `out` are advanced behind them.
std::vector<ReshapeSegment> from_the_front(const Shape& in, const Shape& out, size_t& i,
                                           size_t& o) {
    std::vector<ReshapeSegment> found;
    while (i < in.size() && o < out.size()) {
        ReshapeSegment segment;
        segment.in_begin = static_cast<int>(i);
        segment.out_begin = static_cast<int>(o);
        size_t a = i + 1, b = o + 1;
        if (in[i] != kUnknown && out[o] != kUnknown) {
            int64_t left = in[i], right = out[o];
            while (left != right) {
                const bool more_left = left < right;
                const Shape& from = more_left ? in : out;
                size_t& next = more_left ? a : b;
                if (next >= from.size() || from[next] == kUnknown) return found;
                int64_t& product = more_left ? left : right;
                if (__builtin_mul_overflow(product, from[next++], &product)) return found;
            }
        } else if (in[i] != out[o]) {
            return found;
        }
        segment.in_end = static_cast<int>(i = a);
        segment.out_end = static_cast<int>(o = b);
        found.push_back(segment);
    }
    return found;
}

}  // namespace

std::vector<ReshapeSegment> reshape_segments(const Shape& in, const Shape& out) {
    size_t i = 0, o = 0;
    std::vector<ReshapeSegment> segments = from_the_front(in, out, i, o);
    if (i == in.size() && o == out.size()) return segments;

    const Shape in_rest(in.rbegin(), in.rend() - static_cast<std::ptrdiff_t>(i));
    const Shape out_rest(out.rbegin(), out.rend() - static_cast<std::ptrdiff_t>(o));
    size_t from_back = 0, to_back = 0;
    std::vector<ReshapeSegment> back = from_the_front(in_rest, out_rest, from_back, to_back);
    const auto rank_in = static_cast<int>(in.size()), rank_out = static_cast<int>(out.size());
    const ReshapeSegment middle = {static_cast<int>(i), rank_in - static_cast<int>(from_back),
                                   static_cast<int>(o), rank_out - static_cast<int>(to_back)};
    if (middle.in_begin < middle.in_end || middle.out_begin < middle.out_end) {
        const auto is_one = [](int64_t extent) { return extent == 1; };
        segments.push_back(middle);
        segments.back().known =
            std::all_of(in.begin() + middle.in_begin, in.begin() + middle.in_end, is_one) &&
            std::all_of(out.begin() + middle.out_begin, out.begin() + middle.out_end, is_one);
    }
    for (auto segment = back.rbegin(); segment != back.rend(); ++segment) {
        segments.push_back({rank_in - segment->in_end, rank_in - segment->in_begin,
                            rank_out - segment->out_end, rank_out - segment->out_begin});
    }
    return segments;
}

}  // namespace adiabat::net
