// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/least_squares.h"

#include <utility>

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

std::vector<uint8_t> foretold(const Halves& halves, const Moments& whole) {
    const Eigen::Index filters = whole.targets.rows() / 2;
    std::vector<uint8_t> result(static_cast<size_t>(filters), 0);
    const double damping = damping_of(whole);
    if (!(damping > 0) || !halves.are_there()) return result;
    // What the fits of d leave of it on the other half, less its variance.
    Vector change = Vector::Zero(filters);
    for (const auto& [fitted, other] :
         {std::pair{&halves.first, &halves.second}, {&halves.second, &halves.first}}) {
        const Eigen::LLT<Matrix> factor = damped_factor(fitted->inputs, damping);
        const Matrix w = factor.solve(fitted->targets.bottomRows(filters).transpose()).transpose();
        const Matrix product = w * other->inputs - 2 * other->targets.bottomRows(filters);
        change += product.cwiseProduct(w).rowwise().sum();
    }
    for (Eigen::Index f = 0; f < filters; ++f) result[static_cast<size_t>(f)] = change[f] < 0;
    return result;
}

Moments with_additions(const Moments& moments, std::span<const uint8_t> foretold) {
    const Eigen::Index filters = moments.targets.rows() / 2;
    Moments result{moments.rows, moments.inputs, moments.targets.topRows(filters),
                   moments.variances.head(filters), moments.means};
    for (Eigen::Index f = 0; f < filters; ++f) {
        if (!foretold[static_cast<size_t>(f)]) continue;
        result.targets.row(f) += moments.targets.row(filters + f);
        // Of the sum, as far as it is known: what the fit leaves is a variance still.
        result.variances[f] += moments.variances[filters + f];
    }
    return result;
}

}  // namespace adiabat::recon
