// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/mixing.h"

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x51D0;
constexpr Eigen::Index kSpinsBetweenChecks = 64;
constexpr Eigen::Index kSparseShare = 8;  // zeros are skipped where a share of 1/8 is not
using Rows = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>, 0,
                        Eigen::OuterStride<>>;

}  // namespace

// Columns are the vectors; the last is that of the spin behind the linear terms.
struct Mixing::Vectors {
    Eigen::MatrixXd q, v;
    Eigen::VectorXd y;
    // The rows of q that are not zero, column by column, where those are few; else empty.
    std::vector<std::vector<Eigen::Index>> nonzero;

    void find_nonzero();
    // sum_j q_ij v_j.
    void add_up(Eigen::Index i, Eigen::VectorXd& g) const;

    Eigen::Index n() const { return v.cols() - 1; }
};

void Mixing::Vectors::find_nonzero() {
    nonzero.clear();
    const auto count = (q.array() != 0).count();
    if (count * kSparseShare > q.size()) return;
    nonzero.resize(static_cast<size_t>(q.cols()));
    for (Eigen::Index i = 0; i < q.cols(); ++i) {
        for (Eigen::Index j = 0; j < q.rows(); ++j) {
            if (q(j, i) != 0) nonzero[static_cast<size_t>(i)].push_back(j);
        }
    }
}

void Mixing::Vectors::add_up(Eigen::Index i, Eigen::VectorXd& g) const {
    if (nonzero.empty()) {
        g.noalias() = v * q.col(i);
        return;
    }
    g.setZero();
    for (const Eigen::Index j : nonzero[static_cast<size_t>(i)]) g += q(j, i) * v.col(j);
}

Mixing::Mixing(const Symmetric& couplings, std::span<const double> linear, uint64_t seed)
    : vectors_(std::make_unique<Vectors>()) {
    const auto spins = static_cast<Eigen::Index>(couplings.size) + 1;
    const auto rank =
        static_cast<Eigen::Index>(std::ceil(std::sqrt(2 * static_cast<double>(spins)))) + 1;
    vectors_->v.resize(rank, spins);
    vectors_->y = Eigen::VectorXd::Zero(spins);
    Random random(seed, kStream);
    for (Eigen::Index i = 0; i < spins; ++i) {
        for (Eigen::Index k = 0; k < rank; ++k) vectors_->v(k, i) = random.normal();
        vectors_->v.col(i).normalize();
    }
    set_terms(couplings, linear);
}

Mixing::~Mixing() = default;
Mixing::Mixing(Mixing&&) noexcept = default;
Mixing& Mixing::operator=(Mixing&&) noexcept = default;

void Mixing::set_terms(const Symmetric& couplings, std::span<const double> linear) {
    const auto n = static_cast<Eigen::Index>(couplings.size);
    const Rows j(couplings.values, n, n,
                 Eigen::OuterStride<>(static_cast<Eigen::Index>(couplings.stride)));
    const Eigen::Map<const Eigen::VectorXd> h(linear.data(), n);
    Eigen::MatrixXd& q = vectors_->q;
    q.resize(n + 1, n + 1);
    q.topLeftCorner(n, n) = j / 8;
    q.col(n).head(n) = h / 4 + j.colwise().sum().transpose() / 8;
    q.row(n).head(n) = q.col(n).head(n).transpose();
    q(n, n) = 0;
    vectors_->find_nonzero();
}

void Mixing::drop(int i) {
    Vectors& all = *vectors_;
    all.v.col(i) = all.v.col(0);
    all.v = all.v.rightCols(all.n()).eval();
    all.y = Eigen::VectorXd::Zero(all.v.cols());
}

double Mixing::sweep(const Watch& watch) {
    Vectors& all = *vectors_;
    Eigen::VectorXd g(all.v.rows());
    double sum = 0;
    for (Eigen::Index i = 0; i < all.v.cols(); ++i) {
        if (i % kSpinsBetweenChecks == kSpinsBetweenChecks - 1 && watch.over()) break;
        all.add_up(i, g);
        const double norm = g.norm();
        all.y[i] = norm;
        sum += norm;
        if (norm > 0) all.v.col(i) = g / -norm;
    }
    return -sum;
}

void Mixing::run(int most, double precision, const Watch& watch) {
    double before = 0;
    for (int k = 0; k < most && !watch.over(); ++k) {
        const double now = sweep(watch);
        if (k > 0 && std::abs(now - before) <= precision * std::abs(now)) return;
        before = now;
    }
}

std::vector<double> Mixing::shift() const {
    std::vector<double> shift;
    for (Eigen::Index i = 0; i < vectors_->n(); ++i) shift.push_back(8 * vectors_->y[i]);
    return shift;
}

double Mixing::mean(int i) const {
    const Eigen::MatrixXd& v = vectors_->v;
    return (1 + v.col(i).dot(v.col(vectors_->n()))) / 2;
}

double Mixing::product(int i, int j) const {
    return (2 * mean(i) + 2 * mean(j) - 1 + cosine(i, j)) / 4;
}

double Mixing::cosine(int i, int j) const { return vectors_->v.col(i).dot(vectors_->v.col(j)); }

}  // namespace adiabat::anneal
