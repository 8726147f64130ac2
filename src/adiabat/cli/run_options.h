// SPDX-License-Identifier: Apache-2.0
#pragma once

// The options of every verb that senses and decides (pipeline/run_options.h).

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/run_options.h"

namespace adiabat::cli {

inline constexpr const char* kBudgetHelp =
    "file=175KB, macs=60%, file=8x,macs=20M ..; of file, bytes, params, macs, bops, activations, "
    "float";

// What is still text when the command line has been read.
struct RunArguments {
    DataArguments data;
    std::string weights = "planes", hamiltonian = "measured", method = "gradient";
    std::string rounding = "qubo", equalize = "auto";

    std::optional<std::string> ranges;  // mse where not given

    // Options that weigh what only one Hamiltonian has.
    std::vector<const CLI::Option*> of_measured, of_l1;

    // Throws InputError for what is none, and for weights that the Hamiltonian does not have.
    void finish(pipeline::RunOptions& options) const;
};

// All but the model that sensing depends on: data, what stays, images, storage, method, threads,
// seed.
void add_sensing_options(CLI::App& verb, pipeline::RunOptions& options, RunArguments& arguments,
                         bool needs_data = true);

// With those of the search.
void add_run_options(CLI::App& verb, pipeline::RunOptions& options, RunArguments& arguments,
                     bool needs_data = true);

// Of verbs that carry plans out.
void add_applying_options(CLI::App& verb, RunArguments& arguments);

}  // namespace adiabat::cli
