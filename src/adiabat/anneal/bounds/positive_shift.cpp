// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/positive_shift.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace adiabat::anneal {

namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr Eigen::Index kPanel = 32;       // columns between looks at the clock
constexpr Eigen::Index kMostWhole = 256;  // all eigenvalues up to here, Lanczos beyond
constexpr Eigen::Index kLanczosSteps = 80;
constexpr int kMostTries = 12;

using Rows = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>, 0,
                        Eigen::OuterStride<>>;

Eigen::MatrixXd shifted(const Symmetric& couplings, std::span<const double> diagonal) {
    const auto n = static_cast<Eigen::Index>(couplings.size);
    Eigen::MatrixXd matrix = Rows(
        couplings.values, n, n, Eigen::OuterStride<>(static_cast<Eigen::Index>(couplings.stride)));
    matrix.diagonal() = Eigen::Map<const Eigen::VectorXd>(diagonal.data(), n);
    return matrix;
}

// More than rounding in a Cholesky factorization can hide.
double rounding_of(std::span<const double> diagonal) {
    const double trace = std::accumulate(diagonal.begin(), diagonal.end(), 0.0);
    return 4 * (static_cast<double>(diagonal.size()) + 8) * kEpsilon * std::max(trace, 0.0);
}

// The smallest eigenvalue from above, by Lanczos steps with every vector made orthogonal to all
// before it.
double lanczos_smallest(const Eigen::MatrixXd& matrix, const Watch& watch) {
    const Eigen::Index n = matrix.rows(), most = std::min(n, kLanczosSteps);
    Eigen::MatrixXd basis(n, most);
    Eigen::VectorXd alpha(most), beta(most);
    for (Eigen::Index i = 0; i < n; ++i) basis(i, 0) = 1 + 0.5 * std::sin(static_cast<double>(i));
    basis.col(0).normalize();
    Eigen::Index steps = 0;
    while (steps < most && !watch.over()) {
        Eigen::VectorXd next = matrix * basis.col(steps);
        alpha[steps] = basis.col(steps).dot(next);
        for (int twice = 0; twice < 2; ++twice) {
            const auto known = basis.leftCols(steps + 1);
            next -= known * (known.transpose() * next).eval();
        }
        beta[steps] = next.norm();
        if (++steps == most || beta[steps - 1] < 1e-12 * std::abs(alpha[0])) break;
        basis.col(steps) = next / beta[steps - 1];
    }
    if (steps == 0) return 0;
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
    solver.computeFromTridiagonal(alpha.head(steps), beta.head(steps - 1), Eigen::EigenvaluesOnly);
    return solver.eigenvalues()[0];
}

double smallest_eigenvalue(const Eigen::MatrixXd& matrix, const Watch& watch) {
    if (matrix.rows() > kMostWhole) return lanczos_smallest(matrix, watch);
    return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix, Eigen::EigenvaluesOnly)
        .eigenvalues()[0];
}

}  // namespace

std::optional<bool> certainly_positive(const Symmetric& couplings, std::span<const double> diagonal,
                                       const Watch& watch) {
    Eigen::MatrixXd matrix = shifted(couplings, diagonal);
    matrix.diagonal().array() -= rounding_of(diagonal);
    const Eigen::Index n = matrix.rows();
    for (Eigen::Index k = 0; k < n; k += kPanel) {
        if (watch.over()) return {};
        const Eigen::Index width = std::min(kPanel, n - k), below = n - k - width;
        const Eigen::LLT<Eigen::MatrixXd> corner(matrix.block(k, k, width, width));
        if (corner.info() != Eigen::Success) return false;
        if (below == 0) break;
        Eigen::MatrixXd panel = matrix.block(k + width, k, below, width);
        corner.matrixL().transpose().solveInPlace<Eigen::OnTheRight>(panel);
        matrix.bottomRightCorner(below, below)
            .selfadjointView<Eigen::Lower>()
            .rankUpdate(panel, -1);
    }
    return true;
}

std::vector<double> dominant_diagonal(const Symmetric& couplings) {
    std::vector<double> diagonal;
    const double up = 1 + static_cast<double>(couplings.size) * kEpsilon;
    for (size_t i = 0; i < couplings.size; ++i) {
        const double* const row = couplings.row(i);
        double sum = 0;
        for (size_t j = 0; j < couplings.size; ++j) sum += std::abs(row[j]);
        diagonal.push_back(sum * up);
    }
    return diagonal;
}

std::vector<double> enough_diagonal(const Symmetric& couplings, std::vector<double> diagonal,
                                    const Watch& watch) {
    if (couplings.size == 0) return diagonal;
    const double smallest = smallest_eigenvalue(shifted(couplings, diagonal), watch);
    const double step = std::max(2 * rounding_of(diagonal), 1e-3 * std::abs(smallest));
    double added = std::max(0.0, -smallest) + 2 * rounding_of(diagonal);
    std::vector<double> enough = diagonal;
    for (int k = 0; k < kMostTries && step > 0; ++k) {
        for (size_t i = 0; i < enough.size(); ++i) enough[i] = diagonal[i] + added;
        const auto positive = certainly_positive(couplings, enough, watch);
        if (!positive) break;
        if (*positive) return enough;
        added += step * std::exp2(2 * k);
    }
    return dominant_diagonal(couplings);
}

}  // namespace adiabat::anneal
