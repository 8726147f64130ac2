// SPDX-License-Identifier: Apache-2.0
#pragma once

// net::Tensor to LibTorch and back, in the element types that the operators compute with
// (operators.h).

#include <algorithm>
#include <cstring>

#include "adiabat/base/errors.h"
#include "adiabat/net/tensor.h"
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

// Rows begin..begin+rows of `tensor` (all of it where rows < 0). Float, double, int32, int64 and
// bool share the memory of `tensor`, which must outlive the result and is not written to; other
// types are converted. Throws InputError for types that no operator takes.
inline at::Tensor to_torch(const net::Tensor& tensor, int64_t begin = 0, int64_t rows = -1) {
    net::Shape shape = tensor.shape;
    const auto sub_byte = tensor.type == net::DType::kInt4 || tensor.type == net::DType::kUint4;
    if (sub_byte || tensor.type == net::DType::kUint16) {
        const auto values = tensor.to_doubles();
        const at::Tensor all = at::tensor(values, at::kFloat).reshape(shape);
        return rows < 0 ? all : all.narrow(0, begin, rows);
    }
    const at::ScalarType type = layout_of(tensor.type);
    if (type == at::ScalarType::Undefined) {
        throw InputError("a tensor of {}: no operator takes that type", net::name_of(tensor.type));
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
    if (type == net::DType::kUint16) {
        const at::Tensor ints = tensor.to(at::kInt).contiguous();
        const auto* values = ints.data_ptr<int32_t>();
        for (int64_t k = 0; k < ints.numel(); ++k) {
            const auto value = static_cast<uint16_t>(values[k]);
            std::memcpy(out + 2 * k, &value, 2);
        }
        return;
    }
    const at::ScalarType layout = layout_of(type);
    if (layout == at::ScalarType::Undefined) {
        throw InputError("a value of {} cannot be fetched", net::name_of(type));
    }
    at::from_blob(out, tensor.sizes(), at::TensorOptions(layout)).copy_(tensor);
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
