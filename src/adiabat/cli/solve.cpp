// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "adiabat/anneal/bounds/bound.h"
#include "adiabat/anneal/describe.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/cli/solve_options.h"
#include "adiabat/cli/solve_print.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Minimize a quadratic binary problem from a file";
constexpr const char* kFooter =
    "Every energy that is printed is recomputed in double. The same seed gives the same results "
    "for "
    "any number\n"
    "of threads. A time limit that is reached is no error; interrupted (Ctrl-C), the best so far "
    "is "
    "printed and\n"
    "written, and the exit code is 3.\n"
    "Example: adiabat solve problem.qubo --time-limit 10 -o best.json\n"
    "         adiabat solve graph.rudy --technique tempering --sweeps 5000 --target-energy -3570\n"
    "         adiabat solve problem.json --compare annealing,tabu --time-limit 5 --csv table.csv\n"
    "         adiabat solve problem.json --ladder --reads 100 --target-energy -12.5\n"
    "         adiabat solve problem.coo --convert problem.lp\n"
    "\n"
    "Techniques, and how they keep constraints:\n";

// A bound takes a tenth of a time limit at most.
constexpr double kBoundShare = 0.1;

std::optional<anneal::Certificate> find_bound(const qubo::Problem& problem,
                                              const SolveArguments& arguments, StopToken stop) {
    const auto seconds = arguments.bound_seconds();
    if (!seconds) return {};
    anneal::BoundOptions options{.time_limit = *seconds, .seed = arguments.solve.seed};
    if (const auto limit = arguments.solve.time_limit)
        options.time_limit = std::min(*seconds, kBoundShare * *limit);
    const anneal::Bound bound = anneal::lower_bound(problem, options, stop);
    return anneal::Certificate{bound.value, bound.method, bound.seconds};
}

void print_schema(const std::string& what) {
    if (what == "text") {
        fmt::print("{}", anneal::describe_as_text());
    } else if (what == "markdown") {
        fmt::print("{}", anneal::describe_as_markdown());
    } else if (what == "schema") {
        fmt::print("{}\n", to_text(anneal::describe_as_schema()));
    } else {
        throw InputError("--describe is '{}': expected text, markdown or schema", what);
    }
}

// What every document of the verb begins with.
Json document_of(const Frame& frame, const SolveArguments& arguments, const char* kind) {
    return {{"adiabat", pipeline::version()},
            {"kind", kind},
            {"command", frame.command},
            {"file", arguments.file}};
}

void append(Json& document, const Json& more) {
    for (const auto& [name, value] : more.items()) document[name] = value;
}

void write_outputs(const SolveArguments& arguments, const Json& document, const std::string& csv) {
    if (!arguments.output.empty())
        write_file_atomically(arguments.output, to_text(document) + "\n");
    if (!arguments.csv.empty()) write_file_atomically(arguments.csv, csv);
}

// One of the verb's works on a problem that has been read.
struct Job {
    Frame& frame;
    const SolveArguments& arguments;
    const qubo::Problem& problem;
    anneal::SolveOptions options;
    std::optional<anneal::Certificate> certificate = {};

    void search() {
        const auto result = anneal::solve(problem, options, frame.stop, *frame.progress);
        frame.partial = result.end == anneal::EndReason::kInterrupted;
        // An exact technique's own bound, where it is the better one.
        if (result.bound && (!certificate || *result.bound >= certificate->bound))
            certificate = anneal::Certificate{*result.bound, proof_of(result), 0};
        if (certificate) certificate->tolerance = result.tolerance;
        const auto samples = arguments.which_samples();
        Json document = document_of(frame, arguments, "solve");
        anneal::DocumentOptions how{
            .solve = options, .certificate = certificate, .samples = samples};
        how.solve.time_limit = arguments.solve.time_limit;  // with the bound's share
        append(document, anneal::result_json(problem, result, how));
        const auto& listed = samples == anneal::Samples::kLowest ? result.lowest.all
                             : samples == anneal::Samples::kBest ? result.best
                                                                 : result.last;
        finish(document, anneal::solutions_csv(listed),
               arguments.verbose ? print_result_fully : print_result);
    }

    void compare() {
        const auto comparison =
            anneal::compare(problem, {.techniques = arguments.compared(), .solve = options},
                            frame.stop, *frame.progress);
        frame.partial = comparison.interrupted;
        Json document = document_of(frame, arguments, "compare");
        document["problem"] = anneal::problem_json(problem);
        document["options"] = anneal::options_json(options);
        append(document, anneal::comparison_json(problem, comparison, certificate));
        add_solution(document, comparison.lowest);
        finish(document, anneal::comparison_csv(comparison), print_comparison);
    }

    void ladder() {
        anneal::LadderOptions asked{.solve = options};
        if (arguments.longest) asked.longest = static_cast<int64_t>(*arguments.longest);
        const auto ladder = anneal::measure_ladder(problem, asked, frame.stop, *frame.progress);
        frame.partial = ladder.end == anneal::EndReason::kInterrupted;
        Json document = document_of(frame, arguments, "ladder");
        document["problem"] = anneal::problem_json(problem);
        document["options"] = anneal::options_json(options);
        append(document, anneal::ladder_json(ladder));
        document["certificate"] = anneal::gap_json(problem, ladder.lowest.energy, certificate);
        add_solution(document, ladder.lowest);
        finish(document, anneal::ladder_csv(ladder), print_ladder);
    }

  private:
    // What an exact bound is from.
    std::string proof_of(const anneal::SolveResult& result) const {
        return result.details.contains("nothing_to_decide") ? "nothing to decide"
                                                            : options.technique;
    }

    // The lowest assignment of a measurement: it can be a warm start like any other.
    void add_solution(Json& document, const anneal::Solution& lowest) {
        document["energy"] = lowest.energy;
        document["solutions"] = anneal::solutions_json({lowest});
        document["statement"] = anneal::gap_text(problem, lowest.energy, certificate);
    }

    void finish(Json& document, const std::string& csv, void (*print)(const Json&)) {
        write_outputs(arguments, document, csv);
        show(frame, document, print);
    }
};

void work(Frame& frame, const SolveArguments& arguments) {
    if (!arguments.describe.empty()) return print_schema(arguments.describe);
    arguments.check();
    const qubo::Problem problem = arguments.read(frame.stop, *frame.progress);
    if (!arguments.convert.empty()) return qubo::write_problem(problem, arguments.convert);
    Job job{frame, arguments, problem, arguments.options(problem)};
    job.certificate = find_bound(problem, arguments, frame.stop);
    if (!arguments.compare.empty()) return job.compare();
    if (job.options.time_limit && job.certificate) {
        const double left = *job.options.time_limit - job.certificate->seconds;
        job.options.time_limit = std::max(0.0, left);
    }
    if (arguments.ladder) return job.ladder();
    job.search();
}

}  // namespace

void add_solve(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("solve", kHelp);
    verb->footer(kFooter + anneal::describe_briefly());
    auto arguments = std::make_shared<SolveArguments>();
    add_solve_options(*verb, *arguments);
    add_output_options(*verb, frame);
    verb->callback([=, &frame] { frame.work = [=, &frame] { work(frame, *arguments); }; });
}

}  // namespace adiabat::cli
