// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/factored.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::qubo {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void check_finite(std::span<const double> values, const char* what) {
    for (const double value : values) {
        if (!std::isfinite(value)) throw InputError("{} holds {}", what, value);
    }
}

void check_symmetric(std::span<const double> matrix, size_t size, const char* what) {
    for (size_t i = 0; i < size; ++i) {
        for (size_t j = 0; j < i; ++j) {
            const double a = matrix[i * size + j], b = matrix[j * size + i];
            if (std::abs(a - b) > 1e-9 * (std::abs(a) + std::abs(b)))
                throw InputError("{} is not symmetric: {} at {}, {} and {} at {}, {}", what, a, i,
                                 j, b, j, i);
        }
    }
}

}  // namespace

Factored::Factored(int variables) {
    if (variables < 0 || variables > kMaxFactoredVariables) {
        throw InputError("a factored problem takes 0 to {} variables, this one has {}",
                         format_count(kMaxFactoredVariables), format_count(variables));
    }
    linear_.assign(static_cast<size_t>(variables), 0.0);
    block_.assign(static_cast<size_t>(variables), -1);
}

const DenseBlock* Factored::block_of(int i) const {
    const int block = block_[static_cast<size_t>(i)];
    return block < 0 ? nullptr : &blocks_[static_cast<size_t>(block)];
}

void Factored::add_offset(double value) {
    if (!std::isfinite(value)) throw InputError("offset is {}", value);
    offset_ += value;
}

void Factored::add_linear(int i, double value) {
    ADIABAT_CHECK(i >= 0 && i < variables(), "variable {} of {}", i, variables());
    if (!std::isfinite(value)) throw InputError("coefficient of variable {} is {}", i, value);
    linear_[static_cast<size_t>(i)] += value;
}

void Factored::add_block(int first, int size, std::span<const double> matrix) {
    if (first < 0 || size < 1 || size > variables() - first)
        throw InputError("a block of variables {} to {}: the problem has {}", first,
                         int64_t{first} + size - 1, variables());
    const auto n = static_cast<size_t>(size);
    ADIABAT_CHECK(matrix.size() == n * n, "{} values for a block of {}", matrix.size(), size);
    check_finite(matrix, "a block");
    check_symmetric(matrix, n, "a block");
    for (int i = first; i < first + size; ++i) {
        if (block_of(i))
            throw InputError("variable {} lies in two blocks: expected one at most", i);
    }
    DenseBlock block{first, size, {matrix.begin(), matrix.end()}};
    for (size_t i = 0; i < n; ++i) {
        linear_[static_cast<size_t>(first) + i] += block.values[i * n + i];
        block.values[i * n + i] = 0;
    }
    const auto place = blocks_.insert(
        std::ranges::upper_bound(blocks_, first, {}, &DenseBlock::first), std::move(block));
    for (auto b = static_cast<size_t>(place - blocks_.begin()); b < blocks_.size(); ++b) {
        for (int i = blocks_[b].first; i < blocks_[b].first + blocks_[b].size; ++i)
            block_[static_cast<size_t>(i)] = static_cast<int>(b);
    }
}

void Factored::add_low_rank(std::span<const double> u, std::span<const double> s) {
    const auto r =
        static_cast<Eigen::Index>(std::llround(std::sqrt(static_cast<double>(s.size()))));
    const auto n = static_cast<Eigen::Index>(variables());
    if (static_cast<size_t>(r * r) != s.size() || static_cast<size_t>(n * r) != u.size())
        throw InputError("a low-rank term of {} x {} values: expected n x r and r x r, n = {}",
                         u.size(), s.size(), variables());
    check_finite(u, "a low-rank term");
    check_finite(s, "a low-rank term");
    check_symmetric(s, static_cast<size_t>(r), "S of a low-rank term");
    if (r == 0) return;
    const Eigen::Map<const RowMajor> middle(s.data(), r, r);
    const Eigen::Map<const RowMajor> factor(u.data(), n, r);
    const std::vector<double> zeros(static_cast<size_t>(r), 0.0);
    if (middle.isDiagonal()) {
        const Eigen::VectorXd diagonal = middle.diagonal();
        add_squares(u, zeros, {diagonal.data(), static_cast<size_t>(r)});
        return;
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver{Eigen::MatrixXd(middle)};
    ADIABAT_CHECK(solver.info() == Eigen::Success, "no eigenvectors of a {} x {} matrix", r, r);
    const RowMajor columns = factor * solver.eigenvectors();
    add_squares({columns.data(), static_cast<size_t>(n * r)}, zeros,
                {solver.eigenvalues().data(), static_cast<size_t>(r)});
}

void Factored::add_squared(std::span<const Term> terms, double constant, double weight) {
    std::vector<double> column(linear_.size(), 0.0);
    for (const auto& [i, c] : terms) {
        ADIABAT_CHECK(i >= 0 && i < variables(), "variable {} of {}", i, variables());
        column[static_cast<size_t>(i)] += c;
    }
    add_squares(column, {&constant, 1}, {&weight, 1});
}

void Factored::add_squares(std::span<const double> columns, std::span<const double> constants,
                           std::span<const double> weights) {
    const size_t n = linear_.size(), old = weights_.size(), more = weights.size();
    ADIABAT_CHECK(columns.size() == n * more && constants.size() == more, "{} values for {} x {}",
                  columns.size(), n, more);
    check_finite(columns, "a square");
    check_finite(constants, "a square");
    check_finite(weights, "a square");
    std::vector<double> merged(n * (old + more));
    for (size_t i = 0; i < n; ++i) {
        double* const target = merged.data() + i * (old + more);
        std::copy_n(columns_.data() + i * old, old, target);
        std::copy_n(columns.data() + i * more, more, target + old);
    }
    columns_ = std::move(merged);
    constants_.insert(constants_.end(), constants.begin(), constants.end());
    weights_.insert(weights_.end(), weights.begin(), weights.end());
}

double Factored::coupling(int i, int j) const {
    if (i == j) return 0;
    double value = 0;
    const auto a = row(i), b = row(j);
    for (size_t k = 0; k < weights_.size(); ++k) value += 2 * weights_[k] * a[k] * b[k];
    const DenseBlock* const block = block_of(i);
    if (block && block == block_of(j)) {
        value +=
            2 *
            block->values[static_cast<size_t>(i - block->first) * static_cast<size_t>(block->size) +
                          static_cast<size_t>(j - block->first)];
    }
    return value;
}

double Factored::energy(std::span<const uint8_t> x) const {
    ADIABAT_CHECK(x.size() == linear_.size(), "{} values for {} variables", x.size(), variables());
    double energy = offset_;
    std::vector<double> forms = constants_;
    for (int i = 0; i < variables(); ++i) {
        if (!x[static_cast<size_t>(i)]) continue;
        energy += linear(i);
        const auto a = row(i);
        for (size_t k = 0; k < forms.size(); ++k) forms[k] += a[k];
    }
    for (const DenseBlock& block : blocks_) {
        const auto size = static_cast<size_t>(block.size);
        const uint8_t* const inside = x.data() + block.first;
        for (size_t i = 0; i < size; ++i) {
            if (!inside[i]) continue;
            for (size_t j = 0; j < i; ++j)
                if (inside[j]) energy += 2 * block.values[i * size + j];
        }
    }
    for (size_t k = 0; k < forms.size(); ++k) energy += weights_[k] * forms[k] * forms[k];
    return energy;
}

std::vector<double> Factored::fields(std::span<const uint8_t> x) const {
    ADIABAT_CHECK(x.size() == linear_.size(), "{} values for {} variables", x.size(), variables());
    std::vector<double> forms = constants_;
    for (int i = 0; i < variables(); ++i) {
        const auto a = row(i);
        for (size_t k = 0; x[static_cast<size_t>(i)] && k < forms.size(); ++k) forms[k] += a[k];
    }
    std::vector<double> field = linear_;
    for (int i = 0; i < variables(); ++i) {
        const auto a = row(i);
        const double sign = x[static_cast<size_t>(i)] ? -1.0 : 1.0;
        double sum = 0;
        for (size_t k = 0; k < forms.size(); ++k)
            sum += weights_[k] * a[k] * (2 * forms[k] + sign * a[k]);
        field[static_cast<size_t>(i)] += sum;
    }
    for (const DenseBlock& block : blocks_) {
        const auto size = static_cast<size_t>(block.size);
        const uint8_t* const inside = x.data() + block.first;
        double* const target = field.data() + block.first;
        for (size_t j = 0; j < size; ++j) {
            if (!inside[j]) continue;
            for (size_t i = 0; i < size; ++i) target[i] += 2 * block.values[j * size + i];
        }
    }
    return field;
}

void Factored::add_row(int i, double sign, std::span<double> field) const {
    std::vector<double> scaled(weights_.size());
    const auto a = row(i);
    for (size_t k = 0; k < scaled.size(); ++k) scaled[k] = 2 * sign * weights_[k] * a[k];
    for (int j = 0; j < variables(); ++j) {
        if (j == i) continue;
        const auto b = row(j);
        double sum = 0;
        for (size_t k = 0; k < scaled.size(); ++k) sum += scaled[k] * b[k];
        field[static_cast<size_t>(j)] += sum;
    }
    if (const DenseBlock* const block = block_of(i)) {
        const auto size = static_cast<size_t>(block->size);
        const double* const values =
            block->values.data() + static_cast<size_t>(i - block->first) * size;
        for (size_t j = 0; j < size; ++j)
            field[static_cast<size_t>(block->first) + j] += 2 * sign * values[j];
    }
}

Dense Factored::dense() const {
    Dense result(variables());
    result.add_offset(offset_);
    for (size_t k = 0; k < weights_.size(); ++k)
        result.add_offset(weights_[k] * constants_[k] * constants_[k]);
    for (int i = 0; i < variables(); ++i) {
        double field = linear(i);
        const auto a = row(i);
        for (size_t k = 0; k < weights_.size(); ++k)
            field += weights_[k] * a[k] * (a[k] + 2 * constants_[k]);
        result.add_linear(i, field);
        for (int j = 0; j < i; ++j) result.add_coupling(i, j, coupling(i, j));
    }
    return result;
}

}  // namespace adiabat::qubo
