// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/verb.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

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
        ->check(CLI::Validator(
            [](std::string& text) {
                uint64_t value = 0;
                const char* const last = text.data() + text.size();
                const auto [end, error] = std::from_chars(text.data(), last, value);
                if (error == std::errc() && end == last) return std::string();
                return fmt::format("'{}': expected a whole number from 0 to {}", text,
                                   std::numeric_limits<uint64_t>::max());
            },
            ""))
        ->capture_default_str();
}

void add_data_options(CLI::App& verb, DataArguments& a) {
    const std::string group = "Data";
    verb.add_option("--data", a.path,
                    "Images: a folder of JPEG and PNG files, of class folders, of CIFAR binary "
                    "batches or IDX files, or one .bin, IDX, .npy or .npz file")
        ->required()
        ->group(group);
    verb.add_option("--split", a.split, "Part of a divided set: auto, train or test")
        ->capture_default_str()
        ->group(group);
    verb.add_option("--labels", a.labels,
                    "Labels (IDX or .npy; for a folder of images also .txt with lines NAME LABEL), "
                    "where not found beside the images")
        ->group(group);
    verb.add_option("--classes", a.classes,
                    "Names of class folders in the order of the classes, one a line, instead of "
                    "their sorted names; none: folders are no labels")
        ->group(group);
    verb.add_flag("--skip-broken", a.skip_broken,
                  "Leave out files of a folder that are broken or no images, and say which; others "
                  "are taken in their place")
        ->group(group);
    verb.add_option(
            "--preprocess", a.preprocess,
            "JSON, a file or the text itself: {\"mean\": [..], \"std\": [..], \"scale\": "
            ".., \"layout\": \"NCHW\", \"channels\": \"rgb\", \"resize\": 256, \"crop\": 224, "
            "\"interpolation\": \"bilinear\"}; resized, cropped, then "
            "x = (pixel * scale - mean) / std")
        ->group(group);
    verb.add_option("--resize", a.resize,
                    "Resize images: 256 for their shorter side, or height x width as 224x224; as "
                    "PIL and torchvision do")
        ->group(group);
    verb.add_option("--crop", a.crop,
                    "Then take the middle: 224, or height x width; smaller images get black edges")
        ->group(group);
    verb.add_option("--interpolation", a.interpolation,
                    "Of --resize: bilinear (default), bicubic or nearest")
        ->group(group);
    verb.add_option("--channels", a.channels,
                    "Order of the network's channels: rgb (default) or bgr; --mean and --std are "
                    "in it")
        ->group(group);
    verb.add_option("--mean", a.mean, "Mean of each channel, with commas, of scaled pixels")
        ->group(group);
    verb.add_option("--std", a.std, "Standard deviation of each channel, with commas")
        ->group(group);
    verb.add_option("--scale", a.scale, "Factor of a pixel, such as 1/255")->group(group);
    verb.add_option("--layout", a.layout, "Order of stored arrays: NCHW or NHWC")->group(group);
}

data::Preprocess DataArguments::read_preprocess() const {
    if (!preprocess.empty()) {
        if (!(resize + crop + interpolation + channels + mean + std + scale + layout).empty()) {
            throw InputError(
                "--preprocess holds resize, crop, interpolation, channels, mean, std, scale and "
                "layout: give it or those, not both");
        }
        if (!preprocess.starts_with('{')) return data::read_preprocess(preprocess);
        const Json json = Json::parse(preprocess, nullptr, /*allow_exceptions=*/false);
        if (json.is_discarded()) throw InputError("--preprocess: `{}` is not JSON", preprocess);
        return data::preprocess_from_json(json, "--preprocess");
    }
    data::Preprocess result;
    if (!resize.empty()) result.geometry.resize = data::parse_size(resize, "--resize");
    if (!crop.empty()) result.geometry.crop = data::parse_size(crop, "--crop");
    if (!interpolation.empty()) {
        result.geometry.interpolation = data::parse_interpolation(interpolation);
    }
    if (!channels.empty()) result.channels = channels;
    if (!mean.empty()) result.mean = data::parse_values(mean, "--mean");
    if (!std.empty()) result.std = data::parse_values(std, "--std");
    if (!scale.empty()) {
        const auto values = data::parse_values(scale, "--scale");
        if (values.size() != 1)
            throw InputError("--scale: takes one number, `{}` has {}", scale, values.size());
        result.scale = values[0];
    }
    if (!layout.empty()) result.layout = layout;
    data::check_preprocess(result, "preprocessing options");
    return result;
}

pipeline::DataOptions DataArguments::options() const {
    pipeline::DataOptions result;
    result.path = path;
    result.split = data::parse_split(split);
    if (!labels.empty()) result.labels = labels;
    if (!classes.empty()) result.classes = classes;
    result.skip_broken = skip_broken;
    result.preprocess = read_preprocess();
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
