// SPDX-License-Identifier: Apache-2.0
#pragma once

// What dropping each residual branch whole does to the outputs, by running what comes behind it
// with the skip path in the place of the sum and what stands in for the branch (stand_ins.h): so
// much goes at once that gradients say little of it. The prefix is run once. O(branches) runs of
// the rest of the network, a run for all of them.

#include <memory>
#include <span>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/net/engine.h"
#include "adiabat/recon/moments.h"
#include "adiabat/sense/probing.h"

namespace adiabat::sense {

class BranchRuns {
  public:
    // Both must outlive it.
    BranchRuns(const Candidates& candidates, const Probes& probes, net::Engine& engine,
               int threads);

    // Fills the columns of the branches: entry <seed_j, after - before> of each image. `before` are
    // the sensed outputs of `feeds`. Throws Interrupted when stopped.
    void add_rows(std::span<const net::Feed> feeds, std::span<const net::Tensor> before,
                  const std::vector<std::vector<net::Tensor>>& seeds, recon::Rows& rows,
                  const StopToken& stop) const;

  private:
    struct Run {
        net::ValueId sum = net::kNoValue, skip = net::kNoValue;
        std::vector<net::ValueId> needs;    // of what comes behind, the sum among them
        std::vector<size_t> fetched;        // numbers of the sensed outputs behind the branch
        std::vector<net::ValueId> fetches;  // these
    };
    const Candidates& candidates_;
    const Probes& probes_;
    net::Graph graph_;  // every layer has a bias
    std::unique_ptr<net::Session> session_;
    std::vector<net::ValueId> outputs_;
    std::vector<Run> runs_;
    std::vector<net::ValueId> held_;  // of all runs, ascending
};

}  // namespace adiabat::sense
