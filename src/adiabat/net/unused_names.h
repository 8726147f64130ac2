// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names for values that are added to a graph. O(values) for the first name, O(1) for each further.

#include <string>
#include <string_view>
#include <unordered_set>

#include "adiabat/net/graph.h"

namespace adiabat::net {

class UnusedNames {
  public:
    // The graph must outlive it. Values that others add or rename meanwhile are not seen.
    explicit UnusedNames(const Graph& graph) : graph_(graph) {}

    // `wanted`, or `wanted`_2, `wanted`_3 .. where that is taken; taken from now on.
    std::string take(std::string_view wanted);

  private:
    const Graph& graph_;
    std::unordered_set<std::string> taken_;  // filled when the first name is asked for
};

}  // namespace adiabat::net
