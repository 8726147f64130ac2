// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/priced.h"

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/solve.h"
#include "adiabat/base/errors.h"
#include "adiabat/plan/linear_cost.h"

namespace adiabat::plan {

namespace {

constexpr int kMostRaises = 24;
constexpr double kRaise = 4;
constexpr uint32_t kSolveStream = 0xDEC1;

// Linear terms of sum_k share_k c_k / limit_k, at the state's plan.
std::vector<double> prices(State& state, Wall& wall, const std::vector<double>& shares) {
    const auto cost = [&](std::span<const int64_t> cut, std::span<const int> bits) {
        const auto costs = wall.costs({cut, bits, 0});
        double sum = 0;
        for (size_t k = 0; k < costs.size(); ++k) {
            const double limit = wall.budgets()[k].unit();
            sum += shares[k] * static_cast<double>(costs[k]) / limit;
        }
        return sum;
    };
    return linear_cost(state.network(), state.hamiltonian().encoding, state.cut(), state.bits(),
                       cost)
        .terms;
}

class Bisection {
  public:
    Bisection(State& state, Wall& wall, const PricedOptions& options, const StopToken& stop)
        : state_(state),
          wall_(wall),
          options_(options),
          stop_(stop),
          shares_(wall.budgets().size(), 1.0) {
        const auto& table = anneal::technique(options.technique).options;
        has_sweeps_ = std::any_of(table.begin(), table.end(), [](const anneal::Option& option) {
            return std::string_view(option.name) == "sweeps";
        });
    }

    Priced run() {
        if (wall_.keeps(state_.shape())) {
            anneal(0);
            return std::move(result_);
        }
        const double first = usual_ratio();
        double low = first, high = first;
        if (anneal(first)) {
            for (int k = 0; k < kMostRaises && anneal(low /= kRaise); ++k) high = low;
        } else {
            for (int k = 0; k < kMostRaises && !anneal(high *= kRaise); ++k) low = high;
        }
        for (int k = 0; k < options_.bisections; ++k) {
            const double middle = std::sqrt(low * high);
            (anneal(middle) ? high : low) = middle;
        }
        std::stable_sort(result_.found.begin(), result_.found.end(),
                         [](const Found& a, const Found& b) { return a.energy < b.energy; });
        return std::move(result_);
    }

  private:
    // Of energy to cost, over the steps that save: their median.
    double usual_ratio() {
        std::vector<double> ratios;
        Move move;
        const auto terms = prices(state_, wall_, shares_);
        for (const Step& step : state_.steps()) {
            move.clear();
            if (!step.saves || !state_.add_step(move, step, {})) continue;
            double saved = 0;
            for (int i : move.flips) {
                saved -=
                    (state_.x()[static_cast<size_t>(i)] ? -1 : 1) * terms[static_cast<size_t>(i)];
            }
            if (saved > 0 && move.energy > 0) ratios.push_back(move.energy / saved);
        }
        if (ratios.empty()) return 1;
        const auto middle = ratios.begin() + std::ssize(ratios) / 2;
        std::nth_element(ratios.begin(), middle, ratios.end());
        return *middle;
    }

    qubo::Problem priced_problem(double multiplier) {
        qubo::Problem problem = state_.hamiltonian().problem;
        if (std::holds_alternative<qubo::Sparse>(problem.form)) {
            problem.form = qubo::dense_of(problem);
        }
        const auto terms = prices(state_, wall_, shares_);
        const auto add_to = [&](auto& form) {
            for (size_t i = 0; i < terms.size(); ++i) {
                form.add_linear(static_cast<int>(i), multiplier * terms[i]);
            }
        };
        if (auto* const dense = std::get_if<qubo::Dense>(&problem.form)) add_to(*dense);
        if (auto* const factored = std::get_if<qubo::Factored>(&problem.form)) add_to(*factored);
        return problem;
    }

    // True where the lowest sample keeps every budget. Its plan becomes the state's.
    bool anneal(double multiplier) {
        anneal::SolveOptions options;
        options.technique = options_.technique;
        if (has_sweeps_) options.values["sweeps"] = std::to_string(options_.sweeps);
        options.reads = options_.replicas;
        options.threads = options_.threads;
        options.keep = 1;
        options.seed =
            derived_seed(options_.seed, kSolveStream, static_cast<uint32_t>(result_.anneals));
        const auto solved = anneal::solve(priced_problem(multiplier), options, stop_);
        if (stop_.requested()) throw Interrupted();
        ++result_.anneals;
        result_.flips += solved.flips;

        const auto& x = solved.lowest.front().x;
        std::vector<double> revival = state_.hamiltonian().problem.fields(x);
        for (double& field : revival) field = -field;
        const Plan sampled = decode(state_.network(), state_.hamiltonian().encoding, x, revival);
        state_.set(sampled);
        const bool keeps = wall_.keeps(state_.shape());
        follow_shares();
        if (keeps || reach_budgets(state_, wall_, stop_)) offer(multiplier);
        if (!keeps) state_.set(sampled);
        return keeps;
    }

    // Budgets that are broken weigh more, those with room less.
    void follow_shares() {
        if (shares_.size() < 2) return;
        const auto costs = wall_.costs(state_.shape());
        double largest = 0;
        for (size_t k = 0; k < costs.size(); ++k) {
            const double ratio = static_cast<double>(costs[k]) / wall_.budgets()[k].unit();
            shares_[k] *= ratio * ratio;
            largest = std::max(largest, shares_[k]);
        }
        for (double& share : shares_) share = std::max(share / largest, 1e-6);
    }

    void offer(double multiplier) {
        state_.recompute();
        const bool is_lowest =
            std::all_of(result_.found.begin(), result_.found.end(),
                        [&](const Found& known) { return state_.energy() < known.energy; });
        if (is_lowest) result_.multiplier = multiplier;
        Plan plan = state_.plan();
        for (const Found& known : result_.found) {
            if (known.plan == plan) return;
        }
        result_.found.push_back({std::move(plan), state_.energy()});
    }

    State& state_;
    Wall& wall_;
    const PricedOptions& options_;
    const StopToken& stop_;
    bool has_sweeps_ = false;
    std::vector<double> shares_;  // the largest is 1
    Priced result_;
};

}  // namespace

Priced anneal_priced(State& state, Wall& wall, const PricedOptions& options,
                     const StopToken& stop) {
    return Bisection(state, wall, options, stop).run();
}

}  // namespace adiabat::plan
