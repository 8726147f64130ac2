// SPDX-License-Identifier: Apache-2.0
#pragma once

// Images as a verb feeds them to a network: read, preprocessed, checked against its input.
//
// Broken files of a folder end the run with their names, unless they are to be left out: then every
// image that is wanted is decoded once before it is used, and those that cannot be are replaced by
// the next ones (of the draw, or of the folder).

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/digest.h"
#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/data/open.h"
#include "adiabat/data/preprocess.h"
#include "adiabat/data/split.h"
#include "adiabat/pipeline/model.h"

namespace adiabat::pipeline {

struct DataOptions {
    std::filesystem::path path;
    data::Preprocess preprocess;
    data::Split split = data::Split::kAuto;
    std::optional<std::filesystem::path> labels;
    // A file of class names; "none" as its name: class folders are no labels.
    std::optional<std::filesystem::path> classes;
    bool skip_broken = false;
};

// Opens the data; of a divided set `preferred` is taken unless the options say otherwise. Images of
// a folder are gray where the network takes one channel. Throws InputError where the images do not
// fit the network's input, or class folders are not as many as its classes.
std::unique_ptr<data::Source> open_images(const DataOptions& options, data::Split preferred,
                                          const Model& model, int threads = 0);

struct Images {
    net::Tensor pixels;           // [N, C, H, W], preprocessed
    std::vector<int32_t> labels;  // N, or empty
    std::string sha256;           // of the stored pixels and labels of these rows

    int64_t size() const { return pixels.shape.empty() ? 0 : pixels.shape[0]; }
};

// Reads a source piece by piece; keeps of the pieces only what the digest needs.
class ImageReader {
  public:
    ImageReader(const data::Source& source, const data::Preprocess& preprocess, const Model& model);

    // These rows, without `sha256`. Labels are checked against the number of classes (the last
    // dimension of the network's first output) where both are known.
    Images read(std::span<const int64_t> rows);
    // Of the stored pixels, then the labels, of all rows read; nothing is read after it.
    std::string sha256();
    double seconds() const { return seconds_; }

  private:
    const data::Source& source_;
    const data::Preprocess& preprocess_;
    std::optional<int64_t> classes_;
    Sha256 digest_;
    std::vector<int32_t> labels_;
    double seconds_ = 0;
};

// Rows of a source at once.
Images read_images(const data::Source& source, std::span<const int64_t> rows,
                   const data::Preprocess& preprocess, const Model& model, StopToken stop = {},
                   ProgressSink& progress = no_progress());

// Rows 0 .. count - 1.
std::vector<int64_t> first_rows(int64_t count);

// Finds the broken files among rows where these are to be left out, and remembers and says what is
// left out.
class BrokenFiles {
  public:
    BrokenFiles(const data::Source& source, const DataOptions& options, StopToken stop,
                ProgressSink& progress);

    // For data::draw_split: nothing where broken files are not to be left out.
    data::FindBroken finder();
    // The first `count` rows that are not broken.
    std::vector<int64_t> first_usable(int64_t count);
    // Says in one line what has been left out, if anything.
    void say() const;
    // All of it: ["FILE: reason", ..].
    const std::vector<std::string>& left_out() const { return left_out_; }

  private:
    std::vector<int64_t> find(std::span<const int64_t> rows);

    const data::Source& source_;
    bool skip_;
    StopToken stop_;
    ProgressSink& progress_;
    std::vector<std::string> left_out_;
};

}  // namespace adiabat::pipeline
