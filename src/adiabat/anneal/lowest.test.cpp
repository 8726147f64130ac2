// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/lowest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

std::vector<uint8_t> bits_of(uint64_t word, int n) {
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) x[i] = (word >> i) & 1;
    return x;
}

TEST(Lowest, KeepsWhatSortingAllWouldKeep) {
    constexpr int kVariables = 7;
    const auto problem = qubo::random_dense(kVariables, 11);
    for (const int keep : {1, 2, 10, 128, 500}) {
        Random random(static_cast<uint64_t>(keep));
        Lowest lowest(keep);
        std::map<uint64_t, int> offered;
        for (int k = 0; k < 400; ++k) {
            const uint64_t word = random.below(1 << kVariables);
            ++offered[word];
            lowest.offer(bits_of(word, kVariables), problem.energy_of_word(word));
        }
        std::vector<double> energies;
        for (const auto& [word, times] : offered) energies.push_back(problem.energy_of_word(word));
        std::ranges::sort(energies);
        energies.resize(std::min(energies.size(), static_cast<size_t>(keep)));

        const auto found = lowest.rescored(problem, true);
        ASSERT_EQ(found.size(), energies.size());
        for (size_t k = 0; k < energies.size(); ++k) EXPECT_EQ(found[k].energy, energies[k]);
    }
}

TEST(Lowest, CountsWhatComesAgain) {
    const qubo::Dense flat(2);
    Lowest lowest(2);
    for (const uint64_t word : {3, 1, 3, 2, 3}) lowest.offer(bits_of(word, 2), 0.0);
    const auto found = lowest.rescored(flat, false);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0], (Solution{{1, 1}, 0.0, 3}));  // the first of equals stays
    EXPECT_EQ(found[1], (Solution{{1, 0}, 0.0, 1}));
    EXPECT_FALSE(found.complete);
}

TEST(Lowest, RefusesNothingAndTooMuch) {
    EXPECT_THROW(Lowest(0), InputError);
    EXPECT_THROW(Lowest(kMaxKept + 1), InputError);
}

}  // namespace
}  // namespace adiabat::anneal
