// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/moments.h"

#include <algorithm>
#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/recon/rank_update.h"

namespace adiabat::recon {

MomentSums::MomentSums(Eigen::RowVectorXf x0, Eigen::RowVectorXf t0)
    : x0_(std::move(x0)),
      t0_(std::move(t0)),
      xx_(Matrix::Zero(x0_.size(), x0_.size())),
      tx_(Matrix::Zero(t0_.size(), x0_.size())),
      x_(Vector::Zero(x0_.size())),
      t_(Vector::Zero(t0_.size())),
      tt_(Vector::Zero(t0_.size())) {}

void MomentSums::add(const Rows& x, const Rows& t) {
    ADIABAT_CHECK(x.rows() == t.rows() && x.cols() == xx_.rows() && t.cols() == tx_.rows(),
                  "{} x {} inputs, {} x {} targets", x.rows(), x.cols(), t.rows(), t.cols());
    // Small enough for single precision to do no harm.
    constexpr Eigen::Index kBlock = 2048;
    const Eigen::Index inputs = x.cols(), filters = t.cols(), both = inputs + filters;
    Rows z(std::min(kBlock, x.rows()), both), products(both, both);
    for (Eigen::Index begin = 0; begin < x.rows(); begin += kBlock) {
        const Eigen::Index count = std::min(kBlock, x.rows() - begin);
        z.topLeftCorner(count, filters) = t.middleRows(begin, count).rowwise() - t0_;
        z.topRightCorner(count, inputs) = x.middleRows(begin, count).rowwise() - x0_;
        products.setZero();
        add_products(std::span(z.data(), static_cast<size_t>(count * both)), both,
                     std::span(products.data(), static_cast<size_t>(products.size())));
        xx_.triangularView<Eigen::Lower>() +=
            products.bottomRightCorner(inputs, inputs).cast<double>();
        tx_ += products.bottomLeftCorner(inputs, filters).transpose().cast<double>();
        tt_ += products.diagonal().head(filters).cast<double>();
        const auto sums = z.topRows(count).cast<double>().colwise().sum().transpose().eval();
        t_ += sums.head(filters);
        x_ += sums.tail(inputs);
    }
    rows_ += x.rows();
}

void MomentSums::add(const MomentSums& other) {
    xx_ += other.xx_;
    tx_ += other.tx_;
    x_ += other.x_;
    t_ += other.t_;
    tt_ += other.tt_;
    rows_ += other.rows_;
}

Moments MomentSums::moments() const {
    ADIABAT_CHECK(rows_ > 0, "moments of no rows");
    const auto n = static_cast<double>(rows_);
    const Vector x = x_ / n, t = t_ / n;
    Moments result;
    result.rows = rows_;
    result.inputs = xx_.selfadjointView<Eigen::Lower>();
    result.inputs = result.inputs / n - x * x.transpose();
    result.targets = tx_ / n - t * x.transpose();
    result.variances = (tt_ / n - t.cwiseAbs2()).cwiseMax(0.0);
    result.means = x0_.cast<double>().transpose() + x;
    return result;
}

Vector squared_errors(const Moments& moments, const Matrix& weights) {
    const Matrix product = weights * moments.inputs - 2 * moments.targets;
    return product.cwiseProduct(weights).rowwise().sum() + moments.variances;
}

}  // namespace adiabat::recon
