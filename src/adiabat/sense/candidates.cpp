// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/candidates.h"

#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/net/cost.h"

namespace adiabat::sense {

Candidates::Candidates(const net::Graph& network, const net::Coupling& channels,
                       const std::vector<net::Layer>& all_layers,
                       std::vector<std::vector<int>> all_widths,
                       std::vector<net::Branch> all_branches, std::optional<Incumbent> around,
                       std::vector<net::Activation> all_activations)
    : graph(network),
      coupling(channels),
      layers(all_layers),
      widths(std::move(all_widths)),
      branches(std::move(all_branches)),
      incumbent(std::move(around)),
      activations(std::move(all_activations)),
      columns_(static_cast<int>(channels.groups.size())) {
    ADIABAT_CHECK(widths.size() == layers.size() + activations.size(),
                  "widths of {} tensors for {} layers and {} activations", widths.size(),
                  layers.size(), activations.size());
    ADIABAT_CHECK(!incumbent || (incumbent->cut.size() == coupling.groups.size() &&
                                 incumbent->bits.size() == widths.size()),
                  "an incumbent of another network");
    for (const auto& list : widths) {
        first_width_.push_back(columns_);
        columns_ += static_cast<int>(list.size());
    }
    ADIABAT_CHECK(!incumbent || branches.empty(), "branches around an incumbent");
    columns_ += static_cast<int>(branches.size());
    ADIABAT_CHECK(!incumbent || coded().empty(), "codes of activations around an incumbent");
}

std::vector<size_t> Candidates::coded() const {
    std::vector<size_t> list;
    for (size_t a = 0; a < activations.size(); ++a) {
        if (widths[layers.size() + a].front() == net::kActivationBits) list.push_back(a);
    }
    return list;
}

}  // namespace adiabat::sense
