// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bifurcation_field.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "adiabat/anneal/wide.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/huge_pages.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kProbeStream = 0x5A33, kPowerStream = 0x5A34;

// The linear terms are what the field is at s = 0, x = 1/2: half the mean of the binary fields of
// all zeros and all ones.
std::vector<float> linear_terms(const qubo::Problem& problem) {
    const auto n = static_cast<size_t>(problem.variables());
    const std::vector<uint8_t> zeros(n, 0), ones(n, 1);
    const auto low = problem.fields(zeros), high = problem.fields(ones);
    std::vector<float> linear(n);
    for (size_t i = 0; i < n; ++i) linear[i] = static_cast<float>((low[i] + high[i]) / 4);
    return linear;
}

// Calls the body with the number of columns as a constant.
template <typename Body>
void with_columns(int columns, const Body& body) {
    switch (columns) {
        case 4:
            return body(std::integral_constant<size_t, 4>());
        case kMostColumns:
            return body(std::integral_constant<size_t, kMostColumns>());
        default:
            ADIABAT_CHECK(false, "{} columns", columns);
    }
}

class FieldBase : public IsingField {
  public:
    FieldBase(const qubo::Problem& problem, std::vector<float> linear)
        : problem_(problem), n_(linear.size()), linear_(std::move(linear)) {}
    std::span<const float> linear() const override { return linear_; }
    uint64_t memory_bytes() const override { return ising_field_bytes(problem_); }

  protected:
    const qubo::Problem& problem_;
    size_t n_;
    std::vector<float> linear_;
};

class DenseField final : public FieldBase {
  public:
    explicit DenseField(const qubo::Problem& problem)
        : FieldBase(problem, std::vector<float>(static_cast<size_t>(problem.variables()))) {}

    // False where the watch was over.
    bool fill(const Watch& watch) {
        const auto& dense = std::get<qubo::Dense>(problem_.form);
        couplings_ = HugeVector<float>(n_ * n_);
        for (size_t i = 0; i < n_; ++i) {
            if (i % 64 == 0 && watch.over()) return false;
            const auto row = dense.row(static_cast<int>(i));
            double sum = 0;
            for (size_t j = 0; j < n_; ++j) {
                couplings_[i * n_ + j] = static_cast<float>(row[j] / 4);
                sum += row[j];
            }
            linear_[i] = static_cast<float>(dense.linear(static_cast<int>(i)) / 2 + sum / 4);
        }
        return true;
    }

    bool apply(std::span<const float> s, int columns, std::span<float> field,
               const Watch& watch) const override {
        constexpr size_t kStretch = 256;  // rows between looks at the watch
        for (size_t begin = 0; begin < n_; begin += kStretch) {
            if (begin > 0 && watch.over()) return false;
            const size_t end = std::min(begin + kStretch, n_);
            with_columns(columns, [&](auto width) {
                constexpr size_t kWidth = decltype(width)::value;
                run_wide([&]() ADIABAT_INLINE_BODY {
                    constexpr size_t kRows = 32 / kWidth;  // eight sums of four lanes
                    size_t i = begin;
                    for (; i + kRows <= end; i += kRows)
                        rows<kRows, kWidth>(i, s.data(), field.data());
                    for (; i < end; ++i) rows<1, kWidth>(i, s.data(), field.data());
                });
            });
        }
        return true;
    }
    int64_t work() const override { return static_cast<int64_t>(n_ * n_); }

  private:
    // Several rows together: each s_j is loaded once for all of them. In vectors that
    // every machine has: the compiler splits longer ones before it knows the target.
    template <size_t kRows, size_t kWidth>
    ADIABAT_INLINE_BODY inline void rows(size_t first, const float* s, float* field) const {
        constexpr size_t kLanes = 4, kVectors = kWidth / kLanes;
        using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;
        Lanes sum[kRows][kVectors];
        const float* const matrix = couplings_.data() + first * n_;
        for (size_t r = 0; r < kRows; ++r)
            for (size_t v = 0; v < kVectors; ++v) sum[r][v] = Lanes{} + linear_[first + r];
        for (size_t j = 0; j < n_; ++j) {
            Lanes other[kVectors];
            std::memcpy(other, s + j * kWidth, sizeof other);
            for (size_t r = 0; r < kRows; ++r)
                for (size_t v = 0; v < kVectors; ++v) sum[r][v] += matrix[r * n_ + j] * other[v];
        }
        for (size_t r = 0; r < kRows; ++r)
            std::memcpy(field + (first + r) * kWidth, sum[r], sizeof sum[r]);
    }

    HugeVector<float> couplings_;
};

class SparseField final : public FieldBase {
  public:
    explicit SparseField(const qubo::Problem& problem)
        : FieldBase(problem, linear_terms(problem)),
          sparse_(std::get<qubo::Sparse>(problem.form)) {}

    bool apply(std::span<const float> s, int columns, std::span<float> field,
               const Watch&) const override {
        with_columns(columns, [&](auto width) {
            constexpr size_t kWidth = decltype(width)::value;
            for (size_t i = 0; i < n_; ++i) {
                float sum[kWidth];
                std::fill_n(sum, kWidth, linear_[i]);
                const auto row = sparse_.neighbors(static_cast<int>(i));
                const auto values = sparse_.couplings(static_cast<int>(i));
                for (size_t e = 0; e < row.size(); ++e) {
                    const float* const other = s.data() + static_cast<size_t>(row[e]) * kWidth;
                    const auto coupling = static_cast<float>(values[e] / 4);
                    for (size_t c = 0; c < kWidth; ++c) sum[c] += coupling * other[c];
                }
                std::copy_n(sum, kWidth, field.data() + i * kWidth);
            }
        });
        return true;
    }
    int64_t work() const override { return static_cast<int64_t>(n_ + 2 * sparse_.pairs()); }

  private:
    const qubo::Sparse& sparse_;
};

// J_ij = sum_k w_k a_ik a_jk / 2 + M_ij / 2 without the diagonal: z = A's first, then A z.
class FactoredField final : public FieldBase {
  public:
    explicit FactoredField(const qubo::Problem& problem)
        : FieldBase(problem, linear_terms(problem)),
          factored_(std::get<qubo::Factored>(problem.form)),
          own_(n_) {
        const auto weights = factored_.weights();
        for (size_t i = 0; i < n_; ++i) {
            const auto a = factored_.row(static_cast<int>(i));
            for (size_t k = 0; k < weights.size(); ++k) own_[i] += weights[k] * a[k] * a[k] / 2;
        }
    }

    bool apply(std::span<const float> s, int columns, std::span<float> field,
               const Watch&) const override {
        with_columns(columns, [&](auto width) {
            constexpr size_t kWidth = decltype(width)::value;
            const auto weights = factored_.weights();
            const size_t rank = weights.size();
            std::vector<double> z(rank * kWidth);
            for (size_t i = 0; i < n_; ++i) {
                const auto a = factored_.row(static_cast<int>(i));
                for (size_t k = 0; k < rank; ++k)
                    for (size_t c = 0; c < kWidth; ++c)
                        z[k * kWidth + c] += a[k] * s[i * kWidth + c];
            }
            for (size_t k = 0; k < rank; ++k)
                for (size_t c = 0; c < kWidth; ++c) z[k * kWidth + c] *= weights[k] / 2;
            for (size_t i = 0; i < n_; ++i) {
                double sum[kWidth];
                for (size_t c = 0; c < kWidth; ++c)
                    sum[c] = double{linear_[i]} - own_[i] * double{s[i * kWidth + c]};
                const auto a = factored_.row(static_cast<int>(i));
                for (size_t k = 0; k < rank; ++k)
                    for (size_t c = 0; c < kWidth; ++c) sum[c] += a[k] * z[k * kWidth + c];
                add_block<kWidth>(i, s, sum);
                for (size_t c = 0; c < kWidth; ++c)
                    field[i * kWidth + c] = static_cast<float>(sum[c]);
            }
        });
        return true;
    }
    int64_t work() const override {
        int64_t work = 2 * static_cast<int64_t>(n_) * (1 + factored_.rank());
        for (const auto& block : factored_.blocks())
            work += static_cast<int64_t>(block.values.size());
        return work;
    }

  private:
    template <size_t kWidth>
    void add_block(size_t i, std::span<const float> s, double* sum) const {
        const qubo::DenseBlock* const block = factored_.block_of(static_cast<int>(i));
        if (!block) return;
        const auto size = static_cast<size_t>(block->size),
                   first = static_cast<size_t>(block->first);
        const double* const row = block->values.data() + (i - first) * size;
        for (size_t j = 0; j < size; ++j)
            for (size_t c = 0; c < kWidth; ++c) sum[c] += row[j] / 2 * s[(first + j) * kWidth + c];
    }

    const qubo::Factored& factored_;
    std::vector<double> own_;  // what the diagonal would be
};

// Power iteration on J + shift for a few vectors, the columns of one matrix.
class PowerIteration {
  public:
    static constexpr size_t kColumns = 4;

    PowerIteration(const IsingField& field, const Watch& watch)
        : field_(field),
          watch_(watch),
          vectors_(field.linear().size() * kColumns),
          product_(vectors_.size()) {
        Random random(0, kPowerStream);
        for (float& value : vectors_) value = random() >> 31 ? 1.0f : -1.0f;
        normalize();
    }

    // The largest v'Jv of a unit vector met after so many steps.
    double largest(int steps, double shift) {
        double largest = 0;
        for (int step = 0; step < steps && !watch_.over(); ++step) {
            if (!field_.apply(vectors_, kColumns, product_, watch_)) break;
            std::array<double, kColumns> quotient = {};
            for (size_t k = 0; k < vectors_.size(); ++k) {
                const double v = double{vectors_[k]};
                const double jv = double{product_[k]} - double{field_.linear()[k / kColumns]};
                quotient[k % kColumns] += v * jv;
                vectors_[k] = static_cast<float>(jv + shift * v);
            }
            normalize();
            largest = std::max(largest, *std::ranges::max_element(quotient));
        }
        return largest;
    }
    // |Jv| of the last step: at most the largest eigenvalue in size.
    double largest_norm() const { return *std::ranges::max_element(norms_); }

  private:
    // Back to unit length; a vector of zeros stays.
    void normalize() {
        norms_ = {};
        for (size_t k = 0; k < vectors_.size(); ++k)
            norms_[k % kColumns] += double{vectors_[k]} * double{vectors_[k]};
        for (double& norm : norms_) norm = std::sqrt(norm);
        for (size_t k = 0; k < vectors_.size(); ++k) {
            const double norm = norms_[k % kColumns];
            if (norm > 0) vectors_[k] = static_cast<float>(double{vectors_[k]} / norm);
        }
    }

    const IsingField& field_;
    const Watch& watch_;
    std::vector<float> vectors_, product_;
    std::array<double, kColumns> norms_ = {};
};

}  // namespace

std::unique_ptr<const IsingField> make_ising_field(const qubo::Problem& problem,
                                                   const Watch& watch) {
    if (watch.over()) return nullptr;
    if (std::holds_alternative<qubo::Dense>(problem.form)) {
        auto dense = std::make_unique<DenseField>(problem);
        if (!dense->fill(watch)) return nullptr;
        return dense;
    }
    if (std::holds_alternative<qubo::Sparse>(problem.form))
        return std::make_unique<SparseField>(problem);
    return std::make_unique<FactoredField>(problem);
}

uint64_t ising_field_bytes(const qubo::Problem& problem) {
    const auto n = static_cast<uint64_t>(problem.variables());
    return std::holds_alternative<qubo::Dense>(problem.form) ? 4 * n * (n + 1) : 12 * n;
}

double ising_size_squared(const qubo::Problem& problem, const IsingField& field,
                          const Watch* watch) {
    const auto n = static_cast<size_t>(problem.variables());
    double linear = 0, couplings = 0;
    for (const float h : field.linear()) linear += double{h} * double{h};
    if (std::holds_alternative<qubo::Factored>(problem.form)) {
        std::vector<float> s(n * kMostColumns), product(s.size());
        Random random(0, kProbeStream);
        for (float& value : s) value = random() >> 31 ? 1.0f : -1.0f;
        const Watch never;
        field.apply(s, kMostColumns, product, never);
        for (size_t k = 0; k < s.size(); ++k) {
            const double value = double{product[k]} - double{field.linear()[k / kMostColumns]};
            couplings += value * value / kMostColumns;
        }
    } else {
        constexpr size_t kTermsBetweenChecks = 1 << 18;
        size_t seen = 0;
        for (int i = 0; i < problem.variables(); ++i) {
            qubo::for_each_coupling(problem, i, [&](int, double value) {
                couplings += value * value / 16;
                ++seen;
            });
            if (!watch || seen < kTermsBetweenChecks) continue;
            if (watch->over()) break;
            seen = 0;
        }
    }
    return couplings + 2 * linear;
}

double ising_largest_eigenvalue(const IsingField& field, const Watch& watch) {
    PowerIteration power(field, watch);
    const double first = power.largest(16, 0);
    return std::max(first, power.largest(24, power.largest_norm()));
}

}  // namespace adiabat::anneal
