// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/tabu_run.h"

#include <algorithm>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

TabuSettings TabuSettings::usual(const OptionValues& options, int variables) {
    TabuSettings settings;
    const int most = std::max(0, variables - 1);
    const int usual = std::min({20 + variables / 100, 200, variables / 4});
    settings.tenure = std::min(static_cast<int>(options.get("tenure", usual)), most);
    settings.spread = std::min(settings.tenure / 2, most - settings.tenure);
    settings.stall = static_cast<int64_t>(options.get("stall", std::max(200.0, 10.0 * variables)));
    return settings;
}

bool TabuRun::until_stall(int64_t most, double aspiration, double tolerance) {
    lowest_x_.assign(moves_.x().begin(), moves_.x().end());
    lowest_ = moves_.energy();
    int64_t since = 0;
    bool going_on = true;
    bool down = true;  // every state so far was lower than the one before
    const auto keep = [&] {
        if (moves_.energy() <= lowest_) lowest_x_.assign(moves_.x().begin(), moves_.x().end());
    };
    for (const int64_t end = flips_ + most; since < settings_.stall; ++flips_) {
        going_on = flips_ < end && !pace_.over(moves_.work());
        if (!going_on) break;
        const double energy = moves_.energy();
        const double below = std::min({aspiration, lowest_, energy}) - tolerance - energy;
        const int i = moves_.choose(flips_ + 1, below, random_());
        ADIABAT_CHECK(i >= 0, "every variable is tabu");
        const bool uphill = moves_.change(i) >= 0;
        if (uphill && down) keep();  // what was reached on the way down
        down = !uphill;
        const int64_t extra = random_.below(static_cast<uint32_t>(settings_.spread) + 1);
        moves_.flip(i, flips_ + 2 + settings_.tenure + extra, random_());
        if (moves_.energy() < lowest_ - tolerance) {
            lowest_ = moves_.energy();
            since = 0;
        } else {
            ++since;
        }
    }
    if (down) keep();
    return going_on;
}

}  // namespace adiabat::anneal
