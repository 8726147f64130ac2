// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/reformulation.h"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>

#include "adiabat/plan/brute_force.test.h"

namespace adiabat::plan {
namespace {

double value(const ConvexEnergy& g, const ConvexEnergy::GivenBack& back, const Eigen::VectorXd& x) {
    return g.constant() + back.constant + (g.linear() + back.linear).dot(x) +
           x.dot(g.curvature() * x) / 2;
}

ConvexEnergy::GivenBack nothing(const ConvexEnergy& g) {
    return {0, Eigen::VectorXd::Zero(g.variables())};
}

Eigen::VectorXd as_vector(const std::vector<uint8_t>& x) {
    Eigen::VectorXd v(std::ssize(x));
    std::copy(x.begin(), x.end(), v.begin());
    return v;
}

std::vector<double> random_mixture(int variables, Random& random) {
    std::vector<double> z(static_cast<size_t>(variables));
    for (double& mean : z) mean = random.below(4) == 0 ? 0 : random.uniform();
    return z;
}

NetworkOptions two_widths_and_branches() {
    NetworkOptions options = with_branches();
    options.widths = {3, 8};
    return options;
}

TEST(Reformulation, IsConvexAndNowhereAboveEnergies) {
    Random random(51);
    const Fixture fixture(two_blocks(5), 1, two_widths_and_branches());
    for (double strength : {0.1, 1.0, 10.0}) {
        const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, strength, random);
        Reformulation reformulation(hamiltonian, 1);
        for (int k = 0; k < 3; ++k) {
            const auto z = random_mixture(hamiltonian.encoding.variables, random);
            const ConvexEnergy g = reformulation.at(z, {});
            const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(g.curvature());
            EXPECT_GE(solver.eigenvalues().minCoeff(), -1e-9 * strength);
            for_each_plan(fixture.network, [&](const Plan& plan) {
                const auto x = as_vector(encode(fixture.network, hamiltonian.encoding, plan));
                ASSERT_LE(value(g, nothing(g), x),
                          hamiltonian.energy(fixture.network, plan) + g.rounding());
            });
        }
    }
}

TEST(Reformulation, GivesBackWhatIsSettled) {
    Random random(52);
    const Fixture fixture(two_blocks(5), 1, two_widths_and_branches());
    const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 1, random);
    const auto z = random_mixture(hamiltonian.encoding.variables, random);
    const ConvexEnergy g = Reformulation(hamiltonian, 1).at(z, {});
    bool gave = false;
    for (int trial = 0; trial < 20; ++trial) {
        const Plan one = fixture.random_plan(random);
        const auto there = encode(fixture.network, hamiltonian.encoding, one);
        const auto settled = [&](auto&& is_settled) {
            std::vector<Settled> variables;
            for (uint8_t bit : there) {
                variables.push_back(!is_settled() ? Settled::kFree
                                    : bit         ? Settled::kCut
                                                  : Settled::kKept);
            }
            return variables;
        };
        const double energy = hamiltonian.energy(fixture.network, one);
        const auto all = g.given_back(settled([] { return true; }));
        EXPECT_NEAR(value(g, all, as_vector(there)), energy, 1e-9);
        gave = gave || value(g, nothing(g), as_vector(there)) < energy - 1e-6;
        const auto some = settled([&] { return random.below(2) == 0; });
        const auto back = g.given_back(some);
        for_each_plan(fixture.network, [&](const Plan& plan) {
            const auto x = encode(fixture.network, hamiltonian.encoding, plan);
            for (size_t i = 0; i < x.size(); ++i) {
                if (some[i] != Settled::kFree && x[i] != there[i]) return;
            }
            ASSERT_LE(value(g, back, as_vector(x)),
                      hamiltonian.energy(fixture.network, plan) + g.rounding());
        });
    }
    EXPECT_TRUE(gave);
}

// Cuts that repel each other, few of which are in the mixture.
TEST(Reformulation, LosesLessAtTheMixture) {
    Random random(53);
    const Fixture fixture(chain({12}));
    Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 0, random);
    auto& energy = std::get<qubo::Dense>(hamiltonian.problem.form);
    for (int i = 0; i < 12; ++i) {
        for (int j = 0; j < i; ++j) energy.add_coupling(i, j, random.uniform());
    }
    std::vector<double> z(static_cast<size_t>(hamiltonian.encoding.variables), 0.5);
    Reformulation reformulation(hamiltonian, 1);
    const ConvexEnergy before = reformulation.at(z, {});
    std::fill_n(z.begin(), 12, 0.1);
    const ConvexEnergy after = reformulation.at(z, {});
    Eigen::VectorXd at = Eigen::VectorXd::Zero(std::ssize(z));
    at.head(12).fill(0.1);
    // The sum of all couplings at independent cuts: what g may be at most there.
    const double most = [&] {
        double sum = energy.offset();
        for (int i = 0; i < 12; ++i) {
            sum += 0.1 * energy.linear(i);
            for (int j = 0; j < i; ++j) sum += 0.01 * energy.coupling(i, j);
        }
        return sum;
    }();
    const auto loss = [&](const ConvexEnergy& g) { return most - value(g, nothing(g), at); };
    EXPECT_GT(loss(after), 0);
    EXPECT_LT(loss(after), 0.6 * loss(before));
}

}  // namespace
}  // namespace adiabat::plan
