// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/path.h"

#include <gtest/gtest.h>

namespace adiabat::pipeline {
namespace {

TEST(Path, HasAsManyStepsAsKeepPredictionsSteady) {
    EXPECT_EQ(steps_for(1, 1), 1);
    EXPECT_EQ(steps_for(2, 2.9), 1);
    EXPECT_EQ(steps_for(2, 3.1), 2);
    EXPECT_EQ(steps_for(3.1, 2), 2);
    EXPECT_EQ(steps_for(1, 1.5 * 1.5 * 1.5 * 0.99), 3);
    EXPECT_EQ(steps_for(1, 1e9), kMostSteps);
    // Nothing that could be compared.
    EXPECT_EQ(steps_for(0, 1), 1);
    EXPECT_EQ(steps_for(-1, 1), 1);
    EXPECT_EQ(steps_for(1, 0), 1);
}

}  // namespace
}  // namespace adiabat::pipeline
