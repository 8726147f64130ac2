// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/recombine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "adiabat/plan/problems.test.h"

namespace adiabat::plan {
namespace {

// Every part is one parent's, a branch all of one; both parents are asked, and each part of either
// can be had.
TEST(Recombine, PartsComeWholeFromEither) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Fixture f(net::residual_network(seed), 1, with_branches());
        EXPECT_FALSE(f.network.branches.empty());
        Random random(seed, 5);
        for (int trial = 0; trial < 20; ++trial) {
            const Plan a = f.random_plan(random), b = f.random_plan(random);
            std::vector<std::array<int, 2>> seen(a.cut.size() + a.bits.size());
            for (int child = 0; child < 40; ++child) {
                const Plan plan = recombined(f.network, a, b, random);
                check_plan(f.network, plan);
                for (const Branch& branch : f.network.branches) {
                    const auto is_of = [&](const Plan& parent) {
                        return std::ranges::all_of(
                                   branch.layers,
                                   [&](size_t k) { return plan.bits[k] == parent.bits[k]; }) &&
                               std::ranges::all_of(branch.families, [&](size_t family) {
                                   return plan.cut[family] == parent.cut[family];
                               });
                    };
                    EXPECT_TRUE(is_of(a) || is_of(b)) << branch.name;
                }
                for (size_t k = 0; k < a.cut.size(); ++k) {
                    EXPECT_TRUE(plan.cut[k] == a.cut[k] || plan.cut[k] == b.cut[k]);
                    seen[k][0] += plan.cut[k] == a.cut[k];
                    seen[k][1] += plan.cut[k] == b.cut[k];
                }
                for (size_t k = 0; k < a.bits.size(); ++k) {
                    EXPECT_TRUE(plan.bits[k] == a.bits[k] || plan.bits[k] == b.bits[k]);
                    seen[a.cut.size() + k][0] += plan.bits[k] == a.bits[k];
                    seen[a.cut.size() + k][1] += plan.bits[k] == b.bits[k];
                }
            }
            for (const auto& [of_a, of_b] : seen) {
                EXPECT_GT(of_a, 0);
                EXPECT_GT(of_b, 0);
            }
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
