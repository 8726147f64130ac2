// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/inspect.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp =
    "Layers, channel groups, costs, what can be cut or quantized and why not";
constexpr const char* kFooter =
    "Reads the model alone: no data, no engine.\n"
    "Example: adiabat inspect resnet20.onnx";

// Names come from the file and may hold anything.
std::string text_of(const Json& name) { return in_one_line(name.get<std::string>()); }

std::string shape_text(const Json& value) {
    if (value["shape"].is_null()) return text_of(value["name"]) + " ?";
    std::string text = text_of(value["name"]) + " [";
    for (size_t k = 0; k < value["shape"].size(); ++k) {
        const Json& dimension = value["shape"][k];
        text += (k ? ", " : "") +
                (dimension.is_string() ? "?" : std::to_string(dimension.get<int64_t>()));
    }
    return text + "]";
}

// "all can be cut", "12 of 16: <why the others stay>".
std::string channels_text(const Json& layer) {
    const int64_t cut = layer["cut"].get<int64_t>(), filters = layer["filters"].get<int64_t>();
    std::string text = cut == filters ? "all can be cut" : fmt::format("{} of {}", cut, filters);
    for (const Json& part : layer["frozen"]) {
        text = cut == 0 ? "kept: " + text_of(part["reason"])
                        : text + "; kept: " + text_of(part["reason"]);
        if (layer["frozen"].size() > 1) {
            text += fmt::format(" (and {} more reasons)", layer["frozen"].size() - 1);
        }
        break;
    }
    return text;
}

void print_layers(const Json& layers) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& layer : layers) {
        rows.push_back(
            {text_of(layer["name"]), text_of(layer["operator"]),
             std::to_string(layer["filters"].get<int64_t>()),
             std::to_string(layer["inputs"].get<int64_t>()),
             format_count(layer["cost"]["parameters"].get<int64_t>()),
             layer["cost"]["macs"] == 0 ? "?" : format_count(layer["cost"]["macs"].get<int64_t>()),
             channels_text(layer)});
    }
    print_table({{"layer", false},
                 {"operator", false},
                 {"filters"},
                 {"inputs"},
                 {"parameters"},
                 {"MACs"},
                 {"channels", false}},
                rows);
}

std::string first_and_more(const Json& names) {
    if (names.empty()) return "-";
    std::string text = text_of(names[0]);
    if (names.size() > 1) text += fmt::format(" and {} more", names.size() - 1);
    return text;
}

void print_groups(const Json& d) {
    if (!d["families"].empty()) {
        fmt::print("\n{} channel groups; each goes whole, with every index it has anywhere\n",
                   format_count(d["groups"].get<int64_t>()));
        std::vector<std::vector<std::string>> rows;
        for (const Json& family : d["families"]) {
            rows.push_back({std::to_string(family["groups"].get<int64_t>()),
                            std::to_string(family["channels"].get<int64_t>()),
                            first_and_more(family["made_by"]), first_and_more(family["read_by"])});
        }
        print_table({{"groups"}, {"filters each"}, {"made by", false}, {"read by", false}}, rows);
    }
    if (d["branches"].empty()) return;
    fmt::print("\n{} residual {} that can go whole\n", d["branches"].size(),
               d["branches"].size() == 1 ? "branch" : "branches");
    std::vector<std::vector<std::string>> rows;
    for (const Json& branch : d["branches"]) {
        rows.push_back({text_of(branch["added_by"]), std::to_string(branch["nodes"].get<int64_t>()),
                        first_and_more(branch["layers"])});
    }
    print_table({{"added by", false}, {"nodes"}, {"layers", false}}, rows);
}

void print(const Json& d) {
    const Json& cost = d["cost"];
    fmt::print("{}: {}, opset {}\n", d["model"]["path"].get<std::string>(),
               format_bytes(d["model"]["bytes"].get<int64_t>()), d["opset"].get<int>());
    if (d["model"].contains("computed_in")) {
        fmt::print("  computes in {}; counted and compressed as float\n",
                   d["model"]["computed_in"].get<std::string>());
    }
    for (const char* side : {"inputs", "outputs"}) {
        for (const Json& value : d[side]) fmt::print("  {:<8}{}\n", side, shape_text(value));
    }
    // Sizes of images are free, or shapes end at an operator that nobody knows.
    const bool partly = !d["unknown_operators"].empty() ||
                        std::any_of(d["layers"].begin(), d["layers"].end(),
                                    [](const Json& layer) { return layer["cost"]["macs"] == 0; });
    fmt::print(
        "  {} parameters, {} in fp32; an image takes {}{} MACs, {} bit operations, {} of "
        "activations at once\n\n",
        format_count(cost["parameters"].get<int64_t>()), format_bytes(cost["bytes"].get<int64_t>()),
        partly ? "more than " : "", format_count(cost["macs"].get<int64_t>()),
        format_count(cost["bops"].get<int64_t>()),
        format_bytes(cost["activations"].get<int64_t>()));

    print_layers(d["layers"]);
    print_groups(d);
    for (const Json& left : d["left_alone"]) {
        fmt::print("\nleft as it is: {}: {}", text_of(left["name"]), text_of(left["reason"]));
    }
    if (!d["left_alone"].empty()) fmt::print("\n");
    if (!d["unknown_operators"].empty()) {
        fmt::print(
            "\noperators without a rule (kept as they are; eval and compress cannot run them):");
        for (const Json& name : d["unknown_operators"]) fmt::print(" {}", text_of(name));
        fmt::print("\n");
    }
    if (d.contains("not_compressible")) {
        fmt::print("\nnot compressible: {}\n", text_of(d["not_compressible"]));
        return;
    }
    fmt::print("\n");
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, range] : d["reachable"].items()) {
        rows.push_back({name, format_count(range["smallest"].get<int64_t>()),
                        format_count(range["middle"].get<int64_t>()),
                        format_count(range["largest"].get<int64_t>())});
    }
    print_table({{"budget", false}, {"smallest"}, {"uncut, 4 bits"}, {"uncut, 8 bits"}}, rows);
}

}  // namespace

void add_inspect(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("inspect", kHelp);
    verb->footer(kFooter);
    auto model = std::make_shared<std::string>();
    auto threads = std::make_shared<int>(0);
    auto seed = std::make_shared<uint64_t>(0);
    verb->add_option("MODEL", *model, "The network (.onnx)")->required();
    auto keep = std::make_shared<std::vector<std::string>>();
    auto groups = std::make_shared<std::string>();
    verb->add_option("--keep", *keep,
                     "Layers whose channels stay: names, * and ? for any, or re:REGEX")
        ->type_name("NAME ..");
    verb->add_option(
        "--groups-json", *groups,
        "Write every channel group, with its indices in every parameter, to this file");
    add_output_options(*verb, frame);
    add_threads_option(*verb, *threads);
    add_seed_option(*verb, *seed);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            if (!groups->empty()) pipeline::check_output(*groups, {*model});
            pipeline::Model network = pipeline::load_model(*model);
            const Json found = pipeline::inspect(network, *keep);
            if (!groups->empty()) {
                write_file_atomically(*groups,
                                      to_text(pipeline::groups_json(network, *keep)) + "\n");
            }
            show(frame, found, print);
        };
    });
}

}  // namespace adiabat::cli
