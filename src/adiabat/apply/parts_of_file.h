// SPDX-License-Identifier: Apache-2.0
#pragma once

// The size of the file that a plan would be written as, to the byte, without writing it, of plans
// with which the same residual branches go.
//
// A file is what does not depend on the plan, plus for each layer what stores and decodes its
// parameters (a function of its bits, filters and inputs), plus the constants that decoders of one
// bit width share, plus other constants that lose channels, plus what grouped convolutions say of
// their groups, plus what codes and decodes each activation that is coded, or the ReLU before one
// that is not. A layer's part is measured on a graph that holds nothing else, once for all layers
// that look alike, whichever branches go; an activation's once on the whole graph. O(layers +
// constants that are cut) a plan.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "adiabat/apply/quantize.h"
#include "adiabat/net/graph.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/plan/plan.h"

namespace adiabat::apply {

// What has been measured of layers of one network, by what they look like and their state.
struct MeasuredLayers {
    struct Part {
        uint64_t own = 0;     // in the file for this layer alone
        uint64_t shared = 0;  // set of the constants it shares, by bit
    };
    using States = std::unordered_map<uint64_t, Part>;
    std::map<std::string, States> layers;
    // Constants that decoders share, in the order in which they were met: at most 64.
    struct Shared {
        std::string name;
        uint64_t bytes = 0;
    };
    std::vector<Shared> shared;
};

class PartsOfFile {
  public:
    // `graph` is the network's without the branches that go; `network` and `measured`, which those
    // of one network and storage may share, must outlive it.
    PartsOfFile(net::Graph graph, const plan::Network& network, onnx::Storage storage,
                MeasuredLayers& measured);

    // FileSize's, of plans with these branches.
    int64_t bytes(std::span<const int64_t> cut, std::span<const int> bits) const;
    int64_t layer_bytes(size_t tensor, std::span<const int64_t> cut, int bits) const;
    int64_t other_bytes(std::span<const int64_t> cut, std::span<const int> bits) const;

  private:
    using Part = MeasuredLayers::Part;
    const Part& part(size_t layer, const net::LayerState& state) const;
    Part measure(size_t layer, const net::LayerState& state) const;
    // All that a layer's part depends on besides its state.
    std::string looks(size_t layer) const;
    net::LayerState state(size_t layer, std::span<const int64_t> cut,
                          std::span<const int> bits) const;
    // Whether it may be coded or float.
    bool is_decided(size_t activation) const {
        return network_.widths(network_.layers.size() + activation).size() > 1;
    }
    Widths reference() const;
    net::LayerState reference_state(size_t layer) const;
    uint64_t encoded_bytes(Quantized& quantized) const;
    int64_t coded_bytes(size_t activation) const;
    void find_what_changes(const Quantized& quantized);
    uint64_t changing_bytes(std::span<const int64_t> cut) const;

    net::Graph graph_;
    const plan::Network& network_;
    std::vector<net::Layer> layers_;  // of graph_
    std::vector<int> at_;             // of each layer of the network, its index there, or -1
    onnx::Storage storage_;
    std::string prefix_;
    std::vector<std::string> input_scale_;  // of each of layers_, the name of its input's scale
    std::vector<int> input_of_;             // of each layer of the network, its activation or -1
    // Of each activation, what the whole file has more where it is coded; found when asked for.
    mutable std::vector<std::optional<int64_t>> coded_;
    uint64_t outside_ = 0;  // bytes of the model around its graph
    uint64_t rest_ = 0;     // bytes of the graph that belong to no layer
    // Constants that are cut and belong to no layer, as they are named in the file.
    struct Constant {
        net::ValueId original = net::kNoValue;
        std::string name;
    };
    std::vector<Constant> constants_;
    // Convolutions whose groups may get fewer: the node in the file, and how many bytes it has with
    // each number of groups.
    struct Grouped {
        size_t node = 0;  // of graph_
        net::Node written;
        mutable std::unordered_map<int64_t, uint64_t> bytes;
    };
    std::vector<Grouped> grouped_;
    net::Graph names_;  // the values that the grouped nodes mention
    // Of a layer; searches change few layers at a time, so that most are found as they were left.
    struct Parts {
        MeasuredLayers::States* known = nullptr;
        uint64_t last_key = 0;  // of no state
        const Part* last = nullptr;
    };
    mutable std::vector<Parts> parts_;
    MeasuredLayers& measured_;
    uint64_t shared_bit(const std::string& name, uint64_t bytes) const;
    uint64_t shared_bytes(uint64_t set) const;
};

}  // namespace adiabat::apply
