// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/temperature_ladder.h"

#include <gtest/gtest.h>

#include <numeric>

#include "adiabat/anneal/boltzmann.test.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

// A ring of six with fields: clusters of differing variables are seldom the whole set.
qubo::Problem ring() {
    std::vector<qubo::Edge> edges;
    for (int i = 0; i < 6; ++i) edges.push_back({i, (i + 1) % 6, i % 2 ? 3.0 : -2.0});
    return {qubo::Sparse(6, edges, {1, -1, 0, 2, -1, 0})};
}

void start_exactly(TemperatureLadder& ladder, const std::vector<Draws>& draws, Random& random,
                   int n) {
    for (int t = 0; t < ladder.temperatures(); ++t)
        for (int c = 0; c < ladder.copies(); ++c)
            ladder.walkers().set_state(ladder.replica(t, c),
                                       testing::bits_of(draws[static_cast<size_t>(t)](random), n));
}

// That every move leaves the distributions unchanged: boltzmann.test.cpp.
TEST(TemperatureLadder, ExchangeRatesAreThoseOfTheExactDistributions) {
    const qubo::Problem problem = ring();
    const std::vector<double> betas{0.2, 0.5, 1.0};
    const Watch watch;
    const auto model = make_model(problem, 6, watch);
    std::vector<std::vector<double>> expected;
    std::vector<Draws> draws;
    for (const double beta : betas) {
        expected.push_back(testing::boltzmann(problem, beta));
        draws.emplace_back(expected.back());
    }
    Random random(1);
    TemperatureLadder ladder(problem, *model, betas, 2, {5, 0});
    for (int sample = 0; sample < 40'000; ++sample) {
        start_exactly(ladder, draws, random, 6);
        ladder.sweep(watch);
        ladder.exchange();
        ladder.move_clusters();
    }
    const auto rates = ladder.exchange_rates();
    for (size_t t = 0; t + 1 < 3; ++t) {
        double rate = 0;
        for (uint64_t a = 0; a < 64; ++a)
            for (uint64_t b = 0; b < 64; ++b)
                rate += expected[t][a] * expected[t + 1][b] *
                        std::min(1.0, std::exp((betas[t + 1] - betas[t]) *
                                               (problem.energy(testing::bits_of(b, 6)) -
                                                problem.energy(testing::bits_of(a, 6)))));
        EXPECT_NEAR(rates[t], rate, 0.01);
    }
}

TEST(TemperatureLadder, ClustersKeepTheSumOfEnergies) {
    const qubo::Problem problem = ring();
    const Watch watch;
    const auto model = make_model(problem, 2, watch);
    TemperatureLadder ladder(problem, *model, {1.0}, 2, {5, 0});
    Random random(2);
    int moved = 0;
    for (int trial = 0; trial < 200; ++trial) {
        for (int c = 0; c < 2; ++c)
            ladder.walkers().set_state(c, testing::bits_of(random.below(64), 6));
        const auto before = ladder.walkers().state(0);
        const double sum = ladder.walkers().energy(0) + ladder.walkers().energy(1);
        ladder.move_clusters();
        EXPECT_NEAR(ladder.walkers().energy(0) + ladder.walkers().energy(1), sum, 1e-9);
        moved += ladder.walkers().state(0) != before;
    }
    EXPECT_GT(moved, 40);
}

TEST(TemperatureLadder, PlacesRungsWhereExchangesAreEven) {
    const qubo::Problem problem{qubo::random_dense(60, 4)};
    const Watch watch;
    const auto model = make_model(problem, 8, watch);
    TemperatureLadder ladder(problem, *model, geometric_betas(0.05, 20, 8), 1, {6, 0});
    const auto spread = [&] {
        for (int k = 0; k < 400; ++k) {
            ladder.sweep(watch);
            ladder.exchange();
        }
        const auto rates = ladder.exchange_rates();
        return *std::ranges::max_element(rates) - *std::ranges::min_element(rates);
    };
    for (int r = 0; r < 8; ++r) ladder.walkers().set_state(r, std::vector<uint8_t>(60, 0));
    const double before = spread();
    for (int k = 0; k < 4; ++k) {
        ladder.place_evenly();
        spread();
    }
    EXPECT_LT(spread(), before / 3);
    EXPECT_EQ(ladder.betas().front(), 0.05);
    EXPECT_EQ(ladder.betas().back(), 20);
    EXPECT_TRUE(std::ranges::is_sorted(ladder.betas()));
}

TEST(TemperatureLadder, EvenBetasSplitTheRejection) {
    const std::vector<double> betas{1, 2, 3}, rates{0.9, 0.7};
    const auto placed = even_betas(betas, rates);  // 0.4 in all: the half lies at a third of 2..3
    EXPECT_NEAR(placed[1], 2 + 1.0 / 3, 1e-12);
    EXPECT_EQ(even_betas(std::vector{1.0}, {}), std::vector{1.0});
}

}  // namespace
}  // namespace adiabat::anneal
