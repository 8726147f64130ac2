// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/branch_runs.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/net/cost_model.h"
#include "adiabat/net/frontier.h"
#include "adiabat/sense/directions.h"
#include "adiabat/sense/incumbent.h"

namespace adiabat::sense {

BranchRuns::BranchRuns(const Candidates& candidates, const Probes& probes, net::Engine& engine,
                       int threads, int64_t stride)
    : candidates_(candidates),
      probes_(probes),
      outputs_(sensed_outputs(candidates.graph)),
      stride_(stride) {
    if (candidates.branches.empty()) return;
    const net::CostModel costs(candidates.graph, candidates.coupling, candidates.layers);
    if (stride_ == 0) stride_ = costs.whole().macs > kManyMacs ? kFewImages : 1;
    graph_ = with_biases(candidates.graph, candidates.layers);
    session_ = engine.open(graph_, {threads});
    const net::Uses uses(graph_);
    for (const net::Branch& branch : candidates.branches) {
        Run run{graph_.nodes[static_cast<size_t>(branch.last)].outputs[0],
                net::skip_of(graph_, branch),
                net::values_across(graph_, branch.last + 1),
                {},
                {}};
        for (size_t k = 0; k < outputs_.size(); ++k) {
            if (uses.producer(outputs_[k]) > branch.last) {
                run.fetched.push_back(k);
                run.fetches.push_back(outputs_[k]);
            }
        }
        held_.push_back(run.skip);
        for (net::ValueId id : run.needs) {
            if (id != run.sum) held_.push_back(id);
        }
        runs_.push_back(std::move(run));
    }
    std::sort(held_.begin(), held_.end());
    held_.erase(std::unique(held_.begin(), held_.end()), held_.end());
}

void BranchRuns::add_rows(int64_t first_image, const net::Tensor& images,
                          std::span<const net::Tensor> before,
                          const std::vector<std::vector<net::Tensor>>& seeds, recon::Rows& rows,
                          const StopToken& stop) const {
    if (runs_.empty()) return;
    if (stride_ == 1) return add_all(images, before, seeds, rows, stop);
    const auto directions = static_cast<Eigen::Index>(seeds.size());
    for (int64_t n = 0; n < images.shape[0]; ++n) {
        if ((first_image + n) % stride_ != 0) continue;
        const auto only = [n](std::span<const net::Tensor> tensors) {
            std::vector<net::Tensor> one;
            for (const net::Tensor& tensor : tensors) one.push_back(net::rows_of(tensor, n, 1));
            return one;
        };
        std::vector<std::vector<net::Tensor>> some;
        for (const auto& direction : seeds) some.push_back(only(direction));
        recon::Rows mine = recon::Rows::Zero(directions, rows.cols());
        add_all(net::rows_of(images, n, 1), only(before), some, mine, stop);
        const Eigen::Index first = candidates_.column_of_branch(0);
        rows.block(n * directions, first, directions, rows.cols() - first) =
            mine.rightCols(rows.cols() - first) * std::sqrt(static_cast<float>(stride_));
    }
}

void BranchRuns::add_all(const net::Tensor& images, std::span<const net::Tensor> before,
                         const std::vector<std::vector<net::Tensor>>& seeds, recon::Rows& rows,
                         const StopToken& stop) const {
    const std::vector<net::Feed> feeds = {{graph_.inputs[0], &images}};
    const std::vector<net::Tensor> held = session_->run(feeds, held_);
    const auto at = [&](net::ValueId id) {
        return &held[static_cast<size_t>(std::lower_bound(held_.begin(), held_.end(), id) -
                                         held_.begin())];
    };
    for (size_t b = 0; b < runs_.size(); ++b) {
        if (stop.requested()) throw Interrupted();
        std::vector<net::Feed> prefix;
        for (net::ValueId id : runs_[b].needs) {
            prefix.push_back({id, at(id == runs_[b].sum ? runs_[b].skip : id)});
        }
        // Outputs before the branch are what they were, the sum is the skip path.
        std::vector<net::Tensor> after(before.begin(), before.end());
        for (size_t k = 0; k < outputs_.size(); ++k) {
            if (outputs_[k] == runs_[b].sum) after[k] = *at(runs_[b].skip);
        }
        if (!runs_[b].fetches.empty()) {
            put(*session_, graph_, candidates_.layers, probes_.stand_ins[b]);
            std::vector<net::Tensor> found = session_->run(prefix, runs_[b].fetches);
            put_back(*session_, graph_, candidates_.layers, probes_.stand_ins[b]);
            for (size_t i = 0; i < found.size(); ++i) {
                after[runs_[b].fetched[i]] = std::move(found[i]);
            }
        }
        rows.col(candidates_.column_of_branch(b)) = along_seeds(seeds, before, after);
    }
}

}  // namespace adiabat::sense
