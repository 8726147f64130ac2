// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/l1.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

TEST(L1, LossIsTheFormula) {
    const Fixture f(4, 1.5);
    Random random(1);
    const Plan plan = f.random_plan(random);
    const auto flags = cut_flags(f.network, plan);
    double cut = 0, rounding = 0, unit = 0;
    for (size_t n = 0; n < f.network.layers.size(); ++n) {
        const auto filters = net::filters_of(f.graph, f.network.layers[n]);
        const size_t rows = static_cast<size_t>(f.network.layers[n].filters);
        const size_t width = filters.size() / rows;
        double sum = 0, all = 0, power = 0;
        for (size_t i = 0; i < rows; ++i) {
            double norm = 0;
            for (size_t k = 0; k < width; ++k) {
                norm += std::abs(filters[i * width + k]);
                power += filters[i * width + k] * filters[i * width + k];
            }
            all += norm / static_cast<double>(width);
            const auto& groups = f.network.filter_groups(n);
            const bool cuttable = !groups.empty() && groups[i] != net::kStays;
            if (cuttable && flags[static_cast<size_t>(groups[i])]) {
                sum += norm / static_cast<double>(width);
            }
        }
        cut += sum * sum;
        unit += std::pow(all / static_cast<double>(rows), 2);
        power /= static_cast<double>(filters.size());
        rounding += f.effects[n].rounding[static_cast<size_t>(plan.bits[n])] / power;
    }
    unit /= static_cast<double>(f.network.layers.size());
    EXPECT_NEAR(f.problem.cut_loss(plan), cut, 1e-5 * (1 + cut));
    EXPECT_NEAR(f.problem.rounding_loss(plan), unit * rounding, 1e-5 * (1 + rounding));
}

// The quadratic problem is exact at the plan it is linearized at; and everywhere where no layer has
// a cubic term, that is where not both its outputs and its inputs are cut.
bool cuts_both_sides(const Network& network, const Plan& plan) {
    const auto after = states(network, plan);
    for (size_t k = 0; k < after.size(); ++k) {
        if (after[k].filters < network.layers[k].filters &&
            after[k].inputs < network.layers[k].inputs) {
            return true;
        }
    }
    return false;
}

TEST(L1, QuadraticEnergyIsExactWhereNothingIsLinearized) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
        const Fixture f(seed, 1.5);
        Random random(seed, 9);
        const double gamma = 0.7;
        for (size_t trial = 0; trial < 20; ++trial) {
            const Plan plan = f.random_plan(random);
            const double exact = f.problem.loss(plan) - gamma * f.problem.saving(plan);
            const auto x = encode(f.network, f.problem.encoding(), plan);
            EXPECT_NEAR(f.problem.qubo(gamma, plan).energy(x), exact, 1e-9 * (1 + std::abs(exact)));
            Plan narrow = uniform_plan(f.network, kMinBits);  // one family cut alone
            narrow.cut[trial % narrow.cut.size()] = plan.cut[trial % narrow.cut.size()];
            narrow.bits = plan.bits;
            if (cuts_both_sides(f.network, narrow)) continue;
            const double energy = f.problem.loss(narrow) - gamma * f.problem.saving(narrow);
            EXPECT_NEAR(f.problem.qubo(gamma, uniform_plan(f.network, 8))
                            .energy(encode(f.network, f.problem.encoding(), narrow)),
                        energy, 1e-9 * (1 + std::abs(energy)));
        }
    }
}

// Three convolutions in a row: the middle one loses outputs and inputs.
TEST(L1, CubicTermIsLinearizedToFirstOrder) {
    net::GraphBuilder b;
    net::ValueId x = b.input({net::kUnknown, 3, 6, 6});
    for (int64_t k = 0; k < 3; ++k) {
        const int64_t from = k == 0 ? 3 : 6;
        x = b.node("Conv",
                   {x, b.constant(net::random_tensor({6, from, 1, 1}, static_cast<uint64_t>(k)))});
    }
    b.graph.outputs = {x};
    net::infer_shapes(b.graph);
    const Network network(b.graph);
    const auto effects = sense::weight_effects(b.graph, network.layers, 1);
    const L1Problem problem(network, effects, 1);
    Plan at = uniform_plan(network, 5);
    at.cut[0][1] = at.cut[1][2] = 1;
    const double gamma = 2;
    const auto error = [&](const Plan& plan) {
        return std::abs(problem.qubo(gamma, at).energy(encode(network, problem.encoding(), plan)) -
                        (problem.loss(plan) - gamma * problem.saving(plan)));
    };
    EXPECT_LT(error(at), 1e-12);
    // One step away a first-order expansion of a product of three is still exact; two steps away it
    // is not.
    Plan near = at;
    near.cut[0][3] = 1;
    EXPECT_LT(error(near), 1e-12);
    near.bits[1] = 3;
    EXPECT_GT(error(near), 1e-6);
}

// What is searched within budgets: the loss, without a reward, dense or factored.
TEST(L1, HamiltonianIsTheLossOfEveryPlan) {
    NetworkOptions some;
    some.widths = {2, 5, 8};
    some.first_last = 7;
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Fixture f(net::residual_network(seed), 1.5, seed % 2 ? some : NetworkOptions());
        const Hamiltonian hamiltonian = f.problem.hamiltonian();
        EXPECT_EQ(hamiltonian.problem.names.size(), static_cast<size_t>(f.problem.variables()));
        const qubo::Problem factored{f.problem.factored()};
        Random random(seed);
        for (int trial = 0; trial < 50; ++trial) {
            const Plan plan = f.random_plan(random);
            const double loss = f.problem.loss(plan);
            EXPECT_NEAR(hamiltonian.energy(f.network, plan), loss, 1e-9 * loss);
            EXPECT_NEAR(factored.energy(encode(f.network, f.problem.encoding(), plan)), loss,
                        1e-9 * loss);
        }
    }
}

// Of the two words of 5 bits the one is preferred at which the polynomial is exact.
TEST(L1, NoWordIsLowerThanItsWidth) {
    const Fixture f(3, 1.5);
    const Hamiltonian hamiltonian = f.problem.hamiltonian();
    Random random(3);
    for (int trial = 0; trial < 20; ++trial) {
        const Plan plan = f.random_plan(random);
        auto x = encode(f.network, f.problem.encoding(), plan);
        for (size_t k = 0; k < plan.bits.size(); ++k) {
            const auto& layer = f.problem.encoding().layers[k];
            for (const Encoding::Word& word : layer.words) {
                Plan other = plan;
                other.bits[k] = word.bits;
                for (int b = 0; b < layer.count; ++b) {
                    x[layer.at(b)] = word.pattern >> b & 1;
                }
                const double loss = f.problem.loss(other);
                EXPECT_GE(hamiltonian.problem.energy(x), loss * (1 - 1e-9));
                if (word == f.problem.encoding().word(k, word.bits)) {
                    EXPECT_NEAR(hamiltonian.problem.energy(x), loss, 1e-9 * loss);
                }
            }
            x = encode(f.network, f.problem.encoding(), plan);
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
