// SPDX-License-Identifier: Apache-2.0
#pragma once

// How two quantities go together, from sums: Pearson's correlation and the line of least squares.
// O(1) a pair. Source: K. Pearson (1895).

#include <cmath>
#include <optional>

namespace adiabat {

class Correlation {
  public:
    void add(double x, double y) {
        ++count_;
        x_ += x;
        y_ += y;
        xx_ += x * x;
        yy_ += y * y;
        xy_ += x * y;
    }
    double count() const { return count_; }
    double mean_x() const { return x_ / count_; }
    double mean_y() const { return y_ / count_; }
    double variance_x() const { return xx_ / count_ - mean_x() * mean_x(); }
    double variance_y() const { return yy_ / count_ - mean_y() * mean_y(); }
    double covariance() const { return xy_ / count_ - mean_x() * mean_y(); }
    // Nothing for fewer than three pairs, or where one of the two does not vary.
    std::optional<double> value() const {
        if (count_ < 3 || !(variance_x() > 0 && variance_y() > 0)) return {};
        return covariance() / std::sqrt(variance_x() * variance_y());
    }

  private:
    double count_ = 0, x_ = 0, y_ = 0, xx_ = 0, yy_ = 0, xy_ = 0;
};

}  // namespace adiabat
