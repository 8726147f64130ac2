// SPDX-License-Identifier: Apache-2.0
#pragma once

// One TensorProto as a net::Tensor, whichever of its seven fields, or which other file, holds the
// elements. For read.cpp alone.

#include <string>

#include "adiabat/net/tensor.h"
#include "adiabat/onnx/external.h"

namespace onnx {
class SparseTensorProto;
class TensorProto;
}  // namespace onnx

namespace adiabat::onnx {

// Whether a tensor of that element type can be held as numbers; strings, complex numbers and types
// that net::DType does not know cannot.
bool holds_numbers(const ::onnx::TensorProto& proto);

// `what` begins every message: "net.onnx: initializer 'conv1.weight'". Nothing is allocated before
// the dimensions have been found to agree with the bytes that are there. The proto gives its data
// away, so that no weight is in memory twice for long. O(elements). Throws InputError where they do
// not agree, where the element type has no numbers, where another file lacks the data, and where an
// element is NaN, or infinite in a tensor of more than one.
net::Tensor to_tensor(::onnx::TensorProto& proto, const std::string& what, ExternalFiles& files);

// The dense tensor of a sparse one. Throws InputError as above, where an index is out of range, and
// where the dense tensor is a thousand times as large as the sparse one and larger than 16 MiB.
net::Tensor to_dense(::onnx::SparseTensorProto& proto, const std::string& what,
                     ExternalFiles& files);

// Puts the data of other files into the proto.
void embed(::onnx::TensorProto& proto, const std::string& what, ExternalFiles& files);

}  // namespace adiabat::onnx
