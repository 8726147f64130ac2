// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tensors from one element type to another, as Cast does it.
//
// Integers keep their low bits, floats are truncated towards zero where the result is an integer
// and rounded to nearest even where it is a shorter float; to bool, everything but zero is true.
// O(elements).
//
// Source: Cast in onnx/docs/Operators.md; measured on ONNX Runtime 1.32 on x86-64.

#include "adiabat/net/graph.h"
#include "adiabat/net/number_formats.h"

namespace adiabat::net {

// Attributes of Cast that say what the float8 kinds make of numbers they do not hold.
struct CastOptions {
    bool saturate = true;
    PowerRounding rounding = PowerRounding::kUp;
};
CastOptions cast_options(const Node& node);

// Throws InputError for types without numbers.
Tensor cast_tensor(const Tensor& source, DType type, const CastOptions& options = {});

// The tensor, cast where it is of another type.
Tensor as_type(Tensor tensor, DType type);

}  // namespace adiabat::net
