// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/pack.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Store an ONNX file in fewer bytes, exactly";
constexpr const char* kFooter =
    "Weights are stored in the bits that they have, floats with their exponents together, all\n"
    "through zstd, with digests. adiabat unpack gives the very bytes of the ONNX file again.\n"
    "Example: adiabat pack small.onnx                       writes small.adb\n"
    "         adiabat pack small.onnx -o archive/small.adb --verbose";

void print_counts(const Json& counts, const char* title, const char* name) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& count : counts) {
        const auto before = count["file_bytes"].get<int64_t>();
        const auto after = count["packed_bytes"].get<int64_t>();
        if (before == 0 && after == 0) continue;
        const double share =
            before == 0 ? 0 : 100.0 * static_cast<double>(after) / static_cast<double>(before);
        rows.push_back({count[name].get<std::string>(), before == 0 ? "" : format_count(before),
                        format_count(after), before == 0 ? "" : percent(share)});
        if (!count.contains("bits")) continue;
        const Json& type = count["type"];
        rows.back().push_back(type.is_null() ? "" : type.get<std::string>());
        rows.back().push_back(type.is_null() ? "" : std::to_string(count["bits"].get<int>()));
    }
    std::vector<Column> columns = {{title, false}, {"bytes in the file"}, {"packed"}, {""}};
    if (!rows.empty() && rows[0].size() > columns.size()) {
        columns.push_back({"type", false});
        columns.push_back({"bits"});
    }
    print_table(columns, rows);
}

void print(const Json& d) {
    print_counts(d["kinds"], "", "kind");
    const auto before = d["model"]["bytes"].get<int64_t>();
    const auto after = d["output"]["bytes"].get<int64_t>();
    fmt::print("\nwrote {}: {} of {} bytes, {}\n", d["output"]["path"].get<std::string>(),
               format_count(after), format_count(before),
               percent(100.0 * static_cast<double>(after) / static_cast<double>(before)));
}

void print_verbose(const Json& d) {
    print_counts(d["sections"], "section", "name");
    fmt::print("\n");
    print(d);
}

}  // namespace

void add_pack(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("pack", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::PackOptions>();
    auto output = std::make_shared<std::string>();
    auto verbose = std::make_shared<bool>(false);
    verb->add_option("MODEL", options->input, "The network (.onnx), its weights inside")
        ->required();
    auto* const given = verb->add_option("-o,--output", *output,
                                         "The container to write; MODEL with .adb if not given");
    verb->add_flag("--verbose", *verbose, "Also what every tensor takes");
    add_output_options(*verb, frame);
    add_threads_option(*verb, options->threads);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            options->command = frame.command;
            if (!given->empty()) options->output = *output;
            show(frame, pipeline::pack(*options, frame.stop, *frame.progress),
                 *verbose ? print_verbose : print);
        };
    });
}

}  // namespace adiabat::cli
