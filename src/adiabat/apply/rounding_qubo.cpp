// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/rounding_qubo.h"

#include <algorithm>

#include "adiabat/anneal/batch.h"
#include "adiabat/base/errors.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/product.h"
#include "adiabat/recon/rounding.h"

namespace adiabat::apply {

namespace {

using recon::Matrix;
using recon::Vector;

constexpr uint64_t kSeed = 0x526F756E64;
// Of the mean of H'_jj.
constexpr double kHot = 0.2, kCold = 0.01;

class QuboRounding {
  public:
    QuboRounding(const recon::RoundingTask& task, const recon::RoundedFilters& start,
                 const QuboRoundingOptions& options, StopToken stop)
        : task_(task),
          options_(options),
          stop_(std::move(stop)),
          filters_(task.weights.rows()),
          inputs_(task.weights.cols()),
          lowest_(recon::lowest_code(task.bits)),
          highest_(recon::highest_code(task.bits)),
          codes_(recon::codes_of(start)),
          scales_(Eigen::Map<const Eigen::VectorXf>(start.scales.data(), filters_).cast<double>()),
          best_(task.moments, task.least_scales) {
        best_.offer(codes_, scales_);
    }

    recon::RoundedFilters run() {
        const double damping = recon::damping_of(task_.moments);
        if (!(damping > 0)) return best_.best();
        moments_ = task_.moments.inputs;
        moments_.diagonal().array() += damping;
        pull_ = recon::product(task_.weights, moments_, task_.threads);
        for (int round = 0; round < options_.rounds; ++round) {
            for (Eigen::Index begin = 0; begin < inputs_; begin += options_.block)
                anneal(begin, std::min<Eigen::Index>(options_.block, inputs_ - begin), round);
            rescale();
            best_.offer(codes_, scales_);
        }
        return best_.best();
    }

  private:
    // The lower of the two codes of each weight of the block, [F, count].
    Matrix bases(Eigen::Index begin, const Matrix& fields) const {
        Matrix base(filters_, fields.cols());
        for (Eigen::Index k = 0; k < fields.cols(); ++k) {
            for (Eigen::Index f = 0; f < filters_; ++f) {
                const double code = codes_(f, begin + k);
                const bool up = fields(f, k) < 0;
                base(f, k) = std::clamp(up ? code : code - 1, lowest_, highest_ - 1);
            }
        }
        return base;
    }

    void anneal(Eigen::Index begin, Eigen::Index count, int round) {
        const auto here = moments_.middleCols(begin, count);
        // Half of what the error over s^2 grows by with the code, to first order.
        Matrix fields = codes_ * here;
        fields -= scales_.cwiseInverse().asDiagonal() * pull_.middleCols(begin, count);
        const Matrix base = bases(begin, fields);
        fields += (base - codes_.middleCols(begin, count)) * here.middleRows(begin, count);

        anneal::BatchOptions options;
        std::vector<std::vector<double>> linear(static_cast<size_t>(filters_));
        for (Eigen::Index f = 0; f < filters_; ++f) {
            auto& terms = linear[static_cast<size_t>(f)];
            auto& x = options.initial.emplace_back();
            for (Eigen::Index k = 0; k < count; ++k) {
                terms.push_back(here(begin + k, k) + 2 * fields(f, k));
                x.push_back(codes_(f, begin + k) > base(f, k) ? 1 : 0);
            }
        }
        options.sweeps = options_.sweeps;
        options.reads = options_.reads;
        options.seed = kSeed + static_cast<uint64_t>(round);
        options.threads = task_.threads;
        const double unit = here.middleRows(begin, count).trace() / static_cast<double>(count);
        options.betas = {1 / (kHot * unit), 1 / (kCold * unit)};
        const auto result = anneal::anneal_batch(couplings(begin, count), linear, options, stop_);
        if (stop_.requested()) throw Interrupted();
        for (Eigen::Index f = 0; f < filters_; ++f) {
            const auto& x = result.best[static_cast<size_t>(f)].x;
            for (Eigen::Index k = 0; k < count; ++k)
                codes_(f, begin + k) = base(f, k) + x[static_cast<size_t>(k)];
        }
    }

    const qubo::Dense& couplings(Eigen::Index begin, Eigen::Index count) {
        if (begin == made_at_ && couplings_.variables() == count) return couplings_;
        couplings_ = qubo::Dense(static_cast<int>(count));
        made_at_ = begin;
        for (Eigen::Index i = 0; i + 1 < count; ++i) {
            std::vector<double> row(static_cast<size_t>(count - i - 1));
            for (size_t k = 0; k < row.size(); ++k)
                row[k] = 2 * moments_(begin + i + 1 + static_cast<Eigen::Index>(k), begin + i);
            couplings_.add_upper_rows(static_cast<int>(i), std::span(&row, 1));
        }
        return couplings_;
    }

    // The least-squares scale of the damped error.
    void rescale() {
        const Matrix product = recon::product(codes_, moments_, task_.threads);
        for (Eigen::Index f = 0; f < filters_; ++f) {
            const double square = product.row(f).dot(codes_.row(f));
            const double dot = pull_.row(f).dot(codes_.row(f));
            if (square > 0 && dot > 0)
                scales_[f] = std::max(
                    dot / square, static_cast<double>(task_.least_scales[static_cast<size_t>(f)]));
        }
    }

    const recon::RoundingTask& task_;
    const QuboRoundingOptions& options_;
    StopToken stop_;
    Eigen::Index filters_, inputs_;
    double lowest_, highest_;
    Matrix codes_;   // [F, D]
    Vector scales_;  // [F]
    Matrix moments_, pull_;
    qubo::Dense couplings_;
    Eigen::Index made_at_ = -1;
    recon::BestCodes best_;
};

}  // namespace

recon::RoundedFilters qubo_rounding(const recon::RoundingTask& task,
                                    const recon::RoundedFilters& start,
                                    const QuboRoundingOptions& options, StopToken stop) {
    ADIABAT_CHECK(start.codes.size() == static_cast<size_t>(task.weights.size()) &&
                      start.scales.size() == static_cast<size_t>(task.weights.rows()),
                  "a start of {} codes for {} weights", start.codes.size(), task.weights.size());
    return QuboRounding(task, start, options, std::move(stop)).run();
}

}  // namespace adiabat::apply
