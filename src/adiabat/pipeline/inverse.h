// SPDX-License-Identifier: Apache-2.0
#pragma once

// The other way round: the smallest network that loses no more than it may.
//
// The limit of one quantity is bisected, geometrically between the smallest plan and the network
// uncut at 8 bits, until it is known to kFine; at each step the plan of least energy is carried out
// and judged. Losses need not fall evenly with the limit: the result keeps the loss, and is the
// smallest of those that were tried and do.

#include <optional>
#include <vector>

#include "adiabat/pipeline/ranking.h"

namespace adiabat::pipeline {

inline constexpr double kFine = 0.01;

// At least one of the two is given.
struct LossLimit {
    std::optional<double> max_divergence;  // KL in nats, or relative squared error
    std::optional<double> max_drop;        // points of top-1, in per cent; needs labels

    bool is_there() const { return max_divergence || max_drop; }
    bool allows(const Judgement& judgement) const;
};

struct SmallestWithin {
    Ranking ranking;
    plan::Budget budget;  // that it was decided for
    // {"quantity", "max_kl", "max_drop", "limit", "tried": [{"limit", "divergence", "drop"}]}
    Json document;
};

// The task's budgets are kept besides. Throws InputError where a drop is asked for without labels,
// and where even the largest plan loses more.
SmallestWithin smallest_within(const RankingTask& task, Weighed& weighed, const LossLimit& limit,
                               plan::Quantity quantity, StopToken stop, ProgressSink& progress);

}  // namespace adiabat::pipeline
