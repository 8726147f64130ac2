// SPDX-License-Identifier: Apache-2.0
#pragma once

// Resize and Upsample: which elements, with which weights, make each element of the result.
//
// Resizing is separable: along each axis that changes, out[p] = sum over taps t of
// weight[t][p] x[index[t][p]]. Position p of the result lies at the coordinate c of the input that
// coordinate_transformation_mode gives, (p + 0.5) / scale - 0.5 for half_pixel; nearest takes one
// element there, linear the two beside it, cubic four (Keys 1981). With antialias the kernel is
// stretched by 1 / scale where the axis shrinks. Coordinates are floats, as in ONNX Runtime.
// O(taps x positions) an axis.
//
// Source: ONNX operators Resize (10, 11, 13, 18, 19) and Upsample (7, 9); before opset 11 nearest
// takes the element before, or the one behind where the axis shrinks, as ONNX Runtime does.

#include <optional>
#include <vector>

#include "adiabat/net/sliding_window.h"

namespace adiabat::net {

struct AxisSampling {
    int64_t axis = 0, in = 0, out = 0;
    int64_t taps = 0;
    std::vector<int64_t> index;    // [taps, out], clamped into the input
    std::vector<float> weight;     // the same; empty where the one tap is taken as it is
    std::vector<uint8_t> outside;  // [out]: beyond the region, where extrapolation_value stands;
                                   // empty where nothing is
};

// What a node says about the size of its result: the inputs as far as they are known.
struct ResizeRequest {
    std::optional<std::vector<float>> scales;
    std::optional<std::vector<std::optional<int64_t>>> sizes;  // an entry may not be known
    std::vector<float> roi;                                    // starts, then ends; may be empty
};

struct ResizeTarget {
    Shape shape;                 // kUnknown where it does not follow
    std::vector<float> scales;   // one an axis of the input, 1 where it stays
    std::vector<uint8_t> moves;  // one an axis: whether it is among those to be resized
};

// Where the inputs of a Resize or Upsample node of that opset stand, kNone where there is none.
struct ResizeInputs {
    static constexpr size_t kNone = 99;
    size_t roi = kNone, scales = kNone, sizes = kNone;
};
ResizeInputs resize_inputs(const Node& node, int opset);

// Fails where scales or sizes are none, too many, or out of range.
ResizeTarget resize_target(const Node& node, const Shape& x, const ResizeRequest& request,
                           const Fail& fail);

// One entry an axis that does not stay as it is. `x` and the target must be known.
std::vector<AxisSampling> resize_sampling(const Node& node, int opset, const Shape& x,
                                          const ResizeTarget& target, const ResizeRequest& request,
                                          const Fail& fail);

}  // namespace adiabat::net
