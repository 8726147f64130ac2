// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/verb.h"

#include <fmt/format.h>

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"

namespace adiabat::cli {

void add_output_options(CLI::App& verb, Frame& frame) {
    verb.add_flag("--json", frame.json, "Print one JSON document instead of tables");
    verb.add_flag("--quiet", frame.quiet, "No progress on standard error");
}

void add_threads_option(CLI::App& verb, int& threads) {
    // More threads than cores only get in each other's way; the results are the same for any
    // number.
    verb.add_option_function<int>(
            "--threads", [&threads](int n) { threads = std::min(n, thread_count(0)); },
            "Threads, 0 for all cores; at most as many as there are cores")
        ->check(CLI::Range(0, 1024));
}

void add_seed_option(CLI::App& verb, uint64_t& seed) {
    verb.add_option("--seed", seed, "Seed of every random choice")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
}

void add_data_options(CLI::App& verb, DataArguments& a) {
    const std::string group = "Data";
    verb.add_option("--data", a.path,
                    "Images: a folder of CIFAR binary batches or IDX files, or one .bin, IDX, .npy "
                    "or .npz file")
        ->required()
        ->group(group);
    verb.add_option("--split", a.split, "Part of a divided set: auto, train or test")
        ->capture_default_str()
        ->group(group);
    verb.add_option("--labels", a.labels, "Labels (IDX or .npy), where not found beside the images")
        ->group(group);
    verb.add_option("--preprocess", a.preprocess,
                    "JSON, a file or the text itself: {\"mean\": [..], \"std\": [..], \"scale\": "
                    ".., \"layout\": \"NCHW\"}; "
                    "x = (pixel * scale - mean) / std")
        ->group(group);
    verb.add_option("--mean", a.mean, "Mean of each channel, with commas, of scaled pixels")
        ->group(group);
    verb.add_option("--std", a.std, "Standard deviation of each channel, with commas")
        ->group(group);
    verb.add_option("--scale", a.scale, "Factor of a pixel, such as 1/255")->group(group);
    verb.add_option("--layout", a.layout, "Order of stored arrays: NCHW or NHWC")->group(group);
}

pipeline::DataOptions DataArguments::options() const {
    pipeline::DataOptions result;
    result.path = path;
    result.split = data::parse_split(split);
    if (!labels.empty()) result.labels = labels;
    if (!preprocess.empty()) {
        if (!(mean + std + scale + layout).empty()) {
            throw InputError(
                "--preprocess holds mean, std, scale and layout: give it or those, not both");
        }
        if (preprocess.starts_with('{')) {
            const Json json = Json::parse(preprocess, nullptr, /*allow_exceptions=*/false);
            if (json.is_discarded()) throw InputError("--preprocess: `{}` is not JSON", preprocess);
            result.preprocess = data::preprocess_from_json(json, "--preprocess");
        } else {
            result.preprocess = data::read_preprocess(preprocess);
        }
        return result;
    }
    if (!mean.empty()) result.preprocess.mean = data::parse_values(mean, "--mean");
    if (!std.empty()) result.preprocess.std = data::parse_values(std, "--std");
    if (!scale.empty()) {
        const auto values = data::parse_values(scale, "--scale");
        if (values.size() != 1)
            throw InputError("--scale: takes one number, `{}` has {}", scale, values.size());
        result.preprocess.scale = values[0];
    }
    if (!layout.empty()) result.preprocess.layout = layout;
    data::check_preprocess(result.preprocess, "--mean, --std, --scale, --layout");
    return result;
}

void show(Frame& frame, const Json& document, void (*print)(const Json&)) {
    frame.progress->end();
    if (frame.json) {
        fmt::print("{}\n", to_text(document));
    } else {
        print(document);
    }
}

void print_table(const std::vector<Column>& columns, std::vector<std::vector<std::string>> rows) {
    for (auto& row : rows) {
        for (std::string& cell : row) cell = in_one_line(cell);
    }
    std::vector<size_t> width;
    for (size_t c = 0; c < columns.size(); ++c) {
        size_t widest = columns[c].title.size();
        for (const auto& row : rows) widest = std::max(widest, row[c].size());
        width.push_back(widest);
    }
    const auto print_row = [&](const std::vector<std::string>& row) {
        std::string line;
        for (size_t c = 0; c < row.size(); ++c) {
            line += columns[c].right ? fmt::format("{:>{}}", row[c], width[c])
                                     : fmt::format("{:<{}}", row[c], width[c]);
            line += "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        fmt::print("{}\n", line);
    };
    std::vector<std::string> titles;
    for (const Column& column : columns) titles.push_back(column.title);
    print_row(titles);
    for (const auto& row : rows) print_row(row);
}

std::string percent(double value) { return fmt::format("{:.2f} %", value); }

}  // namespace adiabat::cli
