// SPDX-License-Identifier: Apache-2.0
#include "adiabat/torch/transpose.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace adiabat::torch {
namespace {

TEST(Transpose, IsTheNaiveOne) {
    for (const auto& [rows, columns] :
         {std::pair{1, 1}, {1, 40}, {8, 16}, {7, 33}, {64, 49}, {130, 17}}) {
        std::vector<float> from(static_cast<size_t>(rows * columns)), to(from.size(), -1);
        std::iota(from.begin(), from.end(), 0.0f);
        transpose(from.data(), rows, columns, to.data());
        for (int i = 0; i < rows; ++i) {
            for (int j = 0; j < columns; ++j) {
                ASSERT_EQ(to[static_cast<size_t>(j * rows + i)],
                          from[static_cast<size_t>(i * columns + j)]);
            }
        }
    }
}

}  // namespace
}  // namespace adiabat::torch
