// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sessions: graphs run through LibTorch.
//
// A run plans which steps it needs (plan.h), once for each combination of fed and fetched values,
// and works through the batch in slices small enough that the activations between two layers stay
// in the second-level cache; each worker computes its slices on one thread. Slices depend on the
// batch alone, so results are the same for any number of threads. Values are dropped at their last
// use, and overwritten in place where nobody else holds them.

#include <memory>
#include <string>
#include <vector>

#include "adiabat/net/engine.h"

namespace adiabat::torch {

// Throws InputError that names all operators that are not known.
std::unique_ptr<net::Session> make_session(const net::Graph& graph,
                                           const net::EngineOptions& options);

std::string library_name();                 // "LibTorch 1.13.1"
std::vector<std::string> operator_names();  // sorted

}  // namespace adiabat::torch
