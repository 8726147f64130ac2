// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/random.h"

namespace adiabat::qubo {
namespace {

std::vector<uint8_t> random_assignment(int n, uint64_t seed) {
    Random random(seed, 77);
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (auto& value : x) value = random() & 1;
    return x;
}

// The formula, read off.
double energy_naively(const Dense& problem, const std::vector<uint8_t>& x) {
    double energy = problem.offset();
    for (int i = 0; i < problem.variables(); ++i) {
        energy += problem.linear(i) * x[static_cast<size_t>(i)];
        for (int j = i + 1; j < problem.variables(); ++j) {
            energy +=
                problem.coupling(i, j) * x[static_cast<size_t>(i)] * x[static_cast<size_t>(j)];
        }
    }
    return energy;
}

TEST(Dense, EnergyIsTheFormula) {
    for (int n = 0; n < 40; ++n) {
        const auto problem = random_dense(n, static_cast<uint64_t>(n));
        const auto x = random_assignment(n, 1);
        EXPECT_NEAR(problem.energy(x), energy_naively(problem, x), 1e-12);
    }
}

TEST(Dense, WordsAreAssignmentsWithTheLowestBitFirst) {
    const auto problem = random_dense(6, 2);
    EXPECT_EQ(problem.energy_of_word(0b000101),
              problem.energy(std::vector<uint8_t>{1, 0, 1, 0, 0, 0}));
}

TEST(Dense, FieldsAreDifferencesOfEnergy) {
    const auto problem = random_dense(17, 5);
    auto x = random_assignment(17, 3);
    auto field = problem.fields(x);
    for (int i = 0; i < 17; ++i) {
        const auto k = static_cast<size_t>(i);
        const double before = problem.energy(x), sign = x[k] ? -1 : 1;
        x[k] ^= 1;
        EXPECT_NEAR(problem.energy(x) - before, sign * field[k], 1e-12);
        problem.add_row(i, sign, field);  // the flip stays
    }
    const auto afresh = problem.fields(x);
    for (size_t i = 0; i < 17; ++i) EXPECT_NEAR(field[i], afresh[i], 1e-12);
}

TEST(Dense, CouplingsAreSymmetricWithAnEmptyDiagonal) {
    Dense problem(3);
    problem.add_coupling(2, 0, 1.5);
    problem.add_coupling(1, 1, 4);
    EXPECT_EQ(problem.coupling(0, 2), 1.5);
    EXPECT_EQ(problem.row(2)[0], 1.5);
    EXPECT_EQ(problem.coupling(1, 1), 0);
    EXPECT_EQ(problem.linear(1), 4);
}

TEST(Dense, SquaresAreExpanded) {
    const std::vector<Term> terms{{0, 1.5}, {2, -2}, {3, 0.25}, {2, 0.5}};  // variable 2 twice
    Dense problem(5);
    problem.add_squared(terms, -1.25, 3);
    for (uint64_t word = 0; word < 32; ++word) {
        double sum = -1.25;
        for (const auto [i, c] : terms) sum += c * static_cast<double>((word >> i) & 1);
        EXPECT_NEAR(problem.energy_of_word(word), 3 * sum * sum, 1e-12);
    }
}

TEST(Dense, RefusesWhatIsNoNumberAndWhatDoesNotFit) {
    Dense problem(2);
    EXPECT_THROW(problem.add_linear(2, 1), InternalError);
    EXPECT_THROW(problem.add_coupling(-1, 0, 1), InternalError);
    EXPECT_THROW(problem.add_linear(0, std::nan("")), InputError);
    EXPECT_THROW(problem.add_coupling(0, 1, std::numeric_limits<double>::infinity()), InputError);
    EXPECT_THROW(Dense(kMaxDenseVariables + 1), InputError);
    EXPECT_THROW(problem.energy(std::vector<uint8_t>{1}), InternalError);
}

TEST(Random, ProblemsAreTheirSeeds) {
    EXPECT_EQ(random_dense(9, 4), random_dense(9, 4));
    EXPECT_FALSE(random_dense(9, 4) == random_dense(9, 5));
    const auto whole = random_integer(9, 4);
    for (const double h : whole.linear()) EXPECT_EQ(h, std::round(h));
}

// Row by row, as the definition has it; the same bits.
double plain_energy(const Dense& problem, std::span<const uint8_t> x) {
    double energy = problem.offset();
    for (int i = 0; i < problem.variables(); ++i) {
        if (!x[static_cast<size_t>(i)]) continue;
        double field = problem.linear(i);
        for (int j = 0; j < i; ++j)
            field += x[static_cast<size_t>(j)] ? problem.coupling(i, j) : 0.0;
        energy += field;
    }
    return energy;
}

TEST(Dense, EnergyIsSummedInTheOrderOfTheVariables) {
    Random random(4, 4);
    for (int n = 0; n < 40; ++n) {
        const Dense problem = random_dense(n, static_cast<uint64_t>(n));
        std::vector<uint8_t> x(static_cast<size_t>(n));
        for (auto& value : x) value = random() & 1;
        EXPECT_EQ(problem.energy(x), plain_energy(problem, x));
    }
}

TEST(Dense, StripsOfRowsAreCouplings) {
    const Dense problem = random_dense(11, 5);
    for (const int height : {1, 3, 4, 11}) {
        Dense made(11);
        std::vector<std::vector<double>> strip;
        for (int i = 0; i < 11; ++i) {
            const auto row = problem.row(i).subspan(static_cast<size_t>(i) + 1);
            strip.emplace_back(row.begin(), row.end());
            if (static_cast<int>(strip.size()) < height && i < 10) continue;
            made.add_upper_rows(i + 1 - static_cast<int>(strip.size()), strip);
            strip.clear();
        }
        for (int i = 0; i < 11; ++i)
            for (int j = 0; j < 11; ++j) EXPECT_EQ(made.coupling(i, j), problem.coupling(i, j));
    }
    Dense made(3);
    const std::vector<std::vector<double>> wrong = {{1.0}};
    EXPECT_THROW(made.add_upper_rows(0, wrong), InternalError);
}

}  // namespace
}  // namespace adiabat::qubo
