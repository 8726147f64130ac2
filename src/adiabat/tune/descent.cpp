// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/descent.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "adiabat/base/errors.h"

namespace adiabat::tune {

namespace {

// Gradients below this move nothing: those of what has no part in the outputs.
constexpr double kEpsilon = 1e-8;

}  // namespace

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
            int64_t t, const DescentOptions& options) {
    ADIABAT_CHECK(blocks.size() == gradients.size(), "{} gradients for {} blocks", gradients.size(),
                  blocks.size());
    const double norm = norm_of(blocks, gradients);
    if (!std::isfinite(norm)) return norm;
    const double share = options.clip > 0 && norm > options.clip ? options.clip / norm : 1;
    const double a = options.first, b = options.second;
    const double of_mean = 1 / (1 - std::pow(a, t)), of_square = 1 / (1 - std::pow(b, t));
    for (size_t k = 0; k < blocks.size(); ++k) {
        Block& block = blocks[k];
        ADIABAT_CHECK(block.values.size() == gradients[k].size(), "{} gradients for {} values",
                      gradients[k].size(), block.values.size());
        block.mean.resize(block.values.size());
        block.square.resize(block.values.size());
        for (size_t i = 0; i < block.values.size(); ++i) {
            const auto unit = static_cast<double>(block.unit(i));
            const double g = share * unit * static_cast<double>(gradients[k][i]);
            const double m = a * static_cast<double>(block.mean[i]) + (1 - a) * g;
            const double v = b * static_cast<double>(block.square[i]) + (1 - b) * g * g;
            block.mean[i] = static_cast<float>(m);
            block.square[i] = static_cast<float>(v);
            const double moved = rate * unit * m * of_mean / (std::sqrt(v * of_square) + kEpsilon);
            block.values[i] = static_cast<float>(static_cast<double>(block.values[i]) - moved);
            if (!block.least.empty()) block.values[i] = std::max(block.values[i], block.least[i]);
        }
    }
    return norm;
}

}  // namespace adiabat::tune
