// SPDX-License-Identifier: Apache-2.0
#pragma once

// Images as a verb feeds them to a network: read, preprocessed, checked against its input.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/data/open.h"
#include "adiabat/data/preprocess.h"
#include "adiabat/pipeline/model.h"

namespace adiabat::pipeline {

struct DataOptions {
    std::filesystem::path path;
    data::Preprocess preprocess;
    data::Split split = data::Split::kAuto;
    std::optional<std::filesystem::path> labels;
};

// Opens the data; of a divided set `preferred` is taken unless the options say otherwise. Throws
// InputError where its images do not fit the network's input.
std::unique_ptr<data::Source> open_images(const DataOptions& options, data::Split preferred,
                                          const Model& model);

struct Images {
    net::Tensor pixels;           // [N, C, H, W], preprocessed
    std::vector<int32_t> labels;  // N, or empty
    std::string sha256;           // of the stored pixels and labels of these rows

    int64_t size() const { return pixels.shape.empty() ? 0 : pixels.shape[0]; }
};

// Rows of a source; labels are checked against the number of classes (the last dimension of the
// network's first output) where both are known.
Images read_images(const data::Source& source, std::span<const int64_t> rows,
                   const data::Preprocess& preprocess, const Model& model);

// Rows 0 .. count - 1.
std::vector<int64_t> first_rows(int64_t count);

}  // namespace adiabat::pipeline
