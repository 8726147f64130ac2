// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/population.h"

#include <gtest/gtest.h>

#include <numeric>

#include "adiabat/anneal/boltzmann.test.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

TEST(Population, OffspringAreTheirExpectationRoundedDownOrUp) {
    Random random(1);
    for (int trial = 0; trial < 200; ++trial) {
        std::vector<double> weights(1 + random.below(30));
        for (double& weight : weights) weight = std::exp(-5 * random.uniform());
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        const auto offspring = systematic_offspring(weights, random.uniform());
        int total = 0;
        for (size_t r = 0; r < weights.size(); ++r) {
            const double mean = static_cast<double>(weights.size()) * weights[r] / sum;
            EXPECT_GE(offspring[r], std::floor(mean - 1e-9));
            EXPECT_LE(offspring[r], std::ceil(mean + 1e-9));
            total += offspring[r];
        }
        EXPECT_EQ(total, static_cast<int>(weights.size()));
    }
}

TEST(Population, OffspringHaveTheRightMean) {
    const std::vector<double> weights{0.1, 2, 0.5, 1.4};
    std::vector<double> mean(4);
    Random random(2);
    for (int trial = 0; trial < 100'000; ++trial) {
        const auto offspring = systematic_offspring(weights, random.uniform());
        for (size_t r = 0; r < 4; ++r) mean[r] += offspring[r] / 1e5;
    }
    for (size_t r = 0; r < 4; ++r) EXPECT_NEAR(mean[r], weights[r], 0.01);
}

// That it ends in the Boltzmann distribution: boltzmann.test.cpp.
TEST(Population, KnowsItsPartitionFunction) {
    const qubo::Problem problem{qubo::random_integer(6, 3)};
    for (const char* const schedule : {"adaptive", "geometric"}) {
        OptionValues values(kPopulation.options);
        values.set("schedule", schedule);
        values.set("beta-max", 0.6);
        values.set("beta-min", 0.05);
        values.set("steps", 15.0);
        Watch watch;
        const Task task{problem, values, 8, 10'000, 2, 0, {}, watch};
        const Outcome outcome = kPopulation.run(task);
        ASSERT_EQ(outcome.reads.size(), 10'000u);
        double z = 0;
        for (uint64_t word = 0; word < 64; ++word)
            z += std::exp(-0.6 * problem.energy(testing::bits_of(word, 6)));
        EXPECT_NEAR(outcome.details["log-partition-function"].get<double>(), std::log(z), 0.05);
        EXPECT_GT(outcome.details["temperatures"].get<int>(), 5);
        EXPECT_GT(outcome.details["families"].get<int>(), 100);
    }
}

}  // namespace
}  // namespace adiabat::anneal
