// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values of a graph that are computed one after another, each from those before it, and dropped
// after their last use: what a walk through the layers in order needs to hold at any time, and no
// more. First all steps are planned, then they are taken in order.

#include <map>
#include <vector>

#include "adiabat/net/engine.h"
#include "adiabat/net/graph.h"

namespace adiabat::net {

// All that nodes from number `node` on read, and nodes before it make or the network is given.
std::vector<ValueId> values_across(const Graph& graph, int node);

class Frontier {
  public:
    // The graph must outlive it. `inputs` are available from the beginning.
    Frontier(const Graph& graph, const std::vector<ValueId>& inputs);

    // Plans step number `step`, which computes `wanted` (kNoValue ones are left out); then they are
    // available.
    void plan(size_t step, const std::vector<ValueId>& wanted);

    // The values that a step computes from.
    const std::vector<ValueId>& needs(size_t step) const { return needs_[step]; }
    std::vector<Feed> feeds(size_t step) const;
    const Tensor& at(ValueId id) const { return live_.at(id); }
    // Kept where a step that comes needs it.
    void set(ValueId id, Tensor tensor);
    void drop_after(size_t step);

  private:
    void walk(ValueId id, std::vector<ValueId>& found) const;

    const Graph& graph_;
    Uses uses_;
    std::vector<bool> available_;
    std::vector<std::vector<ValueId>> needs_;
    std::map<ValueId, size_t> last_use_;
    std::map<ValueId, Tensor> live_;
};

}  // namespace adiabat::net
