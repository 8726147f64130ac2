// SPDX-License-Identifier: Apache-2.0
#pragma once

// `pack` and `unpack`: ONNX files as containers of ours (pack/pack.h), and back, bit for bit. What
// was packed is unpacked again and compared before it is written.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"

namespace adiabat::pipeline {

struct PackOptions {
    std::string input;
    // Where not given: the input's name with .adb (unpack: .onnx), which then must not exist.
    std::optional<std::string> output;
    int threads = 0;
    std::vector<std::string> command;  // for the document
};

// Schema: doc/run-json.md. Throws InputError as pack::pack does, and where the output cannot be
// written or would overwrite the input.
Json pack(const PackOptions& options, StopToken stop = {}, ProgressSink& progress = no_progress());

// Likewise, as pack::unpack.
Json unpack(const PackOptions& options, StopToken stop = {},
            ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
