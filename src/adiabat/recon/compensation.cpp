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
    inverse_ = factor.solve(Matrix::Identity(size, size));
}

Matrix Compensation::block(std::span<const int> set) const { return part(inverse_, set); }

Matrix Compensation::residual_rows(std::span<const int> set) const {
    Matrix rows(static_cast<Eigen::Index>(set.size()), inputs());
    for (size_t i = 0; i < set.size(); ++i)
        rows.row(static_cast<Eigen::Index>(i)) = inverse_.row(set[i]);
    return block(set).llt().solve(rows);
}

double Compensation::error(std::span<const int> set, const Matrix& q) const {
    return block(set).llt().solve(part(q, set)).trace();
}

double Compensation::joint_ratio(std::span<const int> a, std::span<const int> b,
                                 const Matrix& q) const {
    std::vector<int> both(a.begin(), a.end());
    both.insert(both.end(), b.begin(), b.end());
    const double apart = error(a, q) + error(b, q);
    return apart > 0 ? error(both, q) / apart : 1.0;
}

Matrix weighted_square(const Matrix& weights, const Vector& outputs) {
    return weights.transpose() * outputs.asDiagonal() * weights;
}

}  // namespace adiabat::recon
