// SPDX-License-Identifier: Apache-2.0
#pragma once

// Coefficients as whole numbers of one unit 2^k, so that local fields are exact sums: no drift, the
// same on every instruction set.
//
// The unit is the coarsest in which every coefficient is a whole number where the largest field
// then fits; else the finest in which it fits, and coefficients are rounded: at 32 bits to about
// 1e-9 of the largest field.

#include <cmath>
#include <cstdint>
#include <limits>

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

}  // namespace adiabat::anneal
