// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/l1.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <utility>

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

// The words of a layer's widths: the one that is quadratic at once before the redundant one.
std::vector<Encoding::Word> words_of(const std::vector<int>& widths) {
    std::vector<Encoding::Word> words;
    for (int bits : widths) {
        for (bool redundant : {false, true}) {
            for (size_t word = 0; word < 8; ++word) {
                if (bits_of_word(word) == bits && (word == kRedundantWord) == redundant) {
                    words.push_back({bits, static_cast<uint32_t>(word)});
                }
            }
        }
    }
    return words;
}

Encoding binary_encoding(const Network& network) {
    Encoding encoding;
    for (size_t f = 0; f < network.families(); ++f) {
        encoding.first_cut.push_back(encoding.variables);
        encoding.variables += static_cast<int>(network.groups(f));
    }
    for (size_t k = 0; k < network.tensors(); ++k) {
        const auto& widths = network.widths(k);
        if (widths.size() == 1) {
            encoding.layers.push_back({encoding.variables, 0, {{widths[0], 0}}});
            continue;
        }
        if (k >= network.layers.size()) {
            // An activation: a variable that nothing depends on.
            encoding.layers.push_back({encoding.variables++, 1, {{widths[0], 1}, {widths[1], 0}}});
            continue;
        }
        encoding.layers.push_back({encoding.variables, kBitVariables, words_of(widths)});
        encoding.variables += kBitVariables;
    }
    return encoding;
}

}  // namespace

L1Problem::L1Problem(const Network& network, const std::vector<sense::WeightEffects>& effects,
                     double beta)
    : network_(network), effects_(effects), beta_(beta), encoding_(binary_encoding(network)) {
    ADIABAT_CHECK(effects.size() == network.layers.size(), "{} effects for {} layers",
                  effects.size(), network.layers.size());
    for (size_t f = 0; f < network.families(); ++f) {
        means_.emplace_back(static_cast<size_t>(network.groups(f)), 0.0);
    }
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

int L1Problem::cut_variable(net::GroupId group) const {
    const auto& [family, member] = network_.coupling.groups[static_cast<size_t>(group)];
    return encoding_.cut_variable(static_cast<size_t>(family), static_cast<size_t>(member));
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
    for (size_t k = 0; k < effects_.size(); ++k) {
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

template <typename Visit>
void L1Problem::for_each_square(Visit&& visit) const {
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
        if (!terms.empty()) visit(terms);
    }
}

void L1Problem::add_cut_loss(qubo::Dense& problem) const {
    for_each_square([&](const std::vector<qubo::Term>& terms) {
        problem.add_squared(terms, /*constant=*/0, /*weight=*/1);
    });
}

// All squares at once: one by one, each would copy those before it.
void L1Problem::add_cut_loss(qubo::Factored& problem) const {
    std::vector<std::vector<qubo::Term>> squares;
    for_each_square([&](const std::vector<qubo::Term>& terms) { squares.push_back(terms); });
    std::vector<double> columns(static_cast<size_t>(variables()) * squares.size(), 0.0);
    for (size_t k = 0; k < squares.size(); ++k) {
        for (const qubo::Term& term : squares[k]) {
            columns[static_cast<size_t>(term.variable) * squares.size() + k] = term.coefficient;
        }
    }
    const std::vector<double> constants(squares.size(), 0.0), weights(squares.size(), 1.0);
    problem.add_squares(columns, constants, weights);
}

std::array<double, 8> L1Problem::rounding_polynomial(size_t layer) const {
    std::array<double, 8> values{};
    if (effects_[layer].power <= 0) return values;
    const double unit = beta_ * rounding_unit_ / effects_[layer].power;
    const auto& rounding = effects_[layer].rounding;
    if (encoding_.layers[layer].count == 0) {
        values[0] = unit * rounding[static_cast<size_t>(network_.widths(layer)[0])];
        return values;
    }
    for (size_t word = 0; word < values.size(); ++word) {
        values[word] = unit * rounding[static_cast<size_t>(bits_of_word(word))];
    }
    values[kRedundantWord] += std::max(0.0, multilinear(values)[7]);
    return multilinear(values);
}

Hamiltonian L1Problem::hamiltonian() const {
    Hamiltonian result{"l1", encoding_, {}};
    result.problem.names = variable_names(network_, encoding_);
    if (variables() <= kMostDense) {
        result.problem.form = qubo(/*gamma=*/0, uniform_plan(network_, kMaxBits));
    } else {
        result.problem.form = factored();
    }
    return result;
}

qubo::Factored L1Problem::factored() const {
    qubo::Factored problem(variables());
    add_cut_loss(problem);
    for (size_t k = 0; k < network_.layers.size(); ++k) {
        const auto coefficient = rounding_polynomial(k);
        problem.add_offset(coefficient[0]);
        if (encoding_.layers[k].count == 0) continue;
        std::vector<double> block(size_t{kBitVariables} * kBitVariables, 0.0);
        for (size_t a = 0; a < kBitVariables; ++a) {
            for (size_t b = 0; b < kBitVariables; ++b) {
                const double value = coefficient[size_t{1} << a | size_t{1} << b];
                block[a * kBitVariables + b] = a == b ? value : value / 2;
            }
        }
        problem.add_block(encoding_.layers[k].first, kBitVariables, block);
    }
    return problem;
}

qubo::Dense L1Problem::qubo(double gamma, const Plan& at) const {
    qubo::Dense problem(variables());
    add_cut_loss(problem);
    for (size_t k = 0; k < network_.layers.size(); ++k) {
        const auto coefficient = rounding_polynomial(k);
        problem.add_offset(coefficient[0]);
        for (int a = 0; a < encoding_.layers[k].count; ++a) {
            problem.add_linear(bit_variable(k, a), coefficient[size_t{1} << a]);
            for (int b = a + 1; b < kBitVariables; ++b) {
                problem.add_coupling(bit_variable(k, a), bit_variable(k, b),
                                     coefficient[size_t{1} << a | size_t{1} << b]);
            }
        }
    }
    if (gamma == 0) return problem;

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
    // A layer with one width has that, and no B.
    const bool has_bits = encoding_.layers[k].count > 0;
    const double most = has_bits ? kMaxBits : here.bits;
    const double dropped_here = most - here.bits;
    const double for_cut =
        -unit * (most * inputs + lost_here * dropped_here) - price * kBitsBesideAFilter;
    const double for_lost = -unit * (most * filters + cut_here * dropped_here);
    const double for_dropped = -unit * (filters * inputs + cut_here * lost_here);
    problem.add_offset(unit * (most * filters * inputs + 2 * cut_here * lost_here * dropped_here) +
                       price * kBitsBesideAFilter * filters);

    // P and J as sums over variables.
    const auto terms_of = [&](const std::vector<net::AxisLabels::Share>& shares) {
        std::vector<qubo::Term> terms;
        for (const auto& share : shares) {
            const auto f = static_cast<size_t>(share.family);
            for (size_t m = 0; m < static_cast<size_t>(network_.groups(f)); ++m) {
                terms.push_back({encoding_.cut_variable(f, m), static_cast<double>(share.count)});
            }
        }
        return terms;
    };
    const auto own = terms_of(network_.filter_shares(k)), read = terms_of(network_.input_shares(k));
    for (const qubo::Term& p : own) {
        problem.add_linear(p.variable, for_cut * p.coefficient);
        for (const qubo::Term& j : read) {
            const double product = unit * most * p.coefficient * j.coefficient;
            if (p.variable == j.variable) {
                problem.add_linear(p.variable, product);
            } else {
                problem.add_coupling(p.variable, j.variable, product);
            }
        }
    }
    for (const qubo::Term& j : read) problem.add_linear(j.variable, for_lost * j.coefficient);
    for (int b = 0; b < encoding_.layers[k].count; ++b) {
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

}  // namespace adiabat::plan
