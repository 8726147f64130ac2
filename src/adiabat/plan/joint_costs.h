// SPDX-License-Identifier: Apache-2.0
#pragma once

// What pairs of cuts cost together beyond what they cost apart, where a layer reads both and one
// stood in for the other (measured.h): c_uv without kappa, summed over the layers that read them.
//
//   c_uv = (|a_u|^2 + |a_v|^2) sum (E(u, v) - E(u) - E(v)) / sum (|E(u)| + |E(v)|)
//
// A matrix for every two families that some layer reads together, of which one triangle where both
// are one family. O(layers cuts^2).

#include <algorithm>
#include <map>
#include <utility>

#include "adiabat/net/coupling.h"
#include "adiabat/sense/effects.h"

namespace adiabat::plan {

class JointCosts {
  public:
    JointCosts(const net::Coupling& coupling, const sense::Effects& effects);

    // Whether some layer reads both.
    bool has(net::GroupId u, net::GroupId v) const;
    // 0 where none does.
    double of(net::GroupId u, net::GroupId v) const;

    // For every pair that has one: body(u, v, cost), u < v.
    template <typename Body>
    void for_each(const Body& body) const {
        for (const auto& [families, costs] : blocks_) {
            const auto& rows = coupling_.families[static_cast<size_t>(families.first)].groups;
            const auto& cols = coupling_.families[static_cast<size_t>(families.second)].groups;
            for (size_t i = 0; i < rows.size(); ++i) {
                for (size_t j = families.first == families.second ? i + 1 : 0; j < cols.size();
                     ++j) {
                    const auto cost =
                        costs(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
                    body(std::min(rows[i], cols[j]), std::max(rows[i], cols[j]), cost);
                }
            }
        }
    }

  private:
    using Families = std::pair<int, int>;  // the smaller first
    // Where a pair stands: member of the smaller family, of the larger; within one family the
    // smaller member first.
    struct Place {
        Families families;
        Eigen::Index row, col;
    };
    Place place(net::GroupId u, net::GroupId v) const;

    const net::Coupling& coupling_;
    std::map<Families, recon::Matrix> blocks_;
};

}  // namespace adiabat::plan
