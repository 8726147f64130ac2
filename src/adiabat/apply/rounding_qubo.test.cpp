// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/rounding_qubo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "adiabat/base/errors.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/moments.test.h"
#include "adiabat/recon/rounding.h"

namespace adiabat::apply {
namespace {

using recon::Matrix;
using recon::Moments;
using recon::RoundedFilters;
using recon::Vector;
using recon::testing::moments_of;
using recon::testing::sample;

// A layer made ready for rounding.
struct Case {
    Case(int64_t rows, int64_t inputs, int64_t filters, int bits_of_codes, uint64_t seed)
        : s(sample(rows, inputs, filters, seed)),
          moments(moments_of(s)),
          weights(recon::reconstructed(moments, s.weights)),
          least(static_cast<size_t>(filters), 0.0f),
          bits(bits_of_codes) {}

    recon::RoundingTask task(int threads = 1) const {
        return {moments, weights, s.weights, bits, least, threads};
    }
    RoundedFilters ordered() const { return recon::ordered_rounding(task()); }
    Vector errors(const RoundedFilters& rounded) const {
        return recon::squared_errors(moments, recon::values_of(rounded));
    }

    recon::testing::Sample s;
    Moments moments;
    Matrix weights;
    std::vector<float> least;
    int bits;
};

RoundedFilters random_start(const Case& c, uint64_t seed) {
    Random random(seed, 5);
    RoundedFilters start;
    for (Eigen::Index k = 0; k < c.weights.size(); ++k) {
        start.codes.push_back(static_cast<int8_t>(
            recon::lowest_code(c.bits) +
            static_cast<int>(random.below(static_cast<uint32_t>(1 << c.bits)))));
    }
    start.scales.assign(static_cast<size_t>(c.weights.rows()), 0.3f);
    return start;
}

// One round by its definition: every choice between each code and its neighbor on the side where
// the damped error falls, the lowest taken, and the scale of least damped error for it.
Vector naive_round(const Case& c, const RoundedFilters& start, Eigen::Index f) {
    Matrix h = c.moments.inputs;
    h.diagonal().array() += recon::damping_of(c.moments);
    const Vector w = c.weights.row(f);
    const Vector codes = recon::codes_of(start).row(f);
    const double scale = start.scales[static_cast<size_t>(f)];
    const auto error = [&](const Vector& v) { return (w - scale * v).dot(h * (w - scale * v)); };
    const Vector slope = -2 * scale * (h * (w - scale * codes));
    Vector base = codes;
    for (Eigen::Index k = 0; k < base.size(); ++k) {
        base[k] =
            std::clamp(slope[k] < 0 ? codes[k] : codes[k] - 1, double(recon::lowest_code(c.bits)),
                       double(recon::highest_code(c.bits) - 1));
        EXPECT_TRUE(codes[k] == base[k] || codes[k] == base[k] + 1);
    }
    Vector best = codes;
    for (int number = 0; number < 1 << base.size(); ++number) {
        Vector v = base;
        for (Eigen::Index k = 0; k < v.size(); ++k) v[k] += number >> k & 1;
        if (error(v) < error(best)) best = v;
    }
    return best;
}

TEST(QuboRounding, FindsTheBestOfAllChoices) {
    int changed = 0;
    for (uint64_t seed = 0; seed < 30; ++seed) {
        const Case c(300, 4 + static_cast<int64_t>(seed % 7), 3, 2 + static_cast<int>(seed % 3),
                     seed);
        const RoundedFilters start = random_start(c, seed);
        QuboRoundingOptions options;
        options.rounds = 1;
        options.reads = 4;
        const RoundedFilters found = qubo_rounding(c.task(), start, options);
        for (Eigen::Index f = 0; f < 3; ++f) {
            const Vector codes = recon::codes_of(found).row(f);
            const Vector begin = recon::codes_of(start).row(f);
            if (codes == begin) continue;  // the start is better under the plain moments
            ++changed;
            EXPECT_EQ(codes, naive_round(c, start, f)) << "seed " << seed << ", filter " << f;
        }
    }
    EXPECT_GT(changed, 80);
}

TEST(QuboRounding, IsNeverAboveItsStart) {
    int lower = 0, all = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        const Case c(500, 3 + static_cast<int64_t>(seed), 4, 2 + static_cast<int>(seed % 7), seed);
        const RoundedFilters start = c.ordered();
        const RoundedFilters found = qubo_rounding(c.task(), start);
        const Vector before = c.errors(start), after = c.errors(found);
        for (Eigen::Index f = 0; f < 4; ++f) {
            EXPECT_LE(after[f], before[f] * (1 + 1e-9)) << seed;
            lower += after[f] < before[f];
            ++all;
        }
        for (const int8_t code : found.codes) {
            EXPECT_GE(code, recon::lowest_code(c.bits));
            EXPECT_LE(code, recon::highest_code(c.bits));
        }
    }
    EXPECT_GT(lower, all / 4);
}

TEST(QuboRounding, ComesCloseToTheBestOfAllCodes) {
    double ours = 0, best = 0, ordered = 0;
    for (uint64_t seed = 0; seed < 30; ++seed) {
        const Case c(300, 6, 1, 2, seed + 100);
        const RoundedFilters start = c.ordered();
        ordered += c.errors(start)[0];
        ours += c.errors(qubo_rounding(c.task(), start))[0];
        double lowest = std::numeric_limits<double>::infinity();
        for (int number = 0; number < 1 << 12; ++number) {
            Vector codes(6);
            for (int k = 0; k < 6; ++k) codes[k] = (number >> 2 * k & 3) - 2;
            const double square = codes.dot(c.moments.inputs * codes);
            const double dot = codes.dot(c.moments.targets.row(0));
            if (square > 0 && dot > 0)
                lowest = std::min(lowest, c.moments.variances[0] - dot * dot / square);
        }
        best += lowest;
    }
    EXPECT_GE(ours, best * (1 - 1e-9));
    EXPECT_LT(ours, 1.1 * best);
    EXPECT_LE(ours, ordered);
}

// In small blocks not as low as at once, but lower than at the start.
TEST(QuboRounding, WideLayersAreAnnealedInBlocks) {
    const Case c(600, 40, 6, 2, 3);
    const RoundedFilters start = c.ordered();
    QuboRoundingOptions options;
    options.block = 15;
    const double before = c.errors(start).sum(),
                 blocks = c.errors(qubo_rounding(c.task(), start, options)).sum(),
                 whole = c.errors(qubo_rounding(c.task(), start)).sum();
    EXPECT_LT(blocks, before);
    EXPECT_LT(whole, before);
    EXPECT_LT(before - whole, 4 * (before - blocks));
}

TEST(QuboRounding, TheSameForAnyNumberOfThreads) {
    const Case c(400, 30, 21, 3, 8);
    const RoundedFilters start = c.ordered();
    const RoundedFilters one = qubo_rounding(c.task(1), start);
    for (const int threads : {2, 5}) {
        const RoundedFilters many = qubo_rounding(c.task(threads), start);
        EXPECT_EQ(many.codes, one.codes);
        EXPECT_EQ(many.scales, one.scales);
    }
}

TEST(QuboRounding, KeepsLeastScalesAndLayersThatReadNothing) {
    Case c(200, 8, 2, 3, 4);
    c.least = {0.9f, 0.0f};
    EXPECT_GE(qubo_rounding(c.task(), c.ordered()).scales[0], 0.9f);
    c.moments.inputs.setZero();
    c.moments.targets.setZero();
    const RoundedFilters start = random_start(c, 1);
    EXPECT_EQ(qubo_rounding(c.task(), start).codes, start.codes);
}

TEST(QuboRounding, StopsWhenAsked) {
    const Case c(200, 8, 2, 3, 4);
    StopSource source;
    source.request();
    EXPECT_THROW(qubo_rounding(c.task(), c.ordered(), {}, source.token()), Interrupted);
}

}  // namespace
}  // namespace adiabat::apply
