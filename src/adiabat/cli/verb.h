// SPDX-License-Identifier: Apache-2.0
#pragma once

// What verbs share: the options that several have, and the frame in which they run.

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/images.h"

namespace adiabat::cli {

// What a verb runs with. The work is set while arguments are parsed and called afterwards.
struct Frame {
    std::vector<std::string> command;  // argv
    StopToken stop;
    ProgressSink* progress = nullptr;
    bool json = false;   // print the document instead of tables
    bool quiet = false;  // no progress
    // Interrupted, but what there was has been shown and written: the exit code says so.
    bool partial = false;
    std::string kept = "nothing was written";  // what there is of an interrupted run
    std::function<void()> work;
};

// --json, --quiet.
void add_output_options(CLI::App& verb, Frame& frame);

// --threads, --seed.
void add_threads_option(CLI::App& verb, int& threads);
void add_seed_option(CLI::App& verb, uint64_t& seed);

// --data, --split, --labels, --classes, --skip-broken, --preprocess and what that holds: --resize,
// --crop, --interpolation, --channels, --mean, --std, --scale, --layout.
struct DataArguments {
    std::string path, split = "auto", labels, classes, preprocess;
    std::string resize, crop, interpolation, channels, mean, std, scale, layout;
    bool skip_broken = false;

    // Throws InputError where they contradict each other or name what is not there.
    pipeline::DataOptions options() const;

  private:
    data::Preprocess read_preprocess() const;
};
void add_data_options(CLI::App& verb, DataArguments& arguments);

// The verbs.
void add_inspect(CLI::App& tool, Frame& frame);
void add_eval(CLI::App& tool, Frame& frame);
void add_compress(CLI::App& tool, Frame& frame);
void add_finetune(CLI::App& tool, Frame& frame);
void add_sense(CLI::App& tool, Frame& frame);
void add_pareto(CLI::App& tool, Frame& frame);
void add_qubo(CLI::App& tool, Frame& frame);
void add_explain(CLI::App& tool, Frame& frame);
void add_solve(CLI::App& tool, Frame& frame);
void add_pack(CLI::App& tool, Frame& frame);
void add_unpack(CLI::App& tool, Frame& frame);

// Ends the progress, then prints the document, or the tables that `print` makes of it.
void show(Frame& frame, const Json& document, void (*print)(const Json&));

// A column of a table; numbers stand right.
struct Column {
    std::string title;
    bool right = true;
};
// Rows under titles, columns two spaces apart, to standard output.
void print_table(const std::vector<Column>& columns, std::vector<std::vector<std::string>> rows);

// "91.73 %", "0.00352", with a sensible number of digits.
std::string percent(double value);

}  // namespace adiabat::cli
