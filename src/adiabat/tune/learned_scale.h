// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rounded weights that are trained: codes of b bits with one scale a filter, both learned.
//
//   w_q = s clamp(round(w / s), lowest, highest),   round to nearest even
//
// Rounding passes gradients straight through, so that of the loss L
//
//   dL/dw = dL/dw_q where the code is not clamped, else 0
//   dL/ds = sum over the filter of dL/dw_q (code - w / s, or the bound where it is clamped).
//
// O(weights).
//
// Source: S. Esser et al., "Learned step size quantization" (ICLR 2020); straight-through rounding
// Y. Bengio et al. (arXiv 1308.3432).

#include <cstdint>
#include <span>

namespace adiabat::tune {

// How the elements of a weight share scales: element k has that of filter k / inner % filters.
struct Grid {
    int lowest = 0, highest = 0;  // of the codes, the zero point taken off
    int64_t filters = 1;
    int64_t inner = 1;

    size_t filter(size_t k) const {
        return k / static_cast<size_t>(inner) % static_cast<size_t>(filters);
    }
};

// The code of a weight.
int code_of(float weight, float scale, const Grid& grid);

// w_q of all weights.
void round_weights(std::span<const float> weights, std::span<const float> scales, const Grid& grid,
                   std::span<float> rounded);

// `gradient` is dL/dw_q and becomes dL/dw; of_scales gets dL/ds.
void pass_through(std::span<const float> weights, std::span<const float> scales, const Grid& grid,
                  std::span<float> gradient, std::span<float> of_scales);

}  // namespace adiabat::tune
