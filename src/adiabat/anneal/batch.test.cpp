// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/batch.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

std::vector<std::vector<double>> random_terms(int n, int problems, uint64_t seed) {
    Random random(seed);
    std::vector<std::vector<double>> terms;
    for (int k = 0; k < problems; ++k) {
        auto& row = terms.emplace_back(static_cast<size_t>(n));
        for (double& value : row) value = 4 * random.uniform() - 2;
    }
    return terms;
}

// The problem k of a batch by itself.
qubo::Dense one_of(const qubo::Dense& couplings, const std::vector<double>& linear) {
    qubo::Dense problem = couplings;
    for (int i = 0; i < problem.variables(); ++i)
        problem.add_linear(i, linear[static_cast<size_t>(i)] - couplings.linear(i));
    return problem;
}

TEST(Batch, FindsTheOptimumOfEachProblem) {
    for (const bool whole : {false, true}) {
        const qubo::Dense couplings =
            whole ? qubo::random_integer(14, 3) : qubo::random_dense(14, 3);
        auto terms = random_terms(14, 21, 5);
        for (auto& row : terms)
            for (double& value : row) value = whole ? std::round(value) : value;
        const auto result = anneal_batch(couplings, terms, {});
        ASSERT_EQ(result.best.size(), terms.size());
        EXPECT_EQ(result.end, EndReason::kFinished);
        for (size_t k = 0; k < terms.size(); ++k) {
            const qubo::Problem problem{one_of(couplings, terms[k])};
            EXPECT_NEAR(result.best[k].energy, problem.energy(result.best[k].x), 1e-9);
            EXPECT_NEAR(result.best[k].energy, brute_force(problem), 1e-9) << k;
        }
    }
}

TEST(Batch, TheSameForAnyNumberOfThreads) {
    const qubo::Dense couplings = qubo::random_dense(80, 3);
    const auto terms = random_terms(80, 13, 6);
    BatchOptions options;
    options.sweeps = 10;
    options.threads = 1;
    const auto one = anneal_batch(couplings, terms, options);
    for (const int threads : {2, 4}) {
        options.threads = threads;
        EXPECT_EQ(anneal_batch(couplings, terms, options).best, one.best);
    }
}

// The lowest state on the way counts, the start among them, even where it is hot throughout.
TEST(Batch, IsNeverAboveItsStart) {
    const qubo::Dense couplings = qubo::random_dense(60, 3);
    const auto terms = random_terms(60, 11, 6);
    BatchOptions options;
    for (const auto& one : anneal_batch(couplings, terms, options).best)
        options.initial.push_back(one.x);
    options.sweeps = 20;
    options.reads = 1;
    options.betas = BetaRange{1e-3, 1e-3};
    const auto result = anneal_batch(couplings, terms, options);
    EXPECT_GT(result.flips, 5000);
    for (size_t k = 0; k < terms.size(); ++k) {
        const qubo::Problem problem{one_of(couplings, terms[k])};
        EXPECT_LE(result.best[k].energy, problem.energy(options.initial[k]) + 1e-9) << k;
    }
}

TEST(Batch, AStopLeavesTheStarts) {
    const qubo::Dense couplings = qubo::random_dense(20, 3);
    const auto terms = random_terms(20, 3, 6);
    BatchOptions options;
    options.initial.assign(3, std::vector<uint8_t>(20, 1));
    StopSource source;
    source.request();
    const auto result = anneal_batch(couplings, terms, options, source.token());
    EXPECT_EQ(result.end, EndReason::kInterrupted);
    for (const Solution& solution : result.best) EXPECT_EQ(solution.x, options.initial[0]);
}

TEST(Batch, SaysWhatIsWrong) {
    const qubo::Dense couplings(3);
    const std::vector<std::vector<double>> terms = {{1, 2}};
    EXPECT_THROW(anneal_batch(couplings, terms, {}), InputError);
    const std::vector<std::vector<double>> good = {{1, 2, 3}};
    BatchOptions options;
    options.reads = 0;
    EXPECT_THROW(anneal_batch(couplings, good, options), InputError);
    options = {};
    options.initial = {{0, 1}};
    EXPECT_THROW(anneal_batch(couplings, good, options), InputError);
    options = {};
    options.betas = BetaRange{2, 1};
    EXPECT_THROW(anneal_batch(couplings, good, options), InputError);
    EXPECT_TRUE(anneal_batch(couplings, {}, {}).best.empty());
}

}  // namespace
}  // namespace adiabat::anneal
