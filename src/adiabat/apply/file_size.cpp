// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/file_size.h"

#include "adiabat/apply/cut.h"

namespace adiabat::apply {

namespace {

// Sets of branches that are kept measured.
constexpr size_t kMostSets = 1024;

}  // namespace

FileSize::FileSize(const net::Graph& graph, const plan::Network& network, onnx::Storage storage)
    : graph_(graph),
      network_(network),
      storage_(storage),
      whole_(graph, network, storage, measured_) {}

const PartsOfFile& FileSize::parts(std::span<const int> bits) const {
    thread_local std::vector<bool> gone;
    gone.clear();
    bool any = false;
    for (size_t b = 0; b < network_.branches.size(); ++b) {
        gone.push_back(plan::is_gone(network_, bits, b));
        any = any || gone.back();
    }
    if (!any) return whole_;
    if (const auto found = known_.find(gone); found != known_.end()) return *found->second;
    if (known_.size() >= kMostSets) known_.clear();
    const std::vector<uint8_t> nothing(network_.coupling.groups.size(), 0);
    net::Graph left =
        cut_groups(graph_, network_.coupling, nothing, plan::gone_branches(network_, bits));
    return *known_
                .emplace(gone, std::make_unique<const PartsOfFile>(std::move(left), network_,
                                                                   storage_, measured_))
                .first->second;
}

int64_t FileSize::bytes(std::span<const int64_t> cut, std::span<const int> bits) const {
    return parts(bits).bytes(cut, bits);
}

int64_t FileSize::layer_bytes(size_t tensor, std::span<const int64_t> cut, int bits) const {
    if (bits == plan::kGone) return 0;
    if (network_.branches.empty()) return whole_.layer_bytes(tensor, cut, bits);
    // Names hold numbers, which are lowest where as much as can be has gone.
    std::vector<int> left(network_.layers.size(), plan::kMaxBits);
    for (size_t b = 0; b < network_.branches.size(); ++b) {
        if (network_.branch_of_layer(tensor) == static_cast<int>(b)) continue;
        for (size_t k : network_.branches[b].layers) left[k] = plan::kGone;
    }
    return parts(left).layer_bytes(tensor, cut, bits);
}

int64_t FileSize::other_bytes(std::span<const int64_t> cut, std::span<const int> bits) const {
    return parts(bits).other_bytes(cut, bits);
}

}  // namespace adiabat::apply
