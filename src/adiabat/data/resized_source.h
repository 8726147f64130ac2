// SPDX-License-Identifier: Apache-2.0
#pragma once

// A stored array of images, each resized and cropped as the files of a folder are: one meaning of
// --resize and --crop for every source. Channels are resized one by one, which gives the same.

#include <memory>

#include "adiabat/data/dataset.h"
#include "adiabat/data/geometry.h"

namespace adiabat::data {

// Throws InputError where pixels are not uint8: rounding to 8 bits is part of the resizing.
std::unique_ptr<Source> resized(std::unique_ptr<Source> source, const Geometry& geometry,
                                int threads);

}  // namespace adiabat::data
