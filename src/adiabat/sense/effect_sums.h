// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of A, batch by batch, summed up to effects (effects.h).
//
// A piece is what one batch of images gave: its rows of A (not yet divided by sqrt(images)), image
// by image and in each the directions, and the sums of squares of the rounding effects of each
// filter alone. O(rows candidates^2), or O(rows candidates) where A itself is kept.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/sense/candidates.h"
#include "adiabat/sense/effects.h"
#include "adiabat/sense/layer_probe.h"

namespace adiabat::sense {

struct EffectPiece {
    int64_t first_image = 0;
    recon::Rows rows;                             // [images x directions, candidates]
    std::vector<std::vector<double>> of_filters;  // by layer: [widths x filters]
    std::vector<float> residual;                  // r0, one a row; empty without an incumbent

    std::vector<uint8_t> to_bytes() const;
    static EffectPiece from_bytes(std::span<const uint8_t> bytes);
};

class EffectSums {
  public:
    // Of so many images and directions in all.
    EffectSums(const Candidates& candidates, int64_t images, int64_t directions, int threads);

    // Pieces come in the order of their images.
    void add(const EffectPiece& piece);
    Effects effects(std::span<const LayerProbe> probes) &&;

  private:
    // A half of the images: every other one.
    struct Half {
        recon::Vector single;
        recon::Matrix products;
    };
    void find_agreement(Effects& effects) const;

    const Candidates& candidates_;
    int64_t images_, directions_, rows_ = 0;
    int threads_;
    bool keeps_factor_;
    Half halves_[2];
    recon::Rows factor_;
    std::vector<std::vector<double>> of_filters_;
    recon::Vector residual_;
    double residual_square_ = 0;
};

}  // namespace adiabat::sense
