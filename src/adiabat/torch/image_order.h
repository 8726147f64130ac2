// SPDX-License-Identifier: Apache-2.0
#pragma once

// Copies of images between the order that networks state, [N, C, H, W], and the one that they are
// run in, channels together position by position. LibTorch copies value by value, a cache line
// each.

#include "adiabat/torch/pch.h"
#include "adiabat/torch/transpose.h"

namespace adiabat::torch {

inline bool is_image(const at::Tensor& tensor) {
    return tensor.dim() == 4 && tensor.scalar_type() == at::kFloat && tensor.numel() > 0;
}

// An image batch with its channels together; anything else as it is.
inline at::Tensor by_positions(const at::Tensor& tensor) {
    if (tensor.dim() != 4) return tensor;
    if (!is_image(tensor) || !tensor.is_contiguous() ||
        tensor.is_contiguous(at::MemoryFormat::ChannelsLast)) {
        return tensor.contiguous(at::MemoryFormat::ChannelsLast);
    }
    at::Tensor result =
        at::empty(tensor.sizes(), tensor.options().memory_format(at::MemoryFormat::ChannelsLast));
    const int64_t channels = tensor.size(1), positions = tensor.size(2) * tensor.size(3);
    for (int64_t n = 0; n < tensor.size(0); ++n) {
        const int64_t at = n * channels * positions;
        transpose(tensor.data_ptr<float>() + at, channels, positions,
                  result.data_ptr<float>() + at);
    }
    return result;
}

// The values of a float batch whose channels are together, as [N, C, H, W]; false for any other.
inline bool write_by_channels(const at::Tensor& tensor, float* out) {
    if (!is_image(tensor) || tensor.is_contiguous() ||
        !tensor.is_contiguous(at::MemoryFormat::ChannelsLast)) {
        return false;
    }
    const int64_t channels = tensor.size(1), positions = tensor.size(2) * tensor.size(3);
    for (int64_t n = 0; n < tensor.size(0); ++n) {
        const int64_t at = n * channels * positions;
        transpose(tensor.data_ptr<float>() + at, positions, channels, out + at);
    }
    return true;
}

}  // namespace adiabat::torch
