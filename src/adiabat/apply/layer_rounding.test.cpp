// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/layer_rounding.h"

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/moments.test.h"

namespace adiabat::apply {
namespace {

using recon::Matrix;
using recon::Moments;
using recon::RoundedFilters;
using recon::testing::moments_of;
using recon::testing::sample;

struct Case {
    // The halves are of the same layer; of other inputs where they are `foreign`.
    Case(int64_t rows, uint64_t seed, bool foreign) : given(Matrix(0, 0)) {
        auto s = sample(rows, 30, 20, seed);
        given = s.weights;
        moments = moments_of(s);
        const auto half = [&](int64_t begin) {
            auto part = s;
            part.x = s.x.middleRows(begin, rows / 2);
            part.t = s.t.middleRows(begin, rows / 2);
            return moments_of(part);
        };
        halves = {half(0), half(rows / 2)};
        if (foreign) {
            auto other = sample(rows, 30, 20, seed + 1000);
            halves.second = moments_of(other);
            halves.second.targets = given * halves.second.inputs;
        }
        weights = recon::reconstructed(moments, given);
    }
    recon::RoundingTask task() const { return {moments, weights, given, 2, least, 1}; }

    Moments moments;
    recon::Halves halves;
    Matrix given, weights;
    std::vector<float> least = std::vector<float>(20, 0.0f);
};

TEST(LayerRounding, NamesAreReadBack) {
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kOrdered, Rounding::kQubo})
        EXPECT_EQ(parse_rounding(name_of(rounding)), rounding);
    EXPECT_THROW(parse_rounding("up"), InputError);
}

TEST(LayerRounding, EachWayIsBelowTheOneBefore) {
    const Case c(4000, 1, false);
    std::vector<double> errors;
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kOrdered, Rounding::kQubo}) {
        RoundingReport report;
        const RoundedFilters found = rounded(rounding, c.task(), c.halves, report);
        errors.push_back(recon::squared_errors(c.moments, recon::values_of(found)).sum());
        EXPECT_EQ(report.filters, 20);
        EXPECT_DOUBLE_EQ(report.error, errors.back());
        EXPECT_EQ(report.annealed, rounding == Rounding::kQubo ? 20 : 0);
        EXPECT_EQ(report.lower > 10, rounding == Rounding::kQubo);
    }
    EXPECT_LT(errors[1], errors[0]);
    EXPECT_LT(errors[2], errors[1]);
}

// Taken where it is lower on the half that it did not see: where that half is of the same inputs;
// where it is of others, that is a matter of chance.
TEST(LayerRounding, TheAnnealIsTakenWhereItHoldsOnOtherImages) {
    int taken = 0, refused = 0;
    for (uint64_t seed = 0; seed < 24; ++seed) {
        const Case c(seed < 8 ? 4000 : 60, seed, seed >= 8);
        RoundingReport report;
        const RoundedFilters found = rounded(Rounding::kQubo, c.task(), c.halves, report);
        const bool is_better = report.judged_qubo < report.judged_ordered;
        EXPECT_EQ(report.annealed, is_better ? 20 : 0);
        EXPECT_TRUE(is_better || seed >= 8) << seed;
        EXPECT_TRUE(is_better || found.codes == recon::ordered_rounding(c.task()).codes);
        ++(is_better ? taken : refused);
    }
    EXPECT_GT(taken, 8);
    EXPECT_GT(refused, 0);
}

TEST(LayerRounding, WithoutTwoHalvesNothingIsAnnealed) {
    const Case c(100, 1, false);
    RoundingReport report;
    const RoundedFilters found = rounded(Rounding::kQubo, c.task(), {}, report);
    EXPECT_EQ(found.codes, recon::ordered_rounding(c.task()).codes);
    EXPECT_EQ(report.annealed, 0);
}

}  // namespace
}  // namespace adiabat::apply
