// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/search.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace adiabat::plan {

namespace {

constexpr double kHot = 1, kCold = 1e-3;
constexpr int kScaleSamples = 512;
constexpr int64_t kMovesAtATemperature = 64;
constexpr int64_t kMovesBetweenStopChecks = 64 * kMovesAtATemperature;
constexpr int kMostSaves = 2, kMostSpends = 3;
// So many groups at once are stepped over in families of so many times this.
constexpr int64_t kGroupsForLeaps = 64;

// Draws moves.
class Proposals {
  public:
    Proposals(const State& state, Random& random) : state_(state), random_(random) {
        for (const Step& step : state.steps()) (step.saves ? saving_ : spending_).push_back(step);
    }

    bool any() const { return !saving_.empty(); }

    // False where nothing came of it.
    bool draw(Move& move) {
        move.clear();
        const uint32_t kind = random_.below(8);
        if (kind < 3 && !state_.families().empty()) return draw_swap(move);
        if (kind == 3) return add(move, spending_);
        if (kind == 4) return add(move, saving_);
        const uint32_t saves = 1 + random_.below(kMostSaves);
        const uint32_t spends = 1 + random_.below(kMostSpends);
        bool done = true;
        for (uint32_t k = 0; k < saves && done; ++k) done = add(move, saving_) || k > 0;
        for (uint32_t k = 0; k < spends && done; ++k) done = add(move, spending_) || k > 0;
        return done;
    }

    bool draw_swap(Move& move) {
        const auto& families = state_.families();
        const size_t family = families[random_.below(static_cast<uint32_t>(families.size()))];
        return state_.add_swap(move, family, choice());
    }

    bool draw_step(Move& move) { return add(move, random_.below(2) ? saving_ : spending_); }

  private:
    // The best of one, two, four or eight.
    Choice choice() { return {&random_, 1 << random_.below(4)}; }

    bool add(Move& move, const std::vector<Step>& from) {
        Step step = from[random_.below(static_cast<uint32_t>(from.size()))];
        if (!step.is_bits && state_.groups(step.index) >= kGroupsForLeaps) {
            step.times = 1 << random_.below(3);
        }
        return state_.add_step(move, step, choice());
    }

    const State& state_;
    Random& random_;
    std::vector<Step> saving_, spending_;
};

double median_change(const State& state, Proposals& proposals) {
    std::vector<double> sizes;
    Move move;
    for (int k = 0; k < kScaleSamples; ++k) {
        move.clear();
        const bool swaps = k % 2 == 0 && !state.families().empty();
        if (!(swaps ? proposals.draw_swap(move) : proposals.draw_step(move))) continue;
        if (move.energy != 0) sizes.push_back(std::abs(move.energy));
    }
    if (sizes.empty()) return 1;
    const auto middle = sizes.begin() + std::ssize(sizes) / 2;
    std::nth_element(sizes.begin(), middle, sizes.end());
    return *middle;
}

}  // namespace

bool Pool::are_close(const Plan& a, const Plan& b) const {
    if (a.bits != b.bits) return false;
    int64_t different = 0;
    for (size_t f = 0; f < a.cut.size(); ++f) {
        for (size_t m = 0; m < a.cut[f].size(); ++m) different += a.cut[f][m] != b.cut[f][m];
    }
    return different < apart_;
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

SearchCounts anneal_within(State& state, Wall& wall, int64_t moves, Random random, Pool& pool,
                           const StopToken& stop) {
    SearchCounts counts;
    pool.offer(state.plan(), state.energy());
    Proposals proposals(state, random);
    if (!proposals.any()) return counts;
    const double scale = median_change(state, proposals);
    const double factor =
        std::pow(kCold / kHot, static_cast<double>(kMovesAtATemperature) /
                                   static_cast<double>(std::max(moves, int64_t{1})));
    double temperature = kHot * scale;
    double offered = state.energy();
    Move move;
    for (; counts.proposals < moves; ++counts.proposals) {
        if (counts.proposals % kMovesAtATemperature == 0) temperature *= factor;
        if (counts.proposals % kMovesBetweenStopChecks == 0 && stop.requested()) break;
        if (!proposals.draw(move)) continue;
        if (move.energy > 0 && random.uniform() >= std::exp(-move.energy / temperature)) continue;
        if (!wall.keeps(state, move)) continue;
        // A low plan is kept when the walk leaves it upwards.
        if (move.energy > 0 && state.energy() != offered && pool.wants(state.energy())) {
            offered = state.energy();
            pool.offer(state.plan(), offered);
        }
        state.make(move);
        counts.flips += std::ssize(move.flips);
    }
    state.recompute();
    pool.offer(state.plan(), state.energy());
    return counts;
}

}  // namespace adiabat::plan
