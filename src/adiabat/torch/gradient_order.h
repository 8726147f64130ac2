// SPDX-License-Identifier: Apache-2.0
#pragma once

// Gradients in the order in memory in which convolutions are fast.

#include "adiabat/torch/pch.h"

namespace adiabat::torch {

// The same images to one consumer, whose gradient then comes back in their order in memory. Without
// it a Slice or a mean hands on gradients in another order, and all that follows, from there to the
// inputs, is computed element by element.
inline at::Tensor with_gradient_alike(const at::Tensor& t) {
    const auto order = at::MemoryFormat::ChannelsLast;
    if (!t.defined() || !t.requires_grad() || t.dim() != 4 || !t.is_contiguous(order)) return t;
    at::Tensor same = t.alias();
    same.register_hook([order](const at::Tensor& gradient) { return gradient.contiguous(order); });
    return same;
}

}  // namespace adiabat::torch
