// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/l1.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

// A scale and a bias, 32 bits each, go with every filter.
constexpr double kBitsBesideAFilter = 64;

// Coefficients of the polynomial in three binary variables with the given values: entry S
// multiplies the product of the variables in the bit set S.
std::array<double, 8> multilinear(std::array<double, 8> values) {
    for (int k = 0; k < kBitVariables; ++k) {
        for (size_t word = 0; word < values.size(); ++word) {
            if (word >> k & 1) values[word] -= values[word ^ (size_t{1} << k)];
        }
    }
    return values;
}

constexpr size_t kRedundantWord = 0b011;  // q0 = q1 = 1: 5 bits, as q2 = 1 alone

int bits_of_word(size_t word) {
    int bits = kMaxBits;
    for (int k = 0; k < kBitVariables; ++k) {
        if (word >> k & 1) bits -= kBitCoefficients[k];
    }
    return bits;
}

}  // namespace

L1Problem::L1Problem(const Network& network, const std::vector<sense::WeightEffects>& effects,
                     double beta)
    : network_(network), effects_(effects), beta_(beta) {
    ADIABAT_CHECK(effects.size() == network.layers.size(), "{} effects for {} layers",
                  effects.size(), network.layers.size());
    for (size_t f = 0; f < network.families(); ++f) {
        first_cut_.push_back(variables_);
        variables_ += static_cast<int>(network.groups(f));
        means_.emplace_back(static_cast<size_t>(network.groups(f)), 0.0);
    }
    first_bit_ = variables_;
    variables_ += kBitVariables * static_cast<int>(network.layers.size());

    original_bits_ = 0;
    double unit = 0;
    for (size_t k = 0; k < network.layers.size(); ++k) {
        const net::Layer& layer = network.layers[k];
        original_bits_ += 32.0 * static_cast<double>(layer.weights() + layer.filters);
        const auto& means = effects[k].filter_mean;
        const double mean =
            std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(means.size());
        unit += mean * mean / static_cast<double>(network.layers.size());
        const auto& groups = network.filter_groups(k);
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] == net::kStays) continue;
            const auto& group = network.coupling.groups[static_cast<size_t>(groups[i])];
            means_[static_cast<size_t>(group.family)][static_cast<size_t>(group.member)] +=
                means[i];
        }
    }
    if (unit > 0) rounding_unit_ = unit;
}

int L1Problem::cut_variable(size_t family, size_t member) const {
    return first_cut_[family] + static_cast<int>(member);
}

int L1Problem::cut_variable(net::GroupId group) const {
    const auto& [family, member] = network_.coupling.groups[static_cast<size_t>(group)];
    return cut_variable(static_cast<size_t>(family), static_cast<size_t>(member));
}

int L1Problem::bit_variable(size_t layer, int k) const {
    return first_bit_ + kBitVariables * static_cast<int>(layer) + k;
}

double L1Problem::layer_bits(size_t layer, double filters, double inputs, double bits) const {
    return filters *
           (inputs * static_cast<double>(network_.layers[layer].taps) * bits + kBitsBesideAFilter);
}

double L1Problem::cut_loss(const Plan& plan) const {
    double loss = 0;
    for (size_t k = 0; k < network_.layers.size(); ++k) {
        const auto& groups = network_.filter_groups(k);
        double sum = 0;
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] == net::kStays) continue;
            const auto& [family, member] = network_.coupling.groups[static_cast<size_t>(groups[i])];
            if (plan.cut[static_cast<size_t>(family)][static_cast<size_t>(member)]) {
                sum += effects_[k].filter_mean[i];
            }
        }
        loss += sum * sum;
    }
    return loss;
}

double L1Problem::rounding_loss(const Plan& plan) const {
    double loss = 0;
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        if (effects_[k].power > 0) {
            loss += effects_[k].rounding[static_cast<size_t>(plan.bits[k])] / effects_[k].power;
        }
    }
    return rounding_unit_ * loss;
}

double L1Problem::saving(const Plan& plan) const {
    const auto after = states(network_, plan);
    double stored = 0;
    for (size_t k = 0; k < after.size(); ++k) {
        stored += layer_bits(k, static_cast<double>(after[k].filters),
                             static_cast<double>(after[k].inputs), after[k].bits);
    }
    return 1 - stored / original_bits_;
}

qubo::Dense L1Problem::qubo(double gamma, const Plan& at) const {
    qubo::Dense problem(variables_);
    for (size_t k = 0; k < network_.layers.size(); ++k) {
        const auto& groups = network_.filter_groups(k);
        std::map<int, double> sums;  // filters that go together are one term
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] != net::kStays) {
                sums[cut_variable(groups[i])] += effects_[k].filter_mean[i];
            }
        }
        std::vector<qubo::Term> terms;
        for (const auto& [variable, mean] : sums) terms.push_back({variable, mean});
        if (!terms.empty()) problem.add_squared(terms, /*constant=*/0, /*weight=*/1);
    }

    for (size_t k = 0; k < network_.layers.size(); ++k) {
        if (effects_[k].power <= 0) continue;
        std::array<double, 8> values{};
        for (size_t word = 0; word < values.size(); ++word) {
            values[word] = beta_ * rounding_unit_ / effects_[k].power *
                           effects_[k].rounding[static_cast<size_t>(bits_of_word(word))];
        }
        values[kRedundantWord] += std::max(0.0, multilinear(values)[7]);
        const auto coefficient = multilinear(values);
        problem.add_offset(coefficient[0]);
        for (int a = 0; a < kBitVariables; ++a) {
            problem.add_linear(bit_variable(k, a), coefficient[size_t{1} << a]);
            for (int b = a + 1; b < kBitVariables; ++b) {
                problem.add_coupling(bit_variable(k, a), bit_variable(k, b),
                                     coefficient[size_t{1} << a | size_t{1} << b]);
            }
        }
    }

    const auto here = states(network_, at);
    problem.add_offset(-gamma);
    for (size_t k = 0; k < network_.layers.size(); ++k) {
        add_saving(problem, gamma / original_bits_, k, here[k]);
    }
    return problem;
}

// Price x the bits that the layer stores, with F = F0 - P, I = I0 - J, b = 8 - B:
// F I b = F0 I0 8 - 8 I0 P - 8 F0 J - F0 I0 B + 8 P J + I0 P B + F0 J B - P J B,
// the cubic product linearized at the incumbent:
// P J B ~ J*B* P + P*B* J + P*J* B - 2 P*J*B*.
void L1Problem::add_saving(qubo::Dense& problem, double price, size_t k,
                           const net::LayerState& here) const {
    const net::Layer& layer = network_.layers[k];
    const auto filters = static_cast<double>(layer.filters),
               inputs = static_cast<double>(layer.inputs);
    const double unit = price * static_cast<double>(layer.taps);
    const double cut_here = filters - static_cast<double>(here.filters);
    const double lost_here = inputs - static_cast<double>(here.inputs);
    const double dropped_here = kMaxBits - here.bits;
    const double for_cut =
        -unit * (kMaxBits * inputs + lost_here * dropped_here) - price * kBitsBesideAFilter;
    const double for_lost = -unit * (kMaxBits * filters + cut_here * dropped_here);
    const double for_dropped = -unit * (filters * inputs + cut_here * lost_here);
    problem.add_offset(unit *
                           (kMaxBits * filters * inputs + 2 * cut_here * lost_here * dropped_here) +
                       price * kBitsBesideAFilter * filters);

    // P and J as sums over variables.
    const auto terms_of = [&](const std::vector<net::AxisLabels::Share>& shares) {
        std::vector<qubo::Term> terms;
        for (const auto& share : shares) {
            const auto f = static_cast<size_t>(share.family);
            for (size_t m = 0; m < static_cast<size_t>(network_.groups(f)); ++m) {
                terms.push_back({cut_variable(f, m), static_cast<double>(share.count)});
            }
        }
        return terms;
    };
    const auto own = terms_of(network_.filter_shares(k)), read = terms_of(network_.input_shares(k));
    for (const qubo::Term& p : own) {
        problem.add_linear(p.variable, for_cut * p.coefficient);
        for (const qubo::Term& j : read) {
            const double product = unit * kMaxBits * p.coefficient * j.coefficient;
            if (p.variable == j.variable) {
                problem.add_linear(p.variable, product);
            } else {
                problem.add_coupling(p.variable, j.variable, product);
            }
        }
    }
    for (const qubo::Term& j : read) problem.add_linear(j.variable, for_lost * j.coefficient);
    for (int b = 0; b < kBitVariables; ++b) {
        const int q = bit_variable(k, b);
        const double width = kBitCoefficients[b];
        problem.add_linear(q, for_dropped * width);
        for (const qubo::Term& p : own) {
            problem.add_coupling(p.variable, q, unit * inputs * width * p.coefficient);
        }
        for (const qubo::Term& j : read) {
            problem.add_coupling(j.variable, q, unit * filters * width * j.coefficient);
        }
    }
}

std::vector<uint8_t> L1Problem::encode(const Plan& plan) const {
    std::vector<uint8_t> x(static_cast<size_t>(variables_), 0);
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        for (size_t i = 0; i < plan.cut[g].size(); ++i) {
            x[static_cast<size_t>(cut_variable(g, i))] = plan.cut[g][i];
        }
    }
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        for (size_t word = 0; word < 8; ++word) {
            if (word == kRedundantWord || bits_of_word(word) != plan.bits[k]) continue;
            for (int b = 0; b < kBitVariables; ++b) {
                x[static_cast<size_t>(bit_variable(k, b))] = word >> b & 1;
            }
        }
    }
    return x;
}

Plan L1Problem::decode(std::span<const uint8_t> assignment) const {
    ADIABAT_CHECK(assignment.size() == static_cast<size_t>(variables_),
                  "{} values for {} variables", assignment.size(), variables_);
    Plan plan = uniform_plan(network_, kMaxBits);
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        auto& cut = plan.cut[g];
        for (size_t i = 0; i < cut.size(); ++i) {
            cut[i] = assignment[static_cast<size_t>(cut_variable(g, i))];
        }
        const int64_t kept = network_.groups(g) - cut_count(plan, g);
        for (int64_t missing = allowed_kept(network_, g, kept) - kept; missing > 0; --missing) {
            size_t largest = cut.size();
            for (size_t i = 0; i < cut.size(); ++i) {
                if (cut[i] && (largest == cut.size() || means_[g][i] > means_[g][largest])) {
                    largest = i;
                }
            }
            cut[largest] = 0;
        }
    }
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        size_t word = 0;
        for (int b = 0; b < kBitVariables; ++b) {
            word |= static_cast<size_t>(assignment[static_cast<size_t>(bit_variable(k, b))]) << b;
        }
        plan.bits[k] = allowed_width(network_, k, bits_of_word(word));
    }
    return plan;
}

}  // namespace adiabat::plan
