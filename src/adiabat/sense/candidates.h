// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is weighed: for each channel group that it goes, for each layer and each width that its
// weights are rounded to it, for each activation that may be float and each of its widths that it
// is coded so, for each residual branch that it goes; around an incumbent, that groups and widths
// change sides. One column each: groups in the order of the coupling, then the widths of layer 0,
// of layer 1 .., then those of activations, then branches.

#include <optional>
#include <vector>

#include "adiabat/net/branches.h"
#include "adiabat/net/coding.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"
#include "adiabat/sense/incumbent.h"

namespace adiabat::sense {

// Of a float network; what it points to must outlive it.
struct Candidates {
    Candidates(const net::Graph& graph, const net::Coupling& coupling,
               const std::vector<net::Layer>& layers, std::vector<std::vector<int>> widths,
               std::vector<net::Branch> branches = {}, std::optional<Incumbent> incumbent = {},
               std::vector<net::Activation> activations = {});

    const net::Graph& graph;
    const net::Coupling& coupling;
    const std::vector<net::Layer>& layers;
    std::vector<std::vector<int>> widths;  // one list a layer, then one an activation, ascending
    std::vector<net::Branch> branches;     // none around an incumbent
    // What effects are sensed around; none: the network as it is.
    std::optional<Incumbent> incumbent;
    std::vector<net::Activation> activations;

    int groups() const { return static_cast<int>(coupling.groups.size()); }
    int columns() const { return columns_; }
    int column(net::GroupId group) const { return group; }
    int column(size_t layer, size_t width_index) const {
        return first_width_[layer] + static_cast<int>(width_index);
    }
    // The activations that may be coded; that of coding one, its first width. What stays float
    // changes nothing.
    std::vector<size_t> coded() const;
    int column_of_codes(size_t activation) const { return column(layers.size() + activation, 0); }
    int column_of_branch(size_t branch) const {
        return columns_ - static_cast<int>(branches.size() - branch);
    }

  private:
    std::vector<int> first_width_;
    int columns_ = 0;
};

}  // namespace adiabat::sense
