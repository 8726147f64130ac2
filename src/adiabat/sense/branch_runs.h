// SPDX-License-Identifier: Apache-2.0
#pragma once

// What dropping each residual branch whole does to the outputs, by running what comes behind it
// with the skip path in the place of the sum and what stands in for the branch (stand_ins.h): so
// much goes at once that gradients say little of it. The prefix is run once. O(branches) runs of
// the rest of the network, a run for all of them; of networks of more than kManyMacs one image in
// kFewImages is run, whose entries count for all.

#include <memory>
#include <span>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/net/engine.h"
#include "adiabat/recon/moments.h"
#include "adiabat/sense/probing.h"

namespace adiabat::sense {

inline constexpr int64_t kManyMacs = 1'000'000'000, kFewImages = 9;

class BranchRuns {
  public:
    // All must outlive it. One image in `stride` is run; 0: as the network has it.
    BranchRuns(const Candidates& candidates, const Probes& probes, net::Engine& engine, int threads,
               int64_t stride = 0);

    // Fills the columns of the branches: entry <seed_j, after - before> of each image. The images
    // are numbers first_image .. of all, `before` their sensed outputs. Throws Interrupted when
    // stopped.
    void add_rows(int64_t first_image, const net::Tensor& images,
                  std::span<const net::Tensor> before,
                  const std::vector<std::vector<net::Tensor>>& seeds, recon::Rows& rows,
                  const StopToken& stop) const;

  private:
    void add_all(const net::Tensor& images, std::span<const net::Tensor> before,
                 const std::vector<std::vector<net::Tensor>>& seeds, recon::Rows& rows,
                 const StopToken& stop) const;

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
    int64_t stride_;
};

}  // namespace adiabat::sense
