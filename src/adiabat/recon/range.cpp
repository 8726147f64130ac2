// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/range.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::recon {

namespace {

constexpr int kBins = 2048;
constexpr int kGridSteps = 48;
constexpr double kSmallestShare = 0.3;  // of an edge that a clipped range keeps

// Counts and moments of the values between two edges, by bin.
struct Histogram {
    Range range;
    std::array<double, kBins> count{};

    double center(int bin) const {
        const double width = (static_cast<double>(range.high) - range.low) / kBins;
        return range.low + (bin + 0.5) * width;
    }
};

Histogram histogram(std::span<const float> values, Range range) {
    Histogram result{range, {}};
    const double low = range.low, per_unit = kBins / (static_cast<double>(range.high) - low);
    for (float x : values) {
        const double bin = (static_cast<double>(x) - low) * per_unit;
        result.count[static_cast<size_t>(std::clamp(bin, 0.0, kBins - 1.0))] += 1;
    }
    return result;
}

// sum over values beyond `edge` of (x - edge)^2, for the edges share * full; index as in `shares`.
std::vector<double> clipping_errors(const Histogram& h, double full,
                                    std::span<const double> shares) {
    std::vector<double> errors;
    for (double share : shares) {
        const double edge = full * share;
        double sum = 0;
        for (int bin = 0; bin < kBins; ++bin) {
            const double beyond = full > 0 ? h.center(bin) - edge : edge - h.center(bin);
            if (beyond > 0) sum += h.count[static_cast<size_t>(bin)] * beyond * beyond;
        }
        errors.push_back(sum);
    }
    return errors;
}

}  // namespace

Range whole_range(std::span<const float> values) {
    Range range;
    for (float x : values) {
        ADIABAT_CHECK(std::isfinite(x), "an activation of {}", x);
        range.low = std::min(range.low, x);
        range.high = std::max(range.high, x);
    }
    return range;
}

Range best_range(std::span<const float> values) {
    const Range whole = whole_range(values);
    if (whole.high - whole.low < std::numeric_limits<float>::min()) return whole;
    const Histogram h = histogram(values, whole);
    std::array<double, kGridSteps> shares{};
    for (int k = 0; k < kGridSteps; ++k) {
        shares[static_cast<size_t>(k)] = 1 - (1 - kSmallestShare) * k / (kGridSteps - 1);
    }
    const auto low_errors = clipping_errors(h, whole.low, shares);
    const auto high_errors = clipping_errors(h, whole.high, shares);

    Range best = whole;
    double least = std::numeric_limits<double>::infinity();
    for (size_t a = 0; a < (whole.low < 0 ? shares.size() : 1); ++a) {
        for (size_t b = 0; b < (whole.high > 0 ? shares.size() : 1); ++b) {
            const double low = whole.low * shares[a], high = whole.high * shares[b];
            const double step = (high - low) / 255;
            const double error = static_cast<double>(values.size()) * step * step / 12 +
                                 low_errors[a] + high_errors[b];
            if (error < least) {
                least = error;
                best = {static_cast<float>(low), static_cast<float>(high)};
            }
        }
    }
    return best;
}

CodeMap code_map(Range range) {
    const float extent = range.high - range.low;
    CodeMap map;
    map.scale = extent > 0 ? std::max(extent / 255.0f, 1e-20f) : 1.0f / 255.0f;
    map.zero_point =
        static_cast<uint8_t>(std::clamp(std::nearbyint(-range.low / map.scale), 0.0f, 255.0f));
    return map;
}

}  // namespace adiabat::recon
