// SPDX-License-Identifier: Apache-2.0
#pragma once

// Text files beside image folders: the order of the classes, and labels by file name.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace adiabat::data {

// Class names, one a line; line k names class k. Throws InputError for an empty or repeated name.
std::unordered_map<std::string, int32_t> read_class_names(const std::filesystem::path& path);

// Labels of the images of these names, in their order. A .txt file has lines "NAME LABEL", in any
// order, more of them than images if need be; others (.npy, IDX) have one label an image, in order.
// Throws InputError where an image has no label.
std::vector<int32_t> read_folder_labels(const std::filesystem::path& path,
                                        std::span<const std::string> names);

}  // namespace adiabat::data
