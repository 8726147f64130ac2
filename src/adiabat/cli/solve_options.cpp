// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/solve_options.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "adiabat/anneal/states.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/huge_pages.h"
#include "adiabat/base/units.h"

namespace adiabat::cli {

namespace {

std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string file_text(const std::string& path) {
    const auto bytes = read_file(path);
    return {bytes.begin(), bytes.end()};
}

std::string technique_names() {
    std::vector<std::string> names;
    for (const anneal::Technique* const t : anneal::techniques()) names.emplace_back(t->name);
    return listed(names);
}

// Each option that any technique has, as --NAME; the table of the one that runs checks it.
void add_technique_options(CLI::App& verb, SolveArguments& a) {
    std::set<std::string> known;
    for (const anneal::Technique* const t : anneal::techniques()) {
        for (const anneal::Option& option : t->options) {
            const std::string name = option.name;
            if (!known.insert(name).second || verb.get_option_no_throw("--" + name)) continue;
            verb.add_option_function<std::string>(
                    "--" + name,
                    [&a, name](const std::string& value) { a.solve.values[name] = value; },
                    option.help)
                ->group("Techniques (--describe text says which has which, and ranges)");
        }
    }
}

void add_input_options(CLI::App& verb, SolveArguments& a) {
    verb.add_option("FILE", a.file, "The problem");
    verb.add_option(
        "--format", a.format,
        fmt::format("Its format, where neither its name nor its content tells, or the name "
                    "is wrong: {}",
                    listed(qubo::format_names())));
    verb.add_option("--coo-as", a.coo_as,
                    "What values in a COO file without a vartype are of: spins or bits");
    verb.add_option("--convert", a.convert,
                    "Write the problem to this file, in the format of its name, and end");
    verb.add_option("--describe", a.describe,
                    "Describe the techniques and their options, and end: text, markdown or schema");
}

void add_search_options(CLI::App& verb, SolveArguments& a) {
    const std::string group = "Search";
    anneal::SolveOptions& s = a.solve;
    const auto add = [&](const char* name, auto& value, const std::string& help) {
        return verb.add_option(name, value, help)->group(group);
    };
    add("--technique", s.technique, technique_names())->capture_default_str();
    add("--reads", s.reads, "Independent reads a round")->capture_default_str();
    add("--restarts", s.restarts,
        "Rounds of reads; 0: until --time-limit or --target-energy ends them")
        ->capture_default_str();
    add("--time-limit", s.time_limit,
        "Seconds of bound and search, without reading; reached, it ends the search, and that is no "
        "error");
    add("--target-energy", s.target, "Stop at an energy at or below");
    add("--initial", a.initial, "Where reads start: a file with a line of 0 and 1 each");
    add("--warm", a.warm, "Where reads start: the solutions of an earlier result (-o)");
    add("--keep", s.keep, "Different assignments to keep at most")->capture_default_str();
    add("--penalty", s.penalty, "Weight of constraints that are kept by penalty");
    verb.add_flag("--no-polish", a.no_polish, "No descent from each read's best state")
        ->group(group);
    add("--bound", a.bound,
        "Seconds for a lower bound before the search, of a time limit at most a tenth; none")
        ->capture_default_str();
    add("--memory-limit", a.memory_limit, "Refuse what would need more: 4GB, 500MiB ..");
    add("--set", a.set, "An option of the technique as NAME=VALUE; again for more")
        ->allow_extra_args(false)
        ->type_name("NAME=VALUE");
}

void add_result_options(CLI::App& verb, SolveArguments& a) {
    const std::string group = "Results";
    verb.add_option("--compare", a.compare,
                    "Run several techniques, with commas, each for --time-limit, and compare them; "
                    "--set TECHNIQUE.NAME=VALUE is for one of them")
        ->group(group);
    verb.add_flag("--ladder", a.ladder,
                  "Measure the time to target: a ladder of run lengths, --reads of each")
        ->group(group);
    verb.add_option("--longest", a.longest, "Longest run of --ladder")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 31))
        ->group(group);
    verb.add_option("-o,--output", a.output, "Write the result here (JSON)")->group(group);
    verb.add_option("--csv", a.csv, "Write its table here, for plots")->group(group);
    verb.add_option("--samples", a.samples,
                    "What -o and --csv hold: the lowest, different ones, or of every read its best "
                    "or its last state")
        ->capture_default_str()
        ->group(group);
    verb.add_flag("--verbose", a.verbose, "Also print memory and the options as used")
        ->group(group);
}

}  // namespace

qubo::Problem SolveArguments::read(const StopToken& stop, ProgressSink& progress) const {
    std::optional<qubo::Format> known;
    if (!format.empty()) {
        known = qubo::format_of_name(format);
        if (const auto said = qubo::contradiction_of_ending(file, *known))
            progress.say(fmt::format("{}, it is read as --format says: {}", *said, format));
    }
    qubo::ReadOptions options;
    if (!coo_as.empty()) {
        if (coo_as != "spins" && coo_as != "bits")
            throw InputError("--coo-as is '{}': expected spins or bits", coo_as);
        options.coo_spins = coo_as == "spins";
    }
    options.stop = stop;
    options.memory_limit = memory_bytes().value_or(machine_memory());
    return qubo::read_problem(file, known, options);
}

anneal::SolveOptions SolveArguments::options(const qubo::Problem& problem) const {
    anneal::SolveOptions result = solve;
    result.polish = !no_polish;
    for (const std::string& item : set) {
        const size_t equals = item.find('=');
        if (equals == std::string::npos || equals == 0)
            throw InputError("--set '{}': expected NAME=VALUE", item);
        result.values[item.substr(0, equals)] = item.substr(equals + 1);
    }
    if (!initial.empty()) {
        result.initial = anneal::parse_states(file_text(initial), problem.variables(), initial);
    } else if (!warm.empty()) {
        const Json document = Json::parse(file_text(warm), nullptr, /*allow_exceptions=*/false);
        if (document.is_discarded()) throw InputError("{}: is not JSON", warm);
        result.initial = anneal::states_of(document, problem.variables(), warm);
    }
    result.memory_limit = memory_bytes();
    return result;
}

std::optional<uint64_t> SolveArguments::memory_bytes() const {
    if (memory_limit.empty()) return {};
    return static_cast<uint64_t>(parse_bytes(memory_limit, "--memory-limit"));
}

std::optional<double> SolveArguments::bound_seconds() const {
    if (bound == "none") return {};
    double seconds = 0;
    const char* const last = bound.data() + bound.size();
    const auto [end, error] = std::from_chars(bound.data(), last, seconds);
    if (error != std::errc() || end != last || !(seconds > 0))
        throw InputError("--bound is '{}': expected seconds, more than 0, or none", bound);
    return seconds;
}

std::vector<std::string> SolveArguments::compared() const {
    std::vector<std::string> names(1);
    for (const char c : compare) {
        if (c == ',') {
            names.emplace_back();
        } else {
            names.back() += c;
        }
    }
    return names;
}

anneal::Samples SolveArguments::which_samples() const {
    if (samples == "lowest") return anneal::Samples::kLowest;
    if (samples == "best") return anneal::Samples::kBest;
    if (samples == "last") return anneal::Samples::kLast;
    throw InputError("--samples is '{}': expected lowest, best or last", samples);
}

void SolveArguments::check() const {
    if (file.empty()) throw InputError("solve needs a FILE: see adiabat solve --help");
    if (!initial.empty() && !warm.empty())
        throw InputError("--initial and --warm both say where reads start: give one");
    if (!compare.empty() && ladder)
        throw InputError("--compare and --ladder are two measurements: give one");
    if (!compare.empty() && !solve.time_limit)
        throw InputError("--compare needs --time-limit: each technique gets it");
    if (solve.time_limit && !(*solve.time_limit >= 0))
        throw InputError("--time-limit is {}: expected 0 or more seconds", *solve.time_limit);
    if (longest && !ladder) throw InputError("--longest is an option of --ladder");
    bound_seconds();
    which_samples();
    for (const std::string* path : {&convert, &output, &csv}) {
        if (path->empty()) continue;
        for (const std::string* input : {&file, &initial, &warm}) {
            if (*path == *input)
                throw InputError("{} is read and would be written: expected another name", *path);
        }
        check_writable(*path);
    }
    if (!output.empty() && output == csv)
        throw InputError("--output and --csv are the same file: {}", output);
}

void add_solve_options(CLI::App& verb, SolveArguments& arguments) {
    add_input_options(verb, arguments);
    add_search_options(verb, arguments);
    add_result_options(verb, arguments);
    add_threads_option(verb, arguments.solve.threads);
    add_seed_option(verb, arguments.solve.seed);
    add_technique_options(verb, arguments);  // last: names that are taken are left out
}

}  // namespace adiabat::cli
