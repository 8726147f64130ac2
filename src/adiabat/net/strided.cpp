// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/strided.h"

namespace adiabat::net {

namespace {

template <typename T>
void copy_elements(const Shape& shape, uint8_t* to_bytes, const Strides& to_strides,
                   const uint8_t* from_bytes, const Strides& from_strides) {
    T* const to_all = reinterpret_cast<T*>(to_bytes);
    const T* const from_all = reinterpret_cast<const T*>(from_bytes);
    for_each_row<2>({shape, {to_strides, from_strides}},
                    [&](const auto& offsets, int64_t count, const auto& strides) {
                        T* const to = to_all + offsets[0];
                        const T* const from = from_all + offsets[1];
                        if (strides[0] == 1 && strides[1] == 1) {
                            std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
                            return;
                        }
                        for (int64_t k = 0; k < count; ++k) {
                            to[k * strides[0]] = from[k * strides[1]];
                        }
                    });
}

}  // namespace

Strides dense_strides(const Shape& shape) {
    Strides strides(shape.size());
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0;) {
        strides[d] = stride;
        stride *= shape[d];
    }
    return strides;
}

Strides broadcast_strides(const Shape& from, const Shape& to) {
    const Strides dense = dense_strides(from);
    Strides strides(to.size(), 0);
    const size_t shift = to.size() - from.size();
    for (size_t d = 0; d < from.size(); ++d) strides[d + shift] = from[d] == 1 ? 0 : dense[d];
    return strides;
}

void copy_strided(size_t element_bytes, const Shape& shape, uint8_t* to, const Strides& to_strides,
                  const uint8_t* from, const Strides& from_strides) {
    switch (element_bytes) {
        case 1:
            return copy_elements<uint8_t>(shape, to, to_strides, from, from_strides);
        case 2:
            return copy_elements<uint16_t>(shape, to, to_strides, from, from_strides);
        case 4:
            return copy_elements<uint32_t>(shape, to, to_strides, from, from_strides);
        case 8:
            return copy_elements<uint64_t>(shape, to, to_strides, from, from_strides);
        default:
            ADIABAT_CHECK(false, "elements of {} bytes", element_bytes);
    }
}

}  // namespace adiabat::net
