// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/descent.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "adiabat/base/errors.h"

namespace adiabat::tune {

double rate_at(const DescentOptions& options, int64_t t, int64_t steps) {
    const double n = static_cast<double>(steps);
    const double rising = std::floor(options.warm_up * n), at = static_cast<double>(t);
    if (at < rising) return options.rate * (at + 1) / (rising + 1);
    return options.rate * (1 + std::cos(std::numbers::pi * (at - rising) / (n - rising))) / 2;
}

double norm_of(std::span<const Block> blocks, std::span<const std::vector<float>> gradients) {
    double sum = 0;
    for (size_t b = 0; b < blocks.size(); ++b) {
        for (size_t k = 0; k < gradients[b].size(); ++k) {
            const double g =
                static_cast<double>(gradients[b][k]) * static_cast<double>(blocks[b].unit(k));
            sum += g * g;
        }
    }
    return std::sqrt(sum);
}

double step(std::span<Block> blocks, std::span<const std::vector<float>> gradients, double rate,
            const DescentOptions& options) {
    ADIABAT_CHECK(blocks.size() == gradients.size(), "{} gradients for {} blocks", gradients.size(),
                  blocks.size());
    const double norm = norm_of(blocks, gradients);
    if (!std::isfinite(norm)) return norm;
    const double share = options.clip > 0 && norm > options.clip ? options.clip / norm : 1;
    for (size_t b = 0; b < blocks.size(); ++b) {
        Block& block = blocks[b];
        ADIABAT_CHECK(block.values.size() == gradients[b].size(), "{} gradients for {} values",
                      gradients[b].size(), block.values.size());
        for (size_t k = 0; k < block.values.size(); ++k) {
            const auto unit = static_cast<double>(block.unit(k));
            const double g = share * unit * static_cast<double>(gradients[b][k]);
            const double v = options.momentum * static_cast<double>(block.velocity[k]) + g;
            block.velocity[k] = static_cast<float>(v);
            const double moved =
                static_cast<double>(block.values[k]) - rate * unit * (g + options.momentum * v);
            block.values[k] = static_cast<float>(moved);
            if (!block.least.empty()) block.values[k] = std::max(block.values[k], block.least[k]);
        }
    }
    return norm;
}

}  // namespace adiabat::tune
