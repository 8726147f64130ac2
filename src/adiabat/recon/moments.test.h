// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows as layers read them, for tests: inputs that depend on each other, not centred.

#include "adiabat/base/random.h"
#include "adiabat/recon/moments.h"

namespace adiabat::recon::testing {

struct Sample {
    Rows x, t;
    Matrix weights;  // that the targets come from, but for what is added
};

inline Sample sample(int64_t rows, int64_t inputs, int64_t filters, uint64_t seed) {
    Random random(seed, 1);
    const auto draw = [&] { return random.uniform_float() - 0.5f; };
    const Rows mix = Rows::NullaryExpr(inputs, inputs, draw);
    Sample s;
    s.x = Rows::NullaryExpr(rows, inputs, draw) * mix;
    s.x.array() += 0.3f;
    const Rows weights = Rows::NullaryExpr(filters, inputs, draw);
    s.weights = weights.cast<double>();
    s.t = s.x * weights.transpose() + 0.1f * Rows::NullaryExpr(rows, filters, draw);
    return s;
}

inline Moments moments_of(const Sample& s) {
    MomentSums sums(s.x.row(0), s.t.row(0));
    sums.add(s.x, s.t);
    return sums.moments();
}

// The naive twin of squared_errors: row by row, each filter with its best bias.
inline Vector squared_errors_naive(const Sample& s, const Matrix& weights) {
    Matrix residual = s.t.cast<double>() - s.x.cast<double>() * weights.transpose();
    residual.rowwise() -= residual.colwise().mean().eval();
    return residual.colwise().squaredNorm().transpose() / static_cast<double>(s.x.rows());
}

}  // namespace adiabat::recon::testing
