// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is weighed: for each channel group that it goes, for each layer and each width that its
// weights are rounded to it; around an incumbent, that it changes sides. One column each: groups in
// the order of the coupling, then the widths of layer 0, of layer 1 ..

#include <optional>
#include <vector>

#include "adiabat/net/coupling.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"
#include "adiabat/sense/incumbent.h"

namespace adiabat::sense {

// Of a float network; what it points to must outlive it.
struct Candidates {
    Candidates(const net::Graph& graph, const net::Coupling& coupling,
               const std::vector<net::Layer>& layers, std::vector<std::vector<int>> widths,
               std::optional<Incumbent> incumbent = {});

    const net::Graph& graph;
    const net::Coupling& coupling;
    const std::vector<net::Layer>& layers;
    std::vector<std::vector<int>> widths;  // one list a layer, ascending
    // What effects are sensed around; none: the network as it is.
    std::optional<Incumbent> incumbent;

    int groups() const { return static_cast<int>(coupling.groups.size()); }
    int columns() const { return columns_; }
    int column(net::GroupId group) const { return group; }
    int column(size_t layer, size_t width_index) const {
        return first_width_[layer] + static_cast<int>(width_index);
    }

  private:
    std::vector<int> first_width_;
    int columns_ = 0;
};

}  // namespace adiabat::sense
