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
//   macs, bops   the layers', and those of the other products (ConvTranspose, MatMul), which are
//                float
//   activations  the most bytes that are alive at once while one image goes through, 4 an element,
//                or 1 where it is coded once the layers are quantized (coding.h); nothing computed
//                in place
//
// A layer of kGone bits is gone, with the residual branch that it is in and whatever else of the
// graph serves that branch alone.
//
// O(values + nodes) a cost, without an allocation: the constructor finds the different products of
// extents there are, and a cost multiplies each out once. Which activations are alive is found once
// for every set of branches that are gone.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <tuple>
#include <vector>

#include "adiabat/net/branches.h"
#include "adiabat/net/coding.h"
#include "adiabat/net/cost.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/layers.h"

namespace adiabat::net {

class CostModel {
  public:
    // All must outlive it. The graph's shapes have been inferred; what is not known of them (the
    // batch) counts as 1. Branches share no node, and layers are in each that may go. Activations
    // of the graph (coding.h) that may stay float: not beside branches.
    CostModel(const Graph& graph, const Coupling& coupling, std::span<const Layer> layers,
              std::vector<Branch> branches = {}, std::vector<Activation> activations = {});

    // `cut` has one entry a family: how many of its groups go; `bits` one a layer, 32 for fp32,
    // kGone for all layers of a branch or none; then one for each activation that may stay float,
    // kActivationBits or kFloatBits.
    Cost cost(std::span<const int64_t> cut, std::span<const int> bits) const;
    // Of the graph as it is.
    Cost whole() const;

    // Of one layer; its activations are what it reads and writes for one image, all coded if it is
    // quantized. `activation_bits`: kFloatBits where any of them is float.
    Cost cost_of_layer(size_t layer, std::span<const int64_t> cut, int bits,
                       int activation_bits = kActivationBits) const;
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
        // kFloat, kCoded, or which of the activations that may stay float.
        int coding = kFloat;

        bool operator<(const Elements& other) const {
            return std::tie(fixed, factors, coding) <
                   std::tie(other.fixed, other.factors, other.coding);
        }
    };
    static constexpr int kFloat = -2, kCoded = -1;
    // Activations in the order in which they are made and no longer needed: k where elements_[k]
    // are made, -1 - k where they go.
    using Life = std::vector<int>;
    // What counts unless all branches that need it are gone; none: it always counts.
    struct Other {
        int index = 0;  // of elements_, or a node
        std::vector<int> branches = {};
    };
    Factor factor_of(ValueId id, size_t axis) const;
    int index_of(ValueId id, int coding, std::map<Elements, int>& known);
    std::vector<int> needed_by(const std::vector<int>& readers) const;
    Life find_life(const std::vector<bool>& gone) const;
    std::shared_ptr<const Life> life(const std::vector<bool>& gone) const;

    const Graph& graph_;
    const Coupling& coupling_;
    std::span<const Layer> layers_;
    std::vector<Branch> branches_;
    std::vector<Activation> floats_;  // that may stay float
    // Of each layer what it reads and what it makes, indices of floats_ or kCoded.
    std::vector<std::array<int, 2>> works_on_;
    std::vector<int> layer_of_;                 // one a branch: the first of its layers
    std::vector<int> branch_of_;                // of each node, -1 for none
    std::vector<std::array<Factor, 2>> sides_;  // filters and inputs, one pair a layer
    std::vector<Other> products_;               // nodes that multiply and are no layers
    std::vector<Elements> elements_;            // all different
    std::vector<Other> others_;                 // float constants that belong to no layer
    std::vector<int> activation_;               // of each value, index of elements_; -1: constant
    Life whole_;                                // where no branch is gone
    // Of other sets of branches, as they come.
    struct Lives {
        std::mutex lock;
        std::map<std::vector<bool>, std::shared_ptr<const Life>> known;
    };
    std::unique_ptr<Lives> lives_ = std::make_unique<Lives>();
};

}  // namespace adiabat::net
