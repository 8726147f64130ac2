// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/outputs.h"

#include <gtest/gtest.h>

#include <cmath>

namespace adiabat::pipeline {
namespace {

net::Tensor scores(const std::vector<float>& values) {
    return net::Tensor::of<float>({static_cast<int64_t>(values.size()) / 2, 2}, values);
}

TEST(Outputs, PredictionsAreTheFirstLargest) {
    EXPECT_EQ(predictions(scores({1, 2, 3, 0, 5, 5})), (std::vector<int32_t>{1, 0, 0}));
    EXPECT_EQ(share_equal(std::vector<int32_t>{1, 2, 3, 4}, std::vector<int32_t>{1, 0, 3, 4}),
              0.75);
}

TEST(Outputs, DivergenceIsTheFormula) {
    const double p = 1 / (1 + std::exp(-1.0)), q = 1 / (1 + std::exp(2.0));
    const double expected = p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
    EXPECT_NEAR(mean_divergence(scores({1, 0}), scores({0, 2})), expected, 1e-7);
    EXPECT_NEAR(mean_divergence(scores({900, 0}), scores({901, 1})), 0, 1e-9);
    EXPECT_TRUE(std::isfinite(mean_divergence(scores({900, 0}), scores({0, 900}))));
}

TEST(Outputs, RelativeErrorOfTheMeanIsOne) {
    EXPECT_NEAR(relative_squared_error(scores({1, 3}), scores({2, 2})), 1, 1e-12);
    EXPECT_EQ(relative_squared_error(scores({1, 3}), scores({1, 3})), 0);
}

}  // namespace
}  // namespace adiabat::pipeline
