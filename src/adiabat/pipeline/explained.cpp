// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/explained.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

namespace adiabat::pipeline {

namespace {

constexpr size_t kPartners = 10;

const char* name_of(plan::Alternative::Kind kind) {
    switch (kind) {
        case plan::Alternative::Kind::kSwap:
            return "swap";
        case plan::Alternative::Kind::kStep:
            return "step";
        case plan::Alternative::Kind::kExchange:
            return "exchange";
    }
    return "";
}

std::vector<plan::Budget> at_least(std::vector<plan::Budget> budgets,
                                   const plan::CostFunctions& costs, const plan::Plan& plan) {
    for (plan::Budget& budget : budgets) {
        budget.limit = std::max(budget.limit, costs.cost(budget.quantity, plan));
    }
    return budgets;
}

}  // namespace

Explained::Explained(const Subject& subject, const plan::Hamiltonian& hamiltonian,
                     std::vector<plan::Budget> budgets, const plan::Plan& plan, bool in_steps)
    : subject_(subject),
      hamiltonian_(hamiltonian),
      in_steps_(in_steps),
      budgets_(at_least(std::move(budgets), subject.costs(), plan)),
      state_(subject.network(), hamiltonian, plan),
      wall_(budgets_, subject.costs(), lock_),
      costs_(wall_.costs(state_.shape())),
      members_(network().coupling.groups.size()) {
    for (const auto& words : encoding().layers) {
        widths_.push_back(plan::Encoding::widths(words));
    }
    for (size_t k = 0; k < network().layers.size(); ++k) {
        const auto& groups = network().filter_groups(k);
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] == net::kStays) continue;
            auto& list = members_[static_cast<size_t>(groups[i])];
            if (list.empty() || list.back().layer != k) list.push_back({k, {}});
            list.back().filters.push_back(i);
        }
    }
}

int Explained::variable_of(net::GroupId group) const {
    const net::ChannelGroup& facts = network().coupling.groups[static_cast<size_t>(group)];
    return encoding().cut_variable(static_cast<size_t>(facts.family),
                                   static_cast<size_t>(facts.member));
}

double Explained::marginal(int variable) const {
    plan::Move move;
    state_.add_flip(move, variable);
    return is_cut(variable) ? -move.energy : move.energy;
}

Json Explained::members(net::GroupId group) const {
    Json json = Json::array();
    for (const Member& member : members_[static_cast<size_t>(group)]) {
        json.push_back(
            {{"layer", network().layers[member.layer].name}, {"filters", member.filters}});
    }
    return json;
}

Json Explained::costs_json(const std::vector<int64_t>& costs) const {
    Json json = Json::object();
    for (size_t k = 0; k < costs.size(); ++k) {
        json[std::string(plan::name_of(budgets_[k].quantity))] = costs[k] - costs_[k];
    }
    return json;
}

Json Explained::effect(const plan::Move& move) {
    return {{"energy", move.energy},
            {"costs", costs_json(wall_.costs(state_.shape_after(move)))},
            {"keeps", wall_.keeps(state_, move)}};
}

Json Explained::budgets(bool has_limits) const {
    Json json = Json::array();
    for (size_t k = 0; k < budgets_.size(); ++k) {
        json.push_back({{"quantity", plan::name_of(budgets_[k].quantity)},
                        {"limit", has_limits ? Json(budgets_[k].limit) : Json(nullptr)},
                        {"cost", costs_[k]}});
    }
    return json;
}

plan::Move Explained::width_move(size_t layer, int64_t to) const {
    const auto& widths = widths_[layer];
    const auto here = std::find_if(widths.begin(), widths.end(), [&](const auto& word) {
        return word.bits == state_.bits()[layer];
    });
    plan::Move move;
    uint32_t flips = here->pattern ^ widths[static_cast<size_t>(to)].pattern;
    for (; flips != 0; flips &= flips - 1) {
        state_.add_flip(move, encoding().layers[layer].first + std::countr_zero(flips));
    }
    move.changes.push_back({plan::Place::kLayer, layer, here - widths.begin(), to});
    return move;
}

Json Explained::width_json(size_t layer, int64_t to) {
    const bool is_gone = state_.bits()[layer] == plan::kGone;
    if (is_gone || to < 0 || to >= std::ssize(widths_[layer])) return nullptr;
    Json json = {{"bits", widths_[layer][static_cast<size_t>(to)].bits}};
    json.update(effect(width_move(layer, to)));
    return json;
}

std::vector<net::GroupId> Explained::groups_of(size_t layer) const {
    std::vector<net::GroupId> groups = network().filter_groups(layer);
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    std::erase(groups, net::kStays);
    std::stable_sort(groups.begin(), groups.end(), [&](net::GroupId a, net::GroupId b) {
        return marginal(variable_of(a)) < marginal(variable_of(b));
    });
    return groups;
}

// The cheapest of those that are kept, the dearest of those that are cut.
Json Explained::extreme(const std::vector<net::GroupId>& groups, size_t layer, bool cut) const {
    Json json = nullptr;
    for (net::GroupId group : groups) {
        const int variable = variable_of(group);
        if (is_cut(variable) != cut || (!cut && !json.is_null())) continue;
        for (const Member& member : members_[static_cast<size_t>(group)]) {
            if (member.layer != layer) continue;
            json = {{"filters", member.filters}, {"energy", marginal(variable)}};
        }
    }
    return json;
}

Json Explained::layers() {
    const auto states = plan::states(network(), state_.plan());
    Json rows = Json::array();
    for (size_t k = 0; k < network().layers.size(); ++k) {
        const auto groups = groups_of(k);
        const auto cut = std::count_if(groups.begin(), groups.end(), [&](net::GroupId group) {
            return is_cut(variable_of(group));
        });
        const auto& widths = widths_[k];
        const bool is_gone = state_.bits()[k] == plan::kGone;
        const auto here =
            std::find_if(widths.begin(), widths.end(),
                         [&](const auto& word) { return word.bits == state_.bits()[k]; }) -
            widths.begin();
        rows.push_back({{"name", network().layers[k].name},
                        {"bits", state_.bits()[k]},
                        {"wider", width_json(k, here + 1)},
                        {"narrower", width_json(k, here - 1)},
                        {"filters", states[k].filters},
                        {"filters_before", network().layers[k].filters},
                        {"groups", groups.size()},
                        {"groups_cut", cut},
                        {"cheapest_kept", is_gone ? Json() : extreme(groups, k, false)},
                        {"dearest_cut", is_gone ? Json() : extreme(groups, k, true)}});
    }
    return rows;
}

Json Explained::branches() {
    Json rows = Json::array();
    for (size_t b = 0; b < encoding().branches.size(); ++b) {
        const plan::Branch& branch = network().branches[b];
        const bool gone = plan::is_gone(network(), state_.bits(), b);
        plan::Move move;
        state_.add_step(move, {plan::Place::kBranch, b, !gone}, {});
        Json layers = Json::array();
        for (size_t k : branch.layers) layers.push_back(network().layers[k].name);
        rows.push_back({{"name", branch.name},
                        {"layers", std::move(layers)},
                        {"gone", gone},
                        {"change", effect(move)}});
    }
    return rows;
}

Json Explained::activations() {
    Json rows = Json::array();
    for (size_t a = 0; a < network().activations.size(); ++a) {
        if (Json row = activation_json(a); !row.is_null()) rows.push_back(std::move(row));
    }
    return rows;
}

Json Explained::activation_json(size_t activation) {
    const size_t k = network().layers.size() + activation;
    if (widths_[k].size() < 2) return nullptr;
    const bool is_float = state_.bits()[k] == net::kFloatBits;
    return {{"name", network().name(k)},
            {"float", is_float},
            {"change", width_json(k, is_float ? 0 : 1)}};
}

Json Explained::single(int variable) const {
    return in_steps_ ? Json(nullptr) : Json(hamiltonian_.problem.linear(variable));
}

Json Explained::layer(size_t layer) {
    Json json = {{"name", network().layers[layer].name},
                 {"bits", state_.bits()[layer]},
                 {"widths", Json::array()},
                 {"groups", Json::array()},
                 {"activations", Json::array()}};
    const bool is_gone = state_.bits()[layer] == plan::kGone;
    for (int64_t w = 0; w < std::ssize(widths_[layer]) && !is_gone; ++w) {
        json["widths"].push_back(width_json(layer, w));
    }
    for (net::GroupId group : groups_of(layer)) {
        const int variable = variable_of(group);
        json["groups"].push_back({{"members", members(group)},
                                  {"cut", is_cut(variable)},
                                  {"single", single(variable)},
                                  {"marginal", marginal(variable)}});
    }
    for (size_t a = 0; a < network().activations.size(); ++a) {
        const net::Activation& activation = network().activations[a];
        const bool is_read = std::ranges::count(activation.readers, layer) > 0;
        if (!is_read && activation.maker != static_cast<int>(layer)) continue;
        Json row = activation_json(a);
        if (row.is_null()) continue;
        row["role"] = is_read ? "input" : "output";
        json["activations"].push_back(std::move(row));
    }
    return json;
}

// Cut groups by the size of what they add together with this one; kept ones that add the most: they
// can stand in for it.
Json Explained::partners(int variable, bool cut) const {
    std::vector<std::pair<double, net::GroupId>> found;
    for (size_t g = 0; g < members_.size(); ++g) {
        const auto group = static_cast<net::GroupId>(g);
        const int other = variable_of(group);
        if (other == variable || is_cut(other) != cut) continue;
        const double coupling = hamiltonian_.problem.coupling(variable, other);
        if (cut ? coupling != 0 : coupling > 0) found.emplace_back(coupling, group);
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return std::abs(a.first) > std::abs(b.first);
    });
    Json json = Json::array();
    for (const auto& [coupling, group] : found) {
        if (json.size() == kPartners) break;
        json.push_back({{"members", members(group)}, {"energy", coupling}});
    }
    return json;
}

// Null where alignment, or what must stay, forbids it alone.
Json Explained::undo(net::GroupId group) {
    const auto family =
        static_cast<size_t>(network().coupling.groups[static_cast<size_t>(group)].family);
    const int variable = variable_of(group);
    const int64_t cut = state_.cut()[family], after = cut + (is_cut(variable) ? -1 : 1);
    const int64_t kept = network().groups(family) - after;
    if (plan::allowed_kept(network(), family, kept) != kept) return nullptr;
    plan::Move move;
    state_.add_flip(move, variable);
    move.changes.push_back({plan::Place::kFamily, family, cut, after});
    return effect(move);
}

Json Explained::best_swap(net::GroupId group) {
    const int variable = variable_of(group),
              family = network().coupling.groups[static_cast<size_t>(group)].family;
    Json best = nullptr;
    for (net::GroupId other : network().coupling.families[static_cast<size_t>(family)].groups) {
        if (is_cut(variable_of(other)) == is_cut(variable)) continue;
        plan::Move move;
        state_.add_flip(move, variable);
        state_.add_flip(move, variable_of(other));
        if (!best.is_null() && best["energy"].get<double>() <= move.energy) continue;
        best = {{"members", members(other)}, {"energy", move.energy}};
    }
    return best;
}

Json Explained::filter(size_t layer, size_t filter) {
    const auto& groups = network().filter_groups(layer);
    Json json = {{"layer", network().layers[layer].name}, {"filter", filter}};
    if (groups.empty() || groups[filter] == net::kStays) {
        json["stays"] = true;
        return json;
    }
    const net::GroupId group = groups[filter];
    const int variable = variable_of(group),
              branch = network().branch_of_family(static_cast<size_t>(
                  network().coupling.groups[static_cast<size_t>(group)].family));
    if (branch >= 0 && plan::is_gone(network(), state_.bits(), static_cast<size_t>(branch))) {
        json["stays"] = false;
        json["gone_with"] = network().branches[static_cast<size_t>(branch)].name;
        return json;
    }
    double with_cuts = 0, with_widths = 0;
    for (int other = 0; other < encoding().variables; ++other) {
        if (other == variable || !is_cut(other)) continue;  // set, of bits
        const bool is_width = other >= encoding().layers.front().first &&
                              (encoding().branches.empty() || other < encoding().branches.front());
        (is_width ? with_widths : with_cuts) += hamiltonian_.problem.coupling(variable, other);
    }
    json["stays"] = false;
    json["members"] = members(group);
    json["cut"] = is_cut(variable);
    json["single"] = single(variable);
    json["with_cuts"] = with_cuts;
    json["with_widths"] = with_widths;
    json["marginal"] = marginal(variable);
    json["joint"] = partners(variable, true);
    json["partners"] = partners(variable, false);
    json["undo"] = undo(group);
    json["best_swap"] = best_swap(group);
    return json;
}

Json Explained::alternatives(size_t keep) {
    std::map<int, net::GroupId> groups;
    for (size_t g = 0; g < members_.size(); ++g) {
        groups[variable_of(static_cast<net::GroupId>(g))] = static_cast<net::GroupId>(g);
    }
    Json json = Json::array();
    for (const plan::Alternative& found : plan::nearest_alternatives(state_, wall_, keep)) {
        Json cut = Json::array(), revive = Json::array(), bits = Json::array(),
             drop = Json::array(), restore = Json::array();
        std::set<int> whole;  // branches that go or come back
        for (const plan::Move::Change& change : found.move.changes) {
            if (change.place != plan::Place::kBranch) continue;
            whole.insert(static_cast<int>(change.index));
            (change.to != 0 ? drop : restore).push_back(network().branches[change.index].name);
        }
        for (int variable : found.move.flips) {
            const auto group = groups.find(variable);
            if (group == groups.end()) continue;
            const int family = network().coupling.groups[static_cast<size_t>(group->second)].family;
            if (whole.contains(network().branch_of_family(static_cast<size_t>(family)))) continue;
            (is_cut(variable) ? revive : cut).push_back(members(group->second));
        }
        for (const plan::Move::Change& change : found.move.changes) {
            if (change.place != plan::Place::kLayer ||
                whole.contains(network().branch_of_layer(change.index)))
                continue;
            bits.push_back({{"layer", network().name(change.index)},
                            {"from", state_.bits()[change.index]},
                            {"to", widths_[change.index][static_cast<size_t>(change.to)].bits}});
        }
        json.push_back({{"kind", name_of(found.kind)},
                        {"energy", found.move.energy},
                        {"costs", costs_json(found.costs)},
                        {"cut", std::move(cut)},
                        {"revive", std::move(revive)},
                        {"bits", std::move(bits)},
                        {"drop", std::move(drop)},
                        {"restore", std::move(restore)}});
    }
    return json;
}

}  // namespace adiabat::pipeline
