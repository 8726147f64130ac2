// SPDX-License-Identifier: Apache-2.0
#pragma once

// Opens a data set of any kind that is known: a CIFAR directory or part file, an MNIST directory or
// IDX file, an .npy array, an .npz archive, a folder of JPEG and PNG files. The kind is told by
// names in a directory, by the first bytes of a file.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "adiabat/data/dataset.h"
#include "adiabat/data/geometry.h"

namespace adiabat::data {

struct OpenOptions {
    // The part that the user asked for; it must be there. A path that is not divided is taken
    // whole.
    Split split = Split::kAuto;
    // The part to take of two where she did not: kTrain for compress and sense, kTest for eval.
    Split preferred = Split::kTrain;
    Layout layout = Layout::kNchw;  // of .npy, .npz and idx4 arrays
    // A file of labels (.npy or IDX; "NAME LABEL" lines in a .txt for a folder of images) instead
    // of those found beside the images. Not for CIFAR, .npz and class folders.
    std::optional<std::filesystem::path> labels = {};
    // The names of class folders in the order of the classes, one a line, where that is not the
    // sorted order of all; or class folders are mere folders.
    std::optional<std::filesystem::path> classes = {};
    bool ignore_classes = false;
    // Every image is resized and cropped so.
    Geometry geometry = {};
    // Of the images of a folder: 1 makes them gray, anything else RGB.
    int64_t channels = 3;
    // In a folder, files that are no images by name are left out; broken ones then come up in
    // Source::find_broken.
    bool skip_broken = false;
    int threads = 0;  // that decode and resize
    // For open_dataset: the rows to read, in this order; otherwise the first `limit`; otherwise
    // all.
    std::optional<std::vector<int64_t>> rows = {};
    std::optional<int64_t> limit = {};
};

// Looks at headers and sizes, not at the images (IDX and .npz are read whole). Throws InputError
// for a path that is missing, of no known kind, empty, truncated or damaged, and for labels that
// are not as many.
std::unique_ptr<Source> open_source(const std::filesystem::path& path,
                                    const OpenOptions& options = {});

// The images at once: open_source, then read.
Dataset open_dataset(const std::filesystem::path& path, const OpenOptions& options = {});

}  // namespace adiabat::data
