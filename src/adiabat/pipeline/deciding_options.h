// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a run senses and decides: what the verbs that do so are told.

#include <cstdint>
#include <string>
#include <string_view>

#include "adiabat/plan/decide.h"
#include "adiabat/plan/interactions.h"

namespace adiabat::pipeline {

enum class SenseMethod { kGradient, kForward };
std::string_view name_of(SenseMethod method);
SenseMethod parse_sense_method(std::string_view text);

struct SensingOptions {
    SenseMethod method = SenseMethod::kGradient;
    double temperature = 4;
    int directions = 0;  // 0: as the outputs are (sense/directions.h)
    uint64_t memory_bytes = uint64_t{1} << 30;
    std::string cache;  // a folder; "none": in memory; empty: the user's cache folder
    uint64_t seed = 0;
};

// measured: sensed effects and their interactions. separable: the same effects, as if they added
// up. l1: from the weights alone.
enum class HamiltonianKind { kMeasured, kSeparable, kL1 };
std::string_view name_of(HamiltonianKind kind);
HamiltonianKind parse_hamiltonian(std::string_view text);

struct DecidingOptions {
    HamiltonianKind hamiltonian = HamiltonianKind::kMeasured;
    SensingOptions sensing = {};
    plan::Interactions interactions = {};
    double beta = 1;  // of l1
    plan::DecideOptions search = {};
};

}  // namespace adiabat::pipeline
