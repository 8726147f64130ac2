// SPDX-License-Identifier: Apache-2.0
#pragma once

// One TensorProto as a net::Tensor, whichever of its seven fields holds the elements. For read.cpp
// alone.

#include <string>

#include "adiabat/net/tensor.h"

namespace onnx {
class TensorProto;
}

namespace adiabat::onnx {

// `what` begins every message: "net.onnx: initializer 'conv1.weight'". Nothing is allocated before
// the dimensions have been found to agree with the bytes that are there. O(elements). Throws
// InputError where they do not, where the element type has no numbers, where the data is in another
// file, and where an element is NaN, or infinite in a tensor of more than one.
net::Tensor to_tensor(const ::onnx::TensorProto& proto, const std::string& what);

}  // namespace adiabat::onnx
