// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan: which channel groups go, how many bits each layer keeps, which residual branches go
// whole, and which activations stay float; and the network that plans are made for.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/branches.h"
#include "adiabat/net/coding.h"
#include "adiabat/net/cost_model.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/layers.h"

namespace adiabat::plan {

inline constexpr int kMinBits = 2;
inline constexpr int kMaxBits = 8;
// A family keeps at least so many groups, so that no layer loses all its channels.
inline constexpr int64_t kLeastKept = 1;

// The width of a layer that goes with its branch.
inline constexpr int kGone = net::kGone;

// Where a branch goes, all its layers have kGone bits, and of its own families nothing is cut.
struct Plan {
    // One a layer, kMinBits to kMaxBits or kGone; then, where activations are decided too, one
    // each, net::kActivationBits or net::kFloatBits.
    std::vector<int> bits;
    std::vector<std::vector<uint8_t>> cut;  // one a family, 1 where a group goes

    bool operator==(const Plan&) const = default;
};

// Activations are coded in 8 bits, all stay float, or it is decided of each that is an inner one
// (net/coding.h): names of what others know would not let the size of the file be a sum.
enum class Activations { kCoded, kFloat, kMixed };

// What the user leaves to be decided.
struct NetworkOptions {
    net::CouplingOptions coupling = {};  // channels that stay
    // A layer that is cut keeps a multiple of so many filters.
    int64_t align = 1;
    // Of the groups of each family, so of the filters of each layer, at least this share stays.
    double least_kept = 0;
    // The bit widths that layers may have, kMinBits to kMaxBits, in any order; none: all of them.
    std::vector<int> widths = {};
    // The width of the layers with no layer before them and of those with none behind them.
    std::optional<int> first_last = {};
    // Layers that have kMaxBits bits whatever else is said; none where not given.
    std::function<bool(const net::Layer&)> stays = {};
    // Whether residual branches may go whole. None does where something of it is to stay: a layer
    // whose channels do, one that `stays`, or any share of filters above none (`least_kept`). None
    // where any activation may be float: what a branch leaves behind has other activations.
    bool branches = false;
    Activations activations = Activations::kCoded;
};

// A residual branch that may go whole.
struct Branch {
    net::Branch place;
    std::string name;              // of its addition: the node's, or its output's where it has none
    std::vector<size_t> layers;    // that go with it, ascending, never none
    std::vector<size_t> families;  // whose groups are nowhere else, ascending
};

// What a plan decides on: the layers of a graph, their channel groups and what they may become. The
// graph must outlive it, and it must not be moved.
struct Network {
    explicit Network(const net::Graph& graph, const NetworkOptions& options = {});
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    std::vector<net::Layer> layers;
    net::Coupling coupling;
    // In the order of their additions; no two share a node, or another that serves them alone.
    std::vector<Branch> branches;
    // That may be float.
    std::vector<net::Activation> activations;
    net::CostModel costs;
    // A layer that is cut keeps a multiple of so many filters.
    int64_t align = 1;

    size_t families() const { return coupling.families.size(); }
    // What has a width: the weights of each layer, then the activations.
    size_t tensors() const { return layers.size() + activations.size(); }
    const std::string& name(size_t tensor) const { return names[tensor]; }
    int64_t groups(size_t family) const { return std::ssize(coupling.families[family].groups); }
    // A family that is cut keeps a multiple of so many groups. All of them where `align` lets none
    // go: where it shares a layer with a family whose filters are no multiple.
    int64_t group_step(size_t family) const { return steps[family]; }
    // At least so many groups of a family stay: kLeastKept, or more.
    int64_t least_kept(size_t family) const { return least[family]; }
    // The bit widths that a layer or an activation may have, ascending, never none.
    const std::vector<int>& widths(size_t tensor) const { return allowed[tensor]; }
    // Families on a layer's filter axis and on its input axis, with indices a group; empty where
    // nothing is cut there.
    const std::vector<net::AxisLabels::Share>& filter_shares(size_t layer) const;
    const std::vector<net::AxisLabels::Share>& input_shares(size_t layer) const;
    // The group of each filter of a layer, kStays where it is never cut; empty for no cuts.
    const std::vector<net::GroupId>& filter_groups(size_t layer) const;

    // The branch that a tensor or a family goes with, -1 for none.
    int branch_of_layer(size_t tensor) const { return of_layer[tensor]; }
    int branch_of_family(size_t family) const { return of_family[family]; }

  private:
    void find_own();
    void align_families();
    void allow_widths(const net::Graph& graph, const NetworkOptions& options);

    std::vector<int64_t> steps, least;      // one a family
    std::vector<std::vector<int>> allowed;  // one a tensor
    std::vector<std::string> names;
    std::vector<int> of_layer, of_family;
};

// The width nearest to `bits` from above that a layer may have, its largest where there is none.
int allowed_width(const Network& network, size_t tensor, int bits);

// Nothing cut, layers have `bits` or the allowed width; activations are float where `bits` is
// kMaxBits and they may be, else coded where they may be.
Plan uniform_plan(const Network& network, int bits);

// Whether a branch goes, by the bits of a plan's layers; and lets it go.
bool is_gone(const Network& network, std::span<const int> bits, size_t branch);
void drop(const Network& network, Plan& plan, size_t branch);
// The branches that go, as apply/cut.h takes them.
std::vector<net::Branch> gone_branches(const Network& network, std::span<const int> bits);

int64_t cut_count(const Plan& plan, size_t family);
// One entry a family.
std::vector<int64_t> cut_counts(const Plan& plan);

// The plan as apply/cut.h takes it: one entry a group of the coupling.
std::vector<uint8_t> cut_flags(const Network& network, const Plan& plan);

// The values of the activations that stay float.
std::vector<net::ValueId> float_values(const Network& network, const Plan& plan);

// Every layer as the plan leaves it, with what its kernel works on, and what the network then
// costs.
std::vector<net::LayerState> states(const Network& network, const Plan& plan);
net::Cost cost(const Network& network, const Plan& plan);

// The count of groups that stay nearest to `kept` from above that `align` and `least_kept` allow.
int64_t allowed_kept(const Network& network, size_t family, int64_t kept);

// Throws InternalError unless the plan fits the network, every family keeps what it must, every
// layer has a width that it may have, and branches go whole.
void check_plan(const Network& network, const Plan& plan);

}  // namespace adiabat::plan
