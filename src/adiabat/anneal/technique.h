// SPDX-License-Identifier: Apache-2.0
#pragma once

// The contract that every technique keeps; solve() (solve.h) is what callers use.
//
// A technique is a row of one table: its name, its idea, its options, which constraints it keeps by
// the way it moves, and a function. solve() hands it a Task: a problem without fixed variables
// whose constraints are only those that it keeps itself (the others have become penalties),
// starts that keep them, a seed, a number of reads, a watch. It returns one Read a read. For the
// same task, unless the watch ended it, the reads are bit for bit the same for any number of
// threads and on every instruction set: random numbers are keyed by (seed, read, sweep, variable).
//
// A technique asks watch.over() at least every few milliseconds and then returns what it has; each
// read that began has a best and a last state, and the first read always begins. It offers energies
// of new best states to the watch as it finds them (true energies, in double). Energies are not
// returned: solve() recomputes them.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "adiabat/anneal/option.h"
#include "adiabat/anneal/watch.h"
#include "adiabat/base/json.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

// The lowest state of a read, and where it ended. Techniques that know no difference give one
// twice.
struct Read {
    std::vector<uint8_t> best, last;
    // Energy of `best` as the technique knows it: where little time is left, solve() looks at the
    // lowest first.
    double energy = 0;
};

struct Task {
    const qubo::Problem& problem;
    const OptionValues& options;
    uint64_t seed = 0;
    int reads = 1;
    int threads = 1;          // at least 1
    uint32_t first_read = 0;  // number of the first read: restarts go on counting
    // Where reads start: read r at initial[r % size]; empty: at random (start_of below). They keep
    // the constraints.
    std::span<const std::vector<uint8_t>> initial = {};
    Watch& watch;
    // What a state must be lower by to count as better; energy_tolerance() where solve() did not
    // say.
    std::optional<double> tolerance = {};
};

double tolerance_of(const Task& task);

// Where read `read` (from 0) of a task starts: a given state; else every assignment with the same
// probability, keyed by (seed, first_read + read). Where there are constraints, solve() has given
// states.
std::vector<uint8_t> start_of(const Task& task, int read);

struct Outcome {
    std::vector<Read> reads;
    int64_t sweeps = 0;     // of all reads together
    int64_t proposals = 0;  // moves considered
    int64_t flips = 0;      // variables changed
    // No assignment that keeps the constraints has a lower energy than this; where it equals the
    // best one's, that is optimal. Exact techniques alone.
    std::optional<double> bound = {};
    // Whatever else is worth knowing (temperatures used, exchange rates), for the report.
    Json details = Json::object();
};

// How a constraint is kept.
enum class Keeps {
    kNatively,       // no state ever breaks it
    kByOscillation,  // the search crosses its edge and returns; no state that is kept breaks it
    kByPenalty,      // a squared penalty in the energy; results are repaired
    kNot,            // the technique refuses it
};
const char* to_text(Keeps keeps);  // "natively", "by oscillation", "by penalty", "refused"

struct Technique {
    const char* name;    // "tabu": on the command line
    const char* title;   // "Tabu search"
    const char* idea;    // two or three sentences
    const char* source;  // author, year
    std::span<const Option> options;
    Keeps budgets, groups;  // fixed variables are taken out of the problem for every technique
    // Variables it takes at most, by its nature (exhaustive search).
    int most_variables;
    // Bytes it needs beyond the problem.
    uint64_t (*memory_bytes)(const Task& task);
    Outcome (*run)(const Task& task);
};

// All of them, in the order of the documentation.
std::span<const Technique* const> techniques();
// Throws InputError where there is none of this name; the message names all.
const Technique& technique(std::string_view name);

}  // namespace adiabat::anneal
