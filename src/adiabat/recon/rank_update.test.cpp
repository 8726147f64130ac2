// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/rank_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::recon {
namespace {

std::vector<float> drawn(int64_t count, uint32_t stream) {
    Random random(1, stream);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& x : values) x = random.uniform_float() - 0.5f;
    return values;
}

// Every number of columns around the widths of vectors and panels, and rows around a block.
TEST(RankUpdate, EqualsTheNaiveTwinInOneTriangle) {
    for (const int64_t rows : {1, 5, 191, 192, 193, 500}) {
        for (const int64_t columns :
             {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100}) {
            const auto z = drawn(rows * columns, static_cast<uint32_t>(columns));
            auto found = drawn(columns * columns, 1000);
            auto expected = found;
            add_products(z, columns, found);
            add_products_naive(z, columns, expected);
            for (int64_t i = 0; i < columns; ++i) {
                for (int64_t j = 0; j <= i; ++j) {
                    const auto at = static_cast<size_t>(i * columns + j);
                    ASSERT_NEAR(found[at], expected[at], 1e-6 * static_cast<double>(rows + 5))
                        << rows << " rows, " << columns << " columns, " << i << ", " << j;
                }
            }
        }
    }
}

TEST(RankUpdate, OfNothingAddsNothing) {
    std::vector<float> sums = {1, 2, 3, 4};
    add_products({}, 2, sums);
    EXPECT_EQ(sums[0], 1);
    EXPECT_EQ(sums[2], 3);
    EXPECT_EQ(sums[3], 4);
    add_products({}, 0, {});
}

}  // namespace
}  // namespace adiabat::recon
