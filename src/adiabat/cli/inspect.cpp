// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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

void print(const Json& d) {
    const Json& cost = d["cost"];
    fmt::print("{}: {}, opset {}\n", d["model"]["path"].get<std::string>(),
               format_bytes(d["model"]["bytes"].get<int64_t>()), d["opset"].get<int>());
    for (const char* side : {"inputs", "outputs"}) {
        for (const Json& value : d[side]) fmt::print("  {:<8}{}\n", side, shape_text(value));
    }
    fmt::print("  {} parameters, {} in fp32, {} MACs an image\n\n",
               format_count(cost["parameters"].get<int64_t>()),
               format_bytes(cost["bytes"].get<int64_t>()),
               format_count(cost["macs"].get<int64_t>()));

    std::vector<std::vector<std::string>> rows;
    for (const Json& layer : d["layers"]) {
        std::string group;
        if (layer["cut"].get<bool>()) {
            group = fmt::format("can be cut, read by {}", layer["readers"][0].get<std::string>());
            if (layer["readers"].size() > 1)
                group += fmt::format(" and {} more", layer["readers"].size() - 1);
        } else {
            group = "kept: " + layer["frozen"].get<std::string>();
        }
        rows.push_back(
            {layer["name"].get<std::string>(), layer["operator"].get<std::string>(),
             std::to_string(layer["filters"].get<int64_t>()),
             std::to_string(layer["inputs"].get<int64_t>()),
             format_count(layer["cost"]["parameters"].get<int64_t>()),
             layer["cost"]["macs"] == 0 ? "?" : format_count(layer["cost"]["macs"].get<int64_t>()),
             group});
    }
    print_table({{"layer", false},
                 {"operator", false},
                 {"filters"},
                 {"inputs"},
                 {"parameters"},
                 {"MACs"},
                 {"channels", false}},
                rows);

    for (const Json& left : d["left_alone"]) {
        fmt::print("\nleft as it is: {}: {}", text_of(left["name"]), text_of(left["reason"]));
    }
    if (!d["left_alone"].empty()) fmt::print("\n");
    if (!d["unknown_operators"].empty()) {
        fmt::print("\noperators without a rule (kept as they are, cannot be run):");
        for (const Json& name : d["unknown_operators"]) fmt::print(" {}", text_of(name));
        fmt::print("\n");
    }
    if (d.contains("not_compressible")) {
        fmt::print("\nnot compressible: {}\n", text_of(d["not_compressible"]));
        return;
    }
    fmt::print("\n");
    rows.clear();
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
    add_output_options(*verb, frame);
    add_threads_option(*verb, *threads);
    add_seed_option(*verb, *seed);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            show(frame, pipeline::inspect(pipeline::load_model(*model)), print);
        };
    });
}

}  // namespace adiabat::cli
