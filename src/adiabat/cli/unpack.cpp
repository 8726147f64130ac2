// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/pack.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "The ONNX file of a container that adiabat pack wrote";
constexpr const char* kFooter =
    "The very bytes that were packed. Whatever is damaged in a container is named, and nothing\n"
    "is written.\n"
    "Example: adiabat unpack small.adb -o small.onnx";

void print(const Json& d) {
    fmt::print("wrote {}: {} bytes, SHA-256 {}\n", d["output"]["path"].get<std::string>(),
               format_count(d["output"]["bytes"].get<int64_t>()),
               d["output"]["sha256"].get<std::string>());
}

}  // namespace

void add_unpack(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("unpack", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::PackOptions>();
    auto output = std::make_shared<std::string>();
    verb->add_option("CONTAINER", options->input, "The container (.adb)")->required();
    auto* const given = verb->add_option("-o,--output", *output,
                                         "The network to write; CONTAINER with .onnx if not given");
    add_output_options(*verb, frame);
    add_threads_option(*verb, options->threads);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            options->command = frame.command;
            if (!given->empty()) options->output = *output;
            show(frame, pipeline::unpack(*options, frame.stop, *frame.progress), print);
        };
    });
}

}  // namespace adiabat::cli
