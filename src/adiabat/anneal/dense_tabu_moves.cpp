// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/dense_tabu_moves.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "adiabat/anneal/fixed_point.h"
#include "adiabat/anneal/kernels/tabu_rows.h"

namespace adiabat::anneal {

namespace {

constexpr int64_t kMostField = int64_t{1} << 29;
constexpr int32_t kNever = 1 << 30, kForever = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostIteration = int64_t{1} << 30;

using Values = hwy::AlignedFreeUniquePtr<int32_t[]>;

Values allocate(size_t count, int32_t value) {
    Values values = hwy::AllocateAligned<int32_t>(std::max<size_t>(count, 1));
    if (!values) throw std::bad_alloc();
    std::fill_n(values.get(), count, value);
    return values;
}

class DenseTabuMoves final : public TabuMoves {
  public:
    explicit DenseTabuMoves(const qubo::Dense& problem)
        : problem_(problem),
          n_(static_cast<size_t>(problem.variables())),
          size_((n_ + 63) / 64 * 64),
          rows_(allocate(size_ * size_, 0)),
          linear_(allocate(size_, 0)),
          changes_(allocate(size_, kNever)),
          signs_(allocate(size_, 0)),
          until_(allocate(size_, kForever)) {
        FixedPointSurvey survey;
        for (int i = 0; i < problem.variables(); ++i) {
            double sum = std::abs(problem.linear(i));
            survey.add(problem.linear(i));
            for (const double value : problem.row(i)) {
                sum += std::abs(value);
                survey.add(value);
            }
            survey.add_row(sum, n_ + 1);
        }
        const int exponent = survey.exponent(kMostField);
        unit_ = std::ldexp(1.0, exponent);
        const double scale = std::ldexp(1.0, -exponent);
        const auto in_units = [scale](double value) {
            return static_cast<int32_t>(std::nearbyint(value * scale));
        };
        for (size_t i = 0; i < n_; ++i) {
            linear_[i] = in_units(problem.linear(static_cast<int>(i)));
            std::ranges::transform(problem.row(static_cast<int>(i)), rows_.get() + i * size_,
                                   in_units);
        }
    }

    void set(std::span<const uint8_t> x) override {
        x_.assign(x.begin(), x.end());
        std::copy_n(linear_.get(), n_, changes_.get());
        for (size_t i = 0; i < n_; ++i) {
            const int32_t* const row = rows_.get() + i * size_;
            for (size_t j = 0; x_[i] && j < n_; ++j) changes_[j] += row[j];
        }
        int64_t twice = 0;
        for (size_t i = 0; i < n_; ++i) {
            if (x_[i]) twice += int64_t{linear_[i]} + changes_[i];
            signs_[i] = x_[i] ? -1 : 0;
            changes_[i] = x_[i] ? -changes_[i] : changes_[i];
            until_[i] = 0;
        }
        units_ = twice / 2;
        pending_ = false;
        has_base_ = false;
        show_energy();
    }

    int choose(int64_t iteration, double aspiration, uint32_t random) override {
        if (n_ == 0) return -1;
        rebase(iteration);
        TabuPass pass = pending_pass();
        pass.iteration = static_cast<int32_t>(iteration - base_);
        pass.aspiration = static_cast<int32_t>(
            std::clamp(std::ceil(aspiration / unit_), -double{kNever}, double{kNever}));
        pass.first_group = static_cast<size_t>(uint64_t{random} * (size_ / 64) >> 32);
        pending_ = false;
        return static_cast<int>(tabu_pass(pass, changes_.get(), signs_.get(), until_.get()));
    }

    void flip(int i, int64_t until, uint32_t) override {
        if (pending_) {
            TabuPass pass = pending_pass();
            tabu_pass(pass, changes_.get(), signs_.get(), until_.get());
        }
        const auto k = static_cast<size_t>(i);
        units_ += changes_[k];
        show_energy();
        x_[k] ^= 1;
        changes_[k] = -changes_[k];
        flipped_ = k;
        flipped_sign_ = signs_[k];
        signs_[k] = ~signs_[k];
        if (!has_base_) rebase(until - 1);
        until_[k] = static_cast<int32_t>(std::min(until - base_, kMostIteration));
        pending_ = true;
    }

    double change(int i) const override {
        const auto k = static_cast<size_t>(i);
        int64_t value = changes_[k];
        if (pending_ && k != flipped_) {
            const int32_t coupling = rows_[flipped_ * size_ + k];
            value += signs_[k] == flipped_sign_ ? coupling : -coupling;
        }
        return unit_ * static_cast<double>(value);
    }

    int64_t work() const override { return static_cast<int64_t>(size_) / 4; }

  private:
    TabuPass pending_pass() const {
        TabuPass pass;
        pass.size = size_;
        if (!pending_) return pass;
        pass.row = rows_.get() + flipped_ * size_;
        pass.sign = flipped_sign_;
        return pass;
    }

    void show_energy() { energy_ = problem_.offset() + unit_ * static_cast<double>(units_); }

    // Iterations are counted from a base, so that 32 bits hold them.
    void rebase(int64_t iteration) {
        if (has_base_ && iteration - base_ < kMostIteration / 2) return;
        const int64_t base = iteration - 1, moved = has_base_ ? base - base_ : 0;
        for (size_t i = 0; i < n_; ++i)
            until_[i] = static_cast<int32_t>(std::max<int64_t>(until_[i] - moved, 0));
        base_ = base;
        has_base_ = true;
    }

    const qubo::Dense& problem_;
    size_t n_, size_;
    Values rows_, linear_, changes_, signs_, until_;
    double unit_ = 1;
    int64_t units_ = 0, base_ = 0;
    size_t flipped_ = 0;
    int32_t flipped_sign_ = 0;
    bool pending_ = false, has_base_ = false;
};

}  // namespace

std::unique_ptr<TabuMoves> make_dense_tabu_moves(const qubo::Dense& problem) {
    return std::make_unique<DenseTabuMoves>(problem);
}

}  // namespace adiabat::anneal
