// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/priced.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "adiabat/anneal/solve.h"
#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

constexpr int kMostRaises = 24;
constexpr double kRaise = 4;
constexpr uint32_t kSolveStream = 0xDEC1;

// Linear terms of sum_k share_k c_k / limit_k, at the state's plan.
class Prices {
  public:
    Prices(State& state, Wall& wall, const std::vector<double>& shares)
        : state_(state), wall_(wall), shares_(shares) {}

    std::vector<double> linear() {
        const Encoding& encoding = state_.hamiltonian().encoding;
        std::vector<double> terms(static_cast<size_t>(encoding.variables), 0.0);
        for (size_t f : state_.families()) {
            const double price = price_of_group(f);
            for (size_t m = 0; m < static_cast<size_t>(state_.groups(f)); ++m) {
                terms[static_cast<size_t>(encoding.cut_variable(f, m))] = price;
            }
        }
        for (size_t k = 0; k < encoding.layers.size(); ++k) add_widths(k, terms);
        return terms;
    }

  private:
    double cost(std::span<const int64_t> cut, std::span<const int> bits) {
        const auto costs = wall_.costs({cut, bits, 0});
        double sum = 0;
        for (size_t k = 0; k < costs.size(); ++k) {
            const auto limit = static_cast<double>(wall_.budgets()[k].limit);
            sum += shares_[k] * static_cast<double>(costs[k]) / limit;
        }
        return sum;
    }

    // Between the next counts below and above.
    double price_of_group(size_t family) {
        const Network& network = state_.network();
        const int64_t all = network.groups(family), step = network.group_step(family);
        const int64_t kept = all - state_.cut()[family];
        std::vector<int64_t> fewer(state_.cut().begin(), state_.cut().end()), more = fewer;
        more[family] = all - std::max((kept - 1) / step * step, allowed_kept(network, family, 0));
        fewer[family] = all - std::min((kept / step + 1) * step, all);
        return (cost(more, state_.bits()) - cost(fewer, state_.bits())) /
               static_cast<double>(more[family] - fewer[family]);
    }

    // The linear function of the bits nearest to the costs of the words; the constant does not
    // count.
    void add_widths(size_t layer, std::vector<double>& terms) {
        const auto& facts = state_.hamiltonian().encoding.layers[layer];
        if (facts.count == 0) return;
        const auto words = std::ssize(facts.words);
        Eigen::MatrixXd patterns = Eigen::MatrixXd::Ones(words, facts.count + 1);
        Eigen::VectorXd costs(words);
        std::vector<int> bits(state_.bits().begin(), state_.bits().end());
        for (Eigen::Index w = 0; w < words; ++w) {
            const Encoding::Word& word = facts.words[static_cast<size_t>(w)];
            for (int b = 0; b < facts.count; ++b) patterns(w, b) = word.pattern >> b & 1;
            bits[layer] = word.bits;
            costs[w] = cost(state_.cut(), bits);
        }
        const Eigen::VectorXd fit = patterns.completeOrthogonalDecomposition().solve(costs);
        for (int b = 0; b < facts.count; ++b) {
            terms[facts.at(b)] += fit[b];
        }
    }

    State& state_;
    Wall& wall_;
    const std::vector<double>& shares_;
};

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
        const auto terms = Prices(state_, wall_, shares_).linear();
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
        const auto terms = Prices(state_, wall_, shares_).linear();
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
            const double ratio =
                static_cast<double>(costs[k]) / static_cast<double>(wall_.budgets()[k].limit);
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
