// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/sliced_walk.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kSliceStream = 0x5A40;
constexpr double kSmallestField = 1e-12;

int64_t work_of_flip(const qubo::Problem& problem) {
    const int64_t n = problem.variables();
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form))
        return 2 + static_cast<int64_t>(2 * sparse->pairs()) / std::max<int64_t>(1, n);
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form))
        return n * (1 + factored->rank());
    return n;
}

}  // namespace

SliceWeights slice_weights(double beta, double a, double b, int slices) {
    const double share = beta / slices;
    return {share * b, -0.5 * std::log(std::tanh(std::max(share * a, kSmallestField)))};
}

SlicedWalk::SlicedWalk(const qubo::Problem& problem, int slices, std::span<const uint8_t> start,
                       uint64_t seed, uint32_t read, const Watch* watch)
    : slices_(static_cast<size_t>(slices), LocalFields(problem, start, watch)),
      seed_(seed),
      read_(read),
      flip_work_(work_of_flip(problem)) {
    ADIABAT_CHECK(slices >= 2, "{} slices", slices);
}

std::array<uint32_t, 4> SlicedWalk::words(int m, int group, uint32_t sweep) const {
    const auto groups = static_cast<uint32_t>((slices_[0].variables() + 3) / 4);
    const uint32_t place = static_cast<uint32_t>(m) * groups + static_cast<uint32_t>(group);
    return philox<kDrawRounds>({place, sweep, read_, kSliceStream},
                               {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
}

bool SlicedWalk::sweep_slice(int m, const SliceWeights& weights, uint32_t sweep, Pace& pace) {
    const auto count = static_cast<size_t>(slices()), k = static_cast<size_t>(m);
    LocalFields& own = slices_[k];
    const auto before = slices_[(k + count - 1) % count].x();
    const auto after = slices_[(k + 1) % count].x();
    const int n = own.variables();
    for (int first = 0; first < n; first += 4) {
        const int end = std::min(n, first + 4);
        bool drawn = false;
        std::array<uint32_t, 4> word{};
        for (int i = first; i < end; ++i) {
            const auto v = static_cast<size_t>(i);
            const int alike =
                (before[v] == own.x()[v] ? 1 : -1) + (after[v] == own.x()[v] ? 1 : -1);
            const double uphill = weights.energy * own.change(i) + 2 * weights.link * alike;
            if (uphill > double{kMostThreshold}) continue;
            if (!drawn) word = words(m, first / 4, sweep);
            drawn = true;
            if (!(uphill < double{threshold_of(word[static_cast<size_t>(i - first)])})) continue;
            own.flip(i);
            ++flips_;
            if (pace.over(flip_work_, 0)) return false;
        }
    }
    return !pace.over(4 * int64_t{n});
}

bool SlicedWalk::sweep_all(const SliceWeights& weights, uint32_t sweep, Pace& pace) {
    const int n = slices_[0].variables(), count = slices();
    for (int first = 0; first < n; first += 4) {
        if (pace.over(8 * int64_t{count}, 0)) return false;
        const auto word = words(count, first / 4, sweep);
        for (int i = first; i < std::min(n, first + 4); ++i) {
            double change = 0;
            for (const LocalFields& slice : slices_) change += slice.change(i);
            const double threshold = threshold_of(word[static_cast<size_t>(i - first)]);
            if (!(weights.energy * change < threshold)) continue;
            for (LocalFields& slice : slices_) slice.flip(i);
            flips_ += count;
            if (pace.over(flip_work_ * count, 0)) return false;
        }
    }
    return true;
}

bool SlicedWalk::sweep(const SliceWeights& weights, uint32_t sweep, Pace& pace) {
    for (int m = 0; m < slices(); ++m)
        if (!sweep_slice(m, weights, sweep, pace)) return false;
    return sweep_all(weights, sweep, pace);
}

}  // namespace adiabat::anneal
