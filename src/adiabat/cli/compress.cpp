// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"
#include "adiabat/cli/run_options.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/compress.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Write a smaller network that keeps exact budgets";
constexpr const char* kFooter =
    "Budgets are never exceeded: file is the ONNX file as written, to the byte; bytes is codes, "
    "scales and\n"
    "biases; params, macs, bops (MACs x weight bits x activation bits), activations (the most "
    "bytes "
    "at\n"
    "once) and float (the MACs that run in float) are for one image. KB is 1000 bytes, KiB 1024, "
    "of counts k, M, G; % is of, and x is "
    "times smaller\n"
    "than, the original in fp32.\n"
    "Of a set with a training and a test part the training part is read. run.json, written beside "
    "the\n"
    "output, holds the plan, the costs and every figure.\n"
    "Example: adiabat compress net.onnx --data cifar-10-batches-bin --preprocess net.json \\\n"
    "             --budget file=175KB -o small.onnx\n"
    "         adiabat compress net.onnx --data photos --resize 256 --crop 224 --scale 1/255 \\\n"
    "             --budget file=25%,macs=60% -o small.onnx\n"
    "         adiabat compress net.onnx --data cifar-10-batches-bin --plan run.json -o again.onnx";

std::string ratio(double before, double after) { return fmt::format("{:.2f} x", before / after); }

void print_layers(const Json& plan) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& layer : plan) {
        const auto kept = [&](const char* after, const char* before) {
            const int64_t a = layer[after].get<int64_t>(), b = layer[before].get<int64_t>();
            return a == b ? std::to_string(a) : fmt::format("{} of {}", a, b);
        };
        const int bits = layer["bits"].get<int>();
        rows.push_back({layer["name"].get<std::string>(), bits == 0 ? "gone" : std::to_string(bits),
                        kept("filters", "filters_before"), kept("inputs", "inputs_before"),
                        format_count(layer["cost"]["bytes"].get<int64_t>())});
    }
    print_table({{"layer", false}, {"bits"}, {"filters"}, {"inputs"}, {"bytes"}}, rows);
}

// What --debug layers asks for.
void print_noise(const Json& layers) {
    if (layers.is_null()) return;
    std::vector<std::vector<std::string>> rows;
    const auto number = [](const Json& value, std::string_view format) {
        return value.is_null() ? std::string("-")
                               : fmt::format(fmt::runtime(format), value.get<double>());
    };
    for (const Json& layer : layers) {
        const int64_t kept = layer["channels"].get<int64_t>(),
                      all = layer["channels_before"].get<int64_t>();
        const int coded = layer["activation_bits"].get<int>();
        rows.push_back({layer["name"].get<std::string>(), layer["operator"].get<std::string>(),
                        layer["bits"].is_null() ? "" : std::to_string(layer["bits"].get<int>()),
                        coded == 8 ? "8" : "float",
                        kept == all ? std::to_string(all) : fmt::format("{} of {}", kept, all),
                        number(layer["snr"], "{:.1f}"), number(layer["snr_alone"], "{:.1f}"),
                        number(layer["saturated"], "{:.3f} %")});
    }
    fmt::print(
        "\nsignal to noise of what each layer gives, in dB: as the network runs, and alone\n");
    print_table({{"layer", false},
                 {"operator", false},
                 {"bits"},
                 {"codes"},
                 {"channels"},
                 {"dB"},
                 {"dB alone"},
                 {"saturated"}},
                rows);
}

// Rows of --measure.
void add_latency(const Json& latency, std::vector<std::vector<std::string>>& rows) {
    if (latency.is_null() || latency.contains("skipped")) return;
    for (const Json& row : latency["threads"]) {
        const double before = row["before"].get<double>(), after = row["after"].get<double>();
        const int threads = row["threads"].get<int>();
        rows.push_back({fmt::format("latency, ms, {} thread{}", threads, threads == 1 ? "" : "s"),
                        fmt::format("{:.3f}", before), fmt::format("{:.3f}", after),
                        ratio(before, after)});
    }
}

void print_latency(const Json& latency) {
    if (latency.is_null()) return;
    if (latency.contains("skipped")) {
        fmt::print("latency was not measured: {}\n", latency["skipped"].get<std::string>());
    } else {
        fmt::print("latency: {}, batch {}, medians of {} runs in turn\n",
                   latency["runtime"].get<std::string>(), latency["batch"].get<int64_t>(),
                   latency["threads"][0]["runs"].get<int64_t>());
    }
}

void print_equalized(const Json& equalized) {
    if (equalized.is_null() || !equalized["used"].get<bool>()) return;
    fmt::print("channels rescaled between layers ({} links)", equalized["links"].get<size_t>());
    if (equalized.contains("divergence_without")) {
        fmt::print(": divergence {:.3g}, {:.3g} without",
                   equalized["divergence_with"].get<double>(),
                   equalized["divergence_without"].get<double>());
    }
    fmt::print("\n");
}

void print_training(const Json& t) {
    const auto loss = [](const Json& held_out) { return held_out["loss"].get<double>(); };
    fmt::print(
        "\ndistilled for {} epochs on {} images ({}): loss on the judging images {:.4g}, before "
        "{:.4g}; {} is kept\n",
        t["epochs"].size(), format_count(t["images"].get<int64_t>()),
        t["ending"].get<std::string>(), loss(t["after"]), loss(t["start"]),
        t["kept"] == 0 ? "the start" : fmt::format("epoch {}", t["kept"].get<int>()));
}

void print(const Json& d) {
    print_layers(d["plan"]);
    if (d.contains("dropped")) {
        fmt::print("\nresidual branches that are gone:");
        for (const Json& name : d["dropped"]) fmt::print(" {}", name.get<std::string>());
        fmt::print("\n");
    }
    if (d.contains("float_activations")) {
        fmt::print("\nactivations that stay float:");
        for (const Json& name : d["float_activations"]) fmt::print(" {}", name.get<std::string>());
        fmt::print("\n");
    }
    fmt::print("\n");
    const Json &before = d["before"], &after = d["after"], &measured = d["measured"];
    // Images that took no part in the run; the network may have been trained on them.
    const std::string judges = fmt::format("{} judging images{}", measured["images"].get<int64_t>(),
                                           d["data"]["part"] == "train" ? " (training part)" : "");
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, title] : {std::pair{"file", "file bytes"},
                                      {"bytes", "weight bytes"},
                                      {"parameters", "parameters"},
                                      {"macs", "MACs"},
                                      {"bops", "bit operations"},
                                      {"float_macs", "MACs that run in float"},
                                      {"activations", "peak activation bytes"}}) {
        const int64_t a = before[name].get<int64_t>(), b = after[name].get<int64_t>();
        if (b == 0) continue;
        rows.push_back({title, format_count(a), format_count(b),
                        ratio(static_cast<double>(a), static_cast<double>(b))});
    }
    rows.insert(rows.begin() + 1,
                {"packed (adiabat pack)", "", format_count(after["packed"].get<int64_t>()), ""});
    if (measured.contains("top1_after")) {
        rows.push_back({fmt::format("top-1 on {}", judges),
                        percent(measured["top1_before"].get<double>()),
                        percent(measured["top1_after"].get<double>()), ""});
    }
    add_latency(d["latency"], rows);
    print_table({{"", false}, {"before"}, {"after"}, {"smaller"}}, rows);
    print_noise(d["layers"]);
    if (measured.contains("agreement")) {
        fmt::print("\nsame answer on {} of {}, KL divergence {:.5f}\n",
                   percent(measured["agreement"].get<double>()), judges,
                   measured["divergence"].get<double>());
    } else {
        fmt::print("\nrelative squared error {:.3e} on {}\n",
                   measured["relative_squared_error"].get<double>(), judges);
    }
    print_equalized(d["equalized"]);
    print_latency(d["latency"]);
    if (const Json& training = d["training"]; !training.is_null()) print_training(training);
    if (const Json& path = d["path"]; !path.is_null()) {
        std::vector<std::vector<std::string>> steps;
        for (const Json& step : path["steps"]) {
            std::string budgets;
            for (const Json& budget : step["budgets"]) {
                budgets += fmt::format("{}{}={}", budgets.empty() ? "" : ",",
                                       budget["quantity"].get<std::string>(),
                                       budget["limit"].get<int64_t>());
            }
            const auto number = [&](const char* name) {
                return fmt::format("{:.3g}", step[name].get<double>());
            };
            steps.push_back({budgets, number("divergence"), number("true_growth"),
                             number("predicted_growth"),
                             std::to_string(step["came_back"].get<int64_t>())});
        }
        fmt::print("\n");
        print_table({{"step to", false},
                     {"divergence"},
                     {"tempered, grown by"},
                     {"predicted"},
                     {"came back"}},
                    steps);
    }
    if (const Json& proof = d["certificate"]; !proof.is_null()) {
        fmt::print("{}\n", proof["text"].get<std::string>());
    }
    if (const Json& program = d["integer_program"]; program.contains("gain")) {
        fmt::print("energy {} below that of the separable integer program's plan{}\n",
                   percent(100 * program["gain"].get<double>()),
                   program["is_optimal"].get<bool>() ? "" : " (not proven optimal)");
    }
    if (const Json& tried = d["candidates"]; !tried.is_null() && tried["plans"].size() > 1) {
        const auto gain = tried["gain"].get<double>();
        fmt::print("best of {} plans carried out, {}\n", tried["plans"].size(),
                   gain > 0 ? percent(100 * gain) + " below that of least energy"
                            : std::string("the one of least energy"));
    }
    fmt::print("wrote {} and {} in {:.1f} s; accuracy on test images: adiabat eval\n",
               d["output"]["path"].get<std::string>(), d["run"].get<std::string>(),
               d["seconds"].get<double>());
}

// Throws InputError where one of the options was given.
void refuse(const CLI::App& verb, std::initializer_list<const char*> options, const char* reason) {
    for (const char* option : options) {
        if (verb.get_option(option)->count() > 0)
            throw InputError("{}: expected it without {}", reason, option);
    }
}

}  // namespace

void add_compress(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("compress", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::CompressOptions>();
    auto run = std::make_shared<RunArguments>();
    auto run_file = std::make_shared<std::string>();
    auto plan_file = std::make_shared<std::string>();
    auto debug = std::make_shared<std::string>();
    auto python = std::make_shared<std::string>();
    verb->add_option("MODEL", options->model, "The float network (.onnx)")->required();
    verb->add_option("-o,--output", options->output, "The network to write (.onnx)")->required();
    auto* const budget = verb->add_option("--budget", options->budget, kBudgetHelp);
    verb->add_option(
        "--plan", *plan_file,
        "Take the plan from a file (a run.json, or one of adiabat qubo --read) instead "
        "of deciding; --budget is then checked, if given");
    verb->add_option(
            "--candidates", options->candidates,
            "Good plans to carry out and rank on the judging images; 0: 8, fewer for large "
            "networks")
        ->check(CLI::Range(0, 16))
        ->capture_default_str();
    verb->add_option("--steps", options->steps,
                     "Steps to the budgets: after each, effects are sensed anew around what was "
                     "found, and what was cut may come back; 0: as many as predictions need")
        ->check(CLI::Range(0, 64))
        ->capture_default_str();
    verb->add_option("--certify", options->certify,
                     "Seconds for a bound on how much better a plan can be; 0: none")
        ->check(CLI::Range(0.0, 1e6))
        ->capture_default_str();
    verb->add_option("--integer-program", options->integer_program,
                     "Seconds for the separable integer program of other toolkits (Cbc), to "
                     "compare; 0: none")
        ->check(CLI::Range(0.0, 1e6))
        ->capture_default_str();
    verb->add_option("--max-kl", options->max_kl,
                     "The smallest network whose divergence on the judging images is at most this "
                     "(relative squared error where there are no classes)")
        ->check(CLI::Range(0.0, 1e9));
    verb->add_option("--max-drop", options->max_drop,
                     "The smallest network that loses at most so many points of top-1 there; needs "
                     "labels")
        ->check(CLI::Range(0.0, 100.0));
    verb->add_option("--minimize", options->minimize,
                     "Of which quantity: file, bytes, params, macs, bops, activations or float")
        ->capture_default_str();
    verb->add_option("--debug", *debug,
                     "layers: what each layer has lost on the judging images, in dB")
        ->type_name("layers");
    verb->add_flag("--measure", options->measure,
                   "Latency of one image before and after, in ONNX Runtime, through Python");
    verb->add_option("--python", *python,
                     "The Python that has it; ADIABAT_PYTHON, or python3, if not given");
    verb->add_flag("--fit", options->fit,
                   "First fit how much interactions count to a few plans carried out");
    verb->add_option(
            "--finetune", options->finetune,
            "Epochs of distillation from the original afterwards, without labels; 0: none. "
            "See adiabat finetune")
        ->check(CLI::Range(0, 100000))
        ->capture_default_str();
    verb->add_option("--finetune-images", options->finetune_images,
                     "Images of the data that train; all that do not judge if not given")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 32));
    verb->add_option("--finetune-rate", options->finetune_rate, "The highest learning rate")
        ->check(CLI::Range(1e-9, 1e9))
        ->capture_default_str();
    verb->add_option("--run", *run_file,
                     "The document of the run; run.json beside the output if not given");
    add_run_options(*verb, *options, *run);
    run->of_measured.push_back(
        verb->add_option("--rho-residual", options->deciding.interactions.rho_residual,
                         "In steps: how much counts what was sensed along the error that is there")
            ->check(CLI::Range(0.0, 1.0))
            ->capture_default_str()
            ->group("Search"));
    add_applying_options(*verb, *run);
    add_output_options(*verb, frame);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            const bool has_limit = options->max_kl || options->max_drop;
            if (budget->empty() && plan_file->empty() && !has_limit) {
                throw InputError(
                    "--budget is required, or --max-kl, --max-drop or --plan: see adiabat compress "
                    "--help");
            }
            if (!budget->empty() && options->budget.empty() && plan_file->empty() && !has_limit) {
                throw InputError(
                    "--budget: nothing is asked for: expected file=175KB, macs=60% ..");
            }
            // What would do nothing is refused.
            if (!plan_file->empty()) {
                refuse(*verb,
                       {"--max-kl", "--max-drop", "--minimize", "--steps", "--fit", "--candidates",
                        "--certify", "--integer-program"},
                       "--plan leaves nothing to decide");
            }
            if (!has_limit) {
                refuse(*verb, {"--minimize"},
                       "without --max-kl or --max-drop nothing is minimized");
            }
            if (options->steps == 1) {
                refuse(*verb, {"--rho-residual"},
                       "without --steps there is no error that was there before");
            }
            if (options->finetune == 0) {
                refuse(*verb, {"--finetune-images", "--finetune-rate"},
                       "without --finetune EPOCHS nothing is trained");
            }
            if (has_limit) {
                refuse(*verb, {"--fit", "--candidates"},
                       "--max-kl and --max-drop carry out one plan for each limit they try");
            }
            run->finish(*options);
            options->equalize = pipeline::parse_equalize(run->equalize);
            if (verb->get_option("--debug")->count() > 0 && *debug != "layers") {
                throw InputError("--debug: `{}`: expected layers", *debug);
            }
            options->layer_table = !debug->empty();
            if (!python->empty()) options->python = *python;
            if (options->python && !options->measure) {
                throw InputError("--python: it runs what --measure asks for: expected both");
            }
            options->command = frame.command;
            if (!run_file->empty()) options->run_file = *run_file;
            if (!plan_file->empty()) options->plan_file = *plan_file;
            const Json document = pipeline::compress(*options, frame.stop, *frame.progress);
            const Json &training = document["training"], &latency = document["latency"];
            frame.partial = (!training.is_null() && training["ending"] == "interrupted") ||
                            (!latency.is_null() && latency.value("skipped", "") == "interrupted");
            show(frame, document, print);
        };
    });
}

}  // namespace adiabat::cli
