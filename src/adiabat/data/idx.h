// SPDX-License-Identifier: Apache-2.0
#pragma once

// IDX, the form of MNIST and its kin: big-endian, magic 00 00 TYPE RANK, RANK sizes of four bytes,
// then the elements; unsigned bytes here. Images are idx3 ([N, H, W]) or idx4 ([N, C, H, W] or [N,
// H, W, C]), labels idx1. Gzipped files are accepted under any name; a file is read whole.
//
// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database" (1998).

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "adiabat/data/dataset.h"

namespace adiabat::data {

// An IDX file of unsigned bytes. Throws InputError for another magic or type and for a file that is
// shorter or longer than its header says.
net::Tensor read_idx(const std::filesystem::path& path);

// The name of the labels that belong to images of that name ("train-images-idx3-ubyte.gz" ->
// "train-labels-idx1-ubyte.gz", and so with dots for dashes), with or without .gz as it exists;
// nothing where the name is none of images or there is no such file.
std::optional<std::filesystem::path> idx_labels_beside(const std::filesystem::path& images);

// The image files of a directory in the usual naming: "t10k-" and "test-" begin the test part.
struct IdxParts {
    std::optional<std::filesystem::path> train, test;
    bool empty() const { return !train && !test; }
};
IdxParts find_idx(const std::filesystem::path& directory);

// Images with the labels of `labels` or else beside them, if any.
std::unique_ptr<Source> open_idx(const std::filesystem::path& images,
                                 const std::optional<std::filesystem::path>& labels,
                                 std::string name, Split part, Layout layout);

}  // namespace adiabat::data
