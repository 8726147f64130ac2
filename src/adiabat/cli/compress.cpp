// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/compress.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Write a smaller network that keeps exact budgets";
constexpr const char* kFooter =
    "Budgets are never exceeded: file is the ONNX file as written, to the byte; bytes is codes, "
    "scales and\n"
    "biases; params, macs, bops (MACs x weight bits x activation bits) and activations (the most "
    "bytes at\n"
    "once) are for one image. KB is 1000 bytes, KiB 1024, of counts k, M, G; % is of, and x is "
    "times smaller\n"
    "than, the original in fp32.\n"
    "Of a set with a training and a test part the training part is read. run.json, written beside "
    "the\n"
    "output, holds the plan, the costs and every figure.\n"
    "Example: adiabat compress net.onnx --data cifar-10-batches-bin --preprocess net.json \\\n"
    "             --budget file=175KB -o small.onnx\n"
    "         adiabat compress net.onnx --data photos --resize 256 --crop 224 --scale 1/255 \\\n"
    "             --budget file=25%,macs=60% -o small.onnx";

std::string ratio(double before, double after) { return fmt::format("{:.2f} x", before / after); }

void print_layers(const Json& plan) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& layer : plan) {
        const auto kept = [&](const char* after, const char* before) {
            const int64_t a = layer[after].get<int64_t>(), b = layer[before].get<int64_t>();
            return a == b ? std::to_string(a) : fmt::format("{} of {}", a, b);
        };
        rows.push_back({layer["name"].get<std::string>(), std::to_string(layer["bits"].get<int>()),
                        kept("filters", "filters_before"), kept("inputs", "inputs_before"),
                        format_count(layer["cost"]["bytes"].get<int64_t>())});
    }
    print_table({{"layer", false}, {"bits"}, {"filters"}, {"inputs"}, {"bytes"}}, rows);
}

void print(const Json& d) {
    print_layers(d["plan"]);
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
                                      {"activations", "peak activation bytes"}}) {
        const int64_t a = before[name].get<int64_t>(), b = after[name].get<int64_t>();
        rows.push_back({title, format_count(a), format_count(b),
                        ratio(static_cast<double>(a), static_cast<double>(b))});
    }
    if (measured.contains("top1_after")) {
        rows.push_back({fmt::format("top-1 on {}", judges),
                        percent(measured["top1_before"].get<double>()),
                        percent(measured["top1_after"].get<double>()), ""});
    }
    print_table({{"", false}, {"before"}, {"after"}, {"smaller"}}, rows);
    if (measured.contains("agreement")) {
        fmt::print("\nsame answer on {} of {}, KL divergence {:.5f}\n",
                   percent(measured["agreement"].get<double>()), judges,
                   measured["divergence"].get<double>());
    } else {
        fmt::print("\nrelative squared error {:.3e} on {}\n",
                   measured["relative_squared_error"].get<double>(), judges);
    }
    fmt::print("wrote {} and {} in {:.1f} s; accuracy on test images: adiabat eval\n",
               d["output"]["path"].get<std::string>(), d["run"].get<std::string>(),
               d["seconds"].get<double>());
}

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
}

}  // namespace

void add_compress(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("compress", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::CompressOptions>();
    auto data = std::make_shared<DataArguments>();
    auto run_file = std::make_shared<std::string>();
    auto weights = std::make_shared<std::string>("planes");
    verb->add_option("MODEL", options->model, "The float network (.onnx)")->required();
    verb->add_option("-o,--output", options->output, "The network to write (.onnx)")->required();
    verb->add_option(
            "--budget", options->budget,
            "file=175KB, macs=60%, file=8x,macs=20M ..; of file, bytes, params, macs, bops, "
            "activations")
        ->required();
    add_controls(*verb, options->controls);
    verb->add_option("--images", options->images, "Images drawn from the data")
        ->check(CLI::Range(int64_t{2}, int64_t{1} << 32))
        ->capture_default_str();
    verb->add_option("--judging-share", options->judging_share,
                     "Share of them that decides nothing and only measures")
        ->capture_default_str();
    verb->add_option("--weights", *weights,
                     "Storage of weight codes: planes, int4 (opset 21) or int8")
        ->capture_default_str();
    verb->add_option("--run", *run_file,
                     "The document of the run; run.json beside the output if not given");
    add_data_options(*verb, *data);
    verb->add_option("--beta", options->beta,
                     "Weight of rounding against cutting in the l1 problem")
        ->check(CLI::Range(1e-6, 1e6))
        ->capture_default_str()
        ->group("Search");
    verb->add_option("--sweeps", options->sweeps, "Sweeps of each anneal")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 31))
        ->capture_default_str()
        ->group("Search");
    verb->add_option("--replicas", options->replicas, "Replicas of each anneal")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str()
        ->group("Search");
    add_output_options(*verb, frame);
    add_threads_option(*verb, options->threads);
    add_seed_option(*verb, options->seed);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            options->data = data->options();
            options->weights = onnx::parse_storage(*weights);
            options->command = frame.command;
            if (!run_file->empty()) options->run_file = *run_file;
            show(frame, pipeline::compress(*options, frame.stop, *frame.progress), print);
        };
    });
}

}  // namespace adiabat::cli
