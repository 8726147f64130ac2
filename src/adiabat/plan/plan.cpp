// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace adiabat::plan {

namespace {

const std::vector<net::AxisLabels::Share>& shares_on(const Network& network, size_t layer,
                                                     int axis) {
    static const std::vector<net::AxisLabels::Share> none;
    const auto* labels = network.coupling.labels_of(network.layers[layer].weight, axis);
    return labels ? labels->shares : none;
}

// Whether nothing else of the graph serves these branches alone: what serves several of them would
// disappear with the last, and belongs to none.
bool leave_nothing(const net::Graph& graph, const net::Uses& uses,
                   const std::vector<Branch>& branches) {
    std::vector<uint8_t> gone(graph.nodes.size(), 0), takes_over(graph.values.size(), 0);
    for (const Branch& branch : branches) {
        for (int node : branch.place.nodes) gone[static_cast<size_t>(node)] = 1;
        gone[static_cast<size_t>(branch.place.add)] = 1;
        gone[static_cast<size_t>(branch.place.last)] = 1;
        takes_over[static_cast<size_t>(net::skip_of(graph, branch.place))] = 1;
    }
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        if (gone[n]) continue;
        const auto& outputs = graph.nodes[n].outputs;
        const bool is_read = std::any_of(outputs.begin(), outputs.end(), [&](net::ValueId id) {
            if (id == net::kNoValue) return false;
            const auto& readers = uses.readers(id);
            return graph.is_output(id) || takes_over[static_cast<size_t>(id)] != 0 ||
                   std::any_of(readers.begin(), readers.end(),
                               [&](int reader) { return gone[static_cast<size_t>(reader)] == 0; });
        });
        const bool was_read = std::any_of(outputs.begin(), outputs.end(), [&](net::ValueId id) {
            return id != net::kNoValue && !uses.readers(id).empty();
        });
        if (was_read && !is_read) return false;
    }
    return true;
}

// Branches of which no two share a node, the inner ones of nested ones.
std::vector<Branch> separate_branches(const net::Graph& graph,
                                      const std::vector<net::Layer>& layers,
                                      const NetworkOptions& options) {
    std::vector<Branch> branches;
    if (!options.branches || options.least_kept > 0 || options.activations != Activations::kCoded)
        return branches;
    const net::Uses uses(graph);
    std::vector<uint8_t> taken(graph.nodes.size(), 0);
    for (net::Branch& place : net::find_branches(graph)) {
        const net::Node& add = graph.nodes[static_cast<size_t>(place.add)];
        Branch branch{{}, add.name.empty() ? graph.value(add.outputs[0]).name : add.name, {}, {}};
        bool may_go = true;
        for (int node : place.nodes) may_go = may_go && !taken[static_cast<size_t>(node)];
        for (size_t k = 0; k < layers.size(); ++k) {
            const net::Layer& layer = layers[k];
            if (!std::binary_search(place.nodes.begin(), place.nodes.end(), layer.node)) continue;
            branch.layers.push_back(k);
            may_go = may_go && !(options.stays && options.stays(layer)) &&
                     !(options.coupling.keep && !options.coupling.keep(layer.name).empty());
        }
        if (!may_go || branch.layers.empty()) continue;
        branch.place = place;
        branches.push_back(std::move(branch));
        if (!leave_nothing(graph, uses, branches)) {
            branches.pop_back();
            continue;
        }
        for (int node : place.nodes) taken[static_cast<size_t>(node)] = 1;
        taken[static_cast<size_t>(place.add)] = taken[static_cast<size_t>(place.last)] = 1;
    }
    return branches;
}

std::vector<net::Activation> float_activations(const net::Graph& graph,
                                               const std::vector<net::Layer>& layers,
                                               const NetworkOptions& options) {
    if (options.activations == Activations::kCoded) return {};
    std::vector<net::Activation> activations = net::find_coding(graph, layers).activations;
    if (options.activations == Activations::kMixed) {
        std::erase_if(activations, [](const auto& activation) { return !activation.is_inner; });
    }
    return activations;
}

std::vector<net::Branch> places_of(const std::vector<Branch>& branches) {
    std::vector<net::Branch> places;
    for (const Branch& branch : branches) places.push_back(branch.place);
    return places;
}

// Filters of a layer that any family has.
int64_t shares_total(const Network& network, const std::vector<net::AxisLabels::Share>& shares) {
    int64_t total = 0;
    for (const auto& share : shares) {
        total += share.count * network.groups(static_cast<size_t>(share.family));
    }
    return total;
}

}  // namespace

Network::Network(const net::Graph& graph, const NetworkOptions& options)
    : layers(net::find_layers(graph)),
      coupling(net::find_coupling(graph, options.coupling)),
      branches(separate_branches(graph, layers, options)),
      activations(float_activations(graph, layers, options)),
      costs(graph, coupling, layers, places_of(branches), activations),
      align(options.align),
      steps(families(), 1) {
    ADIABAT_CHECK(options.least_kept >= 0 && options.least_kept <= 1, "least share {}",
                  options.least_kept);
    if (align > 1) align_families();
    for (size_t f = 0; f < families(); ++f) {
        // A product that should be whole may lie a little above.
        const double share = options.least_kept * static_cast<double>(groups(f));
        least.push_back(std::max(kLeastKept, static_cast<int64_t>(std::ceil(share - 1e-9))));
    }
    allow_widths(graph, options);
    find_own();
}

// What goes with each branch.
void Network::find_own() {
    of_layer.assign(tensors(), -1);
    of_family.assign(families(), -1);
    for (size_t b = 0; b < branches.size(); ++b) {
        for (size_t k : branches[b].layers) of_layer[k] = static_cast<int>(b);
        const std::vector<int>& nodes = branches[b].place.nodes;
        const auto is_here = [&](int node) {
            return std::binary_search(nodes.begin(), nodes.end(), node);
        };
        for (size_t f = 0; f < families(); ++f) {
            const net::GroupFamily& family = coupling.families[f];
            if (family.makers.empty() ||
                !std::all_of(family.makers.begin(), family.makers.end(), is_here) ||
                !std::all_of(family.readers.begin(), family.readers.end(), is_here))
                continue;
            branches[b].families.push_back(f);
            of_family[f] = static_cast<int>(b);
        }
    }
}

void Network::allow_widths(const net::Graph& graph, const NetworkOptions& options) {
    std::vector<int> all = options.widths;
    if (all.empty()) {
        all.resize(kMaxBits - kMinBits + 1);
        std::iota(all.begin(), all.end(), kMinBits);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    const std::vector<bool> outermost = net::outermost(graph, layers);
    for (size_t k = 0; k < layers.size(); ++k) {
        std::vector<int> here = all;
        if (options.first_last && outermost[k]) here = {*options.first_last};
        if (options.stays && options.stays(layers[k])) here = {kMaxBits};
        ADIABAT_CHECK(here.front() >= kMinBits && here.back() <= kMaxBits, "{} to {} bits",
                      here.front(), here.back());
        allowed.push_back(std::move(here));
        names.push_back(layers[k].name);
    }
    for (const net::Activation& activation : activations) {
        allowed.push_back(options.activations == Activations::kFloat
                              ? std::vector<int>{net::kFloatBits}
                              : std::vector<int>{net::kActivationBits, net::kFloatBits});
        names.push_back(graph.value(activation.value).name);
    }
}

// The filters of a layer are a sum over families: each of them keeps a multiple, if it is cut, and
// is one as a whole, if another is cut instead.
void Network::align_families() {
    for (size_t k = 0; k < layers.size(); ++k) {
        for (const auto& share : filter_shares(k)) {
            int64_t& step = steps[static_cast<size_t>(share.family)];
            step = std::lcm(step, align / std::gcd(align, share.count));
        }
    }
    // Layers make families neighbors; one family that is no multiple holds all that it reaches.
    std::vector<uint8_t> held(families());
    for (size_t k = 0; k < layers.size(); ++k) {
        const auto& shares = filter_shares(k);
        const bool odd = std::any_of(shares.begin(), shares.end(), [&](const auto& share) {
            const auto f = static_cast<size_t>(share.family);
            return groups(f) % steps[f] != 0;
        });
        const bool is_sum =
            shares.size() > 1 || std::ssize(filter_groups(k)) != shares_total(*this, shares);
        if (!odd || !is_sum) continue;
        for (const auto& share : shares) held[static_cast<size_t>(share.family)] = 1;
    }
    for (bool more = true; more;) {
        more = false;
        for (size_t k = 0; k < layers.size(); ++k) {
            const auto& shares = filter_shares(k);
            const auto is_held = [&](const auto& share) {
                return held[static_cast<size_t>(share.family)] != 0;
            };
            // A held family stays whole: harmless beside others where it is a multiple.
            const bool odd = std::any_of(shares.begin(), shares.end(), [&](const auto& share) {
                const auto f = static_cast<size_t>(share.family);
                return is_held(share) && groups(f) * share.count % align != 0;
            });
            if (!odd) continue;
            for (const auto& share : shares) {
                more = more || !is_held(share);
                held[static_cast<size_t>(share.family)] = 1;
            }
        }
    }
    for (size_t f = 0; f < held.size(); ++f) {
        if (held[f]) steps[f] = groups(f);
    }
}

const std::vector<net::AxisLabels::Share>& Network::filter_shares(size_t layer) const {
    return shares_on(*this, layer, layers[layer].filter_axis);
}

const std::vector<net::AxisLabels::Share>& Network::input_shares(size_t layer) const {
    return shares_on(*this, layer, 1 - layers[layer].filter_axis);
}

const std::vector<net::GroupId>& Network::filter_groups(size_t layer) const {
    static const std::vector<net::GroupId> none;
    const net::Layer& facts = layers[layer];
    const auto* labels = coupling.labels_of(facts.weight, facts.filter_axis);
    return labels ? labels->groups : none;
}

int allowed_width(const Network& network, size_t tensor, int bits) {
    const auto& widths = network.widths(tensor);
    const auto found = std::lower_bound(widths.begin(), widths.end(), bits);
    return found == widths.end() ? widths.back() : *found;
}

Plan uniform_plan(const Network& network, int bits) {
    Plan plan;
    for (size_t k = 0; k < network.layers.size(); ++k) {
        plan.bits.push_back(allowed_width(network, k, bits));
    }
    for (size_t k = network.layers.size(); k < network.tensors(); ++k) {
        const auto& widths = network.widths(k);
        plan.bits.push_back(bits == kMaxBits ? widths.back() : widths.front());
    }
    for (const net::GroupFamily& family : network.coupling.families) {
        plan.cut.emplace_back(family.groups.size());
    }
    return plan;
}

bool is_gone(const Network& network, std::span<const int> bits, size_t branch) {
    return bits[network.branches[branch].layers.front()] == kGone;
}

void drop(const Network& network, Plan& plan, size_t branch) {
    for (size_t k : network.branches[branch].layers) plan.bits[k] = kGone;
    for (size_t f : network.branches[branch].families) {
        std::fill(plan.cut[f].begin(), plan.cut[f].end(), uint8_t{0});
    }
}

std::vector<net::Branch> gone_branches(const Network& network, std::span<const int> bits) {
    std::vector<net::Branch> gone;
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (is_gone(network, bits, b)) gone.push_back(network.branches[b].place);
    }
    return gone;
}

int64_t cut_count(const Plan& plan, size_t family) {
    return std::accumulate(plan.cut[family].begin(), plan.cut[family].end(), int64_t{0});
}

std::vector<int64_t> cut_counts(const Plan& plan) {
    std::vector<int64_t> counts;
    for (size_t f = 0; f < plan.cut.size(); ++f) counts.push_back(cut_count(plan, f));
    return counts;
}

std::vector<uint8_t> cut_flags(const Network& network, const Plan& plan) {
    std::vector<uint8_t> flags;
    for (const net::ChannelGroup& group : network.coupling.groups) {
        flags.push_back(
            plan.cut[static_cast<size_t>(group.family)][static_cast<size_t>(group.member)]);
    }
    return flags;
}

std::vector<net::ValueId> float_values(const Network& network, const Plan& plan) {
    std::vector<net::ValueId> values;
    for (size_t a = 0; a < network.activations.size(); ++a) {
        if (plan.bits[network.layers.size() + a] == net::kFloatBits)
            values.push_back(network.activations[a].value);
    }
    return values;
}

std::vector<net::LayerState> states(const Network& network, const Plan& plan) {
    const auto counts = cut_counts(plan);
    std::vector<net::LayerState> result;
    for (size_t k = 0; k < network.layers.size(); ++k) {
        result.push_back(network.costs.state(k, counts, plan.bits[k]));
    }
    for (size_t a = 0; a < network.activations.size(); ++a) {
        const net::Activation& activation = network.activations[a];
        if (plan.bits[network.layers.size() + a] != net::kFloatBits) continue;
        for (size_t k : activation.readers) result[k].activation_bits = net::kFloatBits;
        if (activation.maker >= 0) {
            result[static_cast<size_t>(activation.maker)].activation_bits = net::kFloatBits;
        }
    }
    return result;
}

net::Cost cost(const Network& network, const Plan& plan) {
    return network.costs.cost(cut_counts(plan), plan.bits);
}

int64_t allowed_kept(const Network& network, size_t family, int64_t kept) {
    const int64_t step = network.group_step(family);
    kept = std::max(kept, network.least_kept(family));
    return std::min((kept + step - 1) / step * step, network.groups(family));
}

void check_plan(const Network& network, const Plan& plan) {
    ADIABAT_CHECK(plan.bits.size() == network.tensors() && plan.cut.size() == network.families(),
                  "a plan of {} tensors and {} families for {} and {}", plan.bits.size(),
                  plan.cut.size(), network.tensors(), network.families());
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (!is_gone(network, plan.bits, b)) continue;
        const Branch& branch = network.branches[b];
        const bool is_whole = std::all_of(branch.layers.begin(), branch.layers.end(),
                                          [&](size_t k) { return plan.bits[k] == kGone; }) &&
                              std::all_of(branch.families.begin(), branch.families.end(),
                                          [&](size_t f) { return cut_count(plan, f) == 0; });
        ADIABAT_CHECK(is_whole, "branch {} goes in part", b);
    }
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        const int branch = network.branch_of_layer(k);
        if (branch >= 0 && is_gone(network, plan.bits, static_cast<size_t>(branch))) continue;
        ADIABAT_CHECK(plan.bits[k] == allowed_width(network, k, plan.bits[k]),
                      "layer {} has {} bits", k, plan.bits[k]);
    }
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        const int64_t groups = network.groups(f), kept = groups - cut_count(plan, f);
        ADIABAT_CHECK(std::ssize(plan.cut[f]) == groups, "family {} has {} groups", f, groups);
        ADIABAT_CHECK(kept == allowed_kept(network, f, kept), "family {} keeps {} of {} groups", f,
                      kept, groups);
    }
}

}  // namespace adiabat::plan
