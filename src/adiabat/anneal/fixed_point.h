// SPDX-License-Identifier: Apache-2.0
#pragma once

// Coefficients as whole numbers of one unit 2^k, so that local fields are exact sums: no drift, the
// same on every instruction set.
//
// The unit is the coarsest in which every coefficient is a whole number where the largest field
// then fits; else the finest in which it fits, and coefficients are rounded: at 32 bits to about
// 1e-9 of the largest field.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace adiabat::anneal {

// Collects what the choice needs, coefficient by coefficient.
class FixedPointSurvey {
  public:
    // One coefficient (linear or coupling) that is not zero counts into the finest digit.
    void add(double value) {
        if (value == 0) return;
        int exponent = 0;
        const double mantissa = std::frexp(value, &exponent);
        const auto digits = static_cast<int64_t>(std::ldexp(std::abs(mantissa), 53));
        finest_ = std::min(finest_, exponent - 53 + __builtin_ctzll(static_cast<uint64_t>(digits)));
    }
    // All of a row, and the sum of their sizes. Whole numbers, which many problems are made of, are
    // gone through without looking at each one's digits.
    double add_all(std::span<const double> values) {
        constexpr double kMagic = 0x1.8p52, kMostWhole = 0x1p31;
        double sum = 0, fraction = 0, largest = 0;
        for (const double value : values) {
            const double size = std::abs(value);
            sum += size;
            largest = std::max(largest, size);
            fraction = std::max(fraction, std::abs(value - (value + kMagic - kMagic)));
        }
        if (fraction > 0 || largest >= kMostWhole) {
            for (const double value : values) add(value);
            return sum;
        }
        int32_t bits = 0;
        for (const double value : values) bits |= static_cast<int32_t>(value);
        if (bits != 0) finest_ = std::min(finest_, __builtin_ctz(static_cast<uint32_t>(bits)));
        return sum;
    }
    // The sum of the sizes of all terms of one variable bounds its field.
    void add_row(double sum_of_sizes, size_t terms) {
        largest_ = std::max(largest_, sum_of_sizes);
        terms_ = std::max(terms_, terms);
    }

    // Whether all coefficients are whole numbers of a unit in which fields stay within `most`.
    bool fits_exactly(int64_t most) const {
        return largest_ == 0 || std::ldexp(largest_, -finest_) <= static_cast<double>(most);
    }
    // k of the unit 2^k for fields within `most`; each of a row's terms may be rounded up by half.
    int exponent(int64_t most) const {
        if (largest_ == 0) return 0;
        if (fits_exactly(most)) return finest_;
        const double room = static_cast<double>(most) - static_cast<double>(terms_) / 2 - 1;
        return static_cast<int>(std::ceil(std::log2(largest_ / room)));
    }

  private:
    int finest_ = std::numeric_limits<int>::max();
    double largest_ = 0;
    size_t terms_ = 0;
};

inline double sum_of_sizes(std::span<const double> values) {
    double sum = 0;
    for (const double value : values) sum += std::abs(value);
    return sum;
}

}  // namespace adiabat::anneal
