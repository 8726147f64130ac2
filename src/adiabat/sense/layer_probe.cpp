// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/layer_probe.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/recon/compensation.h"
#include "adiabat/recon/ordered_rounding.h"

namespace adiabat::sense {

namespace {

using recon::Matrix;
using recon::Rows;

// In layers of so many inputs, widths above so many bits are rounded plainly: rounding in order
// takes long there, and their effects are next to nothing.
constexpr int64_t kManyInputs = 2048;
constexpr int kFewBits = 4;

// Scales times codes, [F, inputs].
Matrix values_of(const recon::RoundedFilters& rounded, Eigen::Index inputs) {
    Matrix values(std::ssize(rounded.scales), inputs);
    for (Eigen::Index f = 0; f < values.rows(); ++f) {
        const auto scale = static_cast<double>(rounded.scales[static_cast<size_t>(f)]);
        for (Eigen::Index k = 0; k < inputs; ++k)
            values(f, k) = scale * rounded.codes[static_cast<size_t>(f * inputs + k)];
    }
    return values;
}

// One layer, its groups of filters one after another.
class Probing {
  public:
    Probing(const Candidates& candidates, size_t layer, std::span<const double> output_weights,
            int threads)
        : facts_(candidates.layers[layer]),
          widths_(candidates.widths[layer]),
          output_weights_(output_weights),
          threads_(threads),
          filters_(net::filters_of(candidates.graph, facts_)),
          inputs_(facts_.inputs * facts_.taps),
          rows_a_group_(facts_.filters / facts_.groups) {
        probe_.rounding =
            Rows::Zero(std::ssize(widths_) * facts_.filters, static_cast<Eigen::Index>(inputs_));
        probe_.rounding_offset.assign(widths_.size() * static_cast<size_t>(facts_.filters), 0.0f);
    }

    LayerProbe plain() {
        for (int64_t g = 0; g < facts_.groups; ++g) {
            const Matrix weights = weights_of(g);
            for (size_t w = 0; w < widths_.size(); ++w) {
                const Matrix rounded =
                    values_of(recon::plain_rounding(weights, widths_[w]), weights.cols());
                store_rounding(g, w, rounded - weights, recon::Vector::Zero(weights.cols()));
            }
        }
        return std::move(probe_);
    }

    LayerProbe measured(const LayerRows& rows, const net::AxisLabels* labels) {
        find_cuts(labels);
        const auto cuts = std::ssize(probe_.cuts);
        probe_.residual = Rows::Zero(facts_.groups * probe_.rows(), inputs_);
        probe_.residual_offset.assign(static_cast<size_t>(probe_.residual.rows()), 0.0f);
        probe_.pairs = Matrix::Zero(cuts, cuts);
        probe_.shares = Matrix::Zero(std::ssize(widths_), cuts);
        errors_ = recon::Vector::Zero(std::ssize(widths_));
        for (int64_t g = 0; g < facts_.groups; ++g) {
            const recon::Moments moments = rows.moments(g, threads_);
            const Matrix weights = weights_of(g);
            if (cuts > 0) cut(g, moments, weights);
            round(g, moments, weights);
        }
        probe_.single = probe_.pairs.diagonal();
        for (Eigen::Index w = 0; w < errors_.size(); ++w) {
            if (errors_[w] > 0) probe_.shares.row(w) /= errors_[w];
        }
        return std::move(probe_);
    }

  private:
    Matrix weights_of(int64_t group) const {
        return Eigen::Map<const Rows>(filters_.data() + group * rows_a_group_ * inputs_,
                                      rows_a_group_, inputs_)
            .cast<double>();
    }
    recon::Vector outputs_of(int64_t group) const {
        return Eigen::Map<const recon::Vector>(output_weights_.data() + group * rows_a_group_,
                                               rows_a_group_);
    }

    void find_cuts(const net::AxisLabels* labels) {
        if (!labels) return;
        for (net::GroupId group : labels->groups) {
            if (group != net::kStays) probe_.cuts.push_back(group);
        }
        std::sort(probe_.cuts.begin(), probe_.cuts.end());
        probe_.cuts.erase(std::unique(probe_.cuts.begin(), probe_.cuts.end()), probe_.cuts.end());
        sets_.resize(probe_.cuts.size());
        for (size_t i = 0; i < labels->groups.size(); ++i) {
            if (labels->groups[i] == net::kStays) continue;
            const auto place =
                std::lower_bound(probe_.cuts.begin(), probe_.cuts.end(), labels->groups[i]);
            const auto cut = static_cast<size_t>(place - probe_.cuts.begin());
            for (int64_t tap = 0; tap < facts_.taps; ++tap) {
                sets_[cut].push_back(static_cast<int>(static_cast<int64_t>(i) * facts_.taps + tap));
            }
        }
        for (size_t cut = 0; cut < sets_.size(); ++cut) {
            for (int column : sets_[cut]) {
                probe_.cut_of_row.push_back(static_cast<int>(cut));
                probe_.column_of_row.push_back(column);
            }
        }
    }

    // K and the errors of one and of two groups.
    void cut(int64_t group, const recon::Moments& moments, const Matrix& weights) {
        const recon::Compensation compensation(moments);
        const Matrix q = recon::weighted_square(weights, outputs_of(group));
        Eigen::Index row = group * probe_.rows();
        std::vector<Eigen::Index> first;
        for (const auto& set : sets_) {
            first.push_back(row);
            row += std::ssize(set);
        }
        const auto cuts = std::ssize(sets_);
        std::vector<double> alone(sets_.size());
        parallel_for(cuts, threads_, [&](int64_t begin, int64_t end, int) {
            for (auto u = static_cast<size_t>(begin); u < static_cast<size_t>(end); ++u) {
                const Matrix k = compensation.residual_rows(sets_[u]);
                const recon::Vector offset = k * moments.means;
                probe_.residual.middleRows(first[u], k.rows()) = k.cast<float>();
                for (Eigen::Index s = 0; s < k.rows(); ++s) {
                    probe_.residual_offset[static_cast<size_t>(first[u] + s)] =
                        static_cast<float>(offset[s]);
                }
                alone[u] = compensation.error(sets_[u], q);
            }
        });
        // Rows of the triangle, the long ones shared out with the short ones.
        parallel_for(cuts, threads_, [&](int64_t begin, int64_t end, int) {
            for (int64_t k = begin; k < end; ++k) {
                const int64_t u = k % 2 == 0 ? k / 2 : cuts - 1 - k / 2;
                probe_.pairs(u, u) += alone[static_cast<size_t>(u)];
                for (int64_t v = u + 1; v < cuts; ++v) {
                    std::vector<int> both = sets_[static_cast<size_t>(u)];
                    const auto& other = sets_[static_cast<size_t>(v)];
                    both.insert(both.end(), other.begin(), other.end());
                    const double error = compensation.error(both, q);
                    probe_.pairs(u, v) += error;
                    probe_.pairs(v, u) += error;
                }
            }
        });
    }

    void round(int64_t group, recon::Moments moments, const Matrix& weights) {
        moments.targets = weights * moments.inputs;
        const std::vector<float> least(static_cast<size_t>(rows_a_group_), 0.0f);
        const recon::RoundingOrder order(moments);
        const recon::Vector outputs = outputs_of(group);
        for (size_t w = 0; w < widths_.size(); ++w) {
            const bool is_plain = inputs_ > kManyInputs && widths_[w] > kFewBits;
            const recon::RoundedFilters rounded =
                is_plain ? recon::plain_rounding(weights, widths_[w])
                         : recon::ordered_rounding(
                               {moments, weights, weights, widths_[w], least, threads_, &order});
            const Matrix change = values_of(rounded, weights.cols()) - weights;
            // The error of columns S: that of (W_b - W)_S x_S, as if the others were exact.
            const Matrix product = change * moments.inputs;
            const auto width = static_cast<Eigen::Index>(w);
            for (Eigen::Index f = 0; f < change.rows(); ++f) {
                errors_[width] += outputs[f] * product.row(f).dot(change.row(f));
                for (size_t row = 0; row < probe_.column_of_row.size(); ++row) {
                    const Eigen::Index k = probe_.column_of_row[row];
                    probe_.shares(width, probe_.cut_of_row[row]) +=
                        outputs[f] * product(f, k) * change(f, k);
                }
            }
            store_rounding(group, w, change, moments.means);
        }
    }

    void store_rounding(int64_t group, size_t width, const Matrix& change,
                        const recon::Vector& means) {
        // Group by group as a grouped convolution has its filters: all widths of a group together.
        const Eigen::Index first =
            (group * std::ssize(widths_) + static_cast<Eigen::Index>(width)) *
            static_cast<Eigen::Index>(rows_a_group_);
        probe_.rounding.middleRows(first, change.rows()) = change.cast<float>();
        const recon::Vector offset = change * means;
        for (Eigen::Index f = 0; f < change.rows(); ++f) {
            probe_.rounding_offset[static_cast<size_t>(first + f)] = static_cast<float>(offset[f]);
        }
    }

    const net::Layer& facts_;
    const std::vector<int>& widths_;
    std::span<const double> output_weights_;
    int threads_;
    std::vector<float> filters_;
    int64_t inputs_, rows_a_group_;
    std::vector<std::vector<int>> sets_;  // columns of each cut
    recon::Vector errors_;                // of each width
    LayerProbe probe_;
};

}  // namespace

LayerProbe probe_layer(const Candidates& candidates, size_t layer,
                       const std::optional<LayerRows>& rows, std::span<const double> output_weights,
                       int threads) {
    Probing probing(candidates, layer, output_weights, threads);
    if (!rows) return probing.plain();
    const net::Layer& facts = candidates.layers[layer];
    return probing.measured(*rows,
                            candidates.coupling.labels_of(facts.weight, 1 - facts.filter_axis));
}

}  // namespace adiabat::sense
