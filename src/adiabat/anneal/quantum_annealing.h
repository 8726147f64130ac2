// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulated quantum annealing: path-integral Monte Carlo (sliced_walk.h) at one low temperature
// while the transverse field A(s) falls and the problem's share B(s) grows, s from 0 to 1 over the
// sweeps, anew in every sweep.
//
// Schedules are those of D-Wave's published tables (Advantage_system6, Advantage2_system1; log A
// and log B interpolated linearly in s) or A = 1 - s, B = s. Energies count in units in which B(1)
// is 1 times the problem's energy; the field is scaled by the problem's largest typical local field
// t / 2 (t: natural_range), so that A(0) / B(1) means the same for any problem. The temperature is
// that of a cold classical anneal, beta-max of the problem's natural range: the field, not
// temperature, moves the state at the start. O(sweeps slices n) proposals a read; the best slice is
// returned, and the last state of slice 0.
//
// Source: R. Martonak, G. Santoro, E. Tosatti (2002); schedules: D-Wave's QPU-specific properties.

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kQuantumAnnealing;

enum class QuantumSchedule { kAdvantage, kAdvantage2, kLinear };

// A(s) and B(s), both divided by B(1).
struct Amplitudes {
    double a = 0, b = 0;
};
Amplitudes amplitudes_at(QuantumSchedule schedule, double s);

}  // namespace adiabat::anneal
