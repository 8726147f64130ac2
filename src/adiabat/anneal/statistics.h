// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a number of runs of a randomized solver says, and how surely.
//
// Success probability: successes / runs, with Wilson's score interval. Time to target: how long
// runs of t seconds, each a success with probability p, must be repeated until one was a success
// with probability c = 0.99,
//
//     TTS = t R,   R = max(1, ln(1 - c) / ln(1 - p)),
//
// one run where p >= c, infinite where p = 0. It is a property of the solver only where t is the
// best run length (a longer run has a higher p and costs more): the minimum over a ladder of
// lengths is taken. Intervals are percentiles of bootstrap resamples, each of which chooses its
// best length anew, so that the choice is part of what the interval covers.
//
// Sources: E. B. Wilson (1927); T. Ronnow and others, "Defining and detecting quantum speedup"
// (Science 345, 2014); B. Efron (1979).

#include <cstdint>
#include <span>
#include <vector>

namespace adiabat::anneal {

struct Interval {
    double low = 0, high = 0;

    bool operator==(const Interval&) const = default;
};

inline constexpr double kConfidence = 0.95;    // of intervals
inline constexpr double kTargetChance = 0.99;  // c above

// z with a standard normal in [-z, z] with this probability: 1.959964 for 0.95.
double normal_half_width(double confidence);

// Of a success probability; 0 to 1 where there were no runs.
Interval wilson_interval(int64_t successes, int64_t runs, double confidence = kConfidence);

// R above; infinity where p = 0.
double runs_to_target(double p, double chance = kTargetChance);
double time_to_target(double seconds_a_run, double p, double chance = kTargetChance);

// The q-th quantile, between order statistics linearly (type 7 of Hyndman and Fan, 1996); values
// may be infinite. NaN where there are none.
double quantile(std::vector<double> values, double q);
double median(std::vector<double> values);

// Runs of one length.
struct RunLength {
    int64_t length = 0;        // sweeps, or what the technique counts
    double seconds_a_run = 0;  // of processor time
    int64_t runs = 0, successes = 0;

    double success() const {
        return runs > 0 ? static_cast<double>(successes) / static_cast<double>(runs) : 0;
    }
    double time_to_target() const { return anneal::time_to_target(seconds_a_run, success()); }
};

// The first length with the least time to target; 0 where none ever succeeded or there are none.
size_t best_length(std::span<const RunLength> ladder);
// The least time to target; infinity likewise.
double best_time_to_target(std::span<const RunLength> ladder);

struct Bootstrap {
    int resamples = 1000;
    double confidence = kConfidence;
    uint64_t seed = 0;
};

// Interval of best_time_to_target: in each resample every run is drawn again from those of its
// length. O(resamples * runs).
Interval bootstrap_time_to_target(std::span<const RunLength> ladder, const Bootstrap& options = {});

// Interval of the median over instances of best_time_to_target: in each resample first the
// instances, then their runs are drawn again.
Interval bootstrap_median(std::span<const std::vector<RunLength>> instances,
                          const Bootstrap& options = {});

}  // namespace adiabat::anneal
