// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sweeps of sparse problems: replicas in the lanes of vectors, or, for a lone replica, neighboring
// variables.
//
// Fields are whole numbers F of a unit, kept as words 2 F + x: the lowest bit is the variable
// itself, so that a field row holds the state too and the energy change c of a flip comes without
// a branch, c = (w xor s) - s with s = -x, which is 2 F where x = 0 and -2 F - 1 where x = 1. The
// flip is accepted where c <= 2 floor(t / (beta unit)): exactly where beta dE <= t, up to the
// rounding of t / (beta unit) to float. An accepted flip adds +-2 J to the words of the neighbors,
// in the lanes that accepted.
//
// A proposal costs O(1) and its share of a random block, left out where no lane of four variables
// can need it; an accepted flip O(degree). All is whole-number arithmetic but t / (beta unit), one
// multiplication a lane: every instruction set, and either layout, walks the same states.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace adiabat::anneal {

// Lanes of a bundle of replicas are 1, 8 or 16; lane r of variable i is word i * lanes + r.
inline constexpr int kMostLanes = 16;
// A row of one replica is padded to a multiple of this many variables.
inline constexpr int kRowWindow = 64;

template <class T>
struct LaneLimits;
template <>
struct LaneLimits<int16_t> {
    static constexpr int64_t kMostField = 1023;  // |F| of any state
    static constexpr float kMostUnits = 4096;    // t / (beta unit) is cut here
    static constexpr int16_t kNever = 1 << 14;   // a word that no limit reaches: fills lanes
};
template <>
struct LaneLimits<int32_t> {
    static constexpr int64_t kMostField = int64_t{1} << 27;
    static constexpr float kMostUnits = 0x1p28f;
    static constexpr int32_t kNever = 1 << 30;
};

// The problem's rows, 2 J in units.
template <class T>
struct LaneRows {
    std::vector<size_t> starts;      // n + 1
    std::vector<int32_t> neighbors;  // ascending in each row
    std::vector<T> couplings;
    std::vector<int32_t> below;  // of a row: how many neighbors come before the variable itself
    int flush = 0;               // a T can add up the energy changes of so many proposals
};

// One sweep of a bundle over variables begin .. end - 1; begin is a multiple of kRowWindow.
template <class T>
struct LaneSweep {
    const LaneRows<T>* rows;
    T* words;
    int lanes;
    const float* scales;  // of each lane, 1 / (beta unit)
    int64_t* energies;    // of each lane, in half units
    uint64_t seed;
    uint32_t replica;  // of lane 0
    uint32_t sweep;
    int begin, end;
    int64_t flips = 0;  // added to
};

void sweep_lanes(LaneSweep<int16_t>& task);
void sweep_lanes(LaneSweep<int32_t>& task);

// For every lane whose bit is set in `lanes_kept`, sets its bit of best[i] to x_i, i < n.
template <class T>
struct LaneState {
    const T* words;
    int lanes;
    int variables;
    uint16_t lanes_kept;
    uint16_t* best;
};

void keep_states(const LaneState<int16_t>& state);
void keep_states(const LaneState<int32_t>& state);

}  // namespace adiabat::anneal
