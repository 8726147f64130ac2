// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/finetune.h"

#include <cmath>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/data/split.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::pipeline {

namespace {

namespace fs = std::filesystem;

// run.json beside the output; where that is the document of another network, which nothing else
// holds, a name of our own.
fs::path run_file_of(const FinetuneOptions& options) {
    if (options.run_file) return *options.run_file;
    const fs::path output = options.output;
    fs::path usual = output.parent_path() / "run.json";
    std::error_code error;
    if (!fs::is_regular_file(usual, error)) return usual;
    const std::vector<uint8_t> bytes = read_file(usual);
    const Json json = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
    const auto verb = json.is_object() ? json.find("verb") : json.end();
    if (json.is_object() && verb != json.end() && *verb != "compress") return usual;
    return output.parent_path() / (output.stem().string() + ".run.json");
}

void check_paths(const FinetuneOptions& options, const fs::path& run_file) {
    std::vector<fs::path> inputs = {options.model, options.teacher, options.data.path};
    if (options.data.labels) inputs.push_back(*options.data.labels);
    if (options.data.classes) inputs.push_back(*options.data.classes);
    for (const fs::path& path : {fs::path(options.output), run_file}) check_output(path, inputs);
    std::error_code error;
    if (fs::weakly_canonical(options.output, error) == fs::weakly_canonical(run_file, error)) {
        throw InputError("{}: the network and the document of the run cannot be one file",
                         options.output);
    }
}

Model load_teacher(const FinetuneOptions& options) {
    Model teacher = load_model(options.teacher);
    require_one_input(teacher);
    compute_in_float(teacher);
    return teacher;
}

}  // namespace

Json finetune(const FinetuneOptions& options, StopToken stop, ProgressSink& progress) {
    StageClock clock;
    clock.begin("read");
    const fs::path run_file = run_file_of(options);
    check_paths(options, run_file);
    const Model teacher = load_teacher(options);
    const Model model = load_model(options.model);
    require_one_input(model);
    const std::vector<uint8_t> file = read_file(options.model);
    clock.begin("data");
    const auto source = open_images(options.data, data::Split::kTrain, teacher, options.threads);
    if (options.tuning.distill.objective.label_weight > 0 && !source->has_labels()) {
        throw InputError("--label-weight: the images of {} have no labels: expected labeled data",
                         source->name());
    }
    BrokenFiles broken(*source, options.data, stop, progress);
    const data::CalibrationSplit split =
        data::draw_split(source->size(), options.images.value_or(source->size()),
                         options.held_out_share, options.seed, broken.finder());
    broken.say();
    clock.begin("train");
    const auto engine = load_engine();
    TuningOptions tuning = options.tuning;
    tuning.distill.seed = options.seed;
    const Tuned tuned =
        tune_file({file, options.model, teacher, *engine, *source, options.data.preprocess,
                   split.sensing, split.judging, options.output, options.threads},
                  tuning, stop, progress);
    clock.begin("write");
    write_file_atomically(options.output, tuned.file);
    clock.end();

    Json document;
    document["adiabat"] = version();
    document["verb"] = "finetune";
    document["command"] = options.command;
    document["model"] = to_json(model);
    document["teacher"] = to_json(teacher);
    document["run"] = run_file.string();
    document["output"] = {
        {"path", options.output}, {"bytes", tuned.file.size()}, {"sha256", sha256(tuned.file)}};
    document["options"] = to_json(tuning);
    document["options"]["images"] = options.images ? Json(*options.images) : Json();
    document["options"]["held_out_share"] = options.held_out_share;
    document["options"]["seed"] = options.seed;
    document["data"] = {{"path", options.data.path.string()},
                        {"part", data::name_of(source->part())},
                        {"preprocess", data::to_json(options.data.preprocess)}};
    if (options.data.skip_broken) document["data"]["left_out"] = broken.left_out();
    document["engine"] = engine->name();
    document["training"] = tuned.document;
    document["stages"] = clock.to_json();
    document["seconds"] = std::round(clock.total_seconds() * 1e3) / 1e3;
    document["peak_memory_bytes"] = peak_memory_bytes();
    write_file_atomically(run_file, to_text(document) + "\n");
    tuned.forget_checkpoint();
    return document;
}

}  // namespace adiabat::pipeline
