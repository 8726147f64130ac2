// SPDX-License-Identifier: Apache-2.0
#pragma once

// Operators of detectors that no library of arrays has: Unique, NonMaxSuppression, RoiAlign; over
// plain numbers.
//
// Unique sorts rows, O(n log n) comparisons of rows. NonMaxSuppression takes boxes by falling score
// and drops those that overlap one taken before (intersection over union), O(boxes x taken) a
// class. RoiAlign averages bilinear samples in each bin of a region, O(samples x channels).
//
// Source: ONNX operators of these names; RoiAlign: He et al., Mask R-CNN, 2017.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::net {

struct UniqueRows {
    std::vector<int64_t> first;    // of each different row, where it is first
    std::vector<int64_t> inverse;  // of each row, which of the different ones it is
    std::vector<int64_t> counts;   // of each different row, how often it is there
};

// `count` rows of equal length. Different rows in the order of their values where `sorted`, else of
// their first place.
UniqueRows unique_rows(std::span<const double> rows, int64_t count, bool sorted);

struct BoxCounts {
    int64_t images, classes, boxes;
};

struct SuppressionLimits {
    int64_t most = 0;             // boxes of one image and class
    double overlap = 0;           // more than that suppresses
    std::optional<double> score;  // boxes must have more
    bool by_center = false;       // boxes are {x, y, width, height}, else two corners {y, x, y, x}
};

// Triples {image, class, box}. boxes [images, boxes, 4], scores [images, classes, boxes].
std::vector<int64_t> suppress_non_maxima(std::span<const double> boxes,
                                         std::span<const double> scores, BoxCounts counts,
                                         const SuppressionLimits& limits);

struct RoiAlignment {
    int64_t height = 1, width = 1;
    int64_t samples = 0;  // of a bin and direction; 0: one a pixel
    float scale = 1;      // from regions to pixels
    bool takes_maximum = false;
    bool half_pixel = true;
};

// image [N, C, H, W] of that shape, regions [R, 4] as {x, y, x, y}, the image of each, which must
// be there; out [R, C, height, width]. Throws InputError for a region of absurd size.
void roi_align(std::span<const float> image, const Shape& shape, std::span<const double> regions,
               std::span<const int64_t> numbers, const RoiAlignment& how, std::span<float> out);

}  // namespace adiabat::net
