// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/run_options.h"

#include <tuple>

namespace adiabat::cli {

namespace {

// What stays as it is.
void add_controls(CLI::App& verb, pipeline::Controls& controls) {
    verb.add_option("--keep", controls.keep,
                    "Layers whose channels stay: names, * and ? for any, or re:REGEX")
        ->type_name("NAME ..");
    verb.add_option("--only", controls.only,
                    "Cut the channels of these layers alone; all others stay, with 8 bits")
        ->type_name("NAME ..");
    verb.add_option("--bits", controls.bits, "Bit widths that layers may have")
        ->type_name("B,B ..")
        ->capture_default_str();
    verb.add_option("--first-last", controls.first_last,
                    "Bits of the first and the last layers; as of all others if not given")
        ->type_name("B");
    verb.add_option("--least-kept", controls.least_kept,
                    "Share of each layer's filters that stays at least")
        ->capture_default_str();
    verb.add_option("--align", controls.align,
                    "Layers that are cut keep a multiple of so many channels")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 16))
        ->capture_default_str();
    verb.add_flag("--keep-branches", controls.keep_branches,
                  "No residual branch goes whole; with l1, --steps, --least-kept and --activations "
                  "float or mixed none does");
    verb.add_option("--activations", controls.activations,
                    "Activations have 8 bits, are float, or mixed: it is decided of each (with a "
                    "budget of bops, activations or float)")
        ->type_name("8|float|mixed")
        ->capture_default_str();
}

void add_deciding(CLI::App& verb, pipeline::DecidingOptions& deciding, RunArguments& arguments) {
    const std::string group = "Search";
    verb.add_option("--hamiltonian", arguments.hamiltonian,
                    "What plans are weighed by: measured, separable or l1")
        ->capture_default_str()
        ->group(group);
    plan::Interactions& weights = deciding.interactions;
    for (const auto& [name, value, most, help] :
         {std::tuple{"--kappa", &weights.kappa, 100.0,
                     "Weight of cuts that one layer reads together (doc/deciding.md)"},
          {"--tau", &weights.tau, 100.0, "Weight of widths beside cuts"},
          {"--rho-cuts", &weights.rho_cuts, 1.0, "Weight of other pairs of cuts"},
          {"--rho-mixed", &weights.rho_mixed, 1.0,
           "Of pairs of a cut and a width; 0 where candidates are more than sensed rows"},
          {"--rho-widths", &weights.rho_widths, 1.0, "Of pairs of widths; the same"},
          {"--rho-branches", &weights.rho_branches, 1.0,
           "Of a branch that goes and a cut or another branch"}}) {
        arguments.of_measured.push_back(verb.add_option(name, *value, help)
                                            ->check(CLI::Range(0.0, most))
                                            ->capture_default_str()
                                            ->group(group));
    }
    arguments.of_l1.push_back(
        verb.add_option("--beta", deciding.beta,
                        "Weight of rounding against cutting in the l1 problem")
            ->check(CLI::Range(1e-6, 1e6))
            ->capture_default_str()
            ->group(group));
    verb.add_option("--sweeps", deciding.search.sweeps, "Sweeps of each anneal")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 31))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--replicas", deciding.search.replicas, "Replicas of each anneal")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str()
        ->group(group);
}

void refuse_given(const std::vector<const CLI::Option*>& options, const std::string& kind,
                  const std::string& needed) {
    if (kind == needed) return;
    for (const CLI::Option* option : options) {
        if (option->count() == 0) continue;
        throw InputError("{}: {} does not have it: expected it with --hamiltonian {} alone",
                         option->get_name(), kind, needed);
    }
}

}  // namespace

void RunArguments::finish(pipeline::RunOptions& options) const {
    options.data = data.options();
    options.weights = onnx::parse_storage(weights);
    options.rounding = apply::parse_rounding(rounding);
    options.deciding.hamiltonian = pipeline::parse_hamiltonian(hamiltonian);
    options.deciding.sensing.method = pipeline::parse_sense_method(method);
    refuse_given(of_measured, hamiltonian, "measured");
    refuse_given(of_l1, hamiltonian, "l1");
    if (!ranges) return;
    options.ranges = recon::parse_range_rule(*ranges);
    if (options.controls.activations == "float") {
        throw InputError(
            "--ranges: float activations have none: expected it without --activations float");
    }
}

void add_sensing_options(CLI::App& verb, pipeline::RunOptions& options, RunArguments& arguments,
                         bool needs_data) {
    add_controls(verb, options.controls);
    verb.add_option("--images", options.images, "Images drawn from the data")
        ->check(CLI::Range(int64_t{2}, int64_t{1} << 32))
        ->capture_default_str();
    verb.add_option("--judging-share", options.judging_share,
                    "Share of them that judges plans and measures no effects")
        ->capture_default_str();
    verb.add_option("--weights", arguments.weights,
                    "Storage of weight codes: planes, int4 (opset 21) or int8")
        ->capture_default_str();
    verb.add_option(
            "--ranges", arguments.ranges,
            "How ranges of 8-bit activations are chosen: minmax, mse (least squared error, the "
            "default), percentile (99.99), percentile:P or entropy")
        ->type_name("RULE");
    add_data_options(verb, arguments.data);
    verb.get_option("--data")->required(needs_data);
    const std::string group = "Sensing";
    verb.add_option("--sense", arguments.method, "How effects are sensed: gradient or forward")
        ->capture_default_str()
        ->group(group);
    verb.add_option("--cache", options.deciding.sensing.cache,
                    "Folder that keeps what was sensed; none: nothing is kept")
        ->group(group);
    add_threads_option(verb, options.threads);
    add_seed_option(verb, options.seed);
}

void add_run_options(CLI::App& verb, pipeline::RunOptions& options, RunArguments& arguments,
                     bool needs_data) {
    add_sensing_options(verb, options, arguments, needs_data);
    add_deciding(verb, options.deciding, arguments);
}

void add_applying_options(CLI::App& verb, RunArguments& arguments) {
    verb.add_option("--rounding", arguments.rounding,
                    "How weights become codes: nearest, ordered (one after another, the error made "
                    "good by those behind) or qubo (all of a filter at once, annealed from there)")
        ->capture_default_str();
    verb.add_option("--equalize", arguments.equalize,
                    "Rescale channels between layers, so that codes of 8 bits serve all alike: on, "
                    "off, or auto: where that is better on the judging images")
        ->type_name("auto|on|off")
        ->capture_default_str();
}

}  // namespace adiabat::cli
