// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which axes of a reshaped array become which: the finest cutting of both shapes into runs of axes
// with equal products, found from the front and, behind an unknown dimension that cannot be
// matched, from the back. O(rank).

#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::net {

// Axes [in_begin, in_end) become [out_begin, out_end). Where not `known`, an unknown dimension is
// mixed with others.
struct ReshapeSegment {
    int in_begin = 0, in_end = 0;
    int out_begin = 0, out_end = 0;
    bool known = true;
};

std::vector<ReshapeSegment> reshape_segments(const Shape& in, const Shape& out);

}  // namespace adiabat::net
