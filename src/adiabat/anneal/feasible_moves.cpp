// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/feasible_moves.h"

#include <algorithm>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr int kPartnersTried = 16;  // of a random pair

uint32_t size_of(std::span<const uint8_t> x) { return static_cast<uint32_t>(x.size()); }

// A number below n that a random word decides.
int place(uint32_t random, int n) {
    return static_cast<int>(uint64_t{random} * static_cast<uint64_t>(n) >> 32);
}

}  // namespace

FeasibleMoves::FeasibleMoves(const qubo::Problem& problem, std::span<const uint8_t> x)
    : problem_(problem),
      state_(problem, x),
      constraints_(problem.constraints, problem.variables()),
      until_(x.size(), 0),
      row_(x.size()) {
    for (const qubo::Group& group : problem.constraints.groups)
        members_ += static_cast<int64_t>(group.members.size());
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form))
        rank_ = factored->rank();
    constraints_.set(x);
    ADIABAT_CHECK(constraints_.keeps(), "a start that breaks the constraints");
}

void FeasibleMoves::set(std::span<const uint8_t> x) {
    state_.set(x);
    constraints_.set(x);
    std::ranges::fill(until_, 0);
}

FeasibleMove FeasibleMoves::best(int width, int64_t iteration, double aspiration, uint32_t random) {
    Search search{iteration, aspiration, {}, {}};
    const int start = place(random, state_.variables());
    consider_flips(search, start);
    consider_steps(search);
    for (const int i : forbidden(width, iteration, start)) consider_partners(search, i);
    return search.best.exists() ? search.best : search.tabu_best;
}

FeasibleMove FeasibleMoves::best_of_all_pairs(const Watch& watch) {
    Search search{std::numeric_limits<int64_t>::max(), 0, {}, {}};
    consider_flips(search, 0);
    for (int i = 0; i < state_.variables(); ++i) {
        if (i % 16 == 0 && watch.over()) return {};
        consider_partners(search, i);
    }
    return search.best;
}

// The constraints are asked last: they are what takes longest.
void FeasibleMoves::consider(Search& search, int i, int j, double change) const {
    const bool free = change < search.aspiration ||
                      (is_free(i, search.iteration) && (j < 0 || is_free(j, search.iteration)));
    const int both[] = {i, j};
    const std::span<const int> variables(both, j < 0 ? 1 : 2);
    if (free) {
        if (change < search.best.change && constraints_.allows(variables))
            search.best = {i, j, change};
        return;
    }
    if (search.best.exists()) return;
    int64_t until = until_[static_cast<size_t>(i)];
    if (j >= 0) until = std::max(until, until_[static_cast<size_t>(j)]);
    if (until > search.tabu_until ||
        (until == search.tabu_until && change >= search.tabu_best.change))
        return;
    if (!constraints_.allows(variables)) return;
    search.tabu_best = {i, j, change};
    search.tabu_until = until;
}

void FeasibleMoves::consider_flips(Search& search, int start) const {
    const int n = state_.variables();
    for (int i = start; i < n; ++i) consider(search, i, -1, state_.change(i));
    for (int i = 0; i < start; ++i) consider(search, i, -1, state_.change(i));
}

void FeasibleMoves::consider_steps(Search& search) const {
    for (const qubo::Group& group : problem_.constraints.groups) {
        const auto is_set = [&](int i) { return x()[static_cast<size_t>(i)] != 0; };
        const auto set = std::ranges::find_if(group.members, is_set);
        if (set == group.members.end()) continue;
        for (const int other : group.members) {
            if (other == *set) continue;
            const double change =
                state_.change(*set) + state_.change(other) - problem_.coupling(*set, other);
            consider(search, *set, other, change);
        }
    }
}

std::vector<int> FeasibleMoves::forbidden(int width, int64_t iteration, int start) const {
    std::vector<int> some, usable;  // ascending in dE, equal ones by their place
    if (problem_.constraints.budgets.empty()) return usable;
    const auto most = static_cast<size_t>(width);
    const auto change = [&](int i) { return state_.change(i); };
    const auto is_late = [&](const std::vector<int>& chosen, int i) {
        return chosen.size() == most && change(i) >= change(chosen.back());
    };
    const auto enter = [&](std::vector<int>& chosen, int i) {
        if (is_late(chosen, i)) return;
        chosen.insert(std::ranges::upper_bound(chosen, change(i), {}, change), i);
        if (chosen.size() > most) chosen.pop_back();
    };
    const int n = state_.variables();
    for (int k = 0; k < n; ++k) {
        const int i = start + k < n ? start + k : start + k - n;
        const bool tabu = !is_free(i, iteration);
        if (tabu && !usable.empty()) continue;
        if (is_late(tabu ? some : usable, i) || constraints_.is_free(i) ||
            !constraints_.groups_allow(i) || constraints_.allows(i))
            continue;
        enter(tabu ? some : usable, i);
    }
    return usable.empty() ? some : usable;
}

void FeasibleMoves::consider_partners(Search& search, int i) {
    std::ranges::fill(row_, 0.0);
    problem_.add_row(i, 1.0, row_);
    const double own = state_.change(i);
    for (int j = 0; j < state_.variables(); ++j) {
        if (j == i) continue;
        const double change =
            own + state_.change(j) + signed_coupling(i, j, row_[static_cast<size_t>(j)]);
        if (!search.best.exists() || change < search.best.change) consider(search, i, j, change);
    }
}

void FeasibleMoves::make(const FeasibleMove& move, int64_t until) {
    for (const int i : {move.first, move.second}) {
        if (i < 0) continue;
        state_.flip(i);
        constraints_.flip(i);
        until_[static_cast<size_t>(i)] = until;
    }
}

void FeasibleMoves::shake(int moves, Random& random) {
    for (int k = 0; k < moves; ++k) {
        if (const FeasibleMove move = random_move(random); move.exists()) make(move, 0);
    }
}

// A flip where it is allowed, else a step in a group, else a pair with a partner drawn.
FeasibleMove FeasibleMoves::random_move(Random& random) const {
    const int i = static_cast<int>(random.below(size_of(x())));
    if (constraints_.allows(i)) return {i, -1, state_.change(i)};
    const auto groups = constraints_.groups_of(i);
    for (int attempt = 0; attempt < kPartnersTried; ++attempt) {
        int j = static_cast<int>(random.below(size_of(x())));
        if (!groups.empty() && attempt % 2 == 0) {
            const int group = groups[random.below(static_cast<uint32_t>(groups.size()))];
            const auto& members = problem_.constraints.groups[static_cast<size_t>(group)].members;
            j = members[random.below(static_cast<uint32_t>(members.size()))];
        }
        const int both[] = {i, j};
        if (j != i && constraints_.allows(both)) return {i, j, 0};
    }
    return {};
}

int64_t FeasibleMoves::work(int width) const {
    const int64_t n = state_.variables();
    const int64_t swaps = problem_.constraints.budgets.empty() ? 0 : width * n;
    return (1 + rank_) * (4 * n + 4 * members_ + 2 * swaps);
}

uint64_t feasible_moves_bytes(const qubo::Problem& problem) {
    uint64_t held = 0;  // variables in constraints
    for (const auto& budget : problem.constraints.budgets) held += budget.terms.size();
    for (const auto& group : problem.constraints.groups) held += group.members.size();
    return 100 * static_cast<uint64_t>(problem.variables()) + 32 * held;
}

}  // namespace adiabat::anneal
