// SPDX-License-Identifier: Apache-2.0
#pragma once

// What stands in for a residual branch that goes: the next layers, fitted anew, as they will be
// when a plan is carried out (apply/calibrate.h).
//
// Each gives by least squares what it gave in the original network, from what it now reads; where
// its output is added to the path that has lost the branch, what that has lost besides, as far as
// that can be foretold. Layers are taken in their order, up to the first that is added to the path,
// at most kMostStandIns, none of more than kMostStandInInputs weights a filter: then what has not
// been made up for goes on. O(D^3) a layer, and its rows of a few images; one run of the network
// for branches that are asked for in their order.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adiabat/net/engine.h"
#include "adiabat/net/tensor.h"
#include "adiabat/sense/candidates.h"

namespace adiabat::sense {

inline constexpr size_t kMostStandIns = 4;
inline constexpr int64_t kMostStandInInputs = 1152;

struct StandIn {
    uint64_t layer = 0;
    std::vector<float> filters;  // [F, D], as net::filters_of has them
    std::vector<float> bias;     // [F]
};

std::vector<uint8_t> to_bytes(const std::vector<StandIn>& list);
std::vector<StandIn> stand_ins_from_bytes(std::span<const uint8_t> bytes);

class StandInFinder {
  public:
    // The candidates must outlive it.
    StandInFinder(const Candidates& candidates, net::Engine& engine, int threads);

    // For one branch, from images as the network takes them: the same at every call.
    std::vector<StandIn> find(size_t branch, const net::Tensor& images);

  private:
    struct Followed {
        size_t layer = 0;
        net::ValueId skip = net::kNoValue;  // what its output is added to, if it is to the path
    };
    std::vector<Followed> followed(const net::Branch& branch) const;
    void go_to(const net::Branch& branch, const net::Tensor& images);

    const Candidates& candidates_;
    int threads_;
    net::Graph graph_;  // every layer has a bias
    net::Uses uses_;
    std::unique_ptr<net::Session> original_, changed_;
    // Of the branch before, what is read behind it.
    int reached_ = -1;
    std::vector<net::ValueId> needs_;
    std::vector<net::Tensor> held_;
    net::Tensor skip_;
};

// Puts the layers into a session of with_biases() (incumbent.h), or the original ones back.
void put(net::Session& session, const net::Graph& graph, const std::vector<net::Layer>& layers,
         const std::vector<StandIn>& list);
void put_back(net::Session& session, const net::Graph& graph, const std::vector<net::Layer>& layers,
              const std::vector<StandIn>& list);

}  // namespace adiabat::sense
