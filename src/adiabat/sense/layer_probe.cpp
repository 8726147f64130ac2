// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/layer_probe.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/recon/compensation.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/ordered_rounding.h"
#include "adiabat/recon/product.h"

namespace adiabat::sense {

namespace {

using recon::Matrix;
using recon::Rows;

// In layers of more inputs, widths above so many bits are rounded plainly: rounding in order takes
// long there, and their effects are next to nothing. Errors are summed in single precision.
constexpr int64_t kManyInputs = 1024;
constexpr int kFewBits = 4;

// One layer, its groups of filters one after another.
class Probing {
  public:
    Probing(const Candidates& candidates, size_t layer, std::span<const double> output_weights,
            int threads, const AroundIncumbent* around)
        : candidates_(candidates),
          around_(around),
          facts_(candidates.layers[layer]),
          widths_(candidates.widths[layer]),
          output_weights_(output_weights),
          threads_(threads),
          filters_(net::filters_of(candidates.graph, facts_)),
          inputs_(facts_.inputs * facts_.taps),
          rows_a_group_(facts_.filters / facts_.groups) {
        probe_.rounding =
            Rows::Zero(std::ssize(widths_) * facts_.filters, static_cast<Eigen::Index>(inputs_));
        probe_.rounding_offset.assign(widths_.size() * static_cast<size_t>(facts_.filters), 0.0f);
        if (!around) return;
        const int bits = candidates.incumbent->bits[layer];
        const auto at = std::find(widths_.begin(), widths_.end(), bits);
        ADIABAT_CHECK(at != widths_.end(), "{}: {} bits are none of its widths", facts_.name, bits);
        width_now_ = static_cast<size_t>(at - widths_.begin());
        probe_.weights = Rows::Zero(facts_.filters, static_cast<Eigen::Index>(inputs_));
    }

    LayerProbe plain() {
        for (int64_t g = 0; g < facts_.groups; ++g) {
            const Matrix weights = weights_of(g);
            const auto plainly = [&](size_t w) {
                return values_of(recon::plain_rounding(weights, widths_[w]));
            };
            Matrix now = weights;
            if (around_) {
                now = plainly(width_now_);
                keep_weights(g, now, weights);
            }
            for (size_t w = 0; w < widths_.size(); ++w) {
                store_rounding(g, w, without_lost_filters(g, plainly(w) - now),
                               recon::Vector::Zero(weights.cols()));
            }
        }
        return std::move(probe_);
    }

    LayerProbe measured(const LayerRows& rows, const net::AxisLabels* labels) {
        find_cuts(labels);
        const auto cuts = std::ssize(probe_.cuts);
        probe_.residual = Rows::Zero(facts_.groups * probe_.rows(), inputs_);
        probe_.residual_offset.assign(static_cast<size_t>(probe_.residual.rows()), 0.0f);
        probe_.coefficients = Rows::Zero(probe_.residual.rows(), rows_a_group_);
        probe_.pairs = Matrix::Zero(cuts, cuts);
        probe_.shares = Matrix::Zero(std::ssize(widths_), cuts);
        errors_ = recon::Vector::Zero(std::ssize(widths_));
        for (int64_t g = 0; g < facts_.groups; ++g) {
            const Matrix weights = weights_of(g);
            const recon::Moments moments =
                around_ ? rows.moments(g, around_->target, all_filters(), threads_)
                        : rows.moments(g, threads_);
            const ToRound what = to_round(moments, weights);
            // The two inverses that take most of the time in large layers, side by side.
            std::optional<recon::Compensation> compensation;
            std::optional<recon::RoundingOrder> order;
            parallel_for(2, threads_, [&](int64_t begin, int64_t end, int) {
                for (int64_t k = begin; k < end; ++k) {
                    if (k == 1) {
                        order.emplace(what.moments);
                    } else if (cuts > 0 && around_) {
                        compensation.emplace(moments, weights, lost_columns());
                    } else if (cuts > 0) {
                        compensation.emplace(moments);
                    }
                }
            });
            if (compensation) cut(g, *compensation, moments, weights);
            around_ ? round_around(g, what, *order, moments.means) : round(g, what, *order);
        }
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
    // s_o, 0 for filters that are cut.
    recon::Vector outputs_of(int64_t group) const {
        recon::Vector outputs = Eigen::Map<const recon::Vector>(
            output_weights_.data() + group * rows_a_group_, rows_a_group_);
        for (int64_t f = 0; around_ && f < rows_a_group_; ++f) {
            if (presence(group, f) != Presence::kThere) outputs[f] = 0;
        }
        return outputs;
    }

    std::vector<int64_t> all_filters() const {
        std::vector<int64_t> filters(static_cast<size_t>(facts_.filters));
        std::iota(filters.begin(), filters.end(), 0);
        return filters;
    }
    Presence presence(int64_t group, int64_t filter) const {
        return around_ ? around_->filters[static_cast<size_t>(group * rows_a_group_ + filter)]
                       : Presence::kThere;
    }
    bool is_lost(net::GroupId group) const {
        return group != net::kStays && candidates_.incumbent->cut[static_cast<size_t>(group)];
    }
    std::vector<int> lost_columns() const {
        std::vector<int> columns;
        for (size_t cut = 0; cut < sets_.size(); ++cut) {
            if (is_lost(probe_.cuts[cut]))
                columns.insert(columns.end(), sets_[cut].begin(), sets_[cut].end());
        }
        return columns;
    }
    // The layer's weights: rounded ones, and what filters that are cut give meanwhile.
    void keep_weights(int64_t group, const Matrix& rounded, const Matrix& fitted) {
        for (Eigen::Index f = 0; f < rounded.rows(); ++f) {
            if (presence(group, f) == Presence::kGone) continue;
            const bool is_there = presence(group, f) == Presence::kThere;
            probe_.weights.row(group * rows_a_group_ + f) =
                (is_there ? rounded : fitted).row(f).cast<float>();
        }
    }
    Matrix without_lost_filters(int64_t group, Matrix change) const {
        for (Eigen::Index f = 0; around_ && f < change.rows(); ++f) {
            if (presence(group, f) != Presence::kThere) change.row(f).setZero();
        }
        return change;
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

    // K, V and the errors of one and of two groups.
    void cut(int64_t group, const recon::Compensation& compensation, const recon::Moments& moments,
             const Matrix& weights) {
        const Matrix& v = around_ ? compensation.coefficients() : weights;
        const Matrix q = recon::weighted_square(v, outputs_of(group));
        for (int64_t row = 0; row < probe_.rows(); ++row) {
            const auto column = v.col(probe_.column_of_row[static_cast<size_t>(row)]);
            for (int64_t f = 0; f < rows_a_group_; ++f) {
                if (presence(group, f) == Presence::kGone) continue;
                probe_.coefficients(group * probe_.rows() + row, f) = static_cast<float>(column[f]);
            }
        }
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
                for (int64_t other = u + 1; other < cuts; ++other) {
                    std::vector<int> both = sets_[static_cast<size_t>(u)];
                    const auto& more = sets_[static_cast<size_t>(other)];
                    both.insert(both.end(), more.begin(), more.end());
                    const double error = compensation.error(both, q);
                    probe_.pairs(u, other) += error;
                    probe_.pairs(other, u) += error;
                }
            }
        });
    }

    // Weights to round under the moments of what they read; `given` is the layer as it was. Around
    // an incumbent `kept` are the columns that it has, and the weights are fitted to them.
    struct ToRound {
        recon::Moments moments;
        Matrix weights, given;
        std::vector<Eigen::Index> kept;
    };
    ToRound to_round(const recon::Moments& moments, const Matrix& weights) const {
        if (!around_) {
            ToRound what{moments, weights, weights, {}};
            what.moments.targets = recon::product(weights, moments.inputs, threads_);
            return what;
        }
        std::vector<uint8_t> column_is_lost(static_cast<size_t>(inputs_));
        for (int column : lost_columns()) column_is_lost[static_cast<size_t>(column)] = 1;
        ToRound what;
        for (Eigen::Index k = 0; k < inputs_; ++k) {
            if (!column_is_lost[static_cast<size_t>(k)]) what.kept.push_back(k);
        }
        what.moments = {moments.rows, moments.inputs(what.kept, what.kept),
                        moments.targets(Eigen::all, what.kept), moments.variances,
                        moments.means(what.kept)};
        what.given = weights(Eigen::all, what.kept);
        what.weights = recon::reconstructed(what.moments, what.given);
        return what;
    }
    Matrix rounded(const ToRound& what, const recon::RoundingOrder& order, size_t width) const {
        const int bits = widths_[width];
        if (inputs_ > kManyInputs && bits > kFewBits)
            return values_of(recon::plain_rounding(what.weights, bits));
        const std::vector<float> least(static_cast<size_t>(rows_a_group_), 0.0f);
        return values_of(recon::ordered_rounding(
            {what.moments, what.weights, what.given, bits, least, threads_, &order}));
    }

    void round(int64_t group, const ToRound& what, const recon::RoundingOrder& order) {
        const recon::Vector outputs = outputs_of(group);
        const bool is_large = inputs_ > kManyInputs;
        Eigen::MatrixXf moments;
        if (is_large) moments = what.moments.inputs.cast<float>();
        for (size_t w = 0; w < widths_.size(); ++w) {
            const Matrix change = rounded(what, order, w) - what.weights;
            // The error of columns S: that of (W_b - W)_S x_S, as if the others were exact.
            const Matrix product =
                is_large ? Matrix(recon::product(Eigen::MatrixXf(change.cast<float>()), moments,
                                                 threads_)
                                      .cast<double>())
                         : recon::product(change, what.moments.inputs, threads_);
            const auto width = static_cast<Eigen::Index>(w);
            for (Eigen::Index f = 0; f < change.rows(); ++f) {
                errors_[width] += outputs[f] * product.row(f).dot(change.row(f));
                for (size_t row = 0; row < probe_.column_of_row.size(); ++row) {
                    const Eigen::Index k = probe_.column_of_row[row];
                    probe_.shares(width, probe_.cut_of_row[row]) +=
                        outputs[f] * product(f, k) * change(f, k);
                }
            }
            store_rounding(group, w, change, what.moments.means);
        }
    }

    // Each width, less the incumbent's.
    void round_around(int64_t group, const ToRound& what, const recon::RoundingOrder& order,
                      const recon::Vector& means) {
        const auto whole = [&](const Matrix& some) {
            Matrix result = Matrix::Zero(some.rows(), static_cast<Eigen::Index>(inputs_));
            result(Eigen::all, what.kept) = some;
            return result;
        };
        const Matrix now = rounded(what, order, width_now_);
        keep_weights(group, whole(now), whole(what.weights));
        for (size_t w = 0; w < widths_.size(); ++w) {
            if (w == width_now_) continue;
            const Matrix change = whole(rounded(what, order, w) - now);
            store_rounding(group, w, without_lost_filters(group, change), means);
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

    const Candidates& candidates_;
    const AroundIncumbent* around_;
    const net::Layer& facts_;
    const std::vector<int>& widths_;
    std::span<const double> output_weights_;
    int threads_;
    std::vector<float> filters_;
    int64_t inputs_, rows_a_group_;
    std::vector<std::vector<int>> sets_;  // columns of each cut
    recon::Vector errors_;                // of each width
    size_t width_now_ = 0;                // of the incumbent
    LayerProbe probe_;
};

}  // namespace

std::vector<Presence> presence_of_filters(const Candidates& candidates, size_t layer,
                                          std::span<const uint8_t> is_direct) {
    const net::Layer& facts = candidates.layers[layer];
    std::vector<Presence> presence(static_cast<size_t>(facts.filters), Presence::kThere);
    const auto* const labels = candidates.coupling.labels_of(facts.weight, facts.filter_axis);
    for (size_t f = 0; labels && f < presence.size(); ++f) {
        const net::GroupId group = labels->groups[f];
        if (group == net::kStays || !candidates.incumbent->cut[static_cast<size_t>(group)])
            continue;
        const int family = candidates.coupling.groups[static_cast<size_t>(group)].family;
        presence[f] = is_direct[static_cast<size_t>(family)] ? Presence::kGone : Presence::kCut;
    }
    return presence;
}

LayerProbe probe_layer(const Candidates& candidates, size_t layer,
                       const std::optional<LayerRows>& rows, std::span<const double> output_weights,
                       int threads, const AroundIncumbent* around) {
    ADIABAT_CHECK((around != nullptr) == candidates.incumbent.has_value(), "no incumbent");
    Probing probing(candidates, layer, output_weights, threads, around);
    if (!rows) return probing.plain();
    const net::Layer& facts = candidates.layers[layer];
    return probing.measured(*rows,
                            candidates.coupling.labels_of(facts.weight, 1 - facts.filter_axis));
}

}  // namespace adiabat::sense
