// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/search.h"

#include <algorithm>
#include <cmath>

namespace adiabat::plan {

namespace {

constexpr double kCold = 1e-3;
constexpr int kScaleSamples = 512;
constexpr int64_t kMovesAtATemperature = 64;
constexpr int64_t kMovesAtAPrice = 1024;
constexpr int64_t kMovesBetweenStopChecks = 4096;
// The prices stay within this factor of what they were at the start.
constexpr double kPriceRange = 8, kPriceFactor = 1.1;
// Of kKinds moves so many are swaps, so many steps; the others exchanges.
constexpr uint32_t kSwaps = 4, kSteps = 10, kKinds = 16;
constexpr int kMostPairs = 2;
// Families of so many groups are stepped through in leaps of up to four steps.
constexpr int64_t kGroupsForLeaps = 64;
// One in so many steps of bits may be a leap.
constexpr uint32_t kBitLeaps = 4;

// Draws moves.
class Proposals {
  public:
    Proposals(const State& state, Random& random) : state_(state), random_(random) {
        const bool is_large = state.hamiltonian().encoding.variables > kAllPairs;
        for (const Step& step : state.steps()) {
            if (is_large && step.place == Place::kBranch) continue;
            (step.saves ? saving_ : spending_).push_back(step);
        }
    }

    bool any() const { return !saving_.empty(); }

    // False where nothing came of it.
    bool draw(Move& move) {
        move.clear();
        const uint32_t kind = random_.below(kKinds);
        if (kind < kSwaps && !state_.families().empty()) return draw_swap(move);
        if (kind < kSwaps + kSteps) return draw_step(move);
        const uint32_t saves = 1 + random_.below(kMostPairs);
        const uint32_t spends = 1 + random_.below(kMostPairs);
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
        const bool leaps = step.place == Place::kFamily
                               ? state_.groups(step.index) >= kGroupsForLeaps
                               : step.place == Place::kLayer && random_.below(kBitLeaps) == 0;
        if (leaps) step.times = 1 << random_.below(3);
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

// lambda_k, and where the walk is.
class Prices {
  public:
    Prices(State& state, Wall& wall) {
        const auto here = wall.costs(state.shape());
        std::vector<std::vector<double>> ratios(here.size());
        Move move;
        for (const Step& step : state.steps()) {
            move.clear();
            if (!step.saves || !state.add_step(move, step, {}) || move.energy <= 0) continue;
            const auto there = wall.costs(state.shape_after(move));
            for (size_t k = 0; k < here.size(); ++k) {
                if (there[k] >= here[k]) continue;
                const double limit = wall.budgets()[k].unit();
                ratios[k].push_back(move.energy * limit / static_cast<double>(here[k] - there[k]));
            }
        }
        for (auto& list : ratios) {
            const auto quartile = list.begin() + std::ssize(list) / 4;
            std::nth_element(list.begin(), quartile, list.end());
            first_.push_back(list.empty() ? 0 : *quartile);
        }
        now_ = first_;
        outside_.assign(now_.size(), 0);
    }

    double of(const Wall::Excess& excess) const {
        double sum = 0;
        for (size_t k = 0; k < now_.size(); ++k) sum += now_[k] * static_cast<double>(excess[k]);
        return sum;
    }

    void count(const Wall::Excess& excess) {
        for (size_t k = 0; k < now_.size(); ++k) outside_[k] += excess[k] > 0;
    }

    void follow() {
        for (size_t k = 0; k < now_.size(); ++k) {
            const double factor =
                2 * outside_[k] > kMovesAtAPrice ? kPriceFactor : 1 / kPriceFactor;
            now_[k] =
                std::clamp(now_[k] * factor, first_[k] / kPriceRange, first_[k] * kPriceRange);
            outside_[k] = 0;
        }
    }

  private:
    std::vector<double> first_, now_;
    std::vector<int64_t> outside_;  // moves since the prices were last changed
};

class Walk {
  public:
    Walk(State& state, Wall& wall, Random& random, Pool& pool, const StopToken& stop)
        : state_(state),
          wall_(wall),
          random_(random),
          pool_(pool),
          stop_(stop),
          proposals_(state, random),
          best_{state.plan(), state.energy()} {
        pool.offer(best_.plan, best_.energy);
    }

    SearchCounts run(int64_t moves, std::span<const double> hot) {
        if (!proposals_.any()) return counts_;
        state_.set(best_.plan);  // groups in their first order, whatever came before
        scale_ = median_change(state_, proposals_);
        const int64_t cycles = std::ssize(hot);
        for (int64_t cycle = 0; cycle < cycles && !stop_.requested(); ++cycle) {
            anneal(moves * (cycle + 1) / cycles - counts_.proposals,
                   hot[static_cast<size_t>(cycle)]);
            state_.set(best_.plan);
            if (!stop_.requested()) polish(state_, wall_, stop_);
            keep();
        }
        state_.set(best_.plan);
        return counts_;
    }

  private:
    void anneal(int64_t moves, double hottest) {
        Prices prices(state_, wall_);
        Wall::Excess excess = {};
        const double factor = std::pow(kCold / hottest, static_cast<double>(kMovesAtATemperature) /
                                                            static_cast<double>(moves + 1));
        double temperature = hottest * scale_;
        Move move;
        for (int64_t k = 0; k < moves; ++k) {
            if (k % kMovesAtATemperature == 0) temperature *= factor;
            if (k % kMovesAtAPrice == kMovesAtAPrice - 1) prices.follow();
            if (k % kMovesBetweenStopChecks == 0 && stop_.requested()) break;
            ++counts_.proposals;
            prices.count(excess);
            if (!proposals_.draw(move)) continue;
            const double priced = move.energy - prices.of(excess);
            const double most = highest(priced, temperature);
            if (priced > most) continue;
            if (move.changes.empty()) {
                if (move.energy > 0 && Wall::is_none(excess)) keep();
            } else {
                const Wall::Excess after = wall_.excess(state_, move);
                const double change = priced + prices.of(after);
                if (change > most) continue;
                if (Wall::is_none(excess) && (change > 0 || !Wall::is_none(after))) keep();
                excess = after;
            }
            state_.make(move);
            counts_.flips += std::ssize(move.flips);
        }
        if (Wall::is_none(excess)) keep();
    }

    // The change that Metropolis' rule would just accept. Without a draw where the energy alone
    // is far beyond any.
    double highest(double change, double temperature) {
        constexpr double kNever = 40;
        if (change > kNever * temperature) return 0;
        return -std::log(1 - random_.uniform()) * temperature;
    }

    // A plan inside the budgets that the walk is about to leave.
    void keep() {
        const double energy = state_.energy();
        if (energy == kept_) return;
        kept_ = energy;
        const bool is_lowest = energy < best_.energy;
        if (!is_lowest && !pool_.wants(energy)) return;
        Plan plan = state_.plan();
        pool_.offer(plan, energy);
        if (is_lowest) best_ = {std::move(plan), energy};
    }

    State& state_;
    Wall& wall_;
    Random& random_;
    Pool& pool_;
    const StopToken& stop_;
    Proposals proposals_;
    Found best_;
    double kept_ = 0;  // energy of what was kept last
    double scale_ = 1;
    SearchCounts counts_;
};

}  // namespace

SearchCounts anneal_within(State& state, Wall& wall, int64_t moves, Random random, Pool& pool,
                           const StopToken& stop, std::span<const double> cycles) {
    return Walk(state, wall, random, pool, stop).run(moves, cycles);
}

}  // namespace adiabat::plan
