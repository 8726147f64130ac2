// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/technique.h"

#include <string>

#include "adiabat/anneal/annealing.h"
#include "adiabat/anneal/bifurcation.h"
#include "adiabat/anneal/branch_and_bound.h"
#include "adiabat/anneal/descent.h"
#include "adiabat/anneal/digital.h"
#include "adiabat/anneal/exhaustive.h"
#include "adiabat/anneal/genetic.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/memetic.h"
#include "adiabat/anneal/population.h"
#include "adiabat/anneal/quantum_annealing.h"
#include "adiabat/anneal/tabu.h"
#include "adiabat/anneal/tempering.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStartStream = 0x5A02;

// The order is that of the documentation.
constexpr const Technique* kAll[] = {
    &kAnnealing, &kTempering, &kPopulation, &kQuantumAnnealing, &kBifurcation, &kDigital,
    &kTabu,      &kMemetic,   &kDescent,    &kGenetic,          &kExhaustive,  &kBranchAndBound,
};

}  // namespace

const char* to_text(Keeps keeps) {
    switch (keeps) {
        case Keeps::kNatively:
            return "natively";
        case Keeps::kByOscillation:
            return "by oscillation";
        case Keeps::kByPenalty:
            return "by penalty";
        case Keeps::kNot:
            return "refused";
    }
    return "";
}

std::vector<uint8_t> start_of(const Task& task, int read) {
    const auto r = static_cast<size_t>(read);
    if (!task.initial.empty()) return task.initial[r % task.initial.size()];
    Random random(task.seed, kStartStream, task.first_read + static_cast<uint32_t>(read));
    std::vector<uint8_t> x(static_cast<size_t>(task.problem.variables()));
    for (auto& value : x) value = static_cast<uint8_t>(random() >> 31);
    return x;
}

double tolerance_of(const Task& task) {
    return task.tolerance ? *task.tolerance : energy_tolerance(task.problem, &task.watch);
}

std::span<const Technique* const> techniques() { return kAll; }

const Technique& technique(std::string_view name) {
    std::string names;
    for (const Technique* const known : kAll) {
        if (name == known->name) return *known;
        names += (names.empty() ? "" : ", ") + std::string(known->name);
    }
    throw InputError("there is no technique '{}': expected one of {}", name, names);
}

}  // namespace adiabat::anneal
