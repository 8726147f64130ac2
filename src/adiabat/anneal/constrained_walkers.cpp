// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/constrained_walkers.h"

#include <array>
#include <cmath>
#include <limits>

#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/kernels/dense_pairs.h"
#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kPartnerStream = 0x5A09;
constexpr int kProposalsBetweenLooks = 4096;

struct ConstrainedModel final : Model {
    ConstrainedModel(const qubo::Problem& p, Moves m) : problem(p), moves(m) {}
    int variables() const override { return problem.variables(); }
    std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                     uint32_t first_replica) const override;
    int replicas_together() const override { return 1; }
    uint64_t memory_bytes() const override { return 0; }
    uint64_t walker_bytes(int replicas) const override {
        return static_cast<uint64_t>(replicas) * 40 * static_cast<uint64_t>(variables());
    }
    const qubo::Problem& problem;
    Moves moves;
};

struct Replica {
    Replica(const qubo::Problem& problem, std::span<const uint8_t> x)
        : state(problem, x), constraints(problem.constraints, problem.variables()) {
        set(x);
    }
    void set(std::span<const uint8_t> x) {
        state.set(x);
        constraints.set(x);
        best.assign(x.begin(), x.end());
        best_energy = state.energy();
        at_best = true;
    }
    void flip(int i) {
        state.flip(i);
        constraints.flip(i);
        ++flips;
    }
    // Before a move that changes the energy so, and after it.
    void leave(double change) {
        if (at_best && change >= 0) {
            best.assign(state.x().begin(), state.x().end());
            at_best = false;
        }
    }
    void arrive() {
        if (state.energy() < best_energy) {
            best_energy = state.energy();
            at_best = true;
        }
    }

    LocalFields state;
    ConstraintState constraints;
    std::vector<uint8_t> best;
    double best_energy = 0;
    bool at_best = true;
    int64_t flips = 0;
};

class ConstrainedWalkers final : public Walkers {
  public:
    ConstrainedWalkers(const ConstrainedModel& model, int replicas, uint64_t seed, uint32_t first)
        : problem_(model.problem), moves_(model.moves), seed_(seed), first_(first) {
        const std::vector<uint8_t> zeros(static_cast<size_t>(problem_.variables()), 0);
        for (int r = 0; r < replicas; ++r) replicas_.emplace_back(problem_, zeros);
    }

    int replicas() const override { return static_cast<int>(replicas_.size()); }
    void set_state(int replica, std::span<const uint8_t> x) override {
        ADIABAT_CHECK(problem_.constraints.keeps(x), "a start that breaks the constraints");
        at(replica).set(x);
    }

    void sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) override {
        const int looks = moves_ == Moves::kPairs ? 16 : kProposalsBetweenLooks;
        for (int r = 0; r < replicas(); ++r) {
            for (int i = 0; i < problem_.variables(); ++i) {
                if (i % looks == 0 && watch.over()) return;
                propose(r, i, betas[static_cast<size_t>(r)], sweep);
            }
        }
    }

    double energy(int replica) const override { return at(replica).state.energy(); }
    double best_energy(int replica) const override { return at(replica).best_energy; }
    std::vector<uint8_t> state(int replica) const override {
        const auto x = at(replica).state.x();
        return {x.begin(), x.end()};
    }
    std::vector<uint8_t> best(int replica) const override {
        return at(replica).at_best ? state(replica) : at(replica).best;
    }
    void flip(int replica, int variable) override {
        Replica& r = at(replica);
        r.leave(r.state.change(variable));
        r.flip(variable);
        r.arrive();
    }
    double change(int replica, int variable) const override {
        return at(replica).state.change(variable);
    }
    void copy(int from, int to) override {
        const Replica& source = at(from);
        Replica& target = at(to);
        target.state.set(source.state.x());
        target.constraints.set(source.state.x());
        target.best = source.best;
        target.best_energy = source.best_energy;
        target.at_best = source.at_best;
    }
    int64_t flips() const override {
        int64_t sum = 0;
        for (const Replica& replica : replicas_) sum += replica.flips;
        return sum;
    }

  private:
    Replica& at(int r) { return replicas_[static_cast<size_t>(r)]; }
    const Replica& at(int r) const { return replicas_[static_cast<size_t>(r)]; }

    // The flip of i, then the pair move that begins at i, or by heat bath anywhere. The words of a
    // block decide for four variables, as everywhere; those of the pair stream are threshold and
    // partner.
    void propose(int replica, int i, double beta, uint32_t sweep) {
        Replica& r = at(replica);
        const uint32_t number = first_ + static_cast<uint32_t>(replica);
        const auto variable = static_cast<uint32_t>(i);
        const auto words = draw_words(seed_, number, sweep, variable / 4);
        const double change = r.state.change(i);
        if (beta * change < threshold_of(words[variable % 4]) && r.constraints.allows(i)) {
            r.leave(change);
            r.flip(i);
            r.arrive();
        }
        if (problem_.variables() < 2) return;
        if (moves_ == Moves::kPairs) return heat_bath(r, beta, {seed_, sweep, number, variable});
        const auto pair =
            philox<kDrawRounds>({variable, sweep, number, kPartnerStream},
                                {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
        propose_pair(r, i, partner_of(r, i, pair), beta, threshold_of(pair[0]));
    }

    // i, drawn among all, is flipped whatever it costs and breaks; then one of all variables whose
    // flip restores the constraints, i itself among them, by its weight exp(-beta E).
    void heat_bath(Replica& r, double beta, const PairDraw& draw) {
        const int i = static_cast<int>(first_of_pair(draw, problem_.variables()));
        r.leave(0);
        const double up = r.state.change(i);
        r.state.flip(i);
        double lowest = r.state.change(i);  // back again is always allowed
        for (int j = 0; j < problem_.variables(); ++j) {
            const int both[] = {i, j};
            if (r.state.change(j) < lowest && r.constraints.allows(both))
                lowest = r.state.change(j);
        }
        int chosen = i;
        double smallest = std::numeric_limits<double>::infinity();
        for (int j = 0; j < problem_.variables(); ++j) {
            const double cost = beta * (r.state.change(j) - lowest);
            const int both[] = {i, j};
            if (cost >= kPairRange || (j != i && !r.constraints.allows(both))) continue;
            const auto variable = static_cast<uint32_t>(j);
            const auto words = pair_words(draw, variable / 4);
            const double t = std::max(threshold_of(words[variable % 4]), 0x1p-40f);
            const double key = cost + std::log(t);
            if (key >= smallest) continue;
            smallest = key;
            chosen = j;
        }
        const double down = r.state.change(chosen);
        r.state.flip(chosen);
        if (chosen == i) return;
        r.constraints.flip(i);
        r.constraints.flip(chosen);
        r.flips += 2;
        if (up + down < 0) r.arrive();
    }

    int partner_of(const Replica& r, int i, const std::array<uint32_t, 4>& words) const {
        const auto pick = [](uint32_t word, size_t count) {
            return static_cast<size_t>(uint64_t{word} * count >> 32);
        };
        const auto groups = r.constraints.groups_of(i);
        // Half of the moves of grouped variables are steps inside a group, half are free pairs.
        if (!groups.empty() && (words[2] & 1) != 0) {
            const auto group = static_cast<size_t>(groups[pick(words[3], groups.size())]);
            const auto& members = problem_.constraints.groups[group].members;
            return members[pick(words[1], members.size())];
        }
        return static_cast<int>(pick(words[1], static_cast<size_t>(problem_.variables())));
    }

    void propose_pair(Replica& r, int i, int j, double beta, double threshold) {
        const auto x = r.state.x();
        // Equal values: a step within a group would break it, and pairs of equal flips are what
        // single flips do; unequal ones are the swap.
        if (i == j || x[static_cast<size_t>(i)] == x[static_cast<size_t>(j)]) return;
        double change = r.state.change(i) + r.state.change(j);
        change -= problem_.coupling(i, j);
        const int both[] = {i, j};
        if (beta * change >= threshold || !r.constraints.allows(both)) return;
        r.leave(change);
        r.flip(i);
        r.flip(j);
        r.arrive();
    }

    const qubo::Problem& problem_;
    Moves moves_;
    uint64_t seed_;
    uint32_t first_;
    std::vector<Replica> replicas_;
};

std::unique_ptr<Walkers> ConstrainedModel::walkers(int replicas, uint64_t seed,
                                                   uint32_t first_replica) const {
    return std::make_unique<ConstrainedWalkers>(*this, replicas, seed, first_replica);
}

}  // namespace

std::unique_ptr<const Model> make_constrained_model(const qubo::Problem& problem,
                                                    const Watch& watch, Moves moves) {
    if (watch.over()) return nullptr;
    return std::make_unique<ConstrainedModel>(problem, moves);
}

}  // namespace adiabat::anneal
