// SPDX-License-Identifier: Apache-2.0
#pragma once

// The `measured` Hamiltonian: what was sensed of every cut and every width (sense/effects.h), with
// the interactions that are real.
//
//   E(x, y) = sum_u d_u x_u + tau sum_l sum_b d_lb y_lb
//           + kappa sum_{u<v, one layer reads both} c_uv x_u x_v
//           + sum_t d_t z_t
//           + rho sum over other pairs of 2 <a_u, a_v>, of a branch max(0, 2 <a_u, a_v>)
//           - tau sum_l sum_b d_lb y_lb sum_u s_lbu x_u
//
// x_u = 1 cuts group u or drops branch u, y_lb = 1 gives layer l the width b (one-hot), z_t = 1
// codes activation t, for which nothing makes up; in pairs it is as a width. d = |a|^2. Of a
// branch, d_u is less by what the rounding of its layers at their widest costs, which is what the
// assignments of plans without it say (what that adds to the last sum and to pairs with widths,
// which are left out unless asked for, stays in). Cutting u and v
// together from what a layer reads costs eta = E(u, v) / (E(u) + E(v)) times what it costs apart,
// since each stood in for the other: c_uv = (eta - 1)(d_u + d_v). The last sum (where it is
// wanted): of a layer's rounding error, what lies in filters and inputs that are cut does not
// count.
//
// Around an incumbent (sense/incumbent.h) with its error r0, x_u says whether group u changes
// sides, and |r0|^2 is added: the energy is that of the plan itself, not of the way to it. With r =
// rho_residual,
//
//   d_u = |a_u|^2 + 2 r <r0, a_u> - 2 (1 - r) |a_u|^2 where a cut is undone
//
// (r0 holds what is undone, -a_u, and what is not correlated with it). Of widths |a|^2 is that of
// the change from the incumbent's; errors of different widths are taken to be independent of each
// other and of r0, so that a width b adds tau (|a_lb|^2 - 2 |a_l,widest|^2). With <r0, a> the
// search found widths that seemed to mend what cuts had done, and did not (doc/deciding.md). The
// last sum is left out there. c_uv = (E(u, v) - E(u) - E(v)) / (|E(u)| + |E(v)|) (|a_u|^2 +
// |a_v|^2).
//
// Effects of branches are large, and on few images their products with those of all cuts mostly
// noise, of which a search finds what is negative: branches were dropped for that
// (doc/deciding.md).
//
// kappa and rho can be fitted (fit.h); rho is one number for pairs of cuts, one for a branch and a
// cut or another branch, one for a cut or a branch and a width, one for two widths. At kappa = rho
// = 0 and without the last sum the problem is the separable one that other toolkits solve. Where
// candidates are more than sensed rows, the form is qubo::Factored: rho A'A as low rank, the pairs
// of a family as a block, those of a branch as two squares; the last sum, pairs with widths, and
// pairs of families that one layer reads together, are left out.

#include <cmath>
#include <vector>

#include "adiabat/plan/hamiltonian.h"
#include "adiabat/plan/interactions.h"
#include "adiabat/sense/candidates.h"
#include "adiabat/sense/effects.h"

namespace adiabat::plan {

// What is weighed of a network: all its groups, and the widths its layers may have; around a plan.
sense::Candidates candidates_of(const net::Graph& graph, const Network& network,
                                const Plan* incumbent = nullptr);

Hamiltonian measured_hamiltonian(const Network& network, const sense::Effects& effects,
                                 const Interactions& interactions);

// The terms of the energy of one plan, each without its factor: what fits are made of.
struct EnergyTerms {
    double before = 0;         // |r0|^2
    double residual = 0;       // sum 2 <r0, a_u> over cuts
    double undone = 0;         // sum of -2 |a_u|^2 over cuts that are undone
    double single = 0;         // of cuts, branches and coded activations
    double single_widths = 0;  // less what the shares take off
    double within = 0;         // sum c_uv x_u x_v
    // Sums of 2 <a_u, a_v>, of branches those above 0.
    double cuts = 0, mixed = 0, widths = 0, branches = 0;

    double energy(const Interactions& i) const {
        return before + i.rho_residual * residual + (1 - i.rho_residual) * undone + single +
               i.tau * single_widths + i.kappa * within + i.rho_cuts * cuts + i.rho_mixed * mixed +
               i.rho_widths * widths + i.rho_branches * branches;
    }
};
EnergyTerms energy_terms(const Network& network, const sense::Effects& effects, const Plan& plan,
                         bool shares = false);

}  // namespace adiabat::plan
