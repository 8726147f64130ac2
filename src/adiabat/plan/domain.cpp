// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/domain.h"

#include <algorithm>

namespace adiabat::plan {

namespace {

bool may_cut(const Network& network, size_t family, int64_t count) {
    const int64_t kept = network.groups(family) - count;
    return kept == allowed_kept(network, family, kept);
}

bool tighten_family(const Network& network, size_t family, Domain::Counts& counts,
                    std::vector<Settled>& settled) {
    const auto cut = std::count(settled.begin(), settled.end(), Settled::kCut);
    const auto kept = std::count(settled.begin(), settled.end(), Settled::kKept);
    counts.least = std::max<int64_t>(counts.least, cut);
    counts.most = std::min<int64_t>(counts.most, std::ssize(settled) - kept);
    while (counts.least <= counts.most && !may_cut(network, family, counts.least)) ++counts.least;
    while (counts.least <= counts.most && !may_cut(network, family, counts.most)) --counts.most;
    if (counts.least > counts.most) return false;
    const bool all_cut = counts.least == std::ssize(settled) - kept;
    if (!all_cut && counts.most != cut) return true;
    std::replace(settled.begin(), settled.end(), Settled::kFree,
                 all_cut ? Settled::kCut : Settled::kKept);
    return true;
}

// As the plan's assignment has it: the widest where the layer is gone.
size_t width_of(const Network& network, const Plan& plan, size_t layer) {
    const auto& widths = network.widths(layer);
    if (plan.bits[layer] == kGone) return widths.size() - 1;
    return static_cast<size_t>(std::find(widths.begin(), widths.end(), plan.bits[layer]) -
                               widths.begin());
}

// What a branch that goes says of its own, and what that says of the branch.
bool tighten_branch(const Network& network, size_t b, Domain& domain) {
    Settled& branch = domain.branches[b];
    const auto& [place, name, layers, families] = network.branches[b];
    const bool can_go = std::all_of(families.begin(), families.end(),
                                    [&](size_t f) { return domain.cut[f].least == 0; }) &&
                        std::all_of(layers.begin(), layers.end(),
                                    [&](size_t l) { return domain.allowed[l].back() != 0; });
    if (!can_go && branch == Settled::kCut) return false;
    if (!can_go) branch = Settled::kKept;
    if (branch != Settled::kCut) return true;
    for (size_t f : families) domain.cut[f].most = 0;
    for (size_t l : layers) {
        std::fill(domain.allowed[l].begin(), domain.allowed[l].end() - 1, uint8_t{0});
    }
    return true;
}

}  // namespace

bool Domain::is_one_shape() const {
    for (const Counts& counts : cut) {
        if (!counts.is_one()) return false;
    }
    for (size_t k = 0; k < allowed.size(); ++k) {
        if (widths_left(k) != 1) return false;
    }
    return std::find(branches.begin(), branches.end(), Settled::kFree) == branches.end();
}

std::vector<int> Domain::bits(const Network& network) const {
    std::vector<int> bits;
    for (size_t l = 0; l < allowed.size(); ++l) {
        const auto at = std::find(allowed[l].begin(), allowed[l].end(), 1) - allowed[l].begin();
        bits.push_back(network.widths(l)[static_cast<size_t>(at)]);
    }
    for (size_t b = 0; b < branches.size(); ++b) {
        if (!may_go(b)) continue;
        for (size_t l : network.branches[b].layers) bits[l] = kGone;
    }
    return bits;
}

int64_t Domain::widths_left(size_t layer) const {
    return std::count(allowed[layer].begin(), allowed[layer].end(), 1);
}

bool Domain::contains(const Network& network, const Plan& plan) const {
    for (size_t f = 0; f < cut.size(); ++f) {
        const int64_t count = cut_count(plan, f);
        if (count < cut[f].least || count > cut[f].most) return false;
        for (size_t i = 0; i < settled[f].size(); ++i) {
            if (settled[f][i] != Settled::kFree &&
                (settled[f][i] == Settled::kCut) != plan.cut[f][i])
                return false;
        }
    }
    for (size_t k = 0; k < allowed.size(); ++k) {
        if (!allowed[k][width_of(network, plan, k)]) return false;
    }
    for (size_t b = 0; b < branches.size(); ++b) {
        const bool gone = is_gone(network, plan.bits, b);
        if (branches[b] == (gone ? Settled::kKept : Settled::kCut)) return false;
    }
    return true;
}

Domain all_plans(const Network& network) {
    Domain domain;
    for (size_t f = 0; f < network.families(); ++f) {
        const int64_t groups = network.groups(f);
        domain.cut.push_back({0, groups - allowed_kept(network, f, 0)});
        domain.settled.emplace_back(static_cast<size_t>(groups), Settled::kFree);
    }
    for (size_t k = 0; k < network.tensors(); ++k) {
        domain.allowed.emplace_back(network.widths(k).size(), uint8_t{1});
    }
    domain.branches.assign(network.branches.size(), Settled::kFree);
    tighten(network, domain);
    return domain;
}

Domain one_plan(const Network& network, const Plan& plan) {
    Domain one = all_plans(network);
    for (size_t f = 0; f < one.cut.size(); ++f) {
        one.cut[f].least = one.cut[f].most = cut_count(plan, f);
        for (size_t i = 0; i < one.settled[f].size(); ++i) {
            one.settled[f][i] = plan.cut[f][i] ? Settled::kCut : Settled::kKept;
        }
    }
    for (size_t l = 0; l < one.allowed.size(); ++l) {
        const size_t width = width_of(network, plan, l);
        for (size_t w = 0; w < one.allowed[l].size(); ++w) one.allowed[l][w] = w == width;
    }
    for (size_t b = 0; b < one.branches.size(); ++b) {
        one.branches[b] = is_gone(network, plan.bits, b) ? Settled::kCut : Settled::kKept;
    }
    return one;
}

Plan only_plan(const Network& network, const Domain& domain) {
    Plan plan = uniform_plan(network, kMaxBits);
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        for (size_t i = 0; i < plan.cut[f].size(); ++i) {
            plan.cut[f][i] = domain.settled[f][i] == Settled::kCut;
        }
    }
    plan.bits = domain.bits(network);
    return plan;
}

std::vector<Settled> settled_variables(const Network& network, const Encoding& encoding,
                                       const Domain& domain) {
    std::vector<Settled> variables(static_cast<size_t>(encoding.variables), Settled::kFree);
    for (size_t f = 0; f < domain.settled.size(); ++f) {
        std::copy(domain.settled[f].begin(), domain.settled[f].end(),
                  variables.begin() + encoding.first_cut[f]);
    }
    for (size_t l = 0; l < domain.allowed.size(); ++l) {
        uint32_t in_all = ~uint32_t{0}, in_any = 0;
        for (size_t w = 0; w < domain.allowed[l].size(); ++w) {
            if (!domain.allowed[l][w]) continue;
            const uint32_t pattern = encoding.word(l, network.widths(l)[w]).pattern;
            in_all &= pattern;
            in_any |= pattern;
        }
        const Encoding::LayerBits& bits = encoding.layers[l];
        for (int k = 0; k < bits.count; ++k) {
            if (in_all >> k & 1) variables[bits.at(k)] = Settled::kCut;
            if (!(in_any >> k & 1)) variables[bits.at(k)] = Settled::kKept;
        }
    }
    for (size_t b = 0; b < encoding.branches.size(); ++b) {
        variables[static_cast<size_t>(encoding.branches[b])] = domain.branches[b];
    }
    return variables;
}

bool tighten(const Network& network, Domain& domain) {
    for (size_t b = 0; b < domain.branches.size(); ++b) {
        if (!tighten_branch(network, b, domain)) return false;
    }
    for (size_t f = 0; f < domain.cut.size(); ++f) {
        if (!tighten_family(network, f, domain.cut[f], domain.settled[f])) return false;
    }
    for (size_t k = 0; k < domain.allowed.size(); ++k) {
        if (domain.widths_left(k) == 0) return false;
    }
    return true;
}

}  // namespace adiabat::plan
