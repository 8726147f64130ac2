// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/learned_scale.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::tune {

namespace {

// The position of a weight on the grid, and the code there.
struct Place {
    float ratio, code;
    bool is_inside;
};

Place place(float weight, float scale, const Grid& grid) {
    const float ratio = weight / scale;
    const float nearest = std::nearbyint(ratio);
    const float code =
        std::clamp(nearest, static_cast<float>(grid.lowest), static_cast<float>(grid.highest));
    return {ratio, code, code == nearest};
}

}  // namespace

int code_of(float weight, float scale, const Grid& grid) {
    return static_cast<int>(place(weight, scale, grid).code);
}

void round_weights(std::span<const float> weights, std::span<const float> scales, const Grid& grid,
                   std::span<float> rounded) {
    ADIABAT_CHECK(rounded.size() == weights.size(), "{} places for {} weights", rounded.size(),
                  weights.size());
    for (size_t k = 0; k < weights.size(); ++k) {
        const float scale = scales[grid.filter(k)];
        rounded[k] = place(weights[k], scale, grid).code * scale;
    }
}

void pass_through(std::span<const float> weights, std::span<const float> scales, const Grid& grid,
                  std::span<float> gradient, std::span<float> of_scales) {
    ADIABAT_CHECK(gradient.size() == weights.size() && of_scales.size() == scales.size(),
                  "{} gradients for {} weights, {} for {} scales", gradient.size(), weights.size(),
                  of_scales.size(), scales.size());
    std::vector<double> sums(scales.size(), 0.0);
    for (size_t k = 0; k < weights.size(); ++k) {
        const size_t f = grid.filter(k);
        const Place at = place(weights[k], scales[f], grid);
        sums[f] += static_cast<double>(gradient[k]) *
                   static_cast<double>(at.is_inside ? at.code - at.ratio : at.code);
        if (!at.is_inside) gradient[k] = 0;
    }
    std::transform(sums.begin(), sums.end(), of_scales.begin(),
                   [](double sum) { return static_cast<float>(sum); });
}

}  // namespace adiabat::tune
