// SPDX-License-Identifier: Apache-2.0
#pragma once

// p-values of the samplers: how far off the exact distribution of small systems their sweeps lead.
//
// Each sample begins in a draw from the exact distribution, makes one sweep (with the exchanges and
// clusters that follow it) and is counted: were the sweep to leave the distribution unchanged, all
// samples would be independent draws from it, so that no autocorrelation spoils the chi-square.
// Population annealing has no such step: its populations, independent of each other, are observed
// whole. The digital annealer is left out, since it is no sampler (digital.h), as are the
// techniques that are heuristics throughout.

#include <algorithm>
#include <memory>
#include <vector>

#include "adiabat/anneal/boltzmann.test.h"
#include "adiabat/anneal/chi_square.test.h"
#include "adiabat/anneal/dense_walkers.h"
#include "adiabat/anneal/population.h"
#include "adiabat/anneal/slices.test.h"
#include "adiabat/anneal/spoiled_model.test.h"
#include "adiabat/anneal/temperature_ladder.h"

namespace adiabat::anneal::testing {

struct Effort {
    int64_t samples = 1'000'000;
    uint64_t seed = 1;
};

// Counts of states beside their exact distribution, and draws from it.
class Table {
  public:
    explicit Table(std::vector<double> distribution)
        : distribution_(std::move(distribution)),
          draws_(distribution_),
          counts_(distribution_.size()) {}

    uint64_t draw(Random& random) const { return draws_(random); }
    void count(uint64_t word) { ++counts_[word]; }
    double p_value() const { return chi_square_p(counts_, distribution_); }
    const std::vector<double>& distribution() const { return distribution_; }

  private:
    std::vector<double> distribution_;
    Draws draws_;
    std::vector<int64_t> counts_;
};

// Of several tables: the smallest, times their number (Bonferroni).
inline double smallest_p(std::span<const Table> tables) {
    double smallest = 1;
    for (const Table& table : tables) smallest = std::min(smallest, table.p_value());
    return std::min(1.0, smallest * static_cast<double>(tables.size()));
}

// The states of n variables by their word.
inline std::vector<std::vector<uint8_t>> all_states(int n) {
    std::vector<std::vector<uint8_t>> states;
    for (uint64_t word = 0; word < uint64_t{1} << n; ++word) states.push_back(bits_of(word, n));
    return states;
}

inline Random starts_of(const Effort& effort) { return Random(effort.seed, 0x57A7); }

// One sweep of replicas of which number r walks on problems[r % size]; so many samples of each.
inline double walk_p_value(Walkers& walkers, std::span<const qubo::Problem> problems, double beta,
                           const Effort& effort) {
    const auto states = all_states(problems[0].variables());
    std::vector<Table> tables;
    for (const qubo::Problem& problem : problems) tables.emplace_back(boltzmann(problem, beta));
    const int replicas = walkers.replicas();
    const std::vector<double> betas(static_cast<size_t>(replicas), beta);
    Random random = starts_of(effort);
    const Watch watch;
    const auto table = [&](int r) -> Table& {
        return tables[static_cast<size_t>(r) % tables.size()];
    };
    const int64_t rounds = effort.samples * static_cast<int64_t>(tables.size()) / replicas;
    for (int64_t round = 0; round < rounds; ++round) {
        for (int r = 0; r < replicas; ++r) walkers.set_state(r, states[table(r).draw(random)]);
        walkers.sweep(betas, static_cast<uint32_t>(round), watch);
        for (int r = 0; r < replicas; ++r) table(r).count(word_of(walkers.state(r)));
    }
    return smallest_p(tables);
}

inline double annealing_p_value(const qubo::Problem& problem, Moves moves, const Effort& effort,
                                const Spoiled& spoiled) {
    constexpr int kReplicas = 64;
    const auto model = make_model(problem, kReplicas, Watch(), moves);
    const auto walkers = SpoiledModel(*model, spoiled).walkers(kReplicas, effort.seed, 0);
    return walk_p_value(*walkers, std::span(&problem, 1), 0.8, effort);
}

// Two problems with one coupling matrix.
inline double batch_p_value(const Effort& effort, const Spoiled& spoiled) {
    constexpr int kVariables = 5, kReplicas = 64;
    const qubo::Dense couplings = qubo::random_dense(kVariables, 21);
    std::vector<std::vector<double>> linear;
    std::vector<qubo::Problem> problems;
    for (const uint64_t seed : {22, 23}) {
        const qubo::Dense other = qubo::random_dense(kVariables, seed);
        auto& own = linear.emplace_back();
        qubo::Dense problem = couplings;
        for (int i = 0; i < kVariables; ++i) {
            own.push_back(other.linear(i));
            problem.add_linear(i, other.linear(i) - couplings.linear(i));
        }
        problems.push_back({std::move(problem)});
    }
    const auto model = make_dense_batch_model(couplings, linear, Watch());
    std::vector<int> numbers;
    for (int r = 0; r < kReplicas; ++r) numbers.push_back(r % 2);
    SpoiledWalkers walkers(model->walkers(numbers, effort.seed, 0), spoiled);
    return walk_p_value(walkers, problems, 0.8, effort);
}

// The states of a ladder of temperatures: of each, of neighbors together, of two copies at each
// together. All replicas are independent.
class LadderTables {
  public:
    LadderTables(const qubo::Problem& problem, std::span<const double> betas, size_t copies)
        : variables_(problem.variables()), copies_(copies) {
        for (const double beta : betas) single_.emplace_back(boltzmann(problem, beta));
        for (size_t t = 0; t < single_.size(); ++t) {
            if (t > 0) neighbors_.push_back(of_two(t - 1, t));
            if (copies == 2) twins_.push_back(of_two(t, t));
        }
    }

    uint64_t draw(size_t temperature, Random& random) const {
        return single_[temperature].draw(random);
    }
    // The copies of one temperature after those of the other.
    void count(std::span<const uint64_t> words) {
        for (size_t k = 0; k < words.size(); ++k) {
            const size_t t = k / copies_;
            single_[t].count(words[k]);
            if (t > 0) neighbors_[t - 1].count(words[k - copies_] | words[k] << variables_);
            if (k % copies_ == 1) twins_[t].count(words[k - 1] | words[k] << variables_);
        }
    }
    double p_value() const {
        std::vector<Table> all = single_;
        all.insert(all.end(), neighbors_.begin(), neighbors_.end());
        all.insert(all.end(), twins_.begin(), twins_.end());
        return smallest_p(all);
    }

  private:
    Table of_two(size_t low, size_t high) const {
        std::vector<double> both;
        for (const double q : single_[high].distribution())
            for (const double p : single_[low].distribution()) both.push_back(p * q);
        return Table(both);
    }

    int variables_;
    size_t copies_;
    std::vector<Table> single_, neighbors_, twins_;
};

// One sweep, one round of exchanges and one of clusters at three temperatures; at most two copies.
inline double tempering_p_value(const qubo::Problem& problem, int copies, const Effort& effort,
                                const Spoiled& spoiled) {
    const std::vector<double> betas{0.2, 0.5, 1.0};
    const auto states = all_states(problem.variables());
    LadderTables tables(problem, betas, static_cast<size_t>(copies));
    const auto sound = make_model(problem, 3 * copies, Watch());
    const SpoiledModel model(*sound, spoiled);
    TemperatureLadder ladder(problem, model, betas, copies, {effort.seed, 0});
    Random random = starts_of(effort);
    const Watch watch;
    std::vector<uint64_t> words;
    for (int64_t round = 0; round < effort.samples / copies; ++round) {
        for (int t = 0; t < 3; ++t)
            for (int c = 0; c < copies; ++c)
                ladder.walkers().set_state(ladder.replica(t, c),
                                           states[tables.draw(static_cast<size_t>(t), random)]);
        ladder.sweep(watch);
        ladder.exchange();
        ladder.move_clusters();
        words.clear();
        for (int t = 0; t < 3; ++t)
            for (int c = 0; c < copies; ++c)
                words.push_back(word_of(ladder.walkers().state(ladder.replica(t, c))));
        tables.count(words);
    }
    return tables.p_value();
}

// Populations, resampled a few times with a sweep after each: too few to forget a wrong resampling.
// The share of each state less its probability has mean zero over populations, exactly so where
// each counts by the partition function that it found (Machta 2010), else but for O(1 / size): far
// below what so many populations tell apart.
inline double population_p_value(const qubo::Problem& problem, const char* schedule,
                                 const Effort& effort, const Spoiled& spoiled) {
    constexpr int kSize = 2000;
    constexpr double kBeta = 1.2;
    const auto expected = boltzmann(problem, kBeta), uniform = boltzmann(problem, 0);
    std::vector<size_t> possible;
    for (size_t word = 0; word < expected.size(); ++word)
        if (expected[word] > 0) possible.push_back(word);
    const auto shares = static_cast<Eigen::Index>(possible.size()) - 1;  // they add up to one
    OptionValues values(kPopulation.options);
    values.set("schedule", schedule);
    values.set("beta-min", 0.4);
    values.set("beta-max", kBeta * spoiled.beta);
    values.set("steps", 3.0);
    values.set("sweeps", 1.0);
    const Draws draws(uniform);
    Random random = starts_of(effort);
    std::vector<Eigen::VectorXd> off;
    for (int64_t run = 0; run < effort.samples / kSize; ++run) {
        // Constraints: starts are given, each feasible one with the same probability.
        std::vector<std::vector<uint8_t>> starts;
        for (int r = 0; r < kSize && !problem.constraints.empty(); ++r)
            starts.push_back(bits_of(draws(random), problem.variables()));
        Watch watch;
        const uint64_t seed = derived_seed(effort.seed, 0x909, static_cast<uint32_t>(run));
        const Outcome outcome =
            kPopulation.run({problem, values, seed, kSize, 1, 0, starts, watch});
        std::vector<double> share(expected.size());
        for (const Read& read : outcome.reads) share[word_of(read.last)] += 1.0 / kSize;
        const double weight = std::exp(outcome.details.value("log-partition-function", 0.0));
        Eigen::VectorXd& own = off.emplace_back(shares);
        for (Eigen::Index k = 0; k < shares; ++k) {
            const size_t word = possible[static_cast<size_t>(k)];
            own[k] = weight * (share[word] - expected[word]);
        }
    }
    return mean_zero_p(off);
}

// One sweep over slices and over all slices at once; the states of all slices together.
inline double slices_p_value(const qubo::Problem& problem, int slices, const Effort& effort,
                             const Spoiled& spoiled) {
    constexpr double kBeta = 2, kA = 0.8, kB = 0.9;
    const int n = problem.variables();
    const uint64_t mask = (uint64_t{1} << n) - 1;
    const auto states = all_states(n);
    Table table(slices_distribution(problem, slice_weights(kBeta, kA, kB, slices), slices));
    const auto weights = slice_weights(kBeta * spoiled.beta, kA, kB, slices);
    SlicedWalk walk(problem, slices, states[0], effort.seed, 0);
    Random random = starts_of(effort);
    Watch watch;
    Pace pace(watch);
    for (int64_t sample = 0; sample < effort.samples; ++sample) {
        const uint64_t start = table.draw(random);
        for (int m = 0; m < slices; ++m) walk.set(m, states[start >> (m * n) & mask]);
        walk.sweep(weights, static_cast<uint32_t>(sample), pace);
        table.count(word_of_slices(walk));
    }
    return table.p_value();
}

}  // namespace adiabat::anneal::testing
