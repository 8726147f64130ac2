// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulated bifurcation: every spin is a nonlinear oscillator with a position x_i in [-1, 1] and a
// momentum y_i; a pump that grows from 0 to 1 makes its two sides, the spin's values, the stable
// ones, while the couplings push towards low energies.
//
//     y_i += dt (-(1 - a(t)) x_i - c0 (h_i + sum_j J_ij u_j)),    x_i += dt y_i,
//
// u = x in the ballistic variant and sign(x) in the discrete one; inelastic walls at +-1 set y_i =
// 0. a(t) = t / sweeps, c0 = sqrt(n) / (2 |J|), |J|^2 = sum_{i != j} J_ij^2 + 2 sum h_i^2 (the
// linear terms count as couplings to one more spin, but none is added). Deterministic but for its
// start; a step costs one product with J, up to 8 reads as columns of one matrix
// (bifurcation_field.h). Its states are no samples of any temperature.
//
// Source: H. Goto, K. Endo, M. Suzuki, Y. Sakai, T. Kanao, Y. Hamakawa, R. Hidaka, M. Yamasaki, K.
// Tatsumura, "High-performance combinatorial optimization based on classical mechanics" (2021).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kBifurcation;

}  // namespace adiabat::anneal
