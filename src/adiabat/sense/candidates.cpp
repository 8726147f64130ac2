// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/candidates.h"

#include <utility>

#include "adiabat/base/errors.h"

namespace adiabat::sense {

Candidates::Candidates(const net::Graph& network, const net::Coupling& channels,
                       const std::vector<net::Layer>& all_layers,
                       std::vector<std::vector<int>> all_widths,
                       std::vector<net::Branch> all_branches, std::optional<Incumbent> around)
    : graph(network),
      coupling(channels),
      layers(all_layers),
      widths(std::move(all_widths)),
      branches(std::move(all_branches)),
      incumbent(std::move(around)),
      columns_(static_cast<int>(channels.groups.size())) {
    ADIABAT_CHECK(widths.size() == layers.size(), "widths of {} layers for {}", widths.size(),
                  layers.size());
    ADIABAT_CHECK(!incumbent || (incumbent->cut.size() == coupling.groups.size() &&
                                 incumbent->bits.size() == layers.size()),
                  "an incumbent of another network");
    for (const auto& list : widths) {
        first_width_.push_back(columns_);
        columns_ += static_cast<int>(list.size());
    }
    ADIABAT_CHECK(!incumbent || branches.empty(), "branches around an incumbent");
    columns_ += static_cast<int>(branches.size());
}

}  // namespace adiabat::sense
