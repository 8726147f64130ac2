// SPDX-License-Identifier: Apache-2.0
#pragma once

// net::Tensor to LibTorch and back, in the element types that the operators compute with
// (operators.h).

#include <algorithm>
#include <cstring>

#include "adiabat/base/errors.h"
#include "adiabat/net/cast.h"
#include "adiabat/net/tensor.h"
#include "adiabat/torch/image_order.h"
#include "adiabat/torch/pch.h"

namespace adiabat::torch {

// LibTorch's type of the same layout in memory; Undefined where there is none.
inline at::ScalarType layout_of(net::DType type) {
    switch (type) {
        case net::DType::kFloat:
            return at::kFloat;
        case net::DType::kDouble:
            return at::kDouble;
        case net::DType::kUint8:
            return at::kByte;
        case net::DType::kInt8:
            return at::kChar;
        case net::DType::kInt16:
            return at::kShort;
        case net::DType::kInt32:
            return at::kInt;
        case net::DType::kInt64:
            return at::kLong;
        case net::DType::kBool:
            return at::kBool;
        case net::DType::kFloat16:
            return at::kHalf;
        case net::DType::kBfloat16:
            return at::kBFloat16;
        default:
            return at::ScalarType::Undefined;
    }
}

// The type in which LibTorch carries elements of an ONNX type.
inline at::ScalarType carrier_of(net::DType type) {
    switch (type) {
        case net::DType::kDouble:
            return at::kDouble;
        case net::DType::kInt32:
            return at::kInt;
        case net::DType::kInt64:
        case net::DType::kUint32:
        case net::DType::kUint64:
            return at::kLong;
        case net::DType::kBool:
            return at::kBool;
        default:
            return at::kFloat;
    }
}

// An operator's result in the type that carries its ONNX type; as it is where that is not known.
inline at::Tensor as_carried(at::Tensor tensor, net::DType type) {
    if (type == net::DType::kUndefined || !tensor.defined()) return tensor;
    const at::ScalarType carrier = carrier_of(type);
    return tensor.scalar_type() == carrier ? tensor : tensor.to(carrier);
}

// Rows begin..begin+rows of `tensor` (all of it where rows < 0). Float, double, int32, int64 and
// bool share the memory of `tensor`, which must outlive the result and is not written to; other
// types are converted. Throws InputError for types that no operator takes.
inline at::Tensor to_torch(const net::Tensor& tensor, int64_t begin = 0, int64_t rows = -1) {
    net::Shape shape = tensor.shape;
    const at::ScalarType type = layout_of(tensor.type);
    if (type == at::ScalarType::Undefined) {
        if (net::bits_of(tensor.type) == 0) {
            throw InputError("a tensor of {}: no operator takes that type",
                             net::name_of(tensor.type));
        }
        const bool wide = carrier_of(tensor.type) == at::kLong;
        const net::Tensor plain =
            net::cast_tensor(tensor, wide ? net::DType::kInt64 : net::DType::kFloat);
        const at::Tensor all = to_torch(plain).clone();
        return rows < 0 ? all : all.narrow(0, begin, rows);
    }
    size_t offset = 0;
    if (rows >= 0) {
        offset =
            static_cast<size_t>(begin) * (tensor.bytes.size() / static_cast<size_t>(shape.at(0)));
        shape[0] = rows;
    }
    auto* data = const_cast<uint8_t*>(tensor.bytes.data()) + offset;
    const at::Tensor view = at::from_blob(data, shape, at::TensorOptions(type));
    const bool as_is = type == at::kFloat || type == at::kDouble || type == at::kInt ||
                       type == at::kLong || type == at::kBool;
    return as_is ? view : view.to(at::kFloat);
}

// Writes the elements, row-major, as `type`.
inline void write_elements(const at::Tensor& tensor, net::DType type, uint8_t* out) {
    if (tensor.numel() == 0) return;
    const at::ScalarType layout = layout_of(type);
    if (layout != at::ScalarType::Undefined) {
        if (layout == at::kFloat && write_by_channels(tensor, reinterpret_cast<float*>(out)))
            return;
        at::from_blob(out, tensor.sizes(), at::TensorOptions(layout)).copy_(tensor);
        return;
    }
    if (net::bits_of(type) == 0) {
        throw InputError("a value of {} cannot be fetched", net::name_of(type));
    }
    const bool wide = carrier_of(type) == at::kLong;
    const at::Tensor dense = tensor.to(wide ? at::kLong : at::kFloat).contiguous();
    net::Tensor plain(wide ? net::DType::kInt64 : net::DType::kFloat, {dense.numel()});
    std::memcpy(plain.bytes.data(), dense.data_ptr(), plain.bytes.size());
    const net::Tensor cast = net::cast_tensor(plain, type, {.saturate = false});
    std::memcpy(out, cast.bytes.data(), cast.bytes.size());
}

// A copy in an ONNX type.
inline net::Tensor from_torch(const at::Tensor& tensor, net::DType type) {
    net::Tensor result(type, {tensor.sizes().begin(), tensor.sizes().end()});
    write_elements(tensor, type, result.bytes.data());
    return result;
}

// The type in which a tensor is given back where the graph names none.
inline net::DType natural_type(const at::Tensor& tensor) {
    switch (tensor.scalar_type()) {
        case at::kDouble:
            return net::DType::kDouble;
        case at::kInt:
            return net::DType::kInt32;
        case at::kLong:
            return net::DType::kInt64;
        case at::kBool:
            return net::DType::kBool;
        default:
            return net::DType::kFloat;
    }
}

}  // namespace adiabat::torch
