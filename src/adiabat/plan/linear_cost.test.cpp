// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/linear_cost.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

TEST(LinearCost, IsExactAtThePlanAndForOneWidthAtATime) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
        const Fixture f(net::residual_network(seed), 1,
                        seed % 2    ? with_branches()
                        : seed == 2 ? with_activations()
                                    : NetworkOptions());
        const Encoding encoding = one_hot_encoding(f.network);
        Random random(seed, 5);
        const Plan at = f.random_plan(random);
        for (Quantity quantity : {Quantity::kFile, Quantity::kMacs, Quantity::kBops}) {
            const auto exact = [&](std::span<const int64_t> cut, std::span<const int> bits) {
                return static_cast<double>(f.costs.cost(quantity, cut, bits));
            };
            const LinearCost linear =
                linear_cost(f.network, encoding, cut_counts(at), at.bits, exact);
            const double scale = exact(cut_counts(uniform_plan(f.network, kMaxBits)),
                                       uniform_plan(f.network, kMaxBits).bits);
            const auto compare = [&](const Plan& plan) {
                EXPECT_NEAR(linear.value(encode(f.network, encoding, plan)),
                            exact(cut_counts(plan), plan.bits), 1e-9 * scale);
            };
            compare(at);
            for (size_t k = 0; k < at.bits.size(); ++k) {
                Plan plan = at;
                if (at.bits[k] == kGone) continue;
                const auto& widths = f.network.widths(k);
                plan.bits[k] = at.bits[k] == widths.back() ? widths.front() : widths.back();
                compare(plan);
            }
            for (size_t b = 0; b < f.network.branches.size(); ++b) {
                if (is_gone(f.network, at.bits, b)) {
                    Plan whole = at;
                    for (size_t k : f.network.branches[b].layers) whole.bits[k] = kMaxBits;
                    compare(whole);
                    continue;
                }
                // As it is but for the branch: the energy of z alone.
                auto x = encode(f.network, encoding, at);
                x[static_cast<size_t>(encoding.branches[b])] = 1;
                Plan gone = at;
                drop(f.network, gone, b);
                EXPECT_NEAR(linear.value(x), exact(cut_counts(gone), gone.bits), 1e-9 * scale);
            }
        }
    }
}

TEST(LinearCost, LiesInItsRangeAndReachesItsEnds) {
    const Fixture f(two_layers(3));
    for (const Encoding& encoding : {one_hot_encoding(f.network), f.problem.encoding()}) {
        Random random(7, 1);
        const Plan at = f.random_plan(random);
        const LinearCost linear =
            linear_cost(f.network, encoding, cut_counts(at), at.bits, [&](auto cut, auto bits) {
                return static_cast<double>(f.costs.cost(Quantity::kFile, cut, bits));
            });
        const LinearRange range = range_of(f.network, encoding, linear);
        // Of every plan; which of the channels go does not matter, how many does.
        std::vector<double> values;
        Plan plan = at;
        for (int first = kMinBits; first <= kMaxBits; ++first) {
            for (int second = kMinBits; second <= kMaxBits; ++second) {
                for (size_t cut = 0; cut < plan.cut[0].size(); ++cut) {
                    plan.bits = {first, second};
                    for (size_t i = 0; i < plan.cut[0].size(); ++i) plan.cut[0][i] = i < cut;
                    values.push_back(linear.value(encode(f.network, encoding, plan)));
                }
            }
        }
        const auto [least, most] = std::minmax_element(values.begin(), values.end());
        // A second word of a width may reach further than its first.
        EXPECT_LE(range.least, *least + 1e-9);
        EXPECT_GE(range.most, *most - 1e-9);
        if (encoding.variables == one_hot_encoding(f.network).variables) {
            EXPECT_NEAR(range.least, *least, 1e-9 * *most);
            EXPECT_NEAR(range.most, *most, 1e-9 * *most);
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
