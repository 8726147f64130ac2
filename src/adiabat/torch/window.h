// SPDX-License-Identifier: Apache-2.0
#pragma once

// The window of a convolution or a pool, as LibTorch takes it.

#include <vector>

#include "adiabat/torch/operators.h"

namespace adiabat::torch {

// A window that slides over the spatial dimensions: what Conv and the pools have in common.
struct Window {
    std::vector<int64_t> kernel, strides, dilations, begins, ends;

    bool symmetric() const { return begins == ends; }

    // {last begin, last end, ...}, as LibTorch pads.
    std::vector<int64_t> pads() const {
        std::vector<int64_t> out;
        for (size_t k = begins.size(); k-- > 0;) {
            out.push_back(begins[k]);
            out.push_back(ends[k]);
        }
        return out;
    }
};

// The window of a node over `x`, auto_pad worked out. Refuses what has no sense.
Window window_of(const Call& call, const at::Tensor& x, std::vector<int64_t> kernel);

}  // namespace adiabat::torch
