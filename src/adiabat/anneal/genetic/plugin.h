// SPDX-License-Identifier: Apache-2.0
#pragma once

// What passes between the genetic technique and its plug-in, libadiabat_genetic.so: the one file
// that uses pagmo, opened on first use so that nothing else starts with pagmo and its 21 MB.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace adiabat::anneal {

// One run of pagmo's simple genetic algorithm over assignments of zeros and ones.
struct GeneticJob {
    std::span<const std::vector<uint8_t>> population;  // at the start: two individuals or more
    int64_t generations = 1;
    double crossover = 0.9;  // probabilities
    double mutation = 0.02;
    uint32_t seed = 0;
    std::function<double(std::span<const uint8_t>)> energy;
    std::function<bool()> over;  // asked before each generation
};

// Returns the generations made.
using GeneticEntry = int64_t (*)(const GeneticJob&);
inline constexpr const char* kGeneticEntry = "adiabat_genetic_1";

}  // namespace adiabat::anneal
