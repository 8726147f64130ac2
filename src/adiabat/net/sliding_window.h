// SPDX-License-Identifier: Apache-2.0
#pragma once

// The window of a convolution or a pool: where it lies and how often.
//
// Along a dimension of S elements, with pads b and e, a window of reach R = (kernel - 1) dilation +
// 1 takes floor((S + b + e - R) / stride) + 1 positions; with ceil_mode the division is rounded up,
// but a last window that would begin in the pads behind is left out. auto_pad SAME_* makes it
// ceil(S / stride), the odd pad at the end (UPPER) or at the beginning (LOWER). Shared by shape
// inference and the engine, so that both refuse the same nonsense. O(dimensions).
//
// Source: ONNX operators Conv, ConvTranspose, MaxPool, AveragePool, LpPool.

#include <functional>
#include <string>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Throws the caller's InputError with that text.
using Fail = std::function<void(const std::string&)>;

struct SlidingWindow {
    std::vector<int64_t> kernel, strides, dilations, begins, ends;  // one a spatial dimension
    std::string auto_pad;                                           // NOTSET, VALID, SAME_*
    bool ceil = false;

    size_t rank() const { return kernel.size(); }
    int64_t reach(size_t k) const { return (kernel[k] - 1) * dilations[k] + 1; }
    bool symmetric() const { return begins == ends; }
};

// The window of a node; fails where lengths differ, a kernel, stride or dilation is not positive or
// a pad is negative.
SlidingWindow read_window(const Node& node, std::vector<int64_t> kernel, const Fail& fail);

// How many positions there are along dimension k of `size` elements, kUnknown for kUnknown. Fails
// where the window does not fit or the pads are beyond any use.
int64_t positions(const SlidingWindow& window, size_t k, int64_t size, const Fail& fail);

// Replaces auto_pad and ceil_mode by pads that give exactly the same positions, with none behind
// that no window reaches. The sizes must be known.
void settle_pads(SlidingWindow& window, const std::vector<int64_t>& sizes, const Fail& fail);

// The same of a ConvTranspose: what is cut from the full result (S - 1) stride + R along dimension
// k, and how large the output is. A negative cut adds elements that only the bias reaches.
struct TransposedWindow {
    SlidingWindow window;
    std::vector<int64_t> output_padding;
    std::vector<int64_t> output_shape;  // empty where the pads decide

    struct Extent {
        int64_t size, cut_before, cut_behind;
    };
    Extent extent(size_t k, int64_t size, const Fail& fail) const;
};

TransposedWindow read_transposed_window(const Node& node, std::vector<int64_t> kernel,
                                        const Fail& fail);

}  // namespace adiabat::net
