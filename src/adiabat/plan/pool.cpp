// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "adiabat/plan/search.h"

namespace adiabat::plan {

bool Pool::are_close(const Plan& a, const Plan& b) const {
    if (a.bits != b.bits) return false;
    int64_t different = 0;
    for (size_t f = 0; f < a.cut.size(); ++f) {
        if (a.cut[f] == b.cut[f]) continue;
        for (size_t m = 0; m < a.cut[f].size(); ++m) different += a.cut[f][m] != b.cut[f][m];
        if (different >= apart_) return false;
    }
    return true;
}

void Pool::offer(const Plan& plan, double energy) {
    if (!wants(energy)) return;
    for (const Found& known : found_) {
        if (known.energy <= energy && are_close(known.plan, plan)) return;
    }
    std::erase_if(found_, [&](const Found& known) { return are_close(known.plan, plan); });
    const auto place =
        std::upper_bound(found_.begin(), found_.end(), energy,
                         [](double value, const Found& known) { return value < known.energy; });
    found_.insert(place, {plan, energy});
    if (found_.size() > keep_) found_.pop_back();
}

}  // namespace adiabat::plan
