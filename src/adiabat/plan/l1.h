// SPDX-License-Identifier: Apache-2.0
#pragma once

// The `l1` problem: filters and bit widths of a network as one quadratic binary problem, from its
// weights alone.
//
//   H(p, q) = L_p + beta L_q - gamma R
//   L_p = sum_n (sum_i |w_ni|_1 / N_ni  p_g(n,i))^2      p_g = 1 cuts group g, filters i of n with
//   it L_q = s sum_n mse_n(b_n) / power_n                    b_n = 8 - q_n0 - 2 q_n1 - 3 q_n2 R   =
//   1 - bits the plan stores / bits the network stores in fp32
//
// s, the mean over layers of (mean |w|)^2, gives L_q the unit of L_p: at beta = 1 losing a whole
// layer to rounding weighs as much as cutting one average filter. L_q and R are not published;
// these are ours.
//
// The third coefficient is 3, not 4, so that every word means 2 to 8 bits (bounded-coefficient
// encoding); 5 bits then have two words, and the redundant one, q = (1, 1, 0), pays for the cubic
// term of L_q: the polynomial is quadratic and exact for every width. In R the products p p and p q
// are kept, the cubic ones (cut outputs x cut inputs x bits of one layer) are linearized at a given
// plan.
//
// Sources: "Is quantum optimization ready? An effort towards neural network compression using
// adiabatic quantum computing" (arXiv 2505.16332); encoding: S. Karimi, P. Ronagh, "Practical
// integer-to-binary mapping for quantum annealers" (2019).

#include <array>
#include <vector>

#include "adiabat/plan/hamiltonian.h"
#include "adiabat/plan/plan.h"
#include "adiabat/qubo/dense.h"
#include "adiabat/sense/weight_effects.h"

namespace adiabat::plan {

inline constexpr int kBitVariables = 3;
inline constexpr int kBitCoefficients[kBitVariables] = {1, 2, 3};

inline constexpr int kMostDense = 4000;

class L1Problem {
  public:
    // `effects` has one entry a layer of `network`; both must outlive the problem.
    L1Problem(const Network& network, const std::vector<sense::WeightEffects>& effects,
              double beta);

    const Network& network() const { return network_; }
    // Cuts, then the three bits of each layer that has several widths.
    const Encoding& encoding() const { return encoding_; }
    int variables() const { return encoding_.variables; }
    // Sum of |w|_1 / N over the filters that go with a group, in all layers.
    double group_mean(size_t family, size_t member) const { return means_[family][member]; }

    // Exact values, from the plan itself.
    double cut_loss(const Plan& plan) const;       // L_p
    double rounding_loss(const Plan& plan) const;  // L_q, without beta
    double saving(const Plan& plan) const;         // R
    // L_p + beta L_q: what a plan within the budget minimizes.
    double loss(const Plan& plan) const { return cut_loss(plan) + beta_ * rounding_loss(plan); }

    // The quadratic problem with the cubic terms of R linearized at `at`.
    qubo::Dense qubo(double gamma, const Plan& at) const;

    // The loss alone, without the reward of R: what is searched within budgets. Factored in
    // networks of more than kMostDense variables, where L_p is a sum of few squares.
    Hamiltonian hamiltonian() const;
    // The same energies, whatever the number of variables.
    qubo::Factored factored() const;

  private:
    int cut_variable(net::GroupId group) const;
    void add_cut_loss(qubo::Dense& problem) const;
    void add_cut_loss(qubo::Factored& problem) const;
    // Calls for each filter sum of L_p.
    template <typename Visit>
    void for_each_square(Visit&& visit) const;
    // Coefficients of beta L_q in the bits of one layer.
    std::array<double, 8> rounding_polynomial(size_t layer) const;
    void add_saving(qubo::Dense& problem, double price, size_t layer,
                    const net::LayerState& here) const;
    int bit_variable(size_t layer, int k) const { return encoding_.layers[layer].first + k; }
    double layer_bits(size_t layer, double filters, double inputs, double bits) const;

    const Network& network_;
    const std::vector<sense::WeightEffects>& effects_;
    double beta_;
    double rounding_unit_ = 1;  // s
    double original_bits_ = 1;
    std::vector<std::vector<double>> means_;  // by family and member
    Encoding encoding_;
};

}  // namespace adiabat::plan
