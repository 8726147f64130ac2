// SPDX-License-Identifier: Apache-2.0
#pragma once

// What coding an activation in 8 bits does to the outputs: its values x become scale (code - zero
// point), the codes rounded and clipped to the range that a rule (recon/range_rule.h) finds on a
// few images. Nothing makes up for it.

#include <span>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/net/engine.h"
#include "adiabat/recon/moments.h"
#include "adiabat/recon/range_rule.h"
#include "adiabat/sense/candidates.h"

namespace adiabat::sense {

struct CodeMapOptions {
    recon::RangeRule ranges = {};
    uint64_t memory_bytes = uint64_t{1} << 30;  // for the activations that are held at once
};

// One an activation that may be coded, in the order of Candidates::coded(). `session` holds the
// graph. Throws Interrupted when stopped.
std::vector<recon::CodeMap> find_code_maps(const Candidates& candidates, net::Session& session,
                                           const net::Tensor& images, const CodeMapOptions& options,
                                           const StopToken& stop);

// What codes stand for less the values themselves, of the values' shape.
net::Tensor rounding_error(const net::Tensor& values, const recon::CodeMap& map);

// The same by running what comes behind, with `step` times the error added: fills the columns of
// the activations. O(activations) runs of the rest of the network.
struct ActivationRuns {
    const Candidates& candidates;
    const net::Graph& graph;  // of the session: the values of the candidates' graph
    net::Session& session;
    std::span<const recon::CodeMap> maps;
    float step = 1;

    // `before` are the sensed outputs of the images. Throws Interrupted when stopped.
    void add_rows(const net::Tensor& images, std::span<const net::Tensor> before,
                  const std::vector<std::vector<net::Tensor>>& seeds, recon::Rows& rows,
                  const StopToken& stop) const;
};

}  // namespace adiabat::sense
