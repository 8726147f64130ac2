// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "adiabat/plan/problems.test.h"

namespace adiabat::plan {
namespace {

NetworkOptions aligned() {
    NetworkOptions options;
    options.align = 2;
    options.least_kept = 0.3;
    options.widths = {2, 4, 5, 8};
    return options;
}

// Dense, factored, binary-coded and sparse.
std::vector<Hamiltonian> all_forms(const Fixture& f, uint64_t seed) {
    std::vector<Hamiltonian> list = {random_hamiltonian(f.network, seed),
                                     random_factored(f.network, seed)};
    // There branches stay.
    if (f.network.branches.empty()) list.push_back(f.problem.hamiltonian());
    list.push_back(list[0]);
    list.back().problem.form = qubo::sparse_of(list[0].problem);
    return list;
}

// A plan with the given flips and changes, as anybody would write it.
Plan changed(const State& state, const Move& move) {
    Plan plan = state.plan();
    const Encoding& encoding = state.hamiltonian().encoding;
    for (int variable : move.flips) {
        for (size_t f = 0; f < plan.cut.size(); ++f) {
            const int member = variable - encoding.first_cut[f];
            if (member < 0 || member >= std::ssize(plan.cut[f])) continue;
            plan.cut[f][static_cast<size_t>(member)] ^= 1;
        }
    }
    for (const Move::Change& change : move.changes) {
        if (change.place != Place::kLayer) continue;
        const auto widths = Encoding::widths(encoding.layers[change.index]);
        plan.bits[change.index] = widths[static_cast<size_t>(change.to)].bits;
    }
    for (const Move::Change& change : move.changes) {
        if (change.place != Place::kBranch || change.to == 0) continue;
        for (size_t k : state.network().branches[change.index].layers) plan.bits[k] = kGone;
    }
    return plan;
}

TEST(State, EnergiesAndCountsOfMovesAreThoseOfThePlans) {
    int dropped = 0, restored = 0;
    for (uint64_t seed = 0; seed < 6; ++seed) {
        NetworkOptions options = seed % 2 ? aligned() : NetworkOptions();
        if (seed >= 4) options = with_branches(options);
        if (seed == 2) options = with_activations(options);
        if (seed == 5) options.least_kept = 0;
        const Fixture f(net::residual_network(seed), 1, options);
        for (const Hamiltonian& hamiltonian : all_forms(f, seed)) {
            Random random(seed);
            State state(f.network, hamiltonian, f.random_plan(random));
            Move move;
            int made = 0;
            for (int trial = 0; trial < 600; ++trial) {
                move.clear();
                const Choice choice =
                    trial % 3 == 0 ? Choice{} : Choice{&random, 1 << random.below(4)};
                if (random.below(4) == 0) {
                    const auto& families = state.families();
                    const auto at = random.below(static_cast<uint32_t>(families.size()));
                    if (!state.add_swap(move, families[at], choice)) continue;
                } else {
                    for (uint32_t k = 0; k <= random.below(4); ++k) {
                        const auto& steps = state.steps();
                        Step step = steps[random.below(static_cast<uint32_t>(steps.size()))];
                        step.times = 1 + static_cast<int>(random.below(3));
                        state.add_step(move, step, choice);
                    }
                }
                const Plan plan = changed(state, move);
                check_plan(f.network, plan);
                const double before = hamiltonian.energy(f.network, state.plan());
                const double after = hamiltonian.energy(f.network, plan);
                EXPECT_NEAR(move.energy, after - before, 1e-9 * (1 + std::abs(after)));
                const State::Shape shape = state.shape_after(move);
                EXPECT_TRUE(std::ranges::equal(shape.cut, cut_counts(plan)));
                EXPECT_TRUE(std::ranges::equal(shape.bits, plan.bits));
                for (const Move::Change& change : move.changes) {
                    if (change.place == Place::kBranch) ++(change.to != 0 ? dropped : restored);
                }
                const uint64_t key = shape.key;
                state.make(move);
                ++made;
                EXPECT_EQ(state.plan(), plan);
                EXPECT_EQ(state.shape().key, key);
                EXPECT_TRUE(std::ranges::equal(state.cut(), cut_counts(plan)));
                EXPECT_NEAR(state.energy(), after, 1e-8 * (1 + std::abs(after)));
            }
            EXPECT_GT(made, 300);
            // Kept step by step, the fields are what they are from scratch.
            const double incremental = state.energy();
            state.recompute();
            EXPECT_NEAR(state.energy(), incremental, 1e-8 * (1 + std::abs(incremental)));
        }
    }
    EXPECT_GT(dropped, 100);
    EXPECT_GT(restored, 100);
}

TEST(State, BranchesComeBackAsTheyWent) {
    const Fixture f(two_blocks(3), 1, with_branches());
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 3);
    Random random(3);
    const auto drop_or_restore = [](State& state, size_t branch, bool drops) {
        Move move;
        ASSERT_TRUE(state.add_step(move, {Place::kBranch, branch, drops}, {}));
        state.make(move);
    };
    for (int trial = 0; trial < 50; ++trial) {
        Plan plan = f.random_plan(random);
        State state(f.network, hamiltonian, plan);
        for (size_t b : {0u, 1u}) {
            if (is_gone(f.network, plan.bits, b)) {
                // As nobody has seen it go: as it was in the original.
                drop_or_restore(state, b, false);
                for (size_t k : f.network.branches[b].layers) EXPECT_EQ(state.bits()[k], kMaxBits);
                continue;
            }
            const Plan before = state.plan();
            Move none;
            EXPECT_FALSE(state.add_step(none, {Place::kBranch, b, false}, {}));
            drop_or_restore(state, b, true);
            Plan expected = before;
            drop(f.network, expected, b);
            EXPECT_EQ(state.plan(), expected);
            // Nothing of it can be changed while it is gone.
            for (size_t k : f.network.branches[b].layers) {
                EXPECT_FALSE(state.add_step(none, {Place::kLayer, k, true}, {}));
            }
            for (size_t family : f.network.branches[b].families) {
                EXPECT_FALSE(state.add_step(none, {Place::kFamily, family, true}, {}));
            }
            drop_or_restore(state, b, false);
            EXPECT_EQ(state.plan(), before);
        }
    }
}

TEST(State, StepsReachEveryCountAndWidthThatIsAllowed) {
    for (int64_t align : {1, 2, 3}) {
        NetworkOptions options = aligned();
        options.align = align;
        const Fixture f(net::residual_network(6), 1, options);
        const Hamiltonian hamiltonian = random_hamiltonian(f.network, 6);
        const Plan whole = uniform_plan(f.network, kMaxBits);
        State state(f.network, hamiltonian, whole);
        const auto go = [&](bool saves) {
            for (const Step& step : state.steps()) {
                for (Move move; step.saves == saves && state.add_step(move, step, {});) {
                    state.make(move);
                    check_plan(f.network, state.plan());
                    move.clear();
                }
            }
        };
        go(true);
        for (size_t k = 0; k < f.network.families(); ++k) {
            EXPECT_EQ(f.network.groups(k) - state.cut()[k], allowed_kept(f.network, k, 0));
        }
        for (size_t k = 0; k < f.network.layers.size(); ++k) {
            EXPECT_EQ(state.bits()[k], f.network.widths(k).front());
        }
        go(false);
        EXPECT_EQ(state.plan(), whole);
    }
}

TEST(State, ShapesHaveKeysOfTheirOwn) {
    const Fixture f(net::residual_network(0), 1, aligned());
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 0);
    std::map<uint64_t, std::pair<std::vector<int64_t>, std::vector<int>>> seen;
    Random random(4);
    State state(f.network, hamiltonian, uniform_plan(f.network, 8));
    for (int trial = 0; trial < 2000; ++trial) {
        const Plan plan = f.random_plan(random);
        state.set(plan);
        const auto shape = std::pair(cut_counts(plan), plan.bits);
        const auto [found, is_new] = seen.emplace(state.shape().key, shape);
        EXPECT_EQ(found->second, shape);
    }
}

TEST(State, TheBestChoiceIsTheBestOfAll) {
    const Fixture f(3);
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 3);
    Random random(3);
    for (int trial = 0; trial < 20; ++trial) {
        State state(f.network, hamiltonian, f.random_plan(random));
        for (const Step& step : state.steps()) {
            if (step.place != Place::kFamily) continue;
            Move best;
            if (!state.add_step(best, step, {})) continue;
            const auto candidates =
                step.saves ? state.kept_variables(step.index) : state.cut_variables(step.index);
            for (int variable : candidates) {
                Move one;
                state.add_flip(one, variable);
                EXPECT_GE(one.energy, best.energy - 1e-12);
            }
            // The few that were put first hold it.
            state.prefer(step.index, 1);
            Move first;
            ASSERT_TRUE(state.add_step(first, step, {nullptr, 1}));
            EXPECT_NEAR(first.energy, best.energy, 1e-12);
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
