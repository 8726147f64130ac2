// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/candidates.h"

#include <utility>

#include "adiabat/base/errors.h"

namespace adiabat::sense {

Candidates::Candidates(const net::Graph& network, const net::Coupling& channels,
                       const std::vector<net::Layer>& all_layers,
                       std::vector<std::vector<int>> all_widths)
    : graph(network),
      coupling(channels),
      layers(all_layers),
      widths(std::move(all_widths)),
      columns_(static_cast<int>(channels.groups.size())) {
    ADIABAT_CHECK(widths.size() == layers.size(), "widths of {} layers for {}", widths.size(),
                  layers.size());
    for (const auto& list : widths) {
        first_width_.push_back(columns_);
        columns_ += static_cast<int>(list.size());
    }
}

}  // namespace adiabat::sense
