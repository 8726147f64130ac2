// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/integer_program.h"

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/watch.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/module.h"
#include "adiabat/plan/layer_costs.h"
#include "adiabat/plan/program/plugin.h"

namespace adiabat::plan {

namespace {

// Rows of budgets have this on their right side: Cbc keeps them up to 1e-7 or so.
constexpr double kScale = 1000;
constexpr int kMostTightenings = 4;

void run_cbc(const LinearProgram& program, ProgramResult& result) {
    static const auto known = reinterpret_cast<ProgramEntry>(module_function(
        {"libadiabat_program.so", "ADIABAT_PROGRAM_PLUGIN", "the integer program"}, kProgramEntry));
    known(program, result);
}

class Builder {
  public:
    Builder(const Network& network, const Hamiltonian& hamiltonian, const LayerCosts& costs,
            std::vector<double> room, size_t most_cells)
        : network_(network),
          hamiltonian_(hamiltonian),
          costs_(costs),
          room_(std::move(room)),
          most_cells_(most_cells) {
        for (double linear : linears()) unit_ = std::max(unit_, std::abs(linear));
        if (unit_ == 0) unit_ = 1;
        add_families();
        for (size_t t = 0; t < costs.totals().size(); ++t) add_total(t);
        add_widths();
        budget_rows_.resize(room_.size());
        for (size_t l = 0; l < network.layers.size(); ++l) add_layer(l);
        for (size_t k = 0; k < room_.size(); ++k) {
            budget_rows_[k].right = kScale * room_[k];
            program_.rows.push_back(budget_rows_[k]);
        }
    }

    LinearProgram& program() { return program_; }
    double unit() const { return unit_; }

    Plan plan(const std::vector<double>& x) const {
        Plan plan = uniform_plan(network_, kMaxBits);
        for (size_t f = 0; f < network_.families(); ++f) {
            for (size_t level = 0; level < costs_.levels(f).size(); ++level) {
                if (x[at(counts_[f], level)] < 0.5) continue;
                for (int64_t i = 0; i < costs_.levels(f)[level].last; ++i) {
                    plan.cut[f][order_[f][static_cast<size_t>(i)]] = 1;
                }
            }
        }
        for (size_t l = 0; l < widths_.size(); ++l) {
            for (size_t w = 0; w < network_.widths(l).size(); ++w) {
                if (x[at(widths_[l], w)] > 0.5) plan.bits[l] = network_.widths(l)[w];
            }
        }
        return plan;
    }

  private:
    static size_t at(int first, size_t k) { return static_cast<size_t>(first) + k; }
    std::vector<double> linears() const {
        std::vector<double> all;
        for (int i = 0; i < hamiltonian_.encoding.variables; ++i) {
            all.push_back(hamiltonian_.problem.linear(i));
        }
        return all;
    }
    int add_column(double cost, bool is_whole, double upper = 1) {
        program_.columns.push_back({cost, 0, upper, is_whole});
        return static_cast<int>(program_.columns.size()) - 1;
    }
    void add_one_hot(int first, size_t count) {
        LinearProgram::Row row{{}, {}, 'E', 1};
        for (size_t k = 0; k < count; ++k) {
            row.columns.push_back(first + static_cast<int>(k));
            row.coefficients.push_back(1);
        }
        program_.rows.push_back(std::move(row));
    }

    void add_families() {
        for (size_t f = 0; f < network_.families(); ++f) {
            std::vector<size_t> order(static_cast<size_t>(network_.groups(f)));
            for (size_t i = 0; i < order.size(); ++i) order[i] = i;
            const auto linear = [&](size_t i) {
                return hamiltonian_.problem.linear(hamiltonian_.encoding.cut_variable(f, i));
            };
            std::stable_sort(order.begin(), order.end(),
                             [&](size_t a, size_t b) { return linear(a) < linear(b); });
            counts_.push_back(static_cast<int>(program_.columns.size()));
            double sum = 0;
            int64_t cut = 0;
            for (const auto& level : costs_.levels(f)) {
                for (; cut < level.last; ++cut) sum += linear(order[static_cast<size_t>(cut)]);
                add_column(sum / unit_, true);
            }
            add_one_hot(counts_[f], costs_.levels(f).size());
            order_.push_back(std::move(order));
        }
    }
    // One-hot too, and equal to what its parts add up to.
    void add_total(size_t t) {
        const size_t counter = network_.families() + t;
        counts_.push_back(static_cast<int>(program_.columns.size()));
        for (size_t k = 0; k < costs_.size(counter); ++k) add_column(0, true);
        add_one_hot(counts_[counter], costs_.size(counter));
        LinearProgram::Row row{{}, {}, 'E', 0};
        const auto add = [&](size_t by, double weight) {
            for (size_t k = 0; k < costs_.size(by); ++k) {
                row.columns.push_back(counts_[by] + static_cast<int>(k));
                row.coefficients.push_back(weight * static_cast<double>(costs_.value(by, k)));
            }
        };
        for (const auto& part : costs_.totals()[t].parts) {
            add(part.by, static_cast<double>(part.weight));
        }
        add(counter, -1);
        program_.rows.push_back(std::move(row));
    }
    void add_widths() {
        for (size_t l = 0; l < network_.layers.size(); ++l) {
            const Encoding::LayerBits& bits = hamiltonian_.encoding.layers[l];
            widths_.push_back(static_cast<int>(program_.columns.size()));
            for (int width : network_.widths(l)) {
                const uint32_t pattern = hamiltonian_.encoding.word(l, width).pattern;
                double sum = 0;
                for (int b = 0; b < bits.count; ++b) {
                    if (pattern >> b & 1) sum += hamiltonian_.problem.linear(bits.first + b);
                }
                add_column(sum / unit_, true);
            }
            add_one_hot(widths_[l], network_.widths(l).size());
        }
    }

    size_t width_choices(size_t l) const {
        return costs_.bits_count(l) ? network_.widths(l).size() : 1;
    }
    void add_layer(size_t l) {
        if (costs_.cells(l) * width_choices(l) <= most_cells_ || costs_.scope(l).size() != 2) {
            add_products(l);
        } else {
            for (size_t k = 0; k < room_.size(); ++k) add_large(l, k);
        }
    }
    // A variable for every cell and width, which add up to the counts and widths.
    void add_products(size_t l) {
        const size_t choices = width_choices(l);
        const auto& scope = costs_.scope(l);
        std::vector<std::vector<LinearProgram::Row>> sums;
        for (size_t counter : scope) {
            sums.emplace_back(costs_.size(counter), LinearProgram::Row{{}, {}, 'E', 0});
        }
        sums.emplace_back(choices, LinearProgram::Row{{}, {}, 'E', choices > 1 ? 0.0 : 1.0});
        const auto add = [](LinearProgram::Row& row, int column, double coefficient) {
            row.columns.push_back(column);
            row.coefficients.push_back(coefficient);
        };
        for (size_t cell = 0; cell < costs_.cells(l); ++cell) {
            for (size_t w = 0; w < choices; ++w) {
                const int column = add_column(0, false);
                for (size_t p = 0; p < scope.size(); ++p) {
                    const size_t level = cell / costs_.stride(l, p) % sums[p].size();
                    add(sums[p][level], column, 1);
                }
                add(sums.back()[w], column, 1);
                const auto costs = costs_.of(l, cell, w);
                for (size_t k = 0; k < costs.size(); ++k) {
                    add(budget_rows_[k], column, kScale * costs[k]);
                }
            }
        }
        for (size_t p = 0; p < sums.size(); ++p) {
            const bool is_width = p == scope.size();
            for (size_t v = 0; v < sums[p].size(); ++v) {
                if (!is_width) add(sums[p][v], counts_[scope[p]] + static_cast<int>(v), -1);
                if (is_width && choices > 1) add(sums[p][v], widths_[l] + static_cast<int>(v), -1);
                program_.rows.push_back(std::move(sums[p][v]));
            }
        }
    }
    void add_large(size_t l, size_t k) {
        const size_t first = costs_.scope(l)[0], second = costs_.scope(l)[1];
        const int cost = add_column(0, false, 1e9);
        budget_rows_[k].columns.push_back(cost);
        budget_rows_[k].coefficients.push_back(1);
        for (size_t other = 0; other < costs_.size(second); ++other) {
            for (size_t w = 0; w < width_choices(l); ++w) {
                LinearProgram::Row row{{cost}, {1}, 'G', 0};
                double most = 0;
                for (size_t c = 0; c < costs_.size(first); ++c) {
                    const size_t cell = c * costs_.stride(l, 0) + other * costs_.stride(l, 1);
                    const double value = kScale * costs_.of(l, cell, w)[k];
                    row.columns.push_back(counts_[first] + static_cast<int>(c));
                    row.coefficients.push_back(-value);
                    most = std::max(most, value);
                }
                row.columns.push_back(counts_[second] + static_cast<int>(other));
                row.coefficients.push_back(-most);
                row.right = -most;
                if (width_choices(l) > 1) {
                    row.columns.push_back(widths_[l] + static_cast<int>(w));
                    row.coefficients.push_back(-most);
                    row.right = -2 * most;
                }
                program_.rows.push_back(std::move(row));
            }
        }
    }

    const Network& network_;
    const Hamiltonian& hamiltonian_;
    const LayerCosts& costs_;
    std::vector<double> room_;
    size_t most_cells_;
    double unit_ = 0;  // of energies
    LinearProgram program_;
    std::vector<int> counts_, widths_;        // first columns, of counters and of widths
    std::vector<std::vector<size_t>> order_;  // groups, cheapest first
    std::vector<LinearProgram::Row> budget_rows_;
};

// Without couplings.
double separable_energy(const Network& network, const Hamiltonian& hamiltonian, const Plan& plan) {
    const auto x = encode(network, hamiltonian.encoding, plan);
    double energy = hamiltonian.problem.offset();
    for (size_t i = 0; i < x.size(); ++i) {
        if (x[i]) energy += hamiltonian.problem.linear(static_cast<int>(i));
    }
    return energy;
}

}  // namespace

IntegerProgramResult solve_integer_program(const Network& network, const Hamiltonian& hamiltonian,
                                           const std::vector<Budget>& budgets,
                                           const CostFunctions& costs,
                                           const IntegerProgramOptions& options) {
    for (const Budget& budget : budgets) {
        if (budget.quantity == Quantity::kActivations) {
            throw InputError(
                "the integer program holds budgets that are sums over layers: activations is none");
        }
    }
    for (size_t k = network.layers.size(); k < network.tensors(); ++k) {
        if (network.widths(k).size() > 1) {
            throw InputError(
                "the integer program decides no activations, coded or float: it must be one of "
                "them for all");
        }
    }
    const anneal::Watch watch({}, options.time_limit, {}, no_progress());
    const LayerCosts layers(network, budgets, costs);
    Domain plans = all_plans(network);
    std::fill(plans.branches.begin(), plans.branches.end(), Settled::kKept);
    std::vector<double> room = layers.rest(plans);
    for (double& share : room) share = 1 - share;
    IntegerProgramResult result;
    for (int tightened = 0; tightened <= kMostTightenings && !watch.over(); ++tightened) {
        Builder builder(network, hamiltonian, layers, room, options.most_cells);
        builder.program().seconds = watch.seconds_left();
        ProgramResult found;
        run_cbc(builder.program(), found);
        if (found.x.empty()) break;
        if (tightened == 0) {
            result.bound = found.bound * builder.unit() + hamiltonian.problem.offset();
        }
        const Plan plan = builder.plan(found.x);
        if (is_feasible(budgets, costs, plan)) {
            result.plan = plan;
            result.energy = separable_energy(network, hamiltonian, plan);
            result.is_optimal = found.is_optimal && tightened == 0;
            break;
        }
        for (size_t k = 0; k < budgets.size(); ++k) {
            const auto cost = static_cast<double>(costs.cost(budgets[k].quantity, plan));
            const double lack = cost / budgets[k].unit() - 1;
            if (lack > 0) room[k] -= lack;
        }
    }
    result.seconds = watch.seconds();
    return result;
}

}  // namespace adiabat::plan
