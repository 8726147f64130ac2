// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/split.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::data {

namespace {

constexpr uint32_t kSplitStream = 0xDA7A;

}  // namespace

CalibrationSplit draw_split(int64_t available, int64_t wanted, double judging_share, uint64_t seed,
                            const FindBroken& broken) {
    if (available < 2) {
        throw InputError("{} calibration images available: expected at least 2", available);
    }
    if (available > std::numeric_limits<uint32_t>::max()) {
        throw InputError("{} calibration images available: expected less than 2^32", available);
    }
    if (wanted < 2) throw InputError("{} calibration images wanted: expected at least 2", wanted);
    if (!(judging_share > 0 && judging_share < 1)) {
        throw InputError("judging share is {}: expected between 0 and 1", judging_share);
    }
    const int64_t count = std::min(wanted, available);
    Random random(seed, kSplitStream);
    std::unordered_map<int64_t, int64_t> moved;  // where a row stands that is not its own place
    const auto at = [&](int64_t place) {
        const auto found = moved.find(place);
        return found == moved.end() ? place : found->second;
    };
    std::vector<int64_t> drawn;
    int64_t k = 0;
    const auto missing = [&] { return count - static_cast<int64_t>(drawn.size()); };
    while (missing() > 0 && k < available) {
        std::vector<int64_t> fresh;
        for (int64_t left = missing(); left > 0 && k < available; --left, ++k) {
            const int64_t other = k + random.below(static_cast<uint32_t>(available - k));
            fresh.push_back(at(other));
            moved[other] = at(k);
        }
        const std::vector<int64_t> bad = broken ? broken(fresh) : std::vector<int64_t>();
        const std::unordered_set<int64_t> left_out(bad.begin(), bad.end());
        std::ranges::copy_if(fresh, std::back_inserter(drawn),
                             [&](int64_t row) { return !left_out.contains(row); });
    }
    const auto usable = static_cast<int64_t>(drawn.size());
    if (usable < 2) {
        throw InputError("{} calibration images can be read: expected at least 2", usable);
    }
    const auto share = std::llround(judging_share * static_cast<double>(usable));
    const auto judging = std::clamp<int64_t>(share, 1, usable - 1);
    CalibrationSplit split;
    split.sensing.assign(drawn.begin(), drawn.end() - judging);
    split.judging.assign(drawn.end() - judging, drawn.end());
    std::ranges::sort(split.sensing);
    std::ranges::sort(split.judging);
    return split;
}

}  // namespace adiabat::data
