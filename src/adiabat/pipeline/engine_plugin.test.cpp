// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/engine_plugin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "adiabat/base/errors.h"

namespace adiabat::pipeline {
namespace {

TEST(EnginePlugin, LoadsAndListsItsOperatorsInOrder) {
    const auto engine = load_engine();
    EXPECT_TRUE(engine->name().starts_with("LibTorch ")) << engine->name();
    const auto operators = engine->operators();
    EXPECT_TRUE(std::is_sorted(operators.begin(), operators.end()));
    EXPECT_TRUE(std::binary_search(operators.begin(), operators.end(), "QuantizeLinear"));
    EXPECT_NE(load_engine(), nullptr);  // again, from the same library
}

// In a process of its own: the library is loaded once.
[[noreturn]] void load_from(const char* path) {
    setenv("ADIABAT_TORCH_PLUGIN", path, 1);
    try {
        load_engine();
    } catch (const InputError& error) {
        std::fputs(error.what(), stderr);
        std::exit(2);
    }
    std::exit(0);
}

TEST(EnginePluginDeathTest, SaysWhichFileIsAtFault) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(load_from("/nowhere/libadiabat_torch.so"), testing::ExitedWithCode(2),
                "names /nowhere/libadiabat_torch.so, which does not exist");
    EXPECT_EXIT(load_from("/proc/self/exe"), testing::ExitedWithCode(2), "does not load");
    EXPECT_EXIT(load_from(ADIABAT_SERIAL_BLAS_PLUGIN), testing::ExitedWithCode(2),
                "OpenBLAS's build without threads.*install libopenblas0-pthread");
}

}  // namespace
}  // namespace adiabat::pipeline
