// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/huge_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace adiabat {
namespace {

TEST(HugePages, AreZerosAndAligned) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{1000}, kLeastHugeBytes / 4 + 1}) {
        const HugeVector<int32_t> values(count);
        EXPECT_TRUE(std::ranges::all_of(values, [](int32_t value) { return value == 0; }));
        EXPECT_EQ(reinterpret_cast<uintptr_t>(values.data()) % 64, 0u);
    }
}

TEST(HugePages, GrowAndAreCopied) {
    HugeVector<int> values;
    for (int k = 0; k < 3'000'000; ++k) values.push_back(k);
    const HugeVector<int> copy = values;
    EXPECT_EQ(copy, values);
    for (int k = 0; k < 3'000'000; k += 1000) EXPECT_EQ(copy[static_cast<size_t>(k)], k);
    values = HugeVector<int>(4);
    EXPECT_EQ(values, HugeVector<int>(4, 0));
}

TEST(HugePages, RefuseWhatNoMachineHas) {
    HugeVector<int64_t> values;
    EXPECT_THROW(values.reserve(SIZE_MAX / 16), std::exception);
}

TEST(MachineMemory, IsMoreThanAnEmptyProgramTakes) { EXPECT_GT(machine_memory(), 10'000'000u); }

}  // namespace
}  // namespace adiabat
