// SPDX-License-Identifier: Apache-2.0
#pragma once

// What techniques whose reads are independent share: spreading reads over threads, keeping a read's
// best state, and asking the watch neither too often nor too seldom.
//
// Reads are handed out one after the other, so that threads stay busy whatever the reads cost; each
// is a function of its number alone. Once the watch is over no further read begins.

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

// What a read adds to the outcome.
struct Tally {
    int64_t sweeps = 0, proposals = 0, flips = 0;
};

// Calls body(first, reads) for consecutive groups of at most `group` reads; the body fills all of
// them. The first group always begins.
Outcome run_reads(const Task& task, int group,
                  const std::function<Tally(int first, std::span<Read> reads)>& body);

// The lowest state of a read. True energies are offered to the watch: at once where the target may
// have been reached, else now and then, since they take as long as many moves.
class Incumbent {
  public:
    // `tolerance`: what a state must be lower by to count as better (energy_tolerance).
    Incumbent(const Task& task, double tolerance)
        : problem_(task.problem), watch_(task.watch), tolerance_(tolerance) {}

    // `energy` as the walk knows it. A walk calls this where it is about to leave a state upwards:
    // on the way down there is nothing to keep.
    void consider(std::span<const uint8_t> x, double energy) {
        if (improves(energy) || x_.empty()) take(x, energy);
    }
    bool improves(double energy) const { return energy < energy_ - tolerance_; }
    double energy() const { return energy_; }
    const std::vector<uint8_t>& x() const { return x_; }
    // The read, ended at `last`.
    Read read(std::span<const uint8_t> last) const {
        return {x_, {last.begin(), last.end()}, energy_};
    }

  private:
    void take(std::span<const uint8_t> x, double energy);

    const qubo::Problem& problem_;
    Watch& watch_;
    double tolerance_;
    double energy_ = std::numeric_limits<double>::infinity();
    double next_offer_ = 0;  // seconds
    std::vector<uint8_t> x_;
};

// Asks the watch at the first step and then after some 50 microseconds of work each time.
class Pace {
  public:
    explicit Pace(Watch& watch) : watch_(watch) {}
    ~Pace() { watch_.advance(steps_); }
    Pace(const Pace&) = delete;
    Pace& operator=(const Pace&) = delete;

    // Before so many elementary operations, `steps` of the stage: whether to end instead.
    bool over(int64_t work, uint64_t steps = 1) {
        steps_ += steps;
        work_ += work;
        return work_ >= kWorkBetweenLooks && look();
    }

  private:
    static constexpr int64_t kWorkBetweenLooks = 50'000;
    bool look();

    Watch& watch_;
    uint64_t steps_ = 0;
    int64_t work_ = kWorkBetweenLooks;
};

}  // namespace adiabat::anneal
