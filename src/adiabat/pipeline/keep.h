// SPDX-License-Identifier: Apache-2.0
#pragma once

// `--keep`: layers whose channels the user wants whole.

#include <string>
#include <vector>

#include "adiabat/net/coupling.h"

namespace adiabat::pipeline {

// Each pattern is the name of a layer's node, or one with * (any characters) and ? (any one).
net::CouplingOptions coupling_options(const std::vector<std::string>& keep);

// Throws InputError for a pattern that names no layer of the graph.
void require_matches(const std::vector<std::string>& keep, const net::Graph& graph);

}  // namespace adiabat::pipeline
