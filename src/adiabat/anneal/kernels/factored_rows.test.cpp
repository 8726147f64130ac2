// SPDX-License-Identifier: Apache-2.0
//
// A window of proposals equals the naive one, product by product, to the bit, on every instruction
// set.
#include "adiabat/anneal/kernels/factored_rows.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <vector>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

struct Instance {
    size_t n, rank;
    std::vector<float> rows, own, cross, weights;
    std::vector<double> block;
    std::vector<FactoredRows::BlockRow> blocks;
    FactoredRows kernel;

    // A block on the variables 3 .. 3 + size - 1, size = n / 2.
    Instance(size_t variables, size_t padded_rank)
        : n(variables), rank(padded_rank), rows(padded_variables(n) * rank) {
        Random random(n, static_cast<uint32_t>(rank));
        own.resize(padded_variables(n));
        for (size_t k = 0; k < rank; ++k) weights.push_back(random() & 1 ? 1.0f : -1.0f);
        for (size_t i = 0; i < n; ++i) {
            own[i] = random.uniform_float();
            for (size_t k = 0; k < rank; ++k) rows[i * rank + k] = random.uniform_float() - 0.5f;
        }
        const size_t size = n / 2;
        for (size_t k = 0; k < size * size; ++k) block.push_back(random.uniform() - 0.5);
        blocks.resize(n);
        for (size_t j = 0; j < size; ++j) blocks[3 + j] = {block.data() + j * size, 3, size};
        // Of any size: the twin takes the same.
        for (size_t k = 0; k < kFactoredEight * own.size(); ++k)
            cross.push_back(random.uniform_float() - 0.5f);
        kernel = {.rows = rows.data(),
                  .own = own.data(),
                  .cross = cross.data(),
                  .weights = weights.data(),
                  .rank = rank,
                  .blocks = blocks.data(),
                  .block_scale = 2.0};
    }
};

struct State {
    std::vector<float> signs, base, rounded;
    std::vector<double> forms;
    FactoredReplica replica;

    explicit State(const Instance& instance) {
        Random random(8);
        signs.assign(padded_variables(instance.n), 1.0f);
        base.assign(padded_variables(instance.n), 0.0f);
        for (float& value : base) value = 4 * random.uniform_float() - 2;
        for (size_t k = 0; k < instance.rank; ++k) {
            forms.push_back(4 * random.uniform() - 2);
            rounded.push_back(static_cast<float>(forms[k]));
        }
        replica = {signs.data(), base.data(), forms.data(), rounded.data()};
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

void flip_naive(const Instance& instance, State& state, size_t i) {
    const auto sign = static_cast<double>(state.signs[i]);
    state.replica.rest += sign * static_cast<double>(state.base[i]);
    ++state.replica.flips;
    state.signs[i] = -state.signs[i];
    const auto& block = instance.blocks[i];
    for (size_t j = 0; j < block.size; ++j)
        state.base[block.first + j] += static_cast<float>(2 * sign * block.values[j]);
}

void sweep_naive(const Instance& instance, State& state, const FactoredSweep& task) {
    std::vector<float> product(kFactoredEight);
    for (size_t i = task.begin; i < task.end; ++i) {
        if (i % kFactoredEight == 0) {
            for (size_t k = 0; k < instance.rank; ++k)
                state.rounded[k] = static_cast<float>(state.forms[k]);
            for (size_t j = i; j < std::min(i + kFactoredEight, task.end); ++j)
                product[j - i] = product_naive(&instance.rows[j * instance.rank],
                                               state.rounded.data(), instance.rank);
        }
        const float sign = state.signs[i];
        const float change = sign * (state.base[i] + product[i % kFactoredEight]) + instance.own[i];
        const auto words =
            draw_words(task.seed, task.number, task.sweep, static_cast<uint32_t>(i / 4));
        if (change > threshold_of(words[i % 4]) * task.scale) continue;
        flip_naive(instance, state, i);
        for (size_t j = 0; j < kFactoredEight; ++j)
            product[j] += sign * instance.cross[i * kFactoredEight + j];
        for (size_t k = 0; k < instance.rank; ++k) {
            state.forms[k] += static_cast<double>(sign) * static_cast<double>(instance.weights[k]) *
                              static_cast<double>(instance.rows[i * instance.rank + k]);
        }
    }
    for (size_t k = 0; k < instance.rank; ++k)
        state.rounded[k] = static_cast<float>(state.forms[k]);
}

TEST(FactoredRows, EveryInstructionSetGivesTheNaiveBits) {
    for (const size_t n : {70u, 64u, 9u}) {
        for (const size_t rank : {16u, 128u, 48u}) {
            const Instance instance(n, rank);
            for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
                hwy::SetSupportedTargetsForTest(target);
                State fast(instance), naive(instance);
                for (uint32_t sweep = 0; sweep < 12; ++sweep) {
                    for (size_t begin = 0; begin < n; begin += kFactoredWindow) {
                        // From hot to cold.
                        const FactoredSweep task{
                            .rows = &instance.kernel,
                            .replica = &fast.replica,
                            .scale = 8.0f / static_cast<float>(sweep * sweep + 1),
                            .seed = 5,
                            .number = 2,
                            .sweep = sweep,
                            .begin = begin,
                            .end = std::min(n, begin + kFactoredWindow)};
                        sweep_factored(task);
                        sweep_naive(instance, naive, task);
                    }
                    ASSERT_EQ(fast.signs, naive.signs) << hwy::TargetName(target) << " " << sweep;
                    ASSERT_EQ(fast.forms, naive.forms) << hwy::TargetName(target);
                    ASSERT_EQ(fast.rounded, naive.rounded) << hwy::TargetName(target);
                    ASSERT_EQ(fast.base, naive.base) << hwy::TargetName(target);
                    ASSERT_EQ(fast.replica.rest, naive.replica.rest);
                    ASSERT_EQ(fast.replica.flips, naive.replica.flips);
                }
                EXPECT_GT(fast.replica.flips, static_cast<int64_t>(n));
            }
            hwy::SetSupportedTargetsForTest(0);
        }
    }
}

TEST(FactoredRows, ProductIsTheProduct) {
    const Instance instance(9, 48);
    const State state(instance);
    for (size_t i = 0; i < 9; ++i) {
        double exact = 0;
        for (size_t k = 0; k < 48; ++k)
            exact += static_cast<double>(instance.rows[i * 48 + k]) *
                     static_cast<double>(state.rounded[k]);
        EXPECT_NEAR(product_naive(&instance.rows[i * 48], state.rounded.data(), 48), exact, 1e-5);
    }
}

}  // namespace
}  // namespace adiabat::anneal
