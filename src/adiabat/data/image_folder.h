// SPDX-License-Identifier: Apache-2.0
#pragma once

// A folder of JPEG and PNG files: images without labels, or class folders, as ImageNet and
// torchvision's ImageFolder have them.
//
//     photos/a.jpg photos/b.png              images in the order of their names; --labels may
//     follow set/cat/1.jpg set/dog/1.jpg            class folders: sorted names are classes 0, 1,
//     .. set/train/cat/.. set/val/cat/..        parts: train; test where it has class folders, else
//     val
//
// Names are sorted by their bytes. Names that begin with a dot are ignored; any other file that is
// not called .jpg, .jpeg or .png is an error unless broken files may be left out. A row is decoded
// when it is asked for (decode.h), made RGB, or luminance where one channel is wanted, and taken to
// its size (geometry.h): never more images in memory than are asked for, and one as it was stored
// for each thread.
//
// Opening lists the folders and, where the geometry alone does not say it, takes the size of the
// first image; the others must come out alike.

#include <filesystem>
#include <memory>

#include "adiabat/data/open.h"

namespace adiabat::data {

// Whether a folder holds images, or other folders: names that begin with a dot do not count.
bool may_be_image_folder(const std::filesystem::path& folder);

// Throws InputError where there are no images, images stand beside class folders, other files are
// there, or the labels or class names do not fit.
std::unique_ptr<Source> open_image_folder(const std::filesystem::path& folder,
                                          const OpenOptions& options);

}  // namespace adiabat::data
