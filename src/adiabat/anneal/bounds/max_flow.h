// SPDX-License-Identifier: Apache-2.0
#pragma once

// Maximum flow in whole numbers: blocking flows on levels.
//
// Breadth-first levels from the source, then augmenting paths along rising levels with a current
// arc a node, until the sink is out of reach: O(nodes^2 arcs) at worst, far less on the networks of
// roof duality. What has been sent when a watch ends it is a flow all the same.
//
// Source: E. Dinic, "Algorithm for solution of a problem of maximum flow in networks with power
// estimation" (1970).

#include <cstdint>
#include <vector>

#include "adiabat/anneal/watch.h"

namespace adiabat::anneal {

class MaxFlow {
  public:
    explicit MaxFlow(int nodes) : starts_(static_cast<size_t>(nodes) + 1) {}

    // All arcs first; sums of capacities must fit int64.
    void add_arc(int from, int to, int64_t capacity);
    // Sends as much as can be from source to sink; true where that is the maximum, false where the
    // watch ended it.
    bool run(int source, int sink, const Watch& watch);
    int64_t sent() const { return sent_; }
    // After a complete run: which nodes the source still reaches. The smallest of the source sides
    // of minimum cuts, the same for every maximum flow.
    std::vector<uint8_t> reached() const;

  private:
    struct Arc {
        int from, to;
        int64_t capacity;
    };
    void build();
    bool make_levels(int source, int sink);
    bool send_blocking_flow(int source, int sink, const Watch& watch);
    int nodes() const { return static_cast<int>(starts_.size()) - 1; }

    std::vector<Arc> added_;
    // Compressed rows: arcs of a node are starts_[node] .. starts_[node + 1].
    std::vector<size_t> starts_, reverse_, current_;
    std::vector<int> heads_, levels_, queue_;
    std::vector<int64_t> left_;
    int64_t sent_ = 0;
};

}  // namespace adiabat::anneal
