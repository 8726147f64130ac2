// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/state.h"

#include <algorithm>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

// The finalizer of splitmix64 (S. Vigna, 2015): a number for each value of each place, so that the
// exclusive or over all places tells shapes apart (A. Zobrist, 1970).
uint64_t mixed(Place place, size_t index, int64_t value) {
    uint64_t z = (uint64_t{index} << 34 | static_cast<uint64_t>(place) << 32 |
                  static_cast<uint64_t>(value)) +
                 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

bool has(const std::vector<int>& list, int value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

State::State(const Network& network, const Hamiltonian& hamiltonian, const Plan& plan)
    : network_(network),
      hamiltonian_(hamiltonian),
      fields_(hamiltonian.problem, encode(network, hamiltonian.encoding, plan)) {
    const Encoding& encoding = hamiltonian.encoding;
    at_.assign(static_cast<size_t>(encoding.variables), -1);
    family_of_ = at_;
    for (bool saves : {false, true}) {
        for (size_t f = 0; f < network.families(); ++f) {
            if (allowed_kept(network, f, 0) < network.groups(f))
                steps_.push_back({Place::kFamily, f, saves});
        }
        for (size_t k = 0; k < network.tensors(); ++k) {
            if (Encoding::widths(encoding.layers[k]).size() > 1)
                steps_.push_back({Place::kLayer, k, saves});
        }
        for (size_t b = 0; b < encoding.branches.size(); ++b) {
            steps_.push_back({Place::kBranch, b, saves});
        }
    }
    for (const Step& step : steps_) {
        if (step.saves && step.place == Place::kFamily) families_.push_back(step.index);
    }
    for (size_t f = 0; f < network.families(); ++f) {
        most_cut_.push_back(network.groups(f) - allowed_kept(network, f, 0));
        order_.emplace_back();
        for (size_t m = 0; m < static_cast<size_t>(network.groups(f)); ++m) {
            order_[f].push_back(encoding.cut_variable(f, m));
            family_of_[static_cast<size_t>(order_[f].back())] = static_cast<int>(f);
        }
    }
    for (const auto& layer : encoding.layers) widths_.push_back(Encoding::widths(layer));
    set(plan);
}

void State::set(const Plan& plan) {
    const Encoding& encoding = hamiltonian_.encoding;
    fields_.set(encode(network_, encoding, plan));
    energy_ = hamiltonian_.problem.energy(x());
    bits_ = plan.bits;
    cut_ = cut_counts(plan);
    key_ = 0;
    for (size_t f = 0; f < order_.size(); ++f) {
        key_ ^= mixed(Place::kFamily, f, cut_[f]);
        std::sort(order_[f].begin(), order_[f].end());
        std::stable_partition(order_[f].begin(), order_[f].end(),
                              [&](int i) { return x()[static_cast<size_t>(i)] != 0; });
        for (size_t p = 0; p < order_[f].size(); ++p) {
            at_[static_cast<size_t>(order_[f][p])] = static_cast<int>(p);
        }
    }
    width_.clear();
    patterns_.clear();
    for (size_t k = 0; k < bits_.size(); ++k) {
        int64_t number = bits_[k] == kGone ? std::ssize(widths_[k]) - 1 : 0;
        while (bits_[k] != kGone && bits_of(k, number) != bits_[k]) ++number;
        width_.push_back(number);
        patterns_.push_back(widths_[k][static_cast<size_t>(number)].pattern);
        key_ ^= mixed(Place::kLayer, k, number);
    }
    gone_.clear();
    before_.assign(network_.branches.size(), {});
    for (size_t b = 0; b < network_.branches.size(); ++b) {
        gone_.push_back(plan::is_gone(network_, bits_, b));
        key_ ^= mixed(Place::kBranch, b, gone_[b]);
        remember(b);
    }
    cut_after_ = cut_;
    bits_after_ = bits_;
}

Plan State::plan() const {
    Plan plan;
    plan.bits = bits_;
    for (size_t f = 0; f < order_.size(); ++f) {
        const auto first = x().begin() + hamiltonian_.encoding.first_cut[f];
        plan.cut.emplace_back(first, first + std::ssize(order_[f]));
    }
    return plan;
}

std::span<const int> State::cut_variables(size_t family) const {
    return std::span(order_[family]).first(static_cast<size_t>(cut_[family]));
}

std::span<const int> State::kept_variables(size_t family) const {
    return std::span(order_[family]).subspan(static_cast<size_t>(cut_[family]));
}

double State::energy_of(const Move& move, int variable) const {
    double field = fields_.field(variable);
    for (int other : move.flips) field += fields_.sign(other) * fields_.coupling(variable, other);
    return fields_.sign(variable) * field;
}

// What the branch is now.
void State::remember(size_t branch) {
    Before& before = before_[branch];
    before = {};
    for (size_t f : network_.branches[branch].families) {
        const auto cut = cut_variables(f);
        before.cut.insert(before.cut.end(), cut.begin(), cut.end());
    }
    for (size_t k : network_.branches[branch].layers) before.widths.push_back(width_[k]);
}

void State::add_flip(Move& move, int variable) const {
    move.energy += energy_of(move, variable);
    move.flips.push_back(variable);
}

bool State::add_step(Move& move, const Step& step, const Choice& choice) const {
    for (const Move::Change& change : move.changes) {
        if (change.place == step.place && change.index == step.index) return false;
    }
    if (step.place == Place::kBranch) return add_branch(move, step, choice);
    return step.place == Place::kLayer ? add_bits(move, step) : add_groups(move, step, choice);
}

// Any widths, and counts of groups that are drawn too.
State::Before State::drawn(size_t branch, Random& random) const {
    Before before;
    for (size_t f : network_.branches[branch].families) {
        std::vector<int> groups = order_[f];
        const int64_t all = std::ssize(groups);
        const int64_t kept =
            allowed_kept(network_, f, all - random.below(static_cast<uint32_t>(most_cut_[f] + 1)));
        for (int64_t i = 0; i < all - kept; ++i) {
            const auto at = static_cast<size_t>(i);
            std::swap(groups[at], groups[at + random.below(static_cast<uint32_t>(all - i))]);
            before.cut.push_back(groups[at]);
        }
    }
    for (size_t k : network_.branches[branch].layers) {
        before.widths.push_back(random.below(static_cast<uint32_t>(widths_[k].size())));
    }
    return before;
}

// All that is the branch's own changes with it, were it from and to the same.
bool State::add_branch(Move& move, const Step& step, const Choice& choice) const {
    const size_t b = step.index;
    if (step.saves == (gone_[b] != 0)) return false;
    const Branch& branch = network_.branches[b];
    for (const Move::Change& change : move.changes) {
        const int other = change.place == Place::kFamily  ? network_.branch_of_family(change.index)
                          : change.place == Place::kLayer ? network_.branch_of_layer(change.index)
                                                          : -1;
        if (other == static_cast<int>(b)) return false;
    }
    const bool draws = !step.saves && choice.random && choice.random->below(2) == 0;
    const Before before = draws ? drawn(b, *choice.random) : before_[b];
    move.flips.push_back(hamiltonian_.encoding.branches[b]);
    move.changes.push_back({Place::kBranch, b, gone_[b], step.saves});
    for (size_t f : branch.families) {
        const auto mine = [&](int variable) {
            return family_of_[static_cast<size_t>(variable)] == static_cast<int>(f);
        };
        const int64_t cut =
            step.saves ? 0 : std::count_if(before.cut.begin(), before.cut.end(), mine);
        move.changes.push_back({Place::kFamily, f, cut_[f], cut});
        if (!step.saves) continue;
        const auto variables = cut_variables(f);
        move.flips.insert(move.flips.end(), variables.begin(), variables.end());
    }
    if (!step.saves) move.flips.insert(move.flips.end(), before.cut.begin(), before.cut.end());
    for (size_t i = 0; i < branch.layers.size(); ++i) {
        const size_t k = branch.layers[i];
        const int64_t to = step.saves ? std::ssize(widths_[k]) - 1 : before.widths[i];
        for_each_flip(k, to, [&](int variable) { move.flips.push_back(variable); });
        move.changes.push_back({Place::kLayer, k, width_[k], to});
    }
    move.energy = fields_.energy_of(move.flips);
    return true;
}

bool State::add_bits(Move& move, const Step& step) const {
    const size_t layer = step.index;
    if (is_gone(network_.branch_of_layer(layer))) return false;
    const int64_t from = width_[layer];
    const int64_t to = std::clamp(from + (step.saves ? -step.times : step.times), int64_t{0},
                                  std::ssize(widths_[layer]) - 1);
    if (to == from) return false;
    for_each_flip(layer, to, [&](int variable) { add_flip(move, variable); });
    move.changes.push_back({Place::kLayer, layer, from, to});
    return true;
}

bool State::add_groups(Move& move, const Step& step, const Choice& choice) const {
    const size_t family = step.index;
    if (is_gone(network_.branch_of_family(family))) return false;
    const bool cuts = step.saves;
    const int64_t all = groups(family), kept = all - cut_[family];
    const int64_t unit = network_.group_step(family);
    // Multiples below or above; a family that is whole may be none.
    const int64_t wanted =
        cuts ? std::max(((kept - 1) / unit - step.times + 1) * unit, all - most_cut_[family])
             : std::min((kept / unit + step.times) * unit, all);
    if (cuts ? wanted >= kept : wanted <= kept) return false;
    const auto candidates = cuts ? kept_variables(family) : cut_variables(family);
    for (int64_t k = std::abs(wanted - kept); k > 0; --k) {
        add_flip(move, choose(move, candidates, choice));
    }
    move.changes.push_back({Place::kFamily, family, cut_[family], all - wanted});
    return true;
}

bool State::add_swap(Move& move, size_t family, const Choice& choice) const {
    if (cut_[family] == 0 || cut_[family] == groups(family)) return false;
    add_flip(move, choose(move, kept_variables(family), choice));
    add_flip(move, choose(move, cut_variables(family), choice));
    return true;
}

// The candidate of least energy that is not in the move. There is one.
int State::choose(const Move& move, std::span<const int> candidates, const Choice& choice) const {
    const auto most = static_cast<size_t>(choice.draws) + move.flips.size();
    int best = -1;
    double least = 0;
    const bool alone = choice.random && !fields_.has_quick_couplings();
    const auto offer = [&](int variable) {
        if (has(move.flips, variable)) return;
        const double energy =
            alone ? fields_.sign(variable) * fields_.field(variable) : energy_of(move, variable);
        if (best >= 0 && energy >= least) return;
        best = variable;
        least = energy;
    };
    if (!choice.random) {
        for (size_t k = 0; k < candidates.size() && (k < most || best < 0); ++k) {
            offer(candidates[k]);
        }
        return best;
    }
    const auto count = static_cast<uint32_t>(candidates.size());
    if (choice.draws == 1) {
        do {
            best = candidates[choice.random->below(count)];
        } while (has(move.flips, best));
        return best;
    }
    for (int k = 0; k < choice.draws || best < 0; ++k) {
        offer(candidates[choice.random->below(count)]);
    }
    return best;
}

uint64_t State::key_after(const Move& move) const {
    uint64_t key = key_;
    for (const Move::Change& change : move.changes) {
        key ^= mixed(change.place, change.index, change.from) ^
               mixed(change.place, change.index, change.to);
    }
    return key;
}

State::Shape State::shape_after(const Move& move) {
    cut_after_ = cut_;
    bits_after_ = bits_;
    for (const Move::Change& change : move.changes) {
        if (change.place == Place::kLayer) {
            bits_after_[change.index] = bits_of(change.index, change.to);
        } else if (change.place == Place::kFamily) {
            cut_after_[change.index] = change.to;
        }
    }
    for (const Move::Change& change : move.changes) {
        if (change.place != Place::kBranch || change.to == 0) continue;
        for (size_t k : network_.branches[change.index].layers) bits_after_[k] = kGone;
    }
    return {cut_after_, bits_after_, key_after(move)};
}

void State::prefer(size_t family, int few) {
    for (bool cuts : {false, true}) {
        const auto count = static_cast<size_t>(cut_[family]);
        const auto part = cuts ? std::span(order_[family]).subspan(count)
                               : std::span(order_[family]).first(count);
        std::vector<std::pair<double, int>> by_energy;
        for (int variable : part) {
            by_energy.emplace_back(fields_.sign(variable) * fields_.field(variable), variable);
        }
        const auto sorted = std::min(by_energy.size(), static_cast<size_t>(few));
        std::partial_sort(by_energy.begin(),
                          by_energy.begin() + static_cast<std::ptrdiff_t>(sorted), by_energy.end());
        for (size_t k = 0; k < part.size(); ++k) {
            part[k] = by_energy[k].second;
            at_[static_cast<size_t>(part[k])] = static_cast<int>(k + (cuts ? count : 0));
        }
    }
}

void State::place(size_t family, int variable) {
    auto& order = order_[family];
    const bool is_cut = x()[static_cast<size_t>(variable)] != 0;  // already flipped
    const auto edge = static_cast<size_t>(is_cut ? cut_[family]++ : --cut_[family]);
    const auto here = static_cast<size_t>(at_[static_cast<size_t>(variable)]);
    std::swap(order[edge], order[here]);
    at_[static_cast<size_t>(order[edge])] = static_cast<int>(edge);
    at_[static_cast<size_t>(order[here])] = static_cast<int>(here);
}

void State::make(const Move& move) {
    key_ = key_after(move);
    for (const Move::Change& change : move.changes) {
        if (change.place == Place::kBranch && change.to != 0) remember(change.index);
    }
    for (int variable : move.flips) {
        fields_.flip(variable);
        const int family = family_of_[static_cast<size_t>(variable)];
        if (family >= 0) place(static_cast<size_t>(family), variable);
    }
    for (const Move::Change& change : move.changes) {
        if (change.place == Place::kBranch) gone_[change.index] = change.to != 0;
        if (change.place != Place::kLayer) continue;
        const auto number = static_cast<size_t>(change.to);
        width_[change.index] = change.to;
        patterns_[change.index] = widths_[change.index][number].pattern;
        bits_[change.index] = widths_[change.index][number].bits;
    }
    for (const Move::Change& change : move.changes) {
        if (change.place != Place::kBranch || change.to == 0) continue;
        for (size_t k : network_.branches[change.index].layers) bits_[k] = kGone;
    }
    energy_ += move.energy;
}

}  // namespace adiabat::plan
