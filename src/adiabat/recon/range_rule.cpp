// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/range_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::recon {

namespace {

constexpr int kBins = 2048;
constexpr int kShareSteps = 64;
constexpr double kLeastPercentile = 50;  // below it most values would be clipped
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The value that `beyond` of the values are larger than.
float all_but_largest(std::vector<float>& values, size_t beyond) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() - 1 - beyond);
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

Range percentile_range(std::span<const float> values, double percentile) {
    const Range whole = whole_range(values);
    const bool has_two = whole.low < 0 && whole.high > 0;
    const double beyond =
        static_cast<double>(values.size()) * (100 - percentile) / 100 / (has_two ? 2 : 1);
    const auto count = std::min(static_cast<size_t>(std::max(beyond, 0.0)), values.size() - 1);
    std::vector<float> sorted(values.begin(), values.end());
    Range range = whole;
    if (whole.high > 0) range.high = std::max(all_but_largest(sorted, count), 0.0f);
    if (whole.low < 0) {
        range.low = std::min(all_but_largest(sorted, sorted.size() - 1 - count), 0.0f);
    }
    return range;
}

// What the values but zeros are distributed like, bins of one width from `low` to `high`.
struct Distribution {
    Range whole;
    std::vector<double> count;
    std::vector<double> below;  // sums of count, kBins + 1 of them

    double width() const { return (static_cast<double>(whole.high) - whole.low) / kBins; }
    double edge(int bin) const { return whole.low + bin * width(); }
    double all() const { return below.back(); }
    double between(int begin, int end) const {
        return below[static_cast<size_t>(end)] - below[static_cast<size_t>(begin)];
    }
    double at(int bin) const { return count[static_cast<size_t>(bin)]; }

    // Bins of a range whose edges keep these shares, in steps.
    int begin(int share) const {
        return static_cast<int>(std::lround(
            (whole.low * (share / static_cast<double>(kShareSteps)) - whole.low) / width()));
    }
    int end(int share) const {
        return static_cast<int>(std::lround(
            (whole.high * (share / static_cast<double>(kShareSteps)) - whole.low) / width()));
    }
};

Distribution distribution(std::span<const float> values, Range whole) {
    Distribution d{whole, std::vector<double>(kBins), {0}};
    const double per_unit = 1 / d.width();
    for (float x : values) {
        if (x == 0) continue;
        const double bin = (static_cast<double>(x) - whole.low) * per_unit;
        d.count[static_cast<size_t>(std::clamp(bin, 0.0, kBins - 1.0))] += 1;
    }
    for (double n : d.count) d.below.push_back(d.below.back() + n);
    return d;
}

// KL(P || Q) of the range of bins begin .. end - 1. What is clipped where a range's last bin holds
// nothing is infinitely far.
double divergence(const Distribution& d, int begin, int end) {
    const double inside = d.between(begin, end);
    if (inside <= 0) return kInfinity;
    const double low = d.edge(begin), step = (d.edge(end) - low) / 255;
    const auto code = [&](int bin) {
        return std::nearbyint((d.edge(bin) + d.width() / 2 - low) / step);
    };
    double sum = 0;
    for (int first = begin; first < end;) {
        int last = first, filled = 0;
        double held = 0;
        for (const double own = code(first); last < end && code(last) == own; ++last) {
            held += d.at(last);
            filled += d.at(last) > 0;
        }
        for (int bin = first; bin < last; ++bin) {
            double p = d.at(bin);
            if (bin == begin) p += d.between(0, begin);
            if (bin == end - 1) p += d.between(end, kBins);
            if (p <= 0) continue;
            if (d.at(bin) <= 0) return kInfinity;
            p /= d.all();
            sum += p * std::log(p / (held / filled / inside));
        }
        first = last;
    }
    return sum;
}

Range entropy_range(std::span<const float> values) {
    const Range whole = whole_range(values);
    if (whole.high - whole.low < std::numeric_limits<float>::min()) return whole;
    const Distribution d = distribution(values, whole);
    int low = kShareSteps, high = kShareSteps;  // shares that the edges keep
    double least = divergence(d, 0, kBins);
    for (bool gains = true; gains;) {
        gains = false;
        for (int* edge : {&high, &low}) {
            if (edge == &high ? whole.high <= 0 : whole.low >= 0) continue;
            const int was = *edge;
            int best = was;
            for (int k = kShareSteps; k > kShareSteps - kEntropyShares; --k) {
                *edge = k;
                const double found = divergence(d, d.begin(low), d.end(high));
                if (found >= least) continue;
                least = found;
                best = k;
            }
            *edge = best;
            gains = gains || best != was;
        }
    }
    return {static_cast<float>(d.edge(d.begin(low))), static_cast<float>(d.edge(d.end(high)))};
}

}  // namespace

RangeRule parse_range_rule(std::string_view text) {
    constexpr const char* kExpected =
        "expected minmax, mse, percentile, percentile:P with P above 50 and at most 100, or "
        "entropy";
    for (RangeMethod method : {RangeMethod::kMinMax, RangeMethod::kSquaredError,
                               RangeMethod::kPercentile, RangeMethod::kEntropy}) {
        const RangeRule rule{method};
        if (text == to_text(rule) || (method == RangeMethod::kPercentile && text == "percentile"))
            return rule;
    }
    constexpr std::string_view kWith = "percentile:";
    if (!text.starts_with(kWith)) throw InputError("--ranges: `{}`: {}", text, kExpected);
    RangeRule rule{RangeMethod::kPercentile};
    const std::string_view number = text.substr(kWith.size());
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), rule.percentile);
    if (error != std::errc() || end != number.data() + number.size() ||
        !(rule.percentile > kLeastPercentile && rule.percentile <= 100)) {
        throw InputError("--ranges: `{}`: {}", text, kExpected);
    }
    return rule;
}

std::string to_text(const RangeRule& rule) {
    switch (rule.method) {
        case RangeMethod::kMinMax:
            return "minmax";
        case RangeMethod::kSquaredError:
            return "mse";
        case RangeMethod::kPercentile:
            return fmt::format("percentile:{}", rule.percentile);
        case RangeMethod::kEntropy:
            return "entropy";
    }
    ADIABAT_CHECK(false, "a rule of number {}", static_cast<int>(rule.method));
}

Range range_of(std::span<const float> values, const RangeRule& rule) {
    if (values.empty() || rule.method == RangeMethod::kMinMax) return whole_range(values);
    if (rule.method == RangeMethod::kSquaredError) return best_range(values);
    const Range range = rule.method == RangeMethod::kPercentile
                            ? percentile_range(values, rule.percentile)
                            : entropy_range(values);
    return range.high > range.low ? range : whole_range(values);
}

}  // namespace adiabat::recon
