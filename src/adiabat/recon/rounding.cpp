// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat::recon {

namespace {

constexpr int kGridSteps = 80;
constexpr int kLloydSteps = 4;

// Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, halves to even, in two
// operations that vectorize; exact below 2^22 in magnitude, hence the clamp comes first.
float nearest_code(float value, float lowest, float highest) {
    constexpr float kMagic = 12582912.0f;
    return (std::clamp(value, lowest, highest) + kMagic) - kMagic;
}

struct Fit {
    double error = 0;          // |w - scale c|^2
    double dot = 0, norm = 0;  // <w,c>, <c,c>
};

Fit fit(std::span<const float> filter, float scale, int bits) {
    const float lowest = static_cast<float>(lowest_code(bits));
    const float highest = static_cast<float>(highest_code(bits));
    const float inverse = 1.0f / scale;
    // Sums in lanes, so that the loop is vectorized whatever the order of additions; blocks of
    // float sums are added in double.
    constexpr size_t kLanes = 16, kBlock = 16 * kLanes;
    Fit result;
    for (size_t begin = 0; begin < filter.size(); begin += kBlock) {
        const size_t count = std::min(filter.size() - begin, kBlock);
        float w[kBlock] = {};  // zeros have code 0 and add nothing
        std::copy_n(filter.data() + begin, count, w);
        float error[kLanes] = {}, dot[kLanes] = {}, norm[kLanes] = {};
        for (size_t k = 0; k < count; k += kLanes) {
            for (size_t lane = 0; lane < kLanes; ++lane) {
                const float value = w[k + lane];
                const float code = nearest_code(value * inverse, lowest, highest);
                const float difference = value - scale * code;
                error[lane] += difference * difference;
                dot[lane] += value * code;
                norm[lane] += code * code;
            }
        }
        for (size_t lane = 0; lane < kLanes; ++lane) {
            result.error += static_cast<double>(error[lane]);
            result.dot += static_cast<double>(dot[lane]);
            result.norm += static_cast<double>(norm[lane]);
        }
    }
    return result;
}

}  // namespace

float best_scale(std::span<const float> filter, int bits) {
    ADIABAT_CHECK(bits >= kMinBits && bits <= kMaxBits, "{} bits", bits);
    float largest = 0;
    for (float w : filter) largest = std::max(largest, std::abs(w));
    // Below this the inverse would not be a finite float.
    if (largest < 1e-30f) return 1.0f;

    // From a clipping point of a fifth of the largest weight to a little beyond it.
    const float unit = largest / static_cast<float>(highest_code(bits) + 0.5);
    float scale = unit;
    double least = std::numeric_limits<double>::infinity();
    const auto offer = [&](float candidate) {
        const double error = fit(filter, candidate, bits).error;
        if (error < least) {
            least = error;
            scale = candidate;
        }
    };
    for (int step = 0; step < kGridSteps; ++step) {
        offer(unit * (0.2f + 0.9f * static_cast<float>(step) / (kGridSteps - 1)));
    }
    offer(largest / static_cast<float>(highest_code(bits)));  // plain rounding
    offer(largest / static_cast<float>(-lowest_code(bits)));
    for (int step = 0; step < kLloydSteps; ++step) {
        const Fit here = fit(filter, scale, bits);
        if (here.norm == 0 || here.dot <= 0) break;
        const auto next = static_cast<float>(here.dot / here.norm);
        if (fit(filter, next, bits).error >= here.error) break;
        scale = next;
    }
    return scale;
}

void round_to_codes(std::span<const float> filter, float scale, int bits, std::span<int8_t> codes) {
    ADIABAT_CHECK(codes.size() == filter.size(), "{} codes for {} weights", codes.size(),
                  filter.size());
    const float lowest = static_cast<float>(lowest_code(bits));
    const float highest = static_cast<float>(highest_code(bits));
    const float inverse = 1.0f / scale;
    for (size_t k = 0; k < filter.size(); ++k) {
        codes[k] = static_cast<int8_t>(nearest_code(filter[k] * inverse, lowest, highest));
    }
}

double squared_rounding_error(std::span<const float> filter, float scale, int bits) {
    return fit(filter, scale, bits).error;
}

}  // namespace adiabat::recon
