// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much of each kind of interaction counts in the `measured` Hamiltonian (measured.h).

namespace adiabat::plan {

// The share of the effects of widths that is left when a plan is carried out which cuts nothing
// (doc/deciding.md, "In steps"). By it steps foretell what they will do.
inline constexpr double kForetoldTau = 0.65;

struct Interactions {
    double kappa = 0.5;
    // Of the effects of widths, beside those of cuts: layers that follow make part of them good
    // when a plan is carried out. Small files are better decided with a smaller share than is left
    // (kForetoldTau).
    double tau = 0.4;
    // Of pairs of cuts, of a cut and a width, of two widths; of a branch that goes and a cut or
    // another: what has to stand in for it is cut too.
    double rho_cuts = 0, rho_mixed = 0, rho_widths = 0, rho_branches = 0.3;
    // Around an incumbent: how much counts what a cut was sensed to do along the error that is
    // there already; the rest is what it would if errors were independent.
    double rho_residual = 1;
    bool shares = false;

    static Interactions none() { return {0, 1, 0, 0, 0, 0, 1, false}; }
    bool operator==(const Interactions&) const = default;
};

}  // namespace adiabat::plan
