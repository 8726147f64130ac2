// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "adiabat/base/atomic_file.h"
#include "adiabat/cli/run_options.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/pipeline/sense.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Measure what each cut and each bit width does to the outputs";
constexpr const char* kFooter =
    "An effect is the mean over images of what a candidate alone changes, in the units of the\n"
    "tempered divergence: cuts with the other channels standing in for them, widths after "
    "rounding\n"
    "in order. Finished batches are kept in the cache: a run that was killed goes on, compress "
    "and\n"
    "pareto find what has been sensed. --compare senses by the other method too.\n"
    "Example: adiabat sense net.onnx --data cifar-10-batches-bin --preprocess net.json --images "
    "8192";

void print(const Json& d) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& layer : d["layers"]) {
        std::string widths;
        for (const Json& width : layer["widths"]) {
            widths += fmt::format("{}{}: {:.2g}", widths.empty() ? "" : "  ",
                                  width["bits"].get<int>(), width["effect"].get<double>());
        }
        std::vector<double> cuts;
        for (const Json& cut : layer["cuts"]) cuts.push_back(cut["effect"].get<double>());
        std::sort(cuts.begin(), cuts.end());
        const auto at = [&](double share) {
            if (cuts.empty()) return std::string("-");
            return fmt::format(
                "{:.2g}", cuts[static_cast<size_t>(share * static_cast<double>(cuts.size() - 1))]);
        };
        rows.push_back({layer["name"].get<std::string>(), widths, at(0), at(0.5), at(1)});
    }
    print_table(
        {{"layer", false}, {"effect by bits", false}, {"least filter"}, {"median"}, {"largest"}},
        rows);
    for (const auto& [kind, title, of] :
         {std::tuple{"branches", "residual branch", "effect of dropping it"},
          {"activations", "activation", "effect of 8 bits"}}) {
        if (d[kind].empty()) continue;
        std::vector<std::vector<std::string>> found;
        for (const Json& row : d[kind]) {
            found.push_back({row["name"].get<std::string>(),
                             fmt::format("{:.2g}", row["effect"].get<double>())});
        }
        fmt::print("\n");
        print_table({{title, false}, {of}}, found);
    }
    const Json& sensing = d["sensing"];
    fmt::print("\n{} candidates on {} images by {} in {:.1f} s; {}\n",
               sensing["candidates"].get<int64_t>(), sensing["images"].get<int64_t>(),
               sensing["method"].get<std::string>(), sensing["seconds"].get<double>(),
               pipeline::agreement_text(sensing));
    if (d.contains("comparison")) {
        const Json& other = d["comparison"];
        const Json& correlation = other["log_correlation"];
        fmt::print("by {} in {:.1f} s: log effects {}\n", other["method"].get<std::string>(),
                   other["seconds"].get<double>(),
                   correlation.is_null()
                       ? std::string("are too few to compare")
                       : fmt::format("correlate to {:.4f}", correlation.get<double>()));
    }
    if (const auto cache = sensing["cache"].get<std::string>(); !cache.empty()) {
        fmt::print("kept in {}\n", cache);
    }
}

}  // namespace

void add_sense(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("sense", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::SenseOptions>();
    auto run = std::make_shared<RunArguments>();
    auto output = std::make_shared<std::string>();
    verb->add_option("MODEL", options->model, "The float network (.onnx)")->required();
    verb->add_option("-o,--output", *output, "Write the document with all effects (JSON)");
    verb->add_flag("--compare", options->compare, "Sense by the other method too (slow)");
    add_sensing_options(*verb, *options, *run);
    add_output_options(*verb, frame);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            run->finish(*options);
            options->command = frame.command;
            if (!output->empty()) check_writable(*output);
            const Json document = pipeline::sense(*options, frame.stop, *frame.progress);
            if (!output->empty()) write_file_atomically(*output, to_text(document) + "\n");
            show(frame, document, print);
        };
    });
}

}  // namespace adiabat::cli
