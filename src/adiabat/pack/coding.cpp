// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pack/coding.h"

#include <algorithm>
#include <bit>

namespace adiabat::pack {

namespace {

using Bytes = std::span<const uint8_t>;

uint64_t mask(int bits) { return bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }

// Elements of 4, 8, 16, 32 or 64 bits, little-endian; of two in a byte the first is the lower.
uint64_t get(Bytes stream, uint64_t at, int bits) {
    if (bits == 4) return stream[at / 2] >> (at % 2 * 4) & 15;
    uint64_t value = 0;
    const int count = bits / 8;
    for (int k = 0; k < count; ++k) value |= uint64_t{stream[at * count + k]} << (8 * k);
    return value;
}

// Into zeros.
void put(std::vector<uint8_t>& stream, uint64_t at, int bits, uint64_t value) {
    if (bits == 4) {
        stream[at / 2] |= static_cast<uint8_t>((value & 15) << (at % 2 * 4));
        return;
    }
    const int count = bits / 8;
    for (int k = 0; k < count; ++k) stream[at * count + k] = static_cast<uint8_t>(value >> (8 * k));
}

uint64_t rotate_left(uint64_t value, int bits) {
    return (value << 1 | value >> (bits - 1)) & mask(bits);
}

uint64_t rotate_right(uint64_t value, int bits) { return value >> 1 | (value & 1) << (bits - 1); }

Parts split_planes(Bytes stream, int bits) {
    std::vector<uint8_t> codes(stream.size() / static_cast<size_t>(bits) * 8);
    for (size_t j = 0; j < codes.size() / 8; ++j) {
        for (int k = 0; k < bits; ++k) {
            const unsigned plane = stream[j * bits + k];
            for (int i = 0; i < 8; ++i) {
                codes[8 * j + i] |= static_cast<uint8_t>((plane >> i & 1) << k);
            }
        }
    }
    return {std::move(codes)};
}

std::vector<uint8_t> join_planes(Bytes codes, int bits) {
    std::vector<uint8_t> stream(codes.size() / 8 * static_cast<size_t>(bits));
    for (size_t j = 0; j < codes.size() / 8; ++j) {
        for (int i = 0; i < 8; ++i) {
            const unsigned code = codes[8 * j + i];
            for (int k = 0; k < bits; ++k) {
                stream[j * bits + k] |= static_cast<uint8_t>((code >> k & 1) << i);
            }
        }
    }
    return stream;
}

// The number whose lowest `width` bits the parts of a code hold.
uint64_t to_number(uint64_t element, const Layout& layout) {
    return layout.coding == Coding::kFloats ? rotate_left(element, layout.element_bits)
                                            : (element - layout.least) & mask(layout.element_bits);
}

uint64_t from_number(uint64_t number, const Layout& layout) {
    return layout.coding == Coding::kFloats ? rotate_right(number, layout.element_bits)
                                            : (number + layout.least) & mask(layout.element_bits);
}

// `per` codes a byte, the first the lowest.
std::vector<uint8_t> pack_codes(Bytes codes, int bits) {
    const size_t per = 8 / static_cast<size_t>(bits);
    std::vector<uint8_t> packed((codes.size() + per - 1) / per);
    for (size_t k = 0; k < codes.size(); ++k) {
        packed[k / per] |= static_cast<uint8_t>(codes[k] << (k % per * bits));
    }
    return packed;
}

std::vector<uint8_t> store_dense(Bytes codes, int bits) {
    std::vector<uint8_t> dense(dense_bytes(codes.size(), bits));
    for (size_t k = 0; k < codes.size(); ++k) {
        const size_t at = k * bits;
        const unsigned shifted = unsigned{codes[k]} << at % 8;
        dense[at / 8] |= static_cast<uint8_t>(shifted);
        if (shifted > 255) dense[at / 8 + 1] |= static_cast<uint8_t>(shifted >> 8);
    }
    return dense;
}

std::vector<uint8_t> load_dense(Bytes dense, uint64_t codes, int bits) {
    std::vector<uint8_t> values(codes);
    for (size_t k = 0; k < codes; ++k) {
        const size_t at = k * bits;
        unsigned two = dense[at / 8];
        if (at / 8 + 1 < dense.size()) two |= unsigned{dense[at / 8 + 1]} << 8;
        values[k] = static_cast<uint8_t>(two >> at % 8 & mask(bits));
    }
    return values;
}

bool is_signed(net::DType type) {
    using net::DType;
    return type == DType::kInt4 || type == DType::kInt8 || type == DType::kInt16 ||
           type == DType::kInt32 || type == DType::kInt64;
}

// The least element and the bits of the largest difference from it.
Layout integer_layout(Bytes stream, int bits, bool with_sign) {
    // In an order in which the least comes first: signed numbers with their sign bit turned.
    const uint64_t turn = with_sign ? uint64_t{1} << (bits - 1) : 0;
    uint64_t least = ~uint64_t{0}, most = 0;
    const uint64_t count = stream.size() * 8 / static_cast<size_t>(bits);
    for (uint64_t k = 0; k < count; ++k) {
        const uint64_t value = get(stream, k, bits) ^ turn;
        least = std::min(least, value);
        most = std::max(most, value);
    }
    return {.coding = Coding::kIntegers,
            .element_bits = bits,
            .width = std::max(1, static_cast<int>(std::bit_width(most - least))),
            .least = least ^ turn};
}

bool is_one_of(int value, std::initializer_list<int> allowed) {
    return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

}  // namespace

bool is_valid(const Layout& layout) {
    const int bits = layout.element_bits;
    switch (layout.coding) {
        case Coding::kBytes:
            return bits == 8 && layout.width == bits;
        case Coding::kFloats:
            return is_one_of(bits, {16, 32, 64}) && layout.width == bits;
        case Coding::kIntegers:
            return is_one_of(bits, {4, 8, 16, 32, 64}) && layout.width >= 1 &&
                   layout.width <= bits && layout.least <= mask(bits);
        case Coding::kPlanes:
            return bits >= 2 && bits <= 7 && layout.width == bits;
    }
    return false;
}

uint64_t codes_in(const Layout& layout, uint64_t stream_bytes) {
    const auto bits = static_cast<uint64_t>(layout.element_bits);
    // Of planes all b are there.
    const uint64_t unit = layout.coding == Coding::kPlanes ? 8 * bits : bits;
    return stream_bytes * 8 % unit == 0 ? stream_bytes * 8 / bits : 0;
}

std::vector<int> part_bits(const Layout& layout) {
    std::vector<int> bits;
    for (int left = layout.width; left > 0; left -= 8) bits.push_back(std::min(8, left));
    return bits;
}

uint64_t dense_bytes(uint64_t codes, int bits) {
    return (codes * static_cast<uint64_t>(bits) + 7) / 8;
}

Parts split(Bytes stream, const Layout& layout) {
    if (layout.coding == Coding::kPlanes) return split_planes(stream, layout.element_bits);
    if (layout.coding == Coding::kBytes) return {{stream.begin(), stream.end()}};
    const std::vector<int> bits = part_bits(layout);
    const uint64_t count = codes_in(layout, stream.size());
    Parts parts(bits.size(), std::vector<uint8_t>(count));
    for (uint64_t k = 0; k < count; ++k) {
        const uint64_t number = to_number(get(stream, k, layout.element_bits), layout);
        for (size_t p = 0; p < bits.size(); ++p) {
            parts[p][k] = static_cast<uint8_t>(number >> (8 * p) & mask(bits[p]));
        }
    }
    return parts;
}

std::vector<uint8_t> join(const Parts& parts, const Layout& layout) {
    if (layout.coding == Coding::kPlanes) return join_planes(parts[0], layout.element_bits);
    if (layout.coding == Coding::kBytes) return parts[0];
    const uint64_t count = parts[0].size();
    std::vector<uint8_t> stream(dense_bytes(count, layout.element_bits));
    for (uint64_t k = 0; k < count; ++k) {
        uint64_t number = 0;
        for (size_t p = 0; p < parts.size(); ++p) number |= uint64_t{parts[p][k]} << (8 * p);
        put(stream, k, layout.element_bits, from_number(number, layout));
    }
    return stream;
}

std::vector<uint8_t> store_part(Bytes codes, int bits, Effort effort, const StopToken& stop) {
    std::vector<uint8_t> squeezed = squeeze(pack_codes(codes, bits), effort, stop);
    return squeezed.size() < dense_bytes(codes.size(), bits) ? squeezed : store_dense(codes, bits);
}

std::vector<uint8_t> load_part(Bytes stored, uint64_t codes, int bits, const std::string& where,
                               const StopToken& stop) {
    if (stored.size() == dense_bytes(codes, bits)) return load_dense(stored, codes, bits);
    const uint64_t per = 8 / static_cast<uint64_t>(bits);
    const std::vector<uint8_t> packed = unsqueeze(stored, (codes + per - 1) / per, where, stop);
    std::vector<uint8_t> values(codes);
    for (uint64_t k = 0; k < codes; ++k) {
        values[k] = static_cast<uint8_t>(packed[k / per] >> (k % per * bits) & mask(bits));
    }
    return values;
}

std::vector<Layout> layouts_for(net::DType type, int planes, Bytes stream) {
    std::vector<Layout> layouts;
    const int bits = net::bits_of(type);
    if (planes > 0) {
        layouts.push_back({.coding = Coding::kPlanes, .element_bits = planes, .width = planes});
    } else if (net::is_real(type)) {
        layouts.push_back({.coding = Coding::kFloats, .element_bits = bits, .width = bits});
    } else if (is_one_of(bits, {4, 8, 16, 32, 64}) && !net::is_floating(type)) {
        layouts.push_back(integer_layout(stream, bits, is_signed(type)));
    }
    std::erase_if(layouts, [&](const Layout& l) { return codes_in(l, stream.size()) == 0; });
    // Elements of 4 or 8 bits that take all of them are the bytes already.
    const bool are_bytes = layouts.size() == 1 && layouts[0].coding == Coding::kIntegers &&
                           layouts[0].element_bits <= 8 &&
                           layouts[0].width == layouts[0].element_bits;
    if (!are_bytes) layouts.emplace_back();
    return layouts;
}

}  // namespace adiabat::pack
