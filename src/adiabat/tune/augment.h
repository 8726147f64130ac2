// SPDX-License-Identifier: Apache-2.0
#pragma once

// Images as training sees them: shifted and mirrored at random.
//
// A shift by up to `pad` pixels each way is a crop of the image with `pad` more pixels on every
// side, which hold `fill` (a stored 0 as the network sees it); mirroring exchanges left and right.
// What happens to an image is a function of (seed, epoch, image) alone. O(pixels).
//
// Source: the usual augmentation of small images, C.-Y. Lee et al., "Deeply-supervised nets"
// (AISTATS 2015).

#include <cstdint>
#include <span>

#include "adiabat/net/tensor.h"

namespace adiabat::tune {

struct Augmentation {
    bool flip = true;
    int pad = 4;  // 0: no shift
};

// Changes images [N, C, H, W] in place; images[n] is row numbers[n] of the data. `fill` has one
// value a channel.
void augment(net::Tensor& images, std::span<const int64_t> numbers, const Augmentation& how,
             std::span<const float> fill, uint64_t seed, uint32_t epoch);

}  // namespace adiabat::tune
