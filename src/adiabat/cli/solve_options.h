// SPDX-License-Identifier: Apache-2.0
#pragma once

// What `adiabat solve` was asked for, and how it is read from the command line.

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "adiabat/anneal/document.h"
#include "adiabat/anneal/solve.h"
#include "adiabat/cli/verb.h"
#include "adiabat/qubo/formats/formats.h"

namespace adiabat::cli {

struct SolveArguments {
    std::string file, format, coo_as, describe, convert;
    std::string initial, warm, compare, bound = "1", samples = "lowest", memory_limit;
    std::string output, csv;
    std::vector<std::string> set;  // name=value
    bool no_polish = false, ladder = false, verbose = false;
    std::optional<uint64_t> longest;
    anneal::SolveOptions solve;  // what needs no further reading

    // Throws Interrupted where `stop` is requested while it reads. Says where --format and the name
    // of the file disagree.
    qubo::Problem read(const StopToken& stop, ProgressSink& progress) const;
    // With the states of --initial or --warm and the values of --set.
    anneal::SolveOptions options(const qubo::Problem& problem) const;
    // Of --memory-limit.
    std::optional<uint64_t> memory_bytes() const;
    // Of --bound; nothing for "none".
    std::optional<double> bound_seconds() const;
    std::vector<std::string> compared() const;  // names of --compare
    anneal::Samples which_samples() const;
    // Throws InputError where options contradict each other or an output cannot be written.
    void check() const;
};

void add_solve_options(CLI::App& verb, SolveArguments& arguments);

}  // namespace adiabat::cli
