// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"
#include "adiabat/cli/run_options.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/qubo.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Write what compress decides by as a quadratic binary problem";
constexpr const char* kFooter =
    "Beside FILE stands FILE.meaning.json: what each variable means, the linear budgets, the "
    "reference plan.\n"
    "An assignment of the problem (a result of adiabat solve, or a line of 0 and 1) becomes a plan "
    "again\n"
    "with --read, and compress --plan takes it.\n"
    "Example: adiabat qubo net.onnx --data photos --budget file=100KB -o net.lp\n"
    "         adiabat solve net.lp --time-limit 10 -o best.json\n"
    "         adiabat qubo --read best.json --meaning net.lp.meaning.json --repair -o plan.json\n"
    "         adiabat compress net.onnx --data photos --plan plan.json -o small.onnx";

void print_budgets(const Json& rows) {
    std::vector<std::vector<std::string>> table;
    for (const Json& row : rows) {
        const int64_t cost = row["cost"].get<int64_t>(), limit = row["limit"].get<int64_t>();
        table.push_back({row["quantity"].get<std::string>(), format_count(cost),
                         format_count(limit), cost <= limit ? "kept" : "broken"});
    }
    print_table({{"budget", false}, {"plan"}, {"limit"}, {"", false}}, table);
}

void print_problem(const Json& d) {
    const Json& problem = d["problem"];
    fmt::print("{}: {} ({}), {} variables, {} of them slack\n", problem["path"].get<std::string>(),
               problem["format"].get<std::string>(), problem["form"].get<std::string>(),
               problem["variables"].get<int>(), problem["slack_variables"].get<int>());
    if (d["penalty"].is_null()) {
        fmt::print("one-hot groups and budgets are constraints\n");
    } else {
        fmt::print("one-hot groups and budgets are squared penalties of weight {:.6g}\n",
                   d["penalty"]["weight"].get<double>());
    }
    fmt::print("reference plan: energy {:.6g}\n", d["reference"]["energy"].get<double>());
    Json rows = d["budgets"];
    for (Json& row : rows)
        row["cost"] = d["reference"]["costs"][row["quantity"].get<std::string>()];
    print_budgets(rows);
}

void print_plan(const Json& d) {
    fmt::print("energy {:.6g} (reference plan {:.6g})\n", d["energy"].get<double>(),
               d["reference_energy"].get<double>());
    print_budgets(d["budgets"]);
}

// Of an assignment the sidecar says how the problem was made: throws InputError where an option
// says it again.
void refuse_beside_read(const CLI::App& verb) {
    constexpr std::array kTaken = {"--help",   "MODEL",    "--output",  "--read", "--meaning",
                                   "--sample", "--repair", "--threads", "--json", "--quiet"};
    std::string others;
    for (const CLI::Option* option : verb.get_options()) {
        const std::string name = option->get_name();
        if (option->count() == 0 || std::ranges::count(kTaken, name) > 0) continue;
        others += (others.empty() ? "" : ", ") + name;
    }
    if (others.empty()) return;
    throw InputError(
        "--read: how the problem was made stands in its --meaning: expected it without {}", others);
}

}  // namespace

void add_qubo(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("qubo", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::QuboOptions>();
    auto run = std::make_shared<RunArguments>();
    auto back = std::make_shared<pipeline::AssignmentOptions>();
    auto at = std::make_shared<std::string>();
    verb->add_option("MODEL", options->model,
                     "The float network (.onnx); with --read where it lies elsewhere now");
    verb->add_option("-o,--output", options->output, "The problem, or the plan, to write")
        ->required();
    verb->add_option("--budget", options->budget, kBudgetHelp);
    verb->add_option("--format", options->format,
                     "coo, bqm-json, bqm, qbsolv, biqmac, lp or json; by the ending of -o if not "
                     "given");
    verb->add_option(
            "--penalty", options->penalty,
            "Weight of a one-hot group where the format holds no constraints (not lp, json)")
        ->check(CLI::PositiveNumber);
    verb->add_option("--at", *at,
                     "The plan at which costs are linearized (as compress --plan), instead of the "
                     "one that is decided");
    auto* const read =
        verb->add_option(
                "--read", back->assignment,
                "Make a plan of this assignment: a result of solve (JSON), or a line of 0 and 1")
            ->group("Back");
    verb->add_option("--meaning", back->meaning, "The problem's .meaning.json")
        ->needs(read)
        ->group("Back");
    verb->add_option("--sample", back->sample, "Which of several assignments")
        ->needs(read)
        ->capture_default_str()
        ->group("Back");
    verb->add_flag("--repair", back->repair, "Save, step by step, until the exact budgets are kept")
        ->needs(read)
        ->group("Back");
    add_run_options(*verb, *options, *run, /*needs_data=*/false);
    add_output_options(*verb, frame);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            if (!read->empty()) {
                refuse_beside_read(*verb);
                if (back->meaning.empty()) {
                    throw InputError("--read needs --meaning, the problem's .meaning.json");
                }
                back->model = options->model;
                back->output = options->output;
                back->threads = options->threads;
                back->command = frame.command;
                show(frame, pipeline::read_assignment(*back, frame.stop, *frame.progress),
                     print_plan);
                return;
            }
            if (options->model.empty() || run->data.path.empty() || options->budget.empty()) {
                throw InputError(
                    "MODEL, --data and --budget are required, or --read: see adiabat "
                    "qubo --help");
            }
            run->finish(*options);
            options->command = frame.command;
            if (!at->empty()) options->at = *at;
            show(frame, pipeline::write_qubo(*options, frame.stop, *frame.progress), print_problem);
        };
    });
}

}  // namespace adiabat::cli
