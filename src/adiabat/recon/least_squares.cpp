// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/least_squares.h"

#include "adiabat/base/errors.h"

namespace adiabat::recon {

namespace {

constexpr double kShare = 0.003;       // of the mean of the diagonal
constexpr double kRowsAnUnknown = 32;  // with fewer, the share grows

}  // namespace

double damping_of(const Moments& moments) {
    const auto unknowns = static_cast<double>(moments.inputs.rows());
    const double scarcity =
        std::max(1.0, kRowsAnUnknown * unknowns / static_cast<double>(moments.rows));
    return kShare * scarcity * moments.inputs.trace() / unknowns;
}

Matrix reconstructed(const Moments& moments, const Matrix& weights) {
    const double damping = damping_of(moments);
    if (!(damping > 0)) return weights;
    Matrix damped = moments.inputs;
    damped.diagonal().array() += damping;
    const Eigen::LLT<Matrix> factor(damped);
    ADIABAT_CHECK(factor.info() == Eigen::Success, "second moments with a negative direction");
    const Matrix right = (moments.targets + damping * weights).transpose();
    return factor.solve(right).transpose();
}

}  // namespace adiabat::recon
