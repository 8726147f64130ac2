// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/lowest.h"

#include <algorithm>
#include <iterator>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::anneal {

Lowest::Lowest(int keep) : keep_(static_cast<size_t>(keep)) {
    if (keep < 1 || keep > kMaxKept) {
        throw InputError("keep is {}: expected 1 to {} solutions", keep, format_count(kMaxKept));
    }
}

void Lowest::consider(std::span<const uint8_t> x, double energy) {
    std::string bits(x.begin(), x.end());
    if (const auto found = where_.find(bits); found != where_.end()) {
        ++kept_.at(found->second).multiplicity;
        return;
    }
    if (kept_.size() == keep_) {
        if (energy >= worst_) return;
        const auto last = std::prev(kept_.end());
        where_.erase(last->second.x);
        kept_.erase(last);
    }
    const Key key{energy, offers_++};
    where_.emplace(bits, key);
    kept_.emplace(key, Kept{std::move(bits), 1});
    if (kept_.size() == keep_) worst_ = kept_.rbegin()->first.first;
}

Solutions Lowest::rescored(const qubo::Dense& problem, bool complete) const {
    Solutions solutions{{}, complete};
    for (const auto& [key, kept] : kept_) {
        std::vector<uint8_t> x(kept.x.begin(), kept.x.end());
        const double energy = problem.energy(x);
        solutions.all.push_back({std::move(x), energy, kept.multiplicity});
    }
    std::ranges::stable_sort(solutions.all, {}, &Solution::energy);
    return solutions;
}

}  // namespace adiabat::anneal
