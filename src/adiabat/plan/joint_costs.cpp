// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/joint_costs.h"

#include <algorithm>
#include <cmath>

namespace adiabat::plan {

JointCosts::JointCosts(const net::Coupling& coupling, const sense::Effects& effects)
    : coupling_(coupling) {
    std::map<Families, recon::Matrix> apart;
    const auto size_of = [&](int family) {
        return std::ssize(coupling.families[static_cast<size_t>(family)].groups);
    };
    for (const sense::LayerLinks& links : effects.layers) {
        for (size_t i = 0; i < links.cuts.size(); ++i) {
            for (size_t j = i + 1; j < links.cuts.size(); ++j) {
                const auto a = static_cast<Eigen::Index>(i), b = static_cast<Eigen::Index>(j);
                const Place at = place(links.cuts[i], links.cuts[j]);
                recon::Matrix &more = blocks_[at.families], &sum = apart[at.families];
                if (more.size() == 0) {
                    more = sum = recon::Matrix::Zero(size_of(at.families.first),
                                                     size_of(at.families.second));
                }
                const double one = links.pairs(a, a), other = links.pairs(b, b);
                more(at.row, at.col) += links.pairs(a, b) - one - other;
                sum(at.row, at.col) += std::abs(one) + std::abs(other);
            }
        }
    }
    for (auto& [families, costs] : blocks_) {
        const auto& rows = coupling.families[static_cast<size_t>(families.first)].groups;
        const auto& cols = coupling.families[static_cast<size_t>(families.second)].groups;
        const recon::Matrix& sum = apart.at(families);
        for (Eigen::Index i = 0; i < costs.rows(); ++i) {
            for (Eigen::Index j = 0; j < costs.cols(); ++j) {
                const double size = effects.single[rows[static_cast<size_t>(i)]] +
                                    effects.single[cols[static_cast<size_t>(j)]];
                costs(i, j) = sum(i, j) > 0 ? costs(i, j) / sum(i, j) * size : 0;
            }
        }
    }
}

bool JointCosts::has(net::GroupId u, net::GroupId v) const {
    return blocks_.contains(place(u, v).families);
}

double JointCosts::of(net::GroupId u, net::GroupId v) const {
    const Place at = place(u, v);
    const auto block = blocks_.find(at.families);
    return block == blocks_.end() ? 0 : block->second(at.row, at.col);
}

JointCosts::Place JointCosts::place(net::GroupId u, net::GroupId v) const {
    const net::ChannelGroup *a = &coupling_.groups[static_cast<size_t>(u)],
                            *b = &coupling_.groups[static_cast<size_t>(v)];
    if (std::pair(a->family, a->member) > std::pair(b->family, b->member)) std::swap(a, b);
    return {{a->family, b->family}, a->member, b->member};
}

}  // namespace adiabat::plan
