// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/local_fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/anneal/bounds/energy_unit.h"
#include "adiabat/anneal/row_sums.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

std::vector<qubo::Problem> problems(int n) {
    const qubo::Dense dense = qubo::random_dense(n, 4);
    return {{dense}, {qubo::sparse_of({dense})}};
}

TEST(RowSums, AreThoseOfTheRule) {
    for (size_t size = 0; size < 40; ++size) {
        Random random(size);
        double negative = 0, positive = 0;
        std::vector<double> row;
        for (size_t j = 0; j < size; ++j) {
            row.push_back(random.normal());
            (row.back() < 0 ? negative : positive) += row.back();
        }
        const RowSums sums = row_sums(row);
        EXPECT_NEAR(sums.negative, negative, 1e-12);
        EXPECT_NEAR(sums.positive, positive, 1e-12);
        EXPECT_NEAR(sums.sizes(), positive - negative, 1e-12);
    }
}

TEST(LocalFields, KnowTheEnergyOfEveryAssignment) {
    for (const qubo::Problem& problem : problems(37)) {
        Random random(1);
        std::vector<uint8_t> x(37, 0);
        LocalFields state(problem, x);
        for (int k = 0; k < 50; ++k) {
            EXPECT_NEAR(state.energy(), problem.energy(x), 1e-9);
            for (auto& value : x) value = static_cast<uint8_t>(random() >> 31);
            state.set(x);
        }
    }
}

TEST(EnergyTolerance, IsOfTheLargestChange) {
    for (const qubo::Problem& problem : problems(23)) {
        double largest = 0;
        for (int i = 0; i < 23; ++i) {
            double low = problem.linear(i), high = low;
            for (int j = 0; j < 23; ++j) {
                const double coupling = i == j ? 0 : problem.coupling(i, j);
                (coupling < 0 ? low : high) += coupling;
            }
            largest = std::max({largest, -low, high});
        }
        EXPECT_NEAR(energy_tolerance(problem), 1e-12 * largest, 1e-24);
    }
    EXPECT_EQ(energy_tolerance({qubo::Dense(3)}), 1e-12);
}

// A pass over a matrix ends with its watch.
TEST(EnergyTolerance, AndTheUnitEndWithTheWatch) {
    constexpr int kVariables = 1200;
    qubo::Dense dense = qubo::random_integer(kVariables, 3);
    dense.add_linear(kVariables - 1, 1e6);
    const qubo::Problem problem{std::move(dense)};
    const Watch over({}, 0.0, {}, no_progress()), open;
    EXPECT_LT(energy_tolerance(problem, &over), 1e-7);
    EXPECT_GT(energy_tolerance(problem, &open), 9e-7);
    EXPECT_EQ(energy_unit(problem, &over), 0);
    EXPECT_GT(energy_unit(problem, &open), 0);
    EXPECT_LE(over.seconds_left(), 0);
    EXPECT_EQ(open.seconds_left(), std::numeric_limits<double>::infinity());
}

TEST(LocalFields, AreAbandonedWhereTheWatchIsOver) {
    const qubo::Problem problem{qubo::random_dense(1200, 1)};
    const std::vector<uint8_t> x(1200, 1);
    StopSource source;
    const Watch watch(source.token(), {}, {}, no_progress());
    EXPECT_EQ(LocalFields(problem, x, &watch).energy(), LocalFields(problem, x).energy());
    source.request();
    const LocalFields abandoned(problem, x, &watch);
    EXPECT_EQ(abandoned.energy(), std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::ranges::equal(abandoned.x(), x));
    EXPECT_FALSE(fields_and_energy(problem, x, &watch).has_value());
}

}  // namespace
}  // namespace adiabat::anneal
