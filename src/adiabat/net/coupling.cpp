// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/coupling.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "adiabat/net/coupling_rules.h"
#include "adiabat/net/coupling_scope.h"

namespace adiabat::net {

namespace {

const std::unordered_map<std::string_view, CouplingRule>& rules() {
    static const auto table = [] {
        std::unordered_map<std::string_view, CouplingRule> all;
        for (const NamedCouplingRule& entry : coupling_rules()) all.emplace(entry.op, entry.rule);
        return all;
    }();
    return table;
}

bool ranks_known(const Graph& graph, const Node& node) {
    const auto known = [&](ValueId id) { return id == kNoValue || graph.value(id).shape; };
    return std::all_of(node.inputs.begin(), node.inputs.end(), known) &&
           std::all_of(node.outputs.begin(), node.outputs.end(), known);
}

// What a node makes that cannot be followed for want of shapes, so that it is named among what
// stays.
void freeze_filters(CouplingScope& scope) {
    const Node& node = scope.node;
    if (!scope.is_constant(1)) return;
    int axis = -1;
    if (node.op == "Conv") axis = 0;
    if (node.op == "ConvTranspose" || node.op == "Gemm") {
        axis = node.op == "Gemm" && node.int_or("transB", 0) ? 0 : 1;
    }
    if (node.op == "MatMul") axis = scope.rank(1) - 1;
    if (axis < 0 || axis >= scope.rank(1)) return;
    scope.freeze(scope.filters(1, axis), "the shape of its input is not known");
}

void visit(CouplingState& state, int index, const CouplingOptions& options) {
    CouplingScope scope(state, index);
    const Node& node = scope.node;
    const auto rule = node.domain.empty() ? rules().find(node.op) : rules().end();
    if (rule == rules().end()) {
        scope.freeze_all("is an operator that channels cannot be followed through");
        return;
    }
    if (!ranks_known(state.graph, node)) {
        freeze_filters(scope);
        scope.freeze_all("shapes are not known");
        return;
    }
    rule->second(scope);
    if (!options.keep) return;
    const std::string why = options.keep(
        node.name.empty() && scope.wants(0) ? state.graph.value(node.outputs[0]).name : node.name);
    if (why.empty()) return;
    state.reasons.push_back(why);
    for (size_t atom = 0; atom < state.forest.size(); ++atom) {
        if (state.forest.maker(static_cast<Atom>(atom)) == index) {
            state.forest.freeze(static_cast<Atom>(atom),
                                static_cast<int>(state.reasons.size()) - 1);
        }
    }
}

void freeze_labels(CouplingState& state, const Labels& labels, const std::string& why) {
    state.reasons.push_back(why);
    for (Atom atom : *labels) {
        state.forest.freeze(atom, static_cast<int>(state.reasons.size()) - 1);
    }
}

void freeze_value(CouplingState& state, ValueId id, const std::string& why) {
    const ValueLabels& value = state.values[static_cast<size_t>(id)];
    for (const JointLabels& joint : value.joint) {
        freeze_labels(state, std::make_shared<const std::vector<Atom>>(joint.split->labels), why);
    }
    for (const Labels& labels : value.axes) {
        if (labels) freeze_labels(state, labels, why);
    }
}

// What others know: outputs of the network, and what graphs inside attributes read.
void freeze_what_others_read(CouplingState& state) {
    for (ValueId id : state.graph.outputs) {
        freeze_value(state, id, "leaves the network as " + state.graph.value(id).name);
    }
    for (const Node& node : state.graph.nodes) {
        for (ValueId id : node.captured) {
            freeze_value(state, id,
                         describe(state.graph, node) + ": reads " + state.graph.value(id).name +
                             " inside a graph of its own");
        }
    }
}

// Turns atoms into groups and families.
class Finisher {
  public:
    explicit Finisher(CouplingState& state) : state_(state) {}

    Coupling finish() {
        settle_joints();
        freeze_whole_axes();
        number_groups();
        name_axes();
        make_families();
        list_frozen();
        for (size_t k = 0; k < state_.movements.size(); ++k) {
            if (!state_.moved_from[k] || state_.moved_from[k]->united < 0) {
                result_.movements.push_back(std::move(state_.movements[k]));
            }
        }
        return std::move(result_);
    }

  private:
    static size_t at(Atom atom) { return static_cast<size_t>(atom); }

    // Axes that were split and later united have labels of their own after all.
    void settle_joints() {
        for (size_t id = 0; id < state_.values.size(); ++id) {
            ValueLabels& value = state_.values[id];
            for (const JointLabels& joint : value.joint) {
                if (joint.split->united < 0) {
                    result_.joint.push_back({static_cast<ValueId>(id), joint.axes});
                    continue;
                }
                for (size_t k = 0; k < joint.axes.size(); ++k) {
                    if (joint.parts[k] == joint.split->united) {
                        value.axes[static_cast<size_t>(joint.axes[k])] = joint.split->along;
                    }
                }
            }
        }
    }

    // A class that is all there is on an axis cannot go: the axis would be empty. Shared labels
    // are looked at once.
    void freeze_whole_axes() {
        std::set<const std::vector<Atom>*> seen;
        for (size_t id = 0; id < state_.values.size(); ++id) {
            for (const Labels& labels : state_.values[id].axes) {
                if (!labels || labels->empty() || !seen.insert(labels.get()).second) continue;
                const Atom first = state_.forest.root(labels->front());
                const bool all = std::all_of(labels->begin(), labels->end(), [&](Atom atom) {
                    return state_.forest.root(atom) == first;
                });
                if (!all || state_.forest.reason(first) >= 0) continue;
                const std::string& name = state_.graph.values[id].name;
                freeze_labels(state_, labels,
                              labels->size() == 1 ? name + " has one channel only"
                                                  : "all channels of " + name + " go together");
            }
        }
    }

    // Groups in the order in which their first labels were made.
    void number_groups() {
        group_.assign(state_.forest.size(), kStays);
        for (size_t k = 0; k < state_.forest.size(); ++k) {
            const auto atom = static_cast<Atom>(k);
            const Atom root = state_.forest.root(atom);
            if (!state_.forest.is_made(root) || state_.forest.reason(root) >= 0) continue;
            if (group_[at(root)] == kStays) {
                group_[at(root)] = static_cast<GroupId>(result_.groups.size());
                result_.groups.emplace_back();
            }
            group_[k] = group_[at(root)];
        }
    }

    void name_axes() {
        std::map<std::vector<GroupId>, int> index;
        std::unordered_map<const std::vector<Atom>*, int> known;
        result_.axes.resize(state_.values.size());
        for (size_t id = 0; id < state_.values.size(); ++id) {
            for (const Labels& labels : state_.values[id].axes) {
                result_.axes[id].push_back(labels ? name_axis(labels, index, known) : -1);
            }
        }
    }

    int name_axis(const Labels& labels, std::map<std::vector<GroupId>, int>& index,
                  std::unordered_map<const std::vector<Atom>*, int>& known) {
        const auto [found, is_new] = known.emplace(labels.get(), -1);
        if (!is_new) return found->second;
        std::vector<GroupId> groups;
        groups.reserve(labels->size());
        bool any = false;
        for (Atom atom : *labels) {
            groups.push_back(group_[at(state_.forest.root(atom))]);
            any |= groups.back() != kStays;
        }
        if (!any) return -1;
        const auto [place, first] =
            index.emplace(std::move(groups), static_cast<int>(result_.labels.size()));
        if (first) result_.labels.push_back({place->first, {}});
        return found->second = place->second;
    }

    // Groups with the same axes and counts; made and read by the nodes whose parameters have them.
    void make_families() {
        std::vector<std::vector<std::pair<int, int64_t>>> axes(result_.groups.size());
        for (size_t l = 0; l < result_.labels.size(); ++l) {
            std::map<GroupId, int64_t> counts;
            for (GroupId group : result_.labels[l].groups) {
                if (group != kStays) ++counts[group];
            }
            for (const auto& [group, count] : counts) {
                axes[static_cast<size_t>(group)].emplace_back(static_cast<int>(l), count);
            }
        }
        std::map<std::vector<std::pair<int, int64_t>>, int> known;
        for (size_t g = 0; g < axes.size(); ++g) {
            const auto [found, is_new] =
                known.emplace(axes[g], static_cast<int>(result_.families.size()));
            if (is_new) {
                result_.families.emplace_back();
                for (const auto& [labels, count] : axes[g]) {
                    result_.labels[static_cast<size_t>(labels)].shares.push_back(
                        {found->second, count});
                }
            }
            GroupFamily& family = result_.families[static_cast<size_t>(found->second)];
            result_.groups[g] = {found->second, static_cast<int>(family.groups.size())};
            family.groups.push_back(static_cast<GroupId>(g));
        }
        for (size_t atom = 0; atom < group_.size(); ++atom) {
            const int maker = state_.forest.maker(static_cast<Atom>(atom));
            if (maker < 0 || group_[atom] == kStays) continue;
            auto& makers = family_of(group_[atom]).makers;
            if (makers.empty() || makers.back() != maker) makers.push_back(maker);
        }
        for (GroupFamily& family : result_.families) {
            std::sort(family.makers.begin(), family.makers.end());
            family.makers.erase(std::unique(family.makers.begin(), family.makers.end()),
                                family.makers.end());
        }
        find_readers();
        count_channels();
    }

    GroupFamily& family_of(GroupId group) {
        return result_
            .families[static_cast<size_t>(result_.groups[static_cast<size_t>(group)].family)];
    }

    // Nodes whose parameters have the family's labels without making them.
    void find_readers() {
        std::vector<std::set<int>> readers(result_.families.size());
        for (size_t n = 0; n < state_.graph.nodes.size(); ++n) {
            for (ValueId id : state_.graph.nodes[n].inputs) {
                if (!state_.graph.constant(id)) continue;
                for (int l : result_.axes[static_cast<size_t>(id)]) {
                    if (l < 0) continue;
                    for (const auto& share : result_.labels[static_cast<size_t>(l)].shares) {
                        readers[static_cast<size_t>(share.family)].insert(static_cast<int>(n));
                    }
                }
            }
        }
        for (size_t f = 0; f < readers.size(); ++f) {
            GroupFamily& family = result_.families[f];
            for (int n : readers[f]) {
                if (!std::binary_search(family.makers.begin(), family.makers.end(), n)) {
                    family.readers.push_back(n);
                }
            }
        }
    }

    // How many filters of the first maker a group has.
    void count_channels() {
        std::vector<int64_t> count(result_.families.size());
        for (size_t atom = 0; atom < group_.size(); ++atom) {
            if (group_[atom] == kStays) continue;
            const auto& group = result_.groups[static_cast<size_t>(group_[atom])];
            const auto f = static_cast<size_t>(group.family);
            const int maker = state_.forest.maker(static_cast<Atom>(atom));
            if (group.member == 0 && maker == result_.families[f].makers.front()) ++count[f];
        }
        for (size_t f = 0; f < count.size(); ++f) result_.families[f].channels = count[f];
    }

    void list_frozen() {
        std::map<std::pair<int, int>, int64_t> channels;  // of (maker, reason)
        for (size_t k = 0; k < state_.forest.size(); ++k) {
            const auto atom = static_cast<Atom>(k);
            const int maker = state_.forest.maker(atom), reason = state_.forest.reason(atom);
            if (maker >= 0 && reason >= 0) ++channels[{maker, reason}];
        }
        for (const auto& [key, count] : channels) {
            const std::string& reason = state_.reasons[static_cast<size_t>(key.second)];
            if (!result_.frozen.empty() && result_.frozen.back().maker == key.first &&
                result_.frozen.back().reason == reason) {
                result_.frozen.back().channels += count;
            } else {
                result_.frozen.push_back({key.first, count, reason});
            }
        }
    }

    CouplingState& state_;
    Coupling result_;
    std::vector<GroupId> group_;  // one an atom
};

}  // namespace

const std::vector<NamedCouplingRule>& coupling_rules() {
    static const auto all = [] {
        std::vector<NamedCouplingRule> table;
        for (const auto& family :
             {elementwise_coupling_rules(), contraction_coupling_rules(),
              reduction_coupling_rules(), layout_coupling_rules(), slicing_coupling_rules()}) {
            table.insert(table.end(), family.begin(), family.end());
        }
        return table;
    }();
    return all;
}

const AxisLabels* Coupling::labels_of(ValueId id, int64_t axis) const {
    const auto& of_value = axes[static_cast<size_t>(id)];
    if (axis < 0 || axis >= std::ssize(of_value)) return nullptr;
    const int index = of_value[static_cast<size_t>(axis)];
    return index < 0 ? nullptr : &labels[static_cast<size_t>(index)];
}

Coupling find_coupling(const Graph& graph, const CouplingOptions& options) {
    CouplingState state(graph);
    for (size_t n = 0; n < graph.nodes.size(); ++n) visit(state, static_cast<int>(n), options);
    freeze_what_others_read(state);
    return Finisher(state).finish();
}

}  // namespace adiabat::net
