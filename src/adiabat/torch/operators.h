// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operators: one function each, from LibTorch tensors to LibTorch tensors, differentiable.
//
// Tensors are carried in the element type that LibTorch computes with: float for floating types
// and, with exact integer values, for all integer types of 16 bits and fewer; int32, int64, bool
// and double as they are; uint32 and uint64 (its bits) as int64. What is fetched is rounded to its
// type. Four-dimensional activations live in channels-last order wherever a
// convolution has touched them: oneDNN then runs without reordering, and elementwise operators keep
// the order.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/torch/pch.h"

namespace adiabat::torch {

// What a function gets. Optional inputs that are left out are undefined tensors.
struct Call {
    const net::Node& node;
    int opset;
    std::span<at::Tensor> in;
    net::DType out_type;                              // of the first output, as ONNX has it
    std::span<const net::DType> in_types, out_types;  // of all, kUndefined where left out

    // Whether in[k]'s memory may be overwritten: nobody else holds it and no gradient is being
    // recorded.
    bool may_overwrite(size_t k) const;
    bool given(size_t k) const { return k < in.size() && in[k].defined(); }
    // Input k as integers; the attribute `name` where the input is left out, and empty without
    // either.
    std::vector<int64_t> ints(size_t k, std::string_view name) const;
    // Input k as one number; the attribute `name`, then `otherwise`, where the input is left out.
    double number(size_t k, std::string_view name, double otherwise) const;
    // Throws InputError "<node> (<op>): <what>".
    [[noreturn]] void refuse(const std::string& what) const;
};

using Function = std::vector<at::Tensor> (*)(const Call&);

struct Operator {
    std::string_view name;
    Function function;
};

// The operators of each file; together they are what the engine can run.
std::span<const Operator> layout_operators();       // layout.cpp: data movement
std::span<const Operator> indexing_operators();     // indexing.cpp: Gather, Scatter and kin
std::span<const Operator> sampling_operators();     // sampling.cpp: Resize and kin
std::span<const Operator> elementwise_operators();  // operators.cpp
std::span<const Operator> reducing_operators();     // reductions.cpp: normalization, softmax too
std::span<const Operator> integer_operators();      // qlinear.cpp: on codes
std::span<const Operator> layer_operators();        // layers.cpp: sums of products and pooling
std::span<const Operator> quantizing_operators();   // quantized.cpp

std::vector<std::span<const Operator>> all_operators();

// The function of an operator, null where there is none; "com.microsoft.QLinearAdd" where its
// domain is not ai.onnx.
Function find_operator(std::string_view name);

// No result that is asked for by number (a Tile, a Resize) is larger, in elements: 64 GiB of
// floats.
inline constexpr int64_t kMostElements = int64_t{1} << 34;

// a + rank for negative a.
inline int64_t positive_axis(int64_t a, int64_t rank) { return a < 0 ? a + rank : a; }

// Rows times a matrix: x [M, K], w [N, K], bias [N] or undefined. A 1x1 convolution over M
// positions, which reaches oneDNN (Debian's LibTorch has the reference BLAS, an order of magnitude
// slower).
at::Tensor affine_rows(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias);

// The convolution of a Conv node, whose kernel shape, pads, strides, dilations and groups it reads.
at::Tensor convolve(const Call& call, at::Tensor x, const at::Tensor& w, const at::Tensor& bias);

// Smallest and largest code of an integer type.
std::pair<float, float> code_range(net::DType type);

// clamp(round(x)) with round to nearest even; the gradient passes straight through where x is
// within range and vanishes where it saturates. May overwrite x where no gradient is recorded.
at::Tensor round_to_range(at::Tensor x, float lowest, float highest, bool overwrite);

}  // namespace adiabat::torch
