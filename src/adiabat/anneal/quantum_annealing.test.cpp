// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/quantum_annealing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace adiabat::anneal {
namespace {

TEST(QuantumAnnealing, SchedulesAreContinuousAndQuantumToBeginWith) {
    for (const auto schedule :
         {QuantumSchedule::kAdvantage, QuantumSchedule::kAdvantage2, QuantumSchedule::kLinear}) {
        Amplitudes before = amplitudes_at(schedule, 0);
        EXPECT_GT(before.a, 10 * before.b);
        for (int k = 1; k <= 1000; ++k) {
            const Amplitudes now = amplitudes_at(schedule, k / 1000.0);
            EXPECT_LT(now.a, before.a);
            EXPECT_GT(now.b, before.b);
            EXPECT_LT(before.a - now.a, 0.02);
            EXPECT_LT(now.b - before.b, 0.005);
            before = now;
        }
        EXPECT_DOUBLE_EQ(before.b, 1);
        EXPECT_LT(before.a, 1e-6);
    }
}

TEST(QuantumAnnealing, SchedulesHoldThePublishedValues) {
    const auto advantage = amplitudes_at(QuantumSchedule::kAdvantage, 0.3);
    EXPECT_NEAR(advantage.a, 1.17 / 7.57, 1e-12);
    EXPECT_NEAR(advantage.b, 1.35 / 7.57, 1e-12);
    const auto later = amplitudes_at(QuantumSchedule::kAdvantage2, 0.85);
    EXPECT_NEAR(later.b, std::exp(0.75 * std::log(10.3) + 0.25 * std::log(14.7)) / 14.7, 1e-12);
}

}  // namespace
}  // namespace adiabat::anneal
