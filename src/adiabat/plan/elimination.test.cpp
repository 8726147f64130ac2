// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/elimination.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "adiabat/base/random.h"

namespace adiabat::plan {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Four free variables, a = v0 + v1, b = a + v2, c = v1 + v3, and tables over them.
struct Case {
    std::vector<size_t> sizes = {3, 2, 4, 3, 4, 7, 4};
    std::vector<Definition> definitions;
    std::vector<CostTable> tables;

    explicit Case(Random& random) {
        define(4, 0, 1);
        define(5, 2, 4);
        define(6, 1, 3);
        for (const std::vector<size_t>& scope : std::vector<std::vector<size_t>>{
                 {0}, {1}, {2}, {3}, {4}, {5}, {6}, {3, 5}, {1, 4}, {4, 5}, {0, 3}, {2, 5, 6}}) {
            if (random.below(4) == 0) continue;
            size_t cells = 1;
            for (size_t v : scope) cells *= sizes[v];
            CostTable table{scope, std::vector<double>(cells)};
            for (double& value : table.values) value = random.normal();
            tables.push_back(std::move(table));
        }
    }

    void define(size_t variable, size_t first, size_t second) {
        Definition definition{variable, {first, second}, {}};
        for (size_t b = 0; b < sizes[second]; ++b) {
            for (size_t a = 0; a < sizes[first]; ++a) definition.value.push_back(a + b);
        }
        definitions.push_back(std::move(definition));
    }
    std::vector<const CostTable*> pointers() const {
        std::vector<const CostTable*> all;
        for (const CostTable& table : tables) all.push_back(&table);
        return all;
    }
    size_t cell(const std::vector<size_t>& scope, const std::vector<size_t>& values) const {
        size_t cell = 0, stride = 1;
        for (size_t v : scope) {
            cell += values[v] * stride;
            stride *= sizes[v];
        }
        return cell;
    }
    double sum(const std::vector<size_t>& values) const {
        double sum = 0;
        for (const CostTable& table : tables) sum += table.values[cell(table.scope, values)];
        return sum;
    }
    // The twin: every choice of the free variables.
    std::vector<double> least(const std::vector<size_t>& stay) const {
        size_t cells = 1;
        for (size_t v : stay) cells *= sizes[v];
        std::vector<double> least(cells, kInfinity);
        std::vector<size_t> v(7);
        for (v[0] = 0; v[0] < sizes[0]; ++v[0])
            for (v[1] = 0; v[1] < sizes[1]; ++v[1])
                for (v[2] = 0; v[2] < sizes[2]; ++v[2])
                    for (v[3] = 0; v[3] < sizes[3]; ++v[3]) {
                        v[4] = v[0] + v[1];
                        v[5] = v[2] + v[4];
                        v[6] = v[1] + v[3];
                        double& to = least[cell(stay, v)];
                        to = std::min(to, sum(v));
                    }
        return least;
    }
};

TEST(Elimination, IsTheLeastSumWhateverStays) {
    Random random(61);
    for (int trial = 0; trial < 50; ++trial) {
        const Case some(random);
        for (const std::vector<size_t>& stay : std::vector<std::vector<size_t>>{
                 {}, {0}, {3}, {4}, {5}, {6}, {1, 4}, {3, 5}, {4, 5}, {0, 3}, {2, 5, 6}}) {
            Elimination elimination(some.sizes, some.pointers(), some.definitions);
            elimination.run(stay);
            const std::vector<double> twin = some.least(stay);
            const auto& values = elimination.result().values;
            ASSERT_EQ(values.size(), twin.size());
            for (size_t k = 0; k < twin.size(); ++k) {
                if (twin[k] == kInfinity) {
                    ASSERT_EQ(values[k], kInfinity) << stay.size();
                } else {
                    ASSERT_NEAR(values[k], twin[k], 1e-12) << stay.size();
                }
            }
            if (stay.empty()) {
                ASSERT_NEAR(some.sum(elimination.choice()), values[0], 1e-12);
            }
        }
    }
}

TEST(Elimination, IsNoMoreWhereTablesMustBeSmall) {
    Random random(62);
    for (size_t most : {1, 8, 30}) {
        for (int trial = 0; trial < 20; ++trial) {
            const Case some(random);
            Elimination elimination(some.sizes, some.pointers(), some.definitions, most);
            elimination.run();
            EXPECT_LE(elimination.result().values[0], some.least({})[0] + 1e-12);
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
