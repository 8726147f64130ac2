// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the numbers of tensors become few bytes, exactly.
//
// A stream of bytes is laid out as parts, each a sequence of codes of at most 8 bits, so that alike
// bits lie together:
//
//   bytes      one part, the bytes themselves
//   floats     a part for each byte of an element, lowest first, of the element rotated left by one
//              bit: the exponent then fills the highest, the sign goes to the lowest
//   integers   element - least (modulo 2^bits) has `width` bits: a part for each eight of them,
//              lowest first, the last with what is left
//   planes     bit planes [m, 1, b] (onnx/self_decoding.h) give one part, the 8 m codes of b bits
//
// A part of r-bit codes is stored either dense (r bits a code, one after another from the lowest
// bit of the first byte up), or, where that is smaller, as floor(8 / r) codes a byte through zstd,
// whose entropy coder then sees whole codes. O(bytes), and what zstd takes.
//
// doc/container.md has the bytes.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/net/tensor.h"
#include "adiabat/pack/squeeze.h"

namespace adiabat::pack {

enum class Coding : uint8_t { kBytes = 0, kFloats = 1, kIntegers = 2, kPlanes = 3 };
inline constexpr int kCodings = 4;

struct Layout {
    Coding coding = Coding::kBytes;
    int element_bits = 8;  // floats 16, 32, 64; integers 4, 8, 16, 32, 64; planes b; bytes 8
    int width = 8;         // of integers 1 .. element_bits; of all others element_bits
    uint64_t least = 0;    // of integers
};

// Whether there is such a layout.
bool is_valid(const Layout& layout);

// Codes in a stream of so many bytes; 0 where that is no whole number of elements.
uint64_t codes_in(const Layout& layout, uint64_t stream_bytes);

// Bits of the codes of each part.
std::vector<int> part_bits(const Layout& layout);

// Bytes of so many codes of `bits` bits, stored dense.
uint64_t dense_bytes(uint64_t codes, int bits);

// The parts, a code a byte, and back. The stream is a whole number of elements.
using Parts = std::vector<std::vector<uint8_t>>;
Parts split(std::span<const uint8_t> stream, const Layout& layout);
std::vector<uint8_t> join(const Parts& parts, const Layout& layout);

// A part as it is stored, and back. Throws InputError that begins with `where` for what is none,
// and Interrupted.
std::vector<uint8_t> store_part(std::span<const uint8_t> codes, int bits, Effort effort,
                                const StopToken& stop);
std::vector<uint8_t> load_part(std::span<const uint8_t> stored, uint64_t codes, int bits,
                               const std::string& where, const StopToken& stop);

// The layouts that a tensor's numbers may have, the plainest (bytes) last.
std::vector<Layout> layouts_for(net::DType type, int planes, std::span<const uint8_t> stream);

}  // namespace adiabat::pack
