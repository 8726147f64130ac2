// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/cli/run_options.h"
#include "adiabat/pipeline/pareto.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Sweep budgets from one sensing pass: table, CSV, plot, knee";
constexpr const char* kFooter =
    "Writes pareto.json, pareto.csv, pareto.svg, and each point's network and document. Run "
    "again,\n"
    "it goes on where it was stopped. Points of another sweep in the folder are written over;\n"
    "those beyond the last of this one stay, which is said.\n"
    "Example: adiabat pareto net.onnx --data cifar-10-batches-bin --preprocess net.json \\\n"
    "             --quantity macs --from 95% --to 40% --points 12 -o sweep\n"
    "         adiabat pareto net.onnx --data photos --resize 256 --crop 224 --scale 1/255 \\\n"
    "             --budgets file=50% file=25%,macs=80% file=15%,macs=60% -o sweep";

void print(const Json& d) {
    const bool is_classifier = d["points"].front()["measured"].contains("divergence");
    std::vector<std::vector<std::string>> rows;
    for (size_t k = 0; k < d["points"].size(); ++k) {
        const Json &point = d["points"][k], &measured = point["measured"];
        std::vector<std::string> row = {point["budget"].get<std::string>(),
                                        format_count(point["after"]["file"].get<int64_t>()),
                                        format_count(point["after"]["macs"].get<int64_t>()),
                                        fmt::format("{:.4g}", point["energy"].get<double>())};
        if (is_classifier) {
            row.push_back(fmt::format("{:.4g}", measured["divergence"].get<double>()));
            row.push_back(percent(measured["agreement"].get<double>()));
        } else {
            row.push_back(fmt::format("{:.4g}", measured["relative_squared_error"].get<double>()));
            row.emplace_back("-");
        }
        row.push_back(measured.contains("top1_after")
                          ? percent(measured["top1_after"].get<double>())
                          : std::string("-"));
        row.emplace_back(d["knee"] == k ? "<- knee" : "");
        rows.push_back(std::move(row));
    }
    print_table({{"budget", false},
                 {"file bytes"},
                 {"MACs"},
                 {"energy"},
                 {is_classifier ? "KL" : "squared error"},
                 {"same answer"},
                 {"top-1"},
                 {"", false}},
                rows);
    if (d.contains("fit")) {
        const Json& fit = d["fit"];
        fmt::print(
            "\npredicted and true: log correlation {:.3f}, divergence ~ energy^{:.2f}, off "
            "by a factor of {:.2f}\n",
            fit["correlation"].get<double>(), fit["exponent"].get<double>(),
            std::exp(fit["error"].get<double>()));
    }
    fmt::print("wrote pareto.json, .csv and .svg, and each point's network in {:.1f} s\n",
               d["seconds"].get<double>());
}

}  // namespace

void add_pareto(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("pareto", kHelp);
    verb->footer(kFooter);
    struct Text {
        std::string folder, quantity, from, to;
        int points = 12;
    };
    auto options = std::make_shared<pipeline::ParetoOptions>();
    auto run = std::make_shared<RunArguments>();
    auto text = std::make_shared<Text>();
    verb->add_option("MODEL", options->model, "The float network (.onnx)")->required();
    verb->add_option("-o,--output", text->folder, "The folder to write to")->required();
    auto* const budgets =
        verb->add_option("--budgets", options->budgets, "A budget a point")->type_name("BUDGET ..");
    auto* const quantity =
        verb->add_option("--quantity", text->quantity,
                         "What to sweep: file, bytes, params, macs, bops, activations or float")
            ->excludes(budgets);
    verb->add_option("--from", text->from, "Its first limit")->needs(quantity);
    verb->add_option("--to", text->to, "Its last limit")->needs(quantity);
    verb->add_option("--points", text->points, "How many limits, evenly spaced")
        ->needs(quantity)
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    verb->add_option("--candidates", options->candidates,
                     "Good plans to carry out and rank at each point")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    add_run_options(*verb, *options, *run);
    run->equalize = pipeline::name_of(options->equalize);
    add_applying_options(*verb, *run);
    add_output_options(*verb, frame);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            run->finish(*options);
            options->equalize = pipeline::parse_equalize(run->equalize);
            options->folder = text->folder;
            options->command = frame.command;
            if (!text->quantity.empty()) {
                if (text->from.empty() || text->to.empty()) {
                    throw InputError("--quantity needs --from and --to: see adiabat pareto --help");
                }
                options->budgets =
                    pipeline::sweep_of(text->quantity, text->from, text->to, text->points);
            }
            frame.kept = "what is finished is kept, and the same command goes on";
            show(frame, pipeline::pareto(*options, frame.stop, *frame.progress), print);
        };
    });
}

}  // namespace adiabat::cli
