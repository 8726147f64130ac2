// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulated bifurcation: every spin is a nonlinear oscillator with a position x_i in [-1, 1] and a
// momentum y_i; a pump that grows from 0 to 1 makes its two sides, the spin's values, the stable
// ones, while the couplings push towards low energies.
//
//     y_i += dt (-(1 - a(t)) x_i - c0 (h_i + sum_j J_ij u_j)),    x_i += dt y_i,
//
// u = x in the ballistic variant and sign(x) in the discrete one; inelastic walls at +-1 set y_i =
// 0. Reads are ballistic and discrete in turn. Linear terms break the symmetry of the two sides,
// and the ballistic flow then follows the one minimum of its slowly changing potential: every start
// ends in the same state, often not the lowest, whatever the number of reads and sweeps. The
// discrete one does not conserve energy, so that its reads end in different states; where there is
// the softest direction points to a good minimum the ballistic one finds it in every read.
// Its step is 1.25, or nine tenths of where the integration becomes unstable, 2 / sqrt(1 + c0 l), l
// the largest eigenvalue of J: graphs whose couplings have a mean are that stiff. a(t) = t /
// sweeps, c0 = sqrt(n) / (2 |J|), |J|^2 = sum_{i != j} J_ij^2 + 2 sum h_i^2 (the linear terms count
// as couplings to one more spin, but none is added). Deterministic but for its start; a step costs
// one product with J, up to 8 reads as columns of one matrix (bifurcation_field.h). Its states are
// no samples of any temperature.
//
// Source: H. Goto, K. Endo, M. Suzuki, Y. Sakai, T. Kanao, Y. Hamakawa, R. Hidaka, M. Yamasaki, K.
// Tatsumura, "High-performance combinatorial optimization based on classical mechanics" (2021).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kBifurcation;

}  // namespace adiabat::anneal
