// SPDX-License-Identifier: Apache-2.0
#pragma once

// The size of the file that a plan would be written as, to the byte, without writing it.
//
// A file is what does not depend on the plan, plus for each layer what stores and decodes its
// parameters (a function of its bits, filters and inputs), plus the constants that decoders of one
// bit width share. Each layer's part is measured once on a graph that holds nothing else, and
// remembered. O(layers) a plan.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/plan/plan.h"

namespace adiabat::apply {

class FileSize {
  public:
    // Both must outlive it. Throws InputError where the network cannot be quantized (quantize.h).
    FileSize(const net::Graph& graph, const plan::Network& network, onnx::Storage storage);

    // Not to be called from two threads at once.
    int64_t bytes(const plan::Plan& plan) const;

  private:
    struct Part {
        uint64_t own = 0;     // in the file for this layer alone
        uint64_t shared = 0;  // set of the constants it shares, by bit
    };
    const Part& part(size_t layer, const net::LayerState& state) const;

    const net::Graph& graph_;
    const plan::Network& network_;
    onnx::Storage storage_;
    std::string prefix_;
    std::vector<std::string> input_scale_;  // name of the scale that each layer's input has
    uint64_t outside_ = 0;                  // bytes of the model around its graph
    uint64_t rest_ = 0;                     // bytes of the graph that belong to no layer
    mutable std::vector<std::unordered_map<uint64_t, Part>> parts_;
    // Constants that decoders share, in the order in which they were met: at most 64.
    struct Shared {
        std::string name;
        uint64_t bytes = 0;
    };
    uint64_t shared_bit(const std::string& name, uint64_t bytes) const;
    uint64_t shared_bytes(uint64_t set) const;
    mutable std::vector<Shared> shared_;
};

}  // namespace adiabat::apply
