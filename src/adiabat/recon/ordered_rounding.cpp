// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/ordered_rounding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/rounding.h"

namespace adiabat::recon {

namespace {

// Of the scale of least error in the weights; fewer where each costs much.
constexpr double kScales[] = {0.6, 0.7, 0.775, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1};
constexpr double kFewScales[] = {0.85, 1.0};
constexpr Eigen::Index kMuch = 1 << 29;  // F D^2

class Rounding {
  public:
    explicit Rounding(const RoundingTask& task)
        : task_(task),
          filters_(task.weights.rows()),
          inputs_(task.weights.cols()),
          lowest_(lowest_code(task.bits)),
          highest_(highest_code(task.bits)),
          best_(task.moments, task.least_scales) {}

    RoundedFilters run() {
        const Vector plain = base_scales(task_.given);
        best_.offer(nearest(task_.given, plain), plain);
        order();
        const Vector base = base_scales(task_.weights);
        const std::span<const double> shares =
            filters_ * inputs_ * inputs_ < kMuch ? std::span<const double>(kScales) : kFewScales;
        std::vector<Matrix> codes(shares.size());
        const auto scales = [&](size_t k) { return at_least(base * shares[k]); };
        parallel_for(static_cast<int64_t>(shares.size()), task_.threads,
                     [&](int64_t begin, int64_t end, int) {
                         for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end);
                              ++k)
                             codes[k] = in_order(scales(k));
                     });
        for (size_t k = 0; k < codes.size(); ++k) best_.offer(codes[k], scales(k));
        return best_.best();
    }

    Matrix codes(const Vector& scales) {
        order();
        return in_order(scales);
    }

  private:
    Vector base_scales(const Matrix& weights) const {
        Vector scales(filters_);
        std::vector<float> filter(static_cast<size_t>(inputs_));
        for (Eigen::Index f = 0; f < filters_; ++f) {
            for (Eigen::Index k = 0; k < inputs_; ++k)
                filter[static_cast<size_t>(k)] = static_cast<float>(weights(f, k));
            scales[f] = static_cast<double>(best_scale(filter, task_.bits));
        }
        return at_least(scales);
    }
    Vector at_least(Vector scales) const {
        for (Eigen::Index f = 0; f < filters_; ++f)
            scales[f] = std::max(scales[f],
                                 static_cast<double>(task_.least_scales[static_cast<size_t>(f)]));
        return scales;
    }
    double code(double value) const { return std::clamp(std::nearbyint(value), lowest_, highest_); }
    Matrix nearest(const Matrix& weights, const Vector& scales) const {
        Matrix codes(filters_, inputs_);
        for (Eigen::Index k = 0; k < inputs_; ++k) {
            for (Eigen::Index f = 0; f < filters_; ++f)
                codes(f, k) = code(weights(f, k) / scales[f]);
        }
        return codes;
    }

    void order() {
        if (task_.order) {
            order_ = task_.order;
        } else {
            own_order_.emplace(task_.moments);
            order_ = &*own_order_;
        }
    }
    Eigen::Index at(Eigen::Index k) const { return order_->columns[static_cast<size_t>(k)]; }

    Matrix in_order(const Vector& scales) const {
        // Blocks of columns, so that most of the work is products of matrices.
        constexpr Eigen::Index kBlock = 32;
        const Matrix& upper = order_->upper;
        Matrix w(filters_, inputs_), codes(filters_, inputs_);
        for (Eigen::Index k = 0; k < inputs_; ++k) w.col(k) = task_.weights.col(at(k));
        Matrix errors(filters_, kBlock);
        for (Eigen::Index begin = 0; begin < inputs_; begin += kBlock) {
            const Eigen::Index end = std::min(begin + kBlock, inputs_);
            for (Eigen::Index k = begin; k < end; ++k) {
                for (Eigen::Index f = 0; f < filters_; ++f) {
                    const double c = code(w(f, k) / scales[f]);
                    codes(f, at(k)) = c;
                    errors(f, k - begin) = (w(f, k) - scales[f] * c) / upper(k, k);
                }
                const Eigen::Index rest = end - k - 1;
                if (rest > 0)
                    w.middleCols(k + 1, rest).noalias() -=
                        errors.col(k - begin) * upper.row(k).segment(k + 1, rest);
            }
            const Eigen::Index behind = inputs_ - end;
            if (behind > 0)
                w.rightCols(behind).noalias() -=
                    errors.leftCols(end - begin) * upper.block(begin, end, end - begin, behind);
        }
        return codes;
    }

    const RoundingTask& task_;
    Eigen::Index filters_, inputs_;
    double lowest_, highest_;
    BestCodes best_;
    const RoundingOrder* order_ = nullptr;
    std::optional<RoundingOrder> own_order_;
};

}  // namespace

RoundingOrder::RoundingOrder(const Moments& moments) {
    const Matrix& h = moments.inputs;
    const Eigen::Index inputs = h.rows();
    columns.resize(static_cast<size_t>(inputs));
    std::iota(columns.begin(), columns.end(), Eigen::Index{0});
    std::ranges::stable_sort(columns, std::greater<>(), [&](Eigen::Index k) { return h(k, k); });
    const auto at = [&](Eigen::Index k) { return columns[static_cast<size_t>(k)]; };
    Matrix ordered(inputs, inputs);
    for (Eigen::Index j = 0; j < inputs; ++j) {
        for (Eigen::Index i = 0; i < inputs; ++i) ordered(i, j) = h(at(i), at(j));
    }
    const double damping = damping_of(moments);
    // From behind: H = R R' with R upper triangular, so U is the inverse of R.
    const Eigen::LLT<Matrix> factor = damped_factor(ordered.reverse(), damping > 0 ? damping : 1.0);
    const Matrix lower = factor.matrixL();
    const Matrix root = lower.reverse();
    upper = root.triangularView<Eigen::Upper>().solve(Matrix::Identity(inputs, inputs));
}

RoundedFilters plain_rounding(const Matrix& weights, int bits,
                              std::span<const float> least_scales) {
    const auto inputs = static_cast<size_t>(weights.cols());
    RoundedFilters rounded;
    rounded.codes.resize(static_cast<size_t>(weights.size()));
    std::vector<float> filter(inputs);
    for (size_t f = 0; f < static_cast<size_t>(weights.rows()); ++f) {
        for (size_t k = 0; k < inputs; ++k) {
            filter[k] = static_cast<float>(
                weights(static_cast<Eigen::Index>(f), static_cast<Eigen::Index>(k)));
        }
        float scale = best_scale(filter, bits);
        if (!least_scales.empty()) scale = std::max(scale, least_scales[f]);
        rounded.scales.push_back(scale);
        round_to_codes(filter, scale, bits, std::span(rounded.codes).subspan(f * inputs, inputs));
    }
    return rounded;
}

RoundedFilters ordered_rounding(const RoundingTask& task) {
    ADIABAT_CHECK(task.bits >= kMinBits && task.bits <= kMaxBits, "{} bits", task.bits);
    return Rounding(task).run();
}

Matrix ordered_codes(const RoundingTask& task, const Vector& scales) {
    return Rounding(task).codes(scales);
}

}  // namespace adiabat::recon
