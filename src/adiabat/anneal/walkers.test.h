// SPDX-License-Identifier: Apache-2.0
#pragma once

// What walkers of every form must do, as functions that tests call with a model and its problem.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "adiabat/anneal/chi_square.test.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/walkers.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

inline std::vector<uint8_t> random_bits(int n, uint64_t seed) {
    Random random(seed, 77);
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (auto& value : x) value = static_cast<uint8_t>(random() & 1);
    return x;
}

// Each replica's own beta, from hot to cold.
inline std::vector<double> spread_betas(int replicas, double hot, double cold) {
    std::vector<double> betas;
    for (int r = 0; r < replicas; ++r)
        betas.push_back(hot * std::pow(cold / hot, replicas > 1 ? r / (replicas - 1.0) : 1.0));
    return betas;
}

// The states of `replicas` replicas after some sweeps at their own betas, moved in groups of
// `together`; best states follow the last ones.
inline std::vector<std::vector<uint8_t>> walk_in_groups(const Model& model, int replicas,
                                                        int together, int sweeps) {
    std::vector<std::vector<uint8_t>> states, best;
    const std::vector<double> betas = spread_betas(replicas, 0.05, 5.0);
    for (int first = 0; first < replicas; first += together) {
        const int count = std::min(together, replicas - first);
        const auto walkers = model.walkers(count, 99, 7 + static_cast<uint32_t>(first));
        for (int r = 0; r < count; ++r)
            walkers->set_state(r, random_bits(model.variables(), static_cast<uint64_t>(first) +
                                                                     static_cast<uint64_t>(r)));
        const std::span<const double> own(betas.data() + first, static_cast<size_t>(count));
        const Watch watch;
        for (int s = 0; s < sweeps; ++s) walkers->sweep(own, static_cast<uint32_t>(s), watch);
        for (int r = 0; r < count; ++r) {
            states.push_back(walkers->state(r));
            best.push_back(walkers->best(r));
        }
    }
    for (auto& x : best) states.push_back(std::move(x));
    return states;
}

// Energies, changes, flips, copies and best states agree with the problem's energies up to
// `tolerance`.
inline void check_contract(const Model& model, const qubo::Problem& problem, int replicas,
                           double tolerance) {
    const int n = problem.variables();
    ASSERT_EQ(model.variables(), n);
    const auto walkers = model.walkers(replicas, 5, 0);
    ASSERT_EQ(walkers->replicas(), replicas);
    const auto agrees = [&](int r, const char* when) {
        ASSERT_NEAR(walkers->energy(r), problem.energy(walkers->state(r)), tolerance) << when;
        ASSERT_NEAR(walkers->best_energy(r), problem.energy(walkers->best(r)), tolerance) << when;
        ASSERT_LE(walkers->best_energy(r), walkers->energy(r) + tolerance) << when;
        const auto fields = problem.fields(walkers->state(r));
        for (int i = 0; i < n; ++i) {
            const double sign = walkers->state(r)[static_cast<size_t>(i)] ? -1 : 1;
            ASSERT_NEAR(walkers->change(r, i), sign * fields[static_cast<size_t>(i)], tolerance)
                << when << " " << i;
        }
    };
    const std::vector<uint8_t> zeros(static_cast<size_t>(n), 0);
    for (int r = 0; r < replicas; ++r) {
        EXPECT_EQ(walkers->state(r), zeros);
        agrees(r, "before any state was set");
        const auto x = random_bits(n, static_cast<uint64_t>(r));
        walkers->set_state(r, x);
        EXPECT_EQ(walkers->state(r), x);
        EXPECT_EQ(walkers->best(r), x);
        agrees(r, "after set_state");
    }
    const std::vector<double> betas = spread_betas(replicas, 0.2, 4.0);
    const Watch watch;
    std::vector<double> lowest;
    for (int r = 0; r < replicas; ++r) lowest.push_back(walkers->energy(r));
    for (uint32_t s = 0; s < 30; ++s) {
        walkers->sweep(betas, s, watch);
        for (int r = 0; r < replicas; ++r) {
            auto& low = lowest[static_cast<size_t>(r)];
            low = std::min(low, walkers->energy(r));
            EXPECT_LE(walkers->best_energy(r), low + tolerance);
        }
    }
    for (int r = 0; r < replicas; ++r) agrees(r, "after sweeps");
    Random random(3, 4);
    for (int k = 0; k < 50; ++k) {
        const auto r = static_cast<int>(random.below(static_cast<uint32_t>(replicas)));
        const auto i = static_cast<int>(random.below(static_cast<uint32_t>(n)));
        auto x = walkers->state(r);
        const double expected = walkers->energy(r) + walkers->change(r, i);
        walkers->flip(r, i);
        x[static_cast<size_t>(i)] ^= 1;
        EXPECT_EQ(walkers->state(r), x);
        EXPECT_NEAR(walkers->energy(r), expected, tolerance);
    }
    for (int r = 0; r < replicas; ++r) agrees(r, "after flips");
    if (replicas < 2) return;
    walkers->copy(replicas - 1, 0);
    EXPECT_EQ(walkers->state(0), walkers->state(replicas - 1));
    EXPECT_EQ(walkers->best(0), walkers->best(replicas - 1));
    EXPECT_EQ(walkers->best_energy(0), walkers->best_energy(replicas - 1));
    agrees(0, "after copy");
    walkers->sweep(betas, 30, watch);
    for (int r = 0; r < replicas; ++r) agrees(r, "after a sweep of the copy");
    EXPECT_GT(walkers->flips(), 0);
}

// 10^6 states of long walks, six sweeps apart so that they are nearly independent, against the
// Boltzmann distribution of a problem of few variables, half of the replicas at each of two
// temperatures.
inline void check_boltzmann(const Model& model, const qubo::Problem& problem, int replicas) {
    const int n = problem.variables();
    constexpr int kThin = 6, kSamples = 1'000'000;
    const double beta[2] = {0.4, 0.9};
    const size_t states = size_t{1} << n;
    std::vector<int64_t> count[2];
    count[0].assign(states, 0);
    count[1].assign(states, 0);
    const auto walkers = model.walkers(replicas, 2024, 0);
    std::vector<double> betas;
    for (int r = 0; r < replicas; ++r) betas.push_back(beta[r % 2]);
    const Watch watch;
    uint32_t sweep = 0;
    while (sweep < 50) walkers->sweep(betas, sweep++, watch);
    for (int sample = 0; sample < kSamples; sample += replicas) {
        for (int k = 0; k < kThin; ++k) walkers->sweep(betas, sweep++, watch);
        for (int r = 0; r < replicas; ++r) {
            size_t index = 0;
            const auto x = walkers->state(r);
            for (size_t i = 0; i < x.size(); ++i) index |= static_cast<size_t>(x[i]) << i;
            ++count[r % 2][index];
        }
    }
    for (int b = 0; b < 2; ++b)
        EXPECT_GE(testing::chi_square_p(count[b], testing::boltzmann(problem, beta[b])),
                  testing::kReject)
            << "beta " << beta[b];
}

// A watch that is over leaves everything as it is, at once.
inline void check_watch(const Model& model, int replicas) {
    const auto walkers = model.walkers(replicas, 1, 0);
    std::vector<std::vector<uint8_t>> before;
    for (int r = 0; r < replicas; ++r) {
        before.push_back(random_bits(model.variables(), static_cast<uint64_t>(r)));
        walkers->set_state(r, before.back());
    }
    const Watch over({}, 0.0, {}, no_progress());
    ASSERT_TRUE(over.over());
    walkers->sweep(std::vector<double>(before.size(), 0.1), 0, over);
    for (int r = 0; r < replicas; ++r) EXPECT_EQ(walkers->state(r), before[static_cast<size_t>(r)]);
    EXPECT_EQ(walkers->flips(), 0);
}

}  // namespace adiabat::anneal
