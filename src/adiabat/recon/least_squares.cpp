// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/least_squares.h"

#include "adiabat/base/errors.h"

namespace adiabat::recon {

namespace {

constexpr double kShare = 0.003;  // of the mean of the diagonal
constexpr int kAttempts = 20;

}  // namespace

double damping_of(const Moments& moments) {
    const auto unknowns = static_cast<double>(moments.inputs.rows());
    const double scarcity = std::max(
        1.0, static_cast<double>(kRowsAnUnknown) * unknowns / static_cast<double>(moments.rows));
    return kShare * scarcity * moments.inputs.trace() / unknowns;
}

Eigen::LLT<Matrix> damped_factor(Matrix h, double damping) {
    ADIABAT_CHECK(damping > 0, "damped by {}", damping);
    h.diagonal().array() += damping;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        Eigen::LLT<Matrix> factor(h);
        if (factor.info() == Eigen::Success) return factor;
        h.diagonal().array() += damping;
        damping *= 10;
    }
    ADIABAT_CHECK(false, "second moments that are not numbers");
}

Matrix reconstructed(const Moments& moments, const Matrix& weights) {
    const double damping = damping_of(moments);
    if (!(damping > 0)) return weights;
    const Eigen::LLT<Matrix> factor = damped_factor(moments.inputs, damping);
    const Matrix right = (moments.targets + damping * weights).transpose();
    return factor.solve(right).transpose();
}

}  // namespace adiabat::recon
