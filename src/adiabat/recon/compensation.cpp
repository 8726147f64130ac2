// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/compensation.h"

#include <vector>

#include "adiabat/recon/least_squares.h"

namespace adiabat::recon {

namespace {

Matrix part(const Matrix& whole, std::span<const int> set) {
    const auto size = static_cast<Eigen::Index>(set.size());
    Matrix result(size, size);
    for (Eigen::Index j = 0; j < size; ++j) {
        for (Eigen::Index i = 0; i < size; ++i)
            result(i, j) = whole(set[static_cast<size_t>(i)], set[static_cast<size_t>(j)]);
    }
    return result;
}

}  // namespace

Compensation::Compensation(const Moments& moments) {
    const double damping = damping_of(moments);
    const Eigen::Index size = moments.inputs.rows();
    const Eigen::LLT<Matrix> factor = damped_factor(moments.inputs, damping > 0 ? damping : 1.0);
    pivoted_ = factor.solve(Matrix::Identity(size, size));
    is_lost_.resize(static_cast<size_t>(size));
}

Compensation::Compensation(const Moments& moments, const Matrix& weights,
                           std::span<const int> lost) {
    const Eigen::Index size = moments.inputs.rows();
    is_lost_.resize(static_cast<size_t>(size));
    for (int column : lost) is_lost_[static_cast<size_t>(column)] = 1;
    std::vector<Eigen::Index> kept, gone;
    for (Eigen::Index k = 0; k < size; ++k)
        (is_lost_[static_cast<size_t>(k)] ? gone : kept).push_back(k);
    const double found = damping_of(moments), damping = found > 0 ? found : 1.0;
    Matrix h = moments.inputs;
    h.diagonal().array() += damping;
    const Matrix targets = moments.targets + damping * weights;
    pivoted_.resize(size, size);
    coefficients_.resize(weights.rows(), size);
    const Eigen::LLT<Matrix> factor = damped_factor(moments.inputs(kept, kept), damping);
    const Matrix across = h(kept, gone);  // H_KL
    Matrix projection = across;           // (H_KK)^-1 H_KL
    if (!gone.empty()) projection = factor.solve(across);
    const Matrix right = targets(Eigen::all, kept).transpose();
    const Matrix fitted = factor.solve(right).transpose();
    const Matrix inverse = factor.solve(Matrix::Identity(std::ssize(kept), std::ssize(kept)));
    pivoted_(kept, kept) = inverse;
    pivoted_(kept, gone) = -projection;
    pivoted_(gone, kept) = -projection.transpose();
    pivoted_(gone, gone) = across.transpose() * projection - h(gone, gone);
    coefficients_(Eigen::all, kept) = fitted;
    coefficients_(Eigen::all, gone) = targets(Eigen::all, gone) - fitted * across;
}

Matrix Compensation::block(std::span<const int> set) const { return part(pivoted_, set); }

Matrix Compensation::residual_rows(std::span<const int> set) const {
    Matrix rows(static_cast<Eigen::Index>(set.size()), inputs());
    for (size_t i = 0; i < set.size(); ++i)
        rows.row(static_cast<Eigen::Index>(i)) = pivoted_.row(set[i]);
    // Of what is lost already nothing is read.
    for (Eigen::Index k = 0; k < inputs(); ++k) {
        if (is_lost_[static_cast<size_t>(k)]) rows.col(k).setZero();
    }
    const bool found_again = !set.empty() && is_lost_[static_cast<size_t>(set[0])];
    if (!found_again) return block(set).llt().solve(rows);
    // -B_SS is what of S the kept cannot reproduce.
    for (size_t i = 0; i < set.size(); ++i) rows(static_cast<Eigen::Index>(i), set[i]) = 1;
    const Matrix left = -block(set), solved = left.llt().solve(rows);
    return -solved;
}

double Compensation::error(std::span<const int> set, const Matrix& q) const {
    const Matrix b = block(set), of_q = part(q, set);
    if (coefficients_.size() == 0) return b.llt().solve(of_q).trace();
    return b.partialPivLu().solve(of_q).trace();
}

Matrix weighted_square(const Matrix& weights, const Vector& outputs) {
    return weights.transpose() * outputs.asDiagonal() * weights;
}

}  // namespace adiabat::recon
