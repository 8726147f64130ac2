// SPDX-License-Identifier: Apache-2.0
#pragma once

// CIFAR-10 and CIFAR-100 in their binary form: records of one label byte (two for CIFAR-100:
// coarse, fine; the fine one counts) and 3,072 pixel bytes, three planes of 32 x 32. No header, no
// magic: a file is judged by its size and its labels. Rows are read where they stand, part files
// without wanted rows not at all.
//
// Source: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009).

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adiabat/data/dataset.h"

namespace adiabat::data {

// The part files of a directory, each kind in order; both empty where it is no CIFAR directory:
// data_batch_*.bin or train.bin, test_batch.bin or test.bin.
struct CifarParts {
    std::vector<std::filesystem::path> train, test;
    bool empty() const { return train.empty() && test.empty(); }
};
CifarParts find_cifar(const std::filesystem::path& directory);

// Files read one after the other as one data set, all of one kind. Files named train.bin or
// test.bin have CIFAR-100's records; others those that their size is a multiple of, CIFAR-10's
// first. Throws InputError where a file is empty or no whole number of records, InputError when
// read where a label is 10 (100) or more.
std::unique_ptr<Source> open_cifar(const std::vector<std::filesystem::path>& files,
                                   std::string name, Split part);

}  // namespace adiabat::data
