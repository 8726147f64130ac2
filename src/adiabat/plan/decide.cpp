// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/decide.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>
#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/plan/priced.h"
#include "adiabat/plan/reachable.h"
#include "adiabat/plan/recombine.h"
#include "adiabat/plan/search.h"

namespace adiabat::plan {

namespace {

constexpr uint32_t kWalkStream = 0xDEC2, kBreedStream = 0xDEC3;
// Moves of a walk: so many a variable in small problems, in large ones a fixed number and fewer.
constexpr double kMovesAVariable = 400, kFixedMoves = 125'000, kMoreMovesAVariable = 4;
// A decision's children, and how hot their anneals begin (search.h).
constexpr uint32_t kGenerations = 8, kChildren = 8;
constexpr double kChildHeat[] = {0.03};
// Plans that differ in fewer than this share of the groups are one.
constexpr int64_t kLeastApart = 2, kMostApart = 32, kApartShare = 64;

class Decider {
  public:
    Decider(const Network& network, const Hamiltonian& hamiltonian,
            const std::vector<Budget>& budgets, const CostFunctions& costs,
            const DecideOptions& options, StopToken stop)
        : network_(network),
          hamiltonian_(hamiltonian),
          budgets_(budgets),
          costs_(costs),
          options_(options),
          stop_(std::move(stop)) {
        int64_t groups = 0;
        for (size_t f = 0; f < network.families(); ++f) groups += network.groups(f);
        apart_ = std::clamp(groups / kApartShare, kLeastApart, kMostApart);
    }

    void find_starts() {
        State state(network_, hamiltonian_, uniform_plan(network_, kMaxBits));
        Wall wall = make_wall();
        const bool all_fits = wall.keeps(state.shape());
        if (reach_budgets(state, wall, stop_)) add_start(state);
        require_going();
        if (const auto plan = all_fits ? std::nullopt : keeping_plan(network_, costs_, budgets_)) {
            state.set(*plan);
            add_start(state);
        }
        require_going();
        const bool is_factored = std::holds_alternative<qubo::Factored>(hamiltonian_.problem.form);
        if (is_factored || hamiltonian_.encoding.variables > kMostPriced) return;
        state.set(uniform_plan(network_, kMaxBits));
        const Priced priced = anneal_priced(state, wall,
                                            {.technique = options_.technique,
                                             .sweeps = options_.sweeps,
                                             .replicas = options_.replicas,
                                             .threads = options_.threads,
                                             .seed = options_.seed},
                                            stop_);
        decision_.multiplier = priced.multiplier;
        decision_.anneals = priced.anneals;
        decision_.flips = priced.flips;
        starts_.insert(starts_.end(), priced.found.begin(), priced.found.end());
    }

    // What all walks found together.
    Pool walk(ProgressSink& progress) {
        std::stable_sort(starts_.begin(), starts_.end(),
                         [](const Found& a, const Found& b) { return a.energy < b.energy; });
        decision_.start_energy = starts_.front().energy;
        const auto count = static_cast<size_t>(options_.starts);
        std::vector<Pool> pools(count, Pool(options_.keep, apart_));
        std::vector<SearchCounts> counts(count);
        const int64_t moves = moves_of_walk(options_, hamiltonian_.encoding.variables);
        in_parallel(count, progress, "walk", [&](size_t k) {
            State state(network_, hamiltonian_, starts_[k % starts_.size()].plan);
            Wall wall = make_wall();
            counts[k] = anneal_within(state, wall, moves,
                                      Random(options_.seed, kWalkStream, static_cast<uint32_t>(k)),
                                      pools[k], stop_);
        });
        Pool all(options_.keep, apart_);
        for (size_t k = 0; k < count; ++k) {
            gather(counts[k], pools[k], all);
            best_of_walks_.push_back(pools[k].found().front());
        }
        return all;
    }

    // What walks have found in different places comes together: the best of all of them, and the
    // best of each, are parents.
    void breed(Pool& pool, ProgressSink& progress) {
        const int64_t walked = moves_of_walk(options_, hamiltonian_.encoding.variables);
        const int64_t moves = walked * options_.starts / (kGenerations * kChildren);
        progress.begin("breed", kGenerations, "generations");
        for (uint32_t generation = 0; generation < kGenerations; ++generation) {
            std::vector<Found> parents = pool.found();
            for (const Found& best : best_of_walks_) {
                const auto is_best = [&](const Found& parent) { return parent.plan == best.plan; };
                if (std::ranges::none_of(parents, is_best)) parents.push_back(best);
            }
            std::vector<Pool> pools(kChildren, Pool(options_.keep, apart_));
            std::vector<SearchCounts> counts(kChildren);
            run_all(kChildren, [&](size_t k) {
                Random random(options_.seed, kBreedStream,
                              generation * kChildren + static_cast<uint32_t>(k));
                counts[k] = anneal_child(parents, moves, random, pools[k]);
            });
            for (size_t k = 0; k < kChildren; ++k) gather(counts[k], pools[k], pool);
            progress.update(generation + 1);
        }
    }

    Decision polish_all(const Pool& pool, ProgressSink& progress) {
        std::vector<Found> polished = pool.found();
        in_parallel(polished.size(), progress, "polish", [&](size_t k) {
            State state(network_, hamiltonian_, polished[k].plan);
            Wall wall = make_wall();
            polish(state, wall, stop_);
            polished[k].plan = state.plan();
        });
        // Where several have come down to one plan, some that have not fill the places.
        polished.insert(polished.end(), pool.found().begin(), pool.found().end());
        Pool best(options_.keep, apart_);
        for (const Found& found : polished) {
            check_plan(network_, found.plan);
            ADIABAT_CHECK(is_feasible(budgets_, costs_, found.plan), "the plan breaks a budget");
            best.offer(found.plan, hamiltonian_.energy(network_, found.plan));
        }
        for (const Found& found : best.found()) {
            decision_.plans.push_back(found.plan);
            decision_.energies.push_back(found.energy);
        }
        return std::move(decision_);
    }

    bool has_starts() const { return !starts_.empty(); }

  private:
    Wall make_wall() { return {budgets_, costs_, lock_}; }

    void gather(const SearchCounts& counts, const Pool& found, Pool& into) {
        decision_.flips += counts.flips;
        decision_.proposals += counts.proposals;
        for (const Found& each : found.found()) into.offer(each.plan, each.energy);
    }

    // Two parents' parts, taken back into the budgets and annealed a little.
    SearchCounts anneal_child(const std::vector<Found>& parents, int64_t moves, Random& random,
                              Pool& pool) {
        const auto all = static_cast<uint32_t>(parents.size());
        if (all < 2) return {};  // all walks ended in one plan, and met no other
        const uint32_t a = random.below(all), b = (a + 1 + random.below(all - 1)) % all;
        State state(network_, hamiltonian_,
                    recombined(network_, parents[a].plan, parents[b].plan, random));
        Wall wall = make_wall();
        if (!reach_budgets(state, wall, stop_)) return {};
        state.recompute();
        return anneal_within(state, wall, moves, random, pool, stop_, kChildHeat);
    }

    void add_start(State& state) {
        state.recompute();
        starts_.push_back({state.plan(), state.energy()});
    }

    void require_going() const {
        if (stop_.requested()) throw Interrupted();
    }

    // One task a turn, whichever worker is free.
    template <typename Body>
    void run_all(size_t count, const Body& body) {
        std::atomic<size_t> next = 0;
        parallel_for(std::min(static_cast<int64_t>(count), int64_t{thread_count(options_.threads)}),
                     options_.threads, [&](int64_t, int64_t, int) {
                         for (size_t k = next++; k < count; k = next++) body(k);
                     });
        require_going();
    }

    template <typename Body>
    void in_parallel(size_t count, ProgressSink& progress, const char* stage, const Body& body) {
        progress.begin(stage, count, "plans");
        std::mutex says;
        size_t done = 0;
        run_all(count, [&](size_t k) {
            body(k);
            const std::lock_guard held(says);
            progress.update(++done);
        });
    }

    const Network& network_;
    const Hamiltonian& hamiltonian_;
    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    const DecideOptions& options_;
    StopToken stop_;
    int64_t apart_ = kLeastApart;
    std::mutex lock_;  // of the size of the file
    std::vector<Found> starts_, best_of_walks_;
    Decision decision_;
};

}  // namespace

int64_t moves_of_walk(const DecideOptions& options, int variables) {
    const auto n = static_cast<double>(std::max(variables, 1));
    return std::llround(options.effort *
                        std::min(kMovesAVariable * n, kFixedMoves + kMoreMovesAVariable * n));
}

Decision decide(const Network& network, const Hamiltonian& hamiltonian,
                const std::vector<Budget>& budgets, const CostFunctions& costs,
                const DecideOptions& options, StopToken stop, ProgressSink& progress) {
    ADIABAT_CHECK(options.starts >= 1 && options.keep >= 1, "{} starts, {} plans", options.starts,
                  options.keep);
    Decider decider(network, hamiltonian, budgets, costs, options, std::move(stop));
    progress.begin("decide", 0, "anneals");
    decider.find_starts();
    if (!decider.has_starts()) {
        throw InputError(
            "--budget: each budget can be reached, but no plan was found that keeps them all: "
            "one of them must be larger");
    }
    Pool pool = decider.walk(progress);
    decider.breed(pool, progress);
    return decider.polish_all(pool, progress);
}

}  // namespace adiabat::plan
