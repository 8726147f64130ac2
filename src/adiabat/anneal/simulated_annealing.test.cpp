// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/simulated_annealing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/metropolis_walk.h"
#include "adiabat/anneal/simulated_annealing_naive.h"
#include "adiabat/anneal/steepest_descent.h"
#include "adiabat/base/errors.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

TEST(Annealing, FindsTheOptimumOfSmallProblems) {
    for (uint64_t seed = 0; seed < 240; ++seed) {
        const int n = 1 + static_cast<int>(seed % 16);
        const auto problem =
            seed % 3 == 0 ? qubo::random_integer(n, seed) : qubo::random_dense(n, seed);
        const auto optimum = brute_force({problem});
        const auto found =
            minimize_by_annealing(problem, {.sweeps = 200, .replicas = 8, .seed = seed});
        EXPECT_NEAR(found.lowest.front().energy, optimum, 1e-9) << "seed " << seed;
        EXPECT_TRUE(found.lowest.complete);
    }
}

TEST(Annealing, WalksAsItsNaiveTwin) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
        const int n = 1 + static_cast<int>(seed * 7 % 45);
        const auto problem =
            seed % 3 == 0 ? qubo::random_integer(n, seed) : qubo::random_dense(n, seed);
        const AnnealingOptions options{.sweeps = 60, .replicas = 3, .seed = seed, .keep = 5};
        EXPECT_EQ(minimize_by_annealing(problem, options),
                  minimize_by_annealing_naively(problem, options))
            << "seed " << seed;
    }
}

TEST(Annealing, GivesTheSameBitsForAnyNumberOfThreads) {
    const auto problem = qubo::random_dense(70, 8);
    AnnealingOptions options{.sweeps = 100, .replicas = 13, .seed = 5, .threads = 1};
    const auto one = minimize_by_annealing(problem, options);
    for (const int threads : {2, 4}) {
        options.threads = threads;
        EXPECT_EQ(minimize_by_annealing(problem, options), one) << threads << " threads";
    }
}

TEST(Annealing, GivesTheSameBitsOnEveryInstructionSet) {
    const auto problem = qubo::random_dense(101, 9);
    const auto start = random_start(101, 1, 0);
    MetropolisWalk widest(problem, start, 1e-12), baseline(problem, start, 1e-12);
    baseline.use_baseline_only();
    for (uint32_t sweep = 0; sweep < 500; ++sweep) {
        const double beta = 0.05 * (sweep + 1);
        widest.sweep(beta, {1, 0, sweep});
        baseline.sweep(beta, {1, 0, sweep});
        ASSERT_EQ(widest.state(), baseline.state()) << "sweep " << sweep;
    }
    EXPECT_EQ(widest.best(), baseline.best());
    EXPECT_EQ(widest.flips(), baseline.flips());
}

// Last states of many short walks at one temperature are independent samples of exp(-beta E) / Z.
TEST(Annealing, IsStationaryAtABoltzmannDistribution) {
    const auto problem = qubo::random_dense(4, 21);
    constexpr double kBeta = 1.3;
    constexpr int kSamples = 40'000;
    const auto found = minimize_by_annealing(
        problem,
        {.sweeps = 60, .replicas = kSamples, .seed = 3, .beta_min = kBeta, .beta_max = kBeta});
    std::vector<double> expected(16), count(16);
    double total = 0;
    for (uint64_t word = 0; word < 16; ++word) {
        total += expected[word] = std::exp(-kBeta * problem.energy_of_word(word));
    }
    for (const auto& sample : found.last) {
        count[sample.x[0] + 2u * sample.x[1] + 4u * sample.x[2] + 8u * sample.x[3]] += 1;
    }
    double chi = 0;
    for (size_t word = 0; word < 16; ++word) {
        const double mean = kSamples * expected[word] / total;
        chi += (count[word] - mean) * (count[word] - mean) / mean;
    }
    EXPECT_LT(chi, 44.3);  // chi-square with 15 degrees of freedom, 1e-4
}

TEST(Annealing, ReturnsDifferentSolutionsWithTheirOwnEnergies) {
    const auto problem = qubo::random_dense(60, 4);
    const auto found = minimize_by_annealing(problem, {.sweeps = 2, .replicas = 30, .keep = 9});
    ASSERT_EQ(found.lowest.size(), 9u);
    for (size_t k = 0; k < 9; ++k) {
        EXPECT_EQ(found.lowest[k].energy, problem.energy(found.lowest[k].x));
        if (k > 0) {
            EXPECT_LE(found.lowest[k - 1].energy, found.lowest[k].energy);
            EXPECT_NE(found.lowest[k - 1].x, found.lowest[k].x);
        }
    }
    ASSERT_EQ(found.best.size(), 30u);
    for (size_t k = 0; k < 30; ++k) EXPECT_LE(found.best[k].energy, found.last[k].energy + 1e-9);
    EXPECT_EQ(found.sweeps, 60);
    EXPECT_GT(found.flips, 0);
}

TEST(Annealing, StaysAtAGivenOptimumWhereItIsCold) {
    const auto problem = qubo::random_dense(16, 6);
    const auto optimum = brute_force_states({problem}).front();
    const auto found = minimize_by_annealing(
        problem,
        {.sweeps = 50, .replicas = 2, .beta_min = 1e6, .beta_max = 1e6, .initial = optimum});
    EXPECT_EQ(found.lowest.front().x, optimum);
    EXPECT_EQ(found.flips, 0);
}

TEST(Annealing, TakesProblemsWithoutTermsAndWithoutVariables) {
    qubo::Dense flat(5), empty(0);
    empty.add_offset(2.5);
    EXPECT_EQ(minimize_by_annealing(flat, {.sweeps = 3}).lowest.front().energy, 0);
    const auto found = minimize_by_annealing(empty, {.sweeps = 3, .replicas = 2});
    EXPECT_EQ(found.lowest.front().energy, 2.5);
    EXPECT_EQ(found.best.size(), 2u);
}

TEST(Annealing, StopsWhenAskedWithTheBestSoFar) {
    StopSource source;
    source.request();
    const auto problem = qubo::random_dense(40, 1);
    const auto found = minimize_by_annealing(problem, {.sweeps = 1'000'000'000}, source.token());
    EXPECT_FALSE(found.lowest.complete);
    EXPECT_FALSE(found.time_limit_reached);
    EXPECT_GE(found.lowest.size(), 1u);
    EXPECT_EQ(found.lowest.front().energy, problem.energy(found.lowest.front().x));
}

TEST(Annealing, EndsAtItsTimeLimit) {
    const auto before = std::chrono::steady_clock::now();
    const auto found =
        minimize_by_annealing(qubo::random_dense(40, 1),
                              {.sweeps = 1'000'000'000, .threads = 2, .time_limit_seconds = 0.05});
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(20));
    EXPECT_TRUE(found.time_limit_reached);
    EXPECT_FALSE(found.lowest.complete);
    EXPECT_GE(found.best.size(), 1u);
    EXPECT_GT(found.sweeps, 0);
}

TEST(Annealing, TellsHowFarItIs) {
    class Sink : public ProgressSink {
      public:
        void begin(std::string_view, uint64_t steps, std::string_view) override { total = steps; }
        void update(uint64_t done, std::string_view) override {
            EXPECT_GE(done, last);
            last = done;
        }
        void end() override {}
        void say(std::string_view) override {}
        uint64_t total = 0, last = 0;
    } sink;
    minimize_by_annealing(qubo::random_dense(64, 1), {.sweeps = 3000, .replicas = 4}, {}, sink);
    EXPECT_EQ(sink.total, 12'000u);
    EXPECT_EQ(sink.last, 12'000u);
}

TEST(Annealing, RefusesOptionsOutOfRange) {
    const auto problem = qubo::random_dense(4, 1);
    const auto refuses = [&](const AnnealingOptions& options) {
        EXPECT_THROW(minimize_by_annealing(problem, options), InputError);
    };
    refuses({.sweeps = 0});
    refuses({.sweeps = int64_t{1} << 32});
    refuses({.replicas = 0});
    refuses({.keep = 0});
    refuses({.beta_min = 0.0});
    refuses({.beta_max = std::numeric_limits<double>::infinity()});
    refuses({.beta_min = 2.0, .beta_max = 1.0});
    refuses({.beta_min = 1e9});
    refuses({.initial = {0, 1, 0}});
    refuses({.initial = {0, 1, 0, 2}});
    refuses({.time_limit_seconds = 0.0});
}

TEST(Annealing, EstimatesItsMemory) {
    const auto one = annealing_memory_bytes(1000, {.replicas = 1, .threads = 1});
    EXPECT_GT(one, 26'000u);
    EXPECT_LT(one, 40'000u);
    EXPECT_GT(annealing_memory_bytes(1000, {.replicas = 100, .threads = 8}),
              8 * 24'000u + 200'000u);
}

TEST(Metropolis, QuickDecisionsAreTheRule) {
    Random random(12);
    for (int k = 0; k < 1'000'000; ++k) {
        const double uphill =
            std::ldexp(25 * random.uniform(), -static_cast<int>(random.below(12)));
        const uint32_t word = random();
        ASSERT_EQ(accepts_quickly(uphill, word), accepts(uphill, word)) << uphill << " " << word;
    }
    EXPECT_TRUE(accepts_quickly(-1, 0xFFFFFFFF));
    EXPECT_FALSE(accepts(kMostUphill, 0));
}

TEST(Metropolis, RangeFollowsTheScaleOfTheProblem) {
    const auto problem = qubo::random_dense(50, 3);
    qubo::Dense scaled(50);
    for (int i = 0; i < 50; ++i) {
        scaled.add_linear(i, 1024 * problem.linear(i));
        for (int j = 0; j < i; ++j) scaled.add_coupling(i, j, 1024 * problem.coupling(i, j));
    }
    const auto range = natural_range(problem), wide = natural_range(scaled);
    EXPECT_LT(range.min, range.max);
    EXPECT_DOUBLE_EQ(range.min, 1024 * wide.min);
    EXPECT_DOUBLE_EQ(range.max, 1024 * wide.max);
    EXPECT_EQ(beta_at(range, 0, 10), range.min);
    EXPECT_EQ(beta_at(range, 9, 10), range.max);
    EXPECT_NEAR(beta_at({1, 100}, 1, 3), 10, 1e-12);
}

}  // namespace
}  // namespace adiabat::anneal
