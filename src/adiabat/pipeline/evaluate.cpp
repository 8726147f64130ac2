// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/evaluate.h"

#include <algorithm>
#include <chrono>

#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::pipeline {

namespace {

struct Run {
    net::Tensor outputs;
    double seconds = 0;
};

Run run(net::Engine& engine, const Model& model, const Images& images,
        const EvaluateOptions& options, StopToken stop, ProgressSink& progress) {
    progress.begin("eval " + std::filesystem::path(model.path).filename().string(),
                   static_cast<uint64_t>(images.size()), "images");
    const auto session = engine.open(model.graph, {options.threads});
    const auto began = std::chrono::steady_clock::now();
    Run result;
    result.outputs = run_network(*session, images.pixels, options.batch, stop, progress);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
}

// {"images", "seconds", "images_per_second", "top1"}: top-1 where there are labels and scores.
Json facts(const Run& run, const Images& images) {
    Json result = {{"images", images.size()},
                   {"seconds", run.seconds},
                   {"images_per_second", static_cast<double>(images.size()) / run.seconds}};
    if (!images.labels.empty() && is_classifier(run.outputs)) {
        result["top1"] = 100 * share_equal(predictions(run.outputs), images.labels);
    }
    return result;
}

}  // namespace

Json evaluate(const EvaluateOptions& options, StopToken stop, ProgressSink& progress) {
    const Model model = load_model(options.model);
    require_one_input(model);
    const auto source = open_images(options.data, data::Split::kTest, model);
    const int64_t count = std::min(source->size(), options.images.value_or(source->size()));
    if (count < 1) throw InputError("--images: must be at least 1");
    const Images images = read_images(*source, first_rows(count), options.data.preprocess, model);
    const auto engine = load_engine();

    Json result;
    result["model"] = to_json(model);
    result["data"] = {{"path", options.data.path.string()},
                      {"part", data::name_of(source->part())},
                      {"images", images.size()},
                      {"sha256", images.sha256},
                      {"preprocess", data::to_json(options.data.preprocess)}};
    result["engine"] = engine->name();
    const Run own = run(*engine, model, images, options, stop, progress);
    result["result"] = facts(own, images);

    if (options.reference) {
        const Model reference = load_model(*options.reference);
        require_one_input(reference);
        const Run theirs = run(*engine, reference, images, options, stop, progress);
        if (theirs.outputs.shape != own.outputs.shape) {
            throw InputError("--reference: {} puts out {}, {} puts out {}: they must be alike",
                             reference.path, net::to_string(theirs.outputs.shape), model.path,
                             net::to_string(own.outputs.shape));
        }
        Json& against = result["reference"];
        against = {{"model", to_json(reference)}, {"result", facts(theirs, images)}};
        if (is_classifier(own.outputs)) {
            against["agreement"] =
                100 * share_equal(predictions(own.outputs), predictions(theirs.outputs));
            against["divergence"] = mean_divergence(theirs.outputs, own.outputs);
        } else {
            against["relative_squared_error"] = relative_squared_error(theirs.outputs, own.outputs);
        }
    }
    return result;
}

}  // namespace adiabat::pipeline
