// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/l1.h"

#include <algorithm>
#include <array>
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
    for (const net::ChannelGroup& group : network.groups) {
        first_cut_.push_back(variables_);
        if (group.can_be_cut()) variables_ += static_cast<int>(group.channels);
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
    }
    if (unit > 0) rounding_unit_ = unit;
}

int L1Problem::cut_variable(size_t group, size_t channel) const {
    return first_cut_[group] + static_cast<int>(channel);
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
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        double sum = 0;
        for (size_t i = 0; i < plan.cut[g].size(); ++i) {
            if (plan.cut[g][i]) sum += effects_[g].filter_mean[i];
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
    const auto here = states(network_, at);

    for (size_t g = 0; g < network_.groups.size(); ++g) {
        if (!network_.groups[g].can_be_cut()) continue;
        std::vector<qubo::Term> terms;
        for (size_t i = 0; i < effects_[g].filter_mean.size(); ++i) {
            terms.push_back({cut_variable(g, i), effects_[g].filter_mean[i]});
        }
        problem.add_squared(terms, /*constant=*/0, /*weight=*/1);
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

    // gamma x the bits that layer k stores, with F = F0 - P, I = I0 - J, b = 8 - B:
    // F I b = F0 I0 8 - 8 I0 P - 8 F0 J - F0 I0 B + 8 P J + I0 P B + F0 J B - P J B.
    const double price = gamma / original_bits_;
    problem.add_offset(-gamma);
    for (size_t k = 0; k < network_.layers.size(); ++k) {
        const net::Layer& layer = network_.layers[k];
        const auto filters = static_cast<double>(layer.filters),
                   inputs = static_cast<double>(layer.inputs);
        const double unit = price * static_cast<double>(layer.taps);
        const int own = network_.groups[k].can_be_cut() ? static_cast<int>(k) : -1;
        const int read = network_.group_read_by(k);
        // The cubic product, linearized at the incumbent: PJB ~ J*B* P + P*B* J + P*J* B - 2
        // P*J*B*.
        const double cut_here = filters - static_cast<double>(here[k].filters);
        const double lost_here = inputs - static_cast<double>(here[k].inputs);
        const double dropped_here = kMaxBits - here[k].bits;
        const double for_cut =
            -unit * (kMaxBits * inputs + lost_here * dropped_here) - price * kBitsBesideAFilter;
        const double for_lost = -unit * (kMaxBits * filters + cut_here * dropped_here);
        const double for_dropped = -unit * (filters * inputs + cut_here * lost_here);
        problem.add_offset(
            unit * (kMaxBits * filters * inputs + 2 * cut_here * lost_here * dropped_here) +
            price * kBitsBesideAFilter * filters);

        const auto channels = [&](int group) {
            return group < 0
                       ? size_t{0}
                       : static_cast<size_t>(network_.groups[static_cast<size_t>(group)].channels);
        };
        for (size_t i = 0; i < channels(own); ++i) {
            problem.add_linear(cut_variable(k, i), for_cut);
            for (size_t j = 0; j < channels(read); ++j) {
                problem.add_coupling(cut_variable(k, i), cut_variable(static_cast<size_t>(read), j),
                                     unit * kMaxBits);
            }
        }
        for (size_t j = 0; j < channels(read); ++j) {
            problem.add_linear(cut_variable(static_cast<size_t>(read), j), for_lost);
        }
        for (int b = 0; b < kBitVariables; ++b) {
            const double weight = kBitCoefficients[b];
            problem.add_linear(bit_variable(k, b), weight * for_dropped);
            for (size_t i = 0; i < channels(own); ++i) {
                problem.add_coupling(cut_variable(k, i), bit_variable(k, b),
                                     weight * unit * inputs);
            }
            for (size_t j = 0; j < channels(read); ++j) {
                problem.add_coupling(cut_variable(static_cast<size_t>(read), j), bit_variable(k, b),
                                     weight * unit * filters);
            }
        }
    }
    return problem;
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
        while (!cut.empty() &&
               static_cast<int64_t>(cut.size()) - cut_channels(plan, g) < kLeastKept) {
            size_t largest = 0;
            for (size_t i = 0; i < cut.size(); ++i) {
                if (cut[i] && (!cut[largest] ||
                               effects_[g].filter_mean[i] > effects_[g].filter_mean[largest])) {
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
        plan.bits[k] = bits_of_word(word);
    }
    return plan;
}

}  // namespace adiabat::plan
