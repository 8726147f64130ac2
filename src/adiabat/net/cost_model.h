// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a graph costs as a function of how many groups of each family are cut and how many bits each
// layer keeps, without cutting anything.
//
// Every parameter, product and activation of the graph is a product of extents, and an extent is
// what it was less the indices that the cut groups have there. Layers count as net/cost.h says;
// everything else in the graph is float:
//
//   parameters   elements of all float constants, those of the layers included; numbers of rank 0
//                (bounds of Clip, factors) and the scales of Resize are none
//   bytes        the layers', and 4 a parameter of the rest
//   macs, bops   the layers', and those of the other products (ConvTranspose, MatMul)
//   activations  the most bytes that are alive at once while one image goes through, 4 an element,
//                or 1 where the layers are quantized; nothing computed in place
//
// O(values + nodes) a cost, without an allocation: the constructor finds the different products of
// extents there are, and a cost multiplies each out once.

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "adiabat/net/cost.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/layers.h"

namespace adiabat::net {

class CostModel {
  public:
    // All must outlive it. The graph's shapes have been inferred; what is not known of them (the
    // batch) counts as 1.
    CostModel(const Graph& graph, const Coupling& coupling, std::span<const Layer> layers);

    // `cut` has one entry a family: how many of its groups go; `bits` one a layer, 32 for fp32.
    Cost cost(std::span<const int64_t> cut, std::span<const int> bits) const;
    // Of the graph as it is.
    Cost whole() const;

    // Of one layer; its activations are what it reads and writes for one image.
    Cost cost_of_layer(size_t layer, std::span<const int64_t> cut, int bits) const;
    // Filters and inputs of a layer that stay.
    LayerState state(size_t layer, std::span<const int64_t> cut, int bits) const;
    // Groups of a convolution or a GroupNormalization that stay (coupling cuts whole groups, or
    // channels of every group).
    int64_t groups_left(const Node& node, std::span<const int64_t> cut) const;
    // The shape that a constant has left.
    Shape shape_left(ValueId constant, std::span<const int64_t> cut) const;

  private:
    int64_t extent(ValueId id, size_t axis, std::span<const int64_t> cut) const;
    int64_t elements_left(ValueId id, std::span<const int64_t> cut) const;
    int64_t macs_of(const Node& node, std::span<const int64_t> cut) const;

    // An extent that loses what the cut groups of a label (index in Coupling::labels) have there.
    struct Factor {
        int64_t extent = 1;
        int label = -1;  // -1 where nothing is cut

        bool operator<(const Factor& other) const {
            return std::tie(extent, label) < std::tie(other.extent, other.label);
        }
    };
    // The elements of a tensor: what is never cut, times its other extents.
    struct Elements {
        int64_t fixed = 1;
        std::vector<Factor> factors;

        bool operator<(const Elements& other) const {
            return std::tie(fixed, factors) < std::tie(other.fixed, other.factors);
        }
    };
    Factor factor_of(ValueId id, size_t axis) const;
    int index_of(ValueId id, std::map<Elements, int>& known);
    void find_peak(const std::vector<std::vector<ValueId>>& dies, std::map<Elements, int>& known);

    const Graph& graph_;
    const Coupling& coupling_;
    std::span<const Layer> layers_;
    std::vector<std::array<Factor, 2>> sides_;  // filters and inputs, one pair a layer
    std::vector<int> products_;                 // nodes that multiply and are no layers
    std::vector<Elements> elements_;            // all different
    // As indices of elements_:
    std::vector<int> others_;  // float constants that belong to no layer
    // Activations in the order in which they are made and no longer needed: k where elements_[k]
    // are made, -1 - k where they go.
    std::vector<int> life_;
};

}  // namespace adiabat::net
