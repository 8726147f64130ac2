// SPDX-License-Identifier: Apache-2.0
//
// The `measured` Hamiltonian of effects that were sensed with a real engine.
#include "adiabat/plan/measured.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adiabat/pipeline/sensing_case.test.h"

namespace adiabat::pipeline {
namespace {

using sense::Effects;

plan::Interactions mix() {
    return {.kappa = 0.5,
            .tau = 0.7,
            .rho_cuts = 0.3,
            .rho_mixed = 0.2,
            .rho_widths = 0.4,
            .rho_branches = 0.6,
            .rho_residual = 0.6,
            .shares = true};
}

TEST(Measured, EnergyIsTheSumOfItsTerms) {
    for (uint64_t around : {0, 3, 7, 8}) {
        const uint64_t seed = around + 1;
        const bool branches = around == 3, activations = around == 8;
        SensingCase s(net::residual_network(seed), 24, branches || activations ? 0 : around,
                      branches, activations);
        Store store;
        const Effects effects = s.by_gradients(store);
        ASSERT_GT(effects.products.size(), 0);
        const plan::Hamiltonian h = plan::measured_hamiltonian(s.network, effects, mix());
        for (uint64_t k = 0; k < 20; ++k) {
            const plan::Plan plan = seeded_plan(s.network, 100 * seed + k);
            const double expected =
                plan::energy_terms(s.network, effects, plan, true).energy(mix());
            EXPECT_NEAR(h.energy(s.network, plan), expected, 1e-8 * std::abs(expected) + 1e-11);
        }
    }
}

class Factored : public ::testing::TestWithParam<uint64_t> {};

TEST_P(Factored, IsTheSameButForWhatItLeavesOut) {
    SensingCase s(net::residual_network(6), 40, GetParam(), GetParam() == 0);
    Store store;
    Effects effects = s.by_gradients(store);
    const plan::Interactions cuts_alone = {
        .kappa = 0.7, .tau = 1, .rho_cuts = 0.3, .rho_branches = 0.6};
    const plan::Hamiltonian dense = plan::measured_hamiltonian(s.network, effects, cuts_alone);
    // A factor with the same products.
    const Eigen::SelfAdjointEigenSolver<recon::Matrix> root(effects.products);
    const recon::Vector d = root.eigenvalues().cwiseMax(0).cwiseSqrt();
    const recon::Matrix factor = d.asDiagonal() * root.eigenvectors().transpose();
    effects.factor = factor.cast<float>();
    effects.products.resize(0, 0);
    const plan::Hamiltonian factored = plan::measured_hamiltonian(s.network, effects, cuts_alone);
    ASSERT_STREQ(factored.problem.form_name(), "factored");
    // Families that some layer reads together are left out.
    const auto are_apart = [&](size_t f, size_t g) {
        const auto &a = s.network.coupling.families[f].readers,
                   &b = s.network.coupling.families[g].readers;
        return f == g || std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) == a.end();
    };
    Random random(1, 4);
    int pairs = 0;
    for (size_t f = 0; f < s.network.families(); ++f) {
        for (size_t g = f; g < s.network.families(); ++g) {
            if (!are_apart(f, g)) continue;
            pairs += f != g;
            // Around an incumbent all but two families are as they are there.
            plan::Plan plan = GetParam() > 0 ? s.incumbent : plan::uniform_plan(s.network, 4);
            for (size_t family : {f, g}) {
                auto& cut = plan.cut[family];
                for (size_t i = 1; i < cut.size(); ++i) cut[i] = random.below(2);
            }
            // Of a branch that has something of its own cut there is no more to go.
            for (size_t b = 0; b < s.network.branches.size(); ++b) {
                if (random.below(2)) plan::drop(s.network, plan, b);
            }
            const double expected = dense.energy(s.network, plan);
            EXPECT_NEAR(factored.energy(s.network, plan), expected, 1e-4 * std::abs(expected));
        }
    }
    EXPECT_GT(pairs, 0);
}

INSTANTIATE_TEST_SUITE_P(Measured, Factored, ::testing::Values(0, 9));

}  // namespace
}  // namespace adiabat::pipeline
