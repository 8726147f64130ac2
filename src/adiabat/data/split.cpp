// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::data {

namespace {

constexpr uint32_t kSplitStream = 0xDA7A;

}  // namespace

CalibrationSplit draw_split(int64_t available, int64_t wanted, double judging_share,
                            uint64_t seed) {
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
    for (int64_t k = 0; k < count; ++k) {
        const int64_t other = k + random.below(static_cast<uint32_t>(available - k));
        drawn.push_back(at(other));
        moved[other] = at(k);
    }
    const auto share = std::llround(judging_share * static_cast<double>(count));
    const auto judging = std::clamp<int64_t>(share, 1, count - 1);
    CalibrationSplit split;
    split.sensing.assign(drawn.begin(), drawn.end() - judging);
    split.judging.assign(drawn.end() - judging, drawn.end());
    std::ranges::sort(split.sensing);
    std::ranges::sort(split.judging);
    return split;
}

}  // namespace adiabat::data
