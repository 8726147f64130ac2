// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint32_t kBootstrapStream = 0x5A31;

// The ladder with all its runs drawn again.
double resampled_time_to_target(std::span<const RunLength> ladder, Random& random) {
    double least = kInfinity;
    for (RunLength rung : ladder) {
        const double p = rung.success();
        rung.successes = 0;
        for (int64_t run = 0; run < rung.runs; ++run) rung.successes += random.uniform() < p;
        least = std::min(least, rung.time_to_target());
    }
    return least;
}

Interval percentiles(const std::vector<double>& values, double confidence) {
    const double tail = (1 - confidence) / 2;
    return {quantile(values, tail), quantile(values, 1 - tail)};
}

}  // namespace

double normal_half_width(double confidence) {
    ADIABAT_CHECK(confidence > 0 && confidence < 1, "confidence {}", confidence);
    double low = 0, high = 40;  // erfc(40 / sqrt 2) is zero in double
    for (int step = 0; step < 80; ++step) {
        const double middle = (low + high) / 2;
        const double outside = std::erfc(middle / std::numbers::sqrt2);
        (outside > 1 - confidence ? low : high) = middle;
    }
    return (low + high) / 2;
}

Interval wilson_interval(int64_t successes, int64_t runs, double confidence) {
    ADIABAT_CHECK(successes >= 0 && successes <= runs, "{} of {}", successes, runs);
    if (runs == 0) return {0, 1};
    const double z = normal_half_width(confidence), n = static_cast<double>(runs);
    const double p = static_cast<double>(successes) / n;
    const double shrink = 1 + z * z / n;
    const double center = (p + z * z / (2 * n)) / shrink;
    const double half = z / shrink * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return {successes == 0 ? 0 : center - half, successes == runs ? 1 : center + half};
}

double runs_to_target(double p, double chance) {
    ADIABAT_CHECK(p >= 0 && p <= 1, "probability {}", p);
    if (p == 0) return kInfinity;
    if (p >= chance) return 1;
    return std::log1p(-chance) / std::log1p(-p);
}

double time_to_target(double seconds_a_run, double p, double chance) {
    return p == 0 ? kInfinity : seconds_a_run * runs_to_target(p, chance);
}

double quantile(std::vector<double> values, double q) {
    ADIABAT_CHECK(q >= 0 && q <= 1, "quantile {}", q);
    if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::ranges::sort(values);
    const double place = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(place);
    const double share = place - static_cast<double>(below), value = values[below];
    if (share == 0 || value == values[below + 1])
        return value;  // infinity less itself is no number
    return value + share * (values[below + 1] - value);
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

size_t best_length(std::span<const RunLength> ladder) {
    size_t best = 0;
    for (size_t k = 1; k < ladder.size(); ++k) {
        if (ladder[k].time_to_target() < ladder[best].time_to_target()) best = k;
    }
    return best;
}

double best_time_to_target(std::span<const RunLength> ladder) {
    return ladder.empty() ? kInfinity : ladder[best_length(ladder)].time_to_target();
}

Interval bootstrap_time_to_target(std::span<const RunLength> ladder, const Bootstrap& options) {
    std::vector<double> values(static_cast<size_t>(options.resamples));
    for (size_t k = 0; k < values.size(); ++k) {
        Random random(options.seed, kBootstrapStream, static_cast<uint32_t>(k));
        values[k] = resampled_time_to_target(ladder, random);
    }
    return percentiles(values, options.confidence);
}

Interval bootstrap_median(std::span<const std::vector<RunLength>> instances,
                          const Bootstrap& options) {
    ADIABAT_CHECK(!instances.empty(), "no instances");
    std::vector<double> medians(static_cast<size_t>(options.resamples));
    for (size_t k = 0; k < medians.size(); ++k) {
        Random random(options.seed, kBootstrapStream, static_cast<uint32_t>(k));
        std::vector<double> times;
        for (size_t drawn = 0; drawn < instances.size(); ++drawn) {
            const auto& ladder = instances[random.below(static_cast<uint32_t>(instances.size()))];
            times.push_back(resampled_time_to_target(ladder, random));
        }
        medians[k] = median(std::move(times));
    }
    return percentiles(medians, options.confidence);
}

}  // namespace adiabat::anneal
