// SPDX-License-Identifier: Apache-2.0
#pragma once

// ONNX files as containers, and back, bit for bit.
//
// The file is cut into tensors' numbers (onnx/payloads.h) and all else. What is no number, and
// numbers of tensors too small to count, are one section; small tensors of one type share one each;
// every other tensor has its own, in the layout (coding.h) that gives the fewest bytes; one that is
// there twice is stored once. Unpacking puts the pieces together again, so that whatever the file
// holds, fields that nobody knows included, comes back as it was.
//
// Packing takes some 0.3 s a MB of float weights on one thread (zstd at level 19 on exponents),
// unpacking 10 ms; both hold the file about twice. The same file gives the same container with the
// same zstd.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pack/container.h"

namespace adiabat::pack {

struct Control {
    int threads = 0;
    StopToken stop = {};
    ProgressSink* progress = &no_progress();
};

struct Packed {
    std::vector<uint8_t> bytes;
    Table table;
    std::vector<net::DType> types;  // of the sections' numbers; kUndefined of what is none
};

// Throws InputError that begins with `where` as onnx::payloads_of does, and Interrupted.
Packed pack(std::span<const uint8_t> model, const std::string& where, const Control& control = {});

struct Unpacked {
    std::vector<uint8_t> bytes;
    Table table = {};
};

// Throws InputError that begins with `where` as open does, and where what is stored is no such
// file; Interrupted. `most`: bytes of the file.
Unpacked unpack(std::span<const uint8_t> container, const std::string& where,
                const Control& control = {}, uint64_t most = kMostFileBytes);

}  // namespace adiabat::pack
