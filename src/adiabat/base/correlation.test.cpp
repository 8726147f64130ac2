// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/correlation.h"

#include <gtest/gtest.h>

namespace adiabat {
namespace {

TEST(Correlation, OfALineIsOneAndOfItsMirrorMinusOne) {
    Correlation up, down;
    for (int k = 0; k < 5; ++k) {
        up.add(k, 3 + 2 * k);
        down.add(k, 3 - 2 * k);
    }
    EXPECT_NEAR(up.value().value(), 1, 1e-12);
    EXPECT_NEAR(down.value().value(), -1, 1e-12);
    EXPECT_NEAR(up.covariance() / up.variance_x(), 2, 1e-12);
    EXPECT_NEAR(up.mean_y(), 7, 1e-12);
}

TEST(Correlation, OfAKnownSample) {
    Correlation c;
    const double x[] = {1, 2, 3, 4}, y[] = {1, 3, 2, 5};
    for (int k = 0; k < 4; ++k) c.add(x[k], y[k]);
    // Sums of squares 5 and 8.75, of products 5.5.
    EXPECT_NEAR(c.value().value(), 5.5 / std::sqrt(5 * 8.75), 1e-12);
}

TEST(Correlation, SaysNothingOfTwoPairsOrConstants) {
    Correlation two, constant;
    two.add(1, 2);
    two.add(2, -2);
    EXPECT_EQ(two.value(), std::nullopt);
    for (int k = 0; k < 5; ++k) constant.add(k, 7);
    EXPECT_EQ(constant.value(), std::nullopt);
}

}  // namespace
}  // namespace adiabat
