// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/reachable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

// The naive twin: costs of every plan that differs from others in cost, one row a plan.
std::vector<std::vector<int64_t>> all_costs(const Fixture& f) {
    std::vector<std::vector<int64_t>> rows;
    std::vector<int64_t> cut(f.network.families());
    std::vector<int> bits(f.network.tensors());
    const auto next = [&](auto&& self, size_t at) -> void {
        if (at < bits.size()) {
            for (int width : f.network.widths(at)) {
                bits[at] = width;
                self(self, at + 1);
            }
            return;
        }
        if (const size_t family = at - bits.size(); family < cut.size()) {
            const int64_t groups = f.network.groups(family);
            for (int64_t kept = 1; kept <= groups; ++kept) {
                if (allowed_kept(f.network, family, kept) != kept) continue;
                cut[family] = groups - kept;
                self(self, at + 1);
            }
            return;
        }
        rows.emplace_back();
        for (Quantity quantity : kQuantities) {
            rows.back().push_back(f.costs.cost(quantity, cut, bits));
        }
    };
    next(next, 0);
    return rows;
}

size_t index_of(Quantity quantity) {
    return static_cast<size_t>(std::find(kQuantities.begin(), kQuantities.end(), quantity) -
                               kQuantities.begin());
}

bool exists(const std::vector<std::vector<int64_t>>& rows, const std::vector<Budget>& budgets) {
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
        return std::all_of(budgets.begin(), budgets.end(), [&](const Budget& budget) {
            return row[index_of(budget.quantity)] <= budget.limit;
        });
    });
}

// The least share by which one budget must grow for all to be kept.
double least_growth(const std::vector<std::vector<int64_t>>& rows,
                    const std::vector<Budget>& budgets) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < budgets.size(); ++k) {
        for (const auto& row : rows) {
            bool others = true;
            for (size_t j = 0; j < budgets.size(); ++j) {
                others =
                    others && (j == k || row[index_of(budgets[j].quantity)] <= budgets[j].limit);
            }
            if (!others) continue;
            least = std::min(
                least, static_cast<double>(row[index_of(budgets[k].quantity)]) / budgets[k].unit());
        }
    }
    return least;
}

std::vector<NetworkOptions> some_controls() {
    std::vector<NetworkOptions> list(3);
    list[1].widths = {2, 4, 8};
    list[1].least_kept = 0.5;
    list[2].widths = {3, 5};
    list[2].first_last = 6;
    list[2].align = 2;
    list.push_back(with_activations());
    list[3].widths = {2, 8};
    return list;
}

TEST(Reachable, SmallestIsTheSmallest) {
    for (const NetworkOptions& options : some_controls()) {
        for (uint64_t seed = 0; seed < 3; ++seed) {
            const Fixture f(two_layers(seed), 1, options);
            const auto rows = all_costs(f);
            for (Quantity quantity : kQuantities) {
                const Reachable range = reachable(f.network, f.costs, quantity);
                const size_t k = index_of(quantity);
                EXPECT_EQ(range.smallest, (*std::min_element(rows.begin(), rows.end(),
                                                             [&](const auto& a, const auto& b) {
                                                                 return a[k] < b[k];
                                                             }))[k])
                    << name_of(quantity);
                check_plan(f.network, range.smallest_plan);
                EXPECT_EQ(f.costs.cost(quantity, range.smallest_plan), range.smallest);
                EXPECT_LE(range.smallest, range.middle);
                EXPECT_LE(range.smallest, range.largest);
            }
        }
    }
}

TEST(Reachable, CombinationsAgainstAllPlans) {
    int kept = 0, conflicts = 0;
    for (const NetworkOptions& options : some_controls()) {
        for (uint64_t seed = 0; seed < 3; ++seed) {
            const Fixture f(two_layers(seed), 1, options);
            const auto rows = all_costs(f);
            // Limits near the least of each, where budgets are at odds.
            auto by_file = rows;
            std::sort(by_file.begin(), by_file.end());
            Random random(seed, 7);
            for (int trial = 0; trial < 60; ++trial) {
                std::vector<Budget> budgets;
                for (Quantity quantity : kQuantities) {
                    if (quantity != Quantity::kFile && random.below(2)) continue;
                    const size_t k = index_of(quantity);
                    std::vector<int64_t> values;
                    for (const auto& row : rows) values.push_back(row[k]);
                    std::sort(values.begin(), values.end());
                    values.erase(std::unique(values.begin(), values.end()), values.end());
                    const auto few = std::min<size_t>(values.size(), 4);
                    budgets.push_back({quantity, values[random.below(static_cast<uint32_t>(few))]});
                }
                const auto plan = keeping_plan(f.network, f.costs, budgets);
                ASSERT_EQ(plan.has_value(), exists(rows, budgets)) << "seed " << seed;
                if (plan) {
                    check_plan(f.network, *plan);
                    EXPECT_TRUE(is_feasible(budgets, f.costs, *plan));
                    EXPECT_NO_THROW(require_satisfiable(f.network, f.costs, budgets));
                    ++kept;
                    continue;
                }
                ++conflicts;
                const auto nearest = nearest_reachable(f.network, f.costs, budgets);
                EXPECT_TRUE(exists(rows, nearest));
                double growth = 1;
                for (size_t k = 0; k < budgets.size(); ++k) {
                    EXPECT_GE(nearest[k].limit, budgets[k].limit);
                    growth =
                        std::max(growth, static_cast<double>(nearest[k].limit) / budgets[k].unit());
                }
                EXPECT_LE(growth, least_growth(rows, budgets) * (1 + 1e-12));
                EXPECT_THROW(require_satisfiable(f.network, f.costs, budgets), InputError);
            }
        }
    }
    EXPECT_GT(kept, 50);
    EXPECT_GT(conflicts, 50);
}

TEST(Reachable, AnUnsatisfiableBudgetNamesTheNearest) {
    const Fixture f(2);
    for (Quantity quantity : kQuantities) {
        const Reachable range = reachable(f.network, f.costs, quantity);
        EXPECT_NO_THROW(require_satisfiable(f.network, f.costs, {{quantity, range.smallest}}));
        try {
            require_satisfiable(f.network, f.costs, {{quantity, range.smallest - 1}});
            ADD_FAILURE() << "not refused";
        } catch (const InputError& error) {
            EXPECT_NE(std::string(error.what())
                          .find(fmt::format("the smallest reachable is {}={}", name_of(quantity),
                                            range.smallest)),
                      std::string::npos)
                << error.what();
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
