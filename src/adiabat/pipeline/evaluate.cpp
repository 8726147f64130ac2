// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/evaluate.h"

#include <algorithm>
#include <chrono>

#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::pipeline {

namespace {

// Images that are in memory at a time, at least.
constexpr int64_t kPiece = 256;

// A network that is run on one piece of the images after the other.
class Judged {
  public:
    Judged(net::Engine& engine, const Model& model, const EvaluateOptions& options)
        : session_(engine.open(model.graph, {options.threads})), batch_(options.batch) {}

    void run(const Images& images, const StopToken& stop) {
        const auto began = std::chrono::steady_clock::now();
        net::Tensor piece = run_network(*session_, images.pixels, batch_, stop);
        seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        if (outputs_.shape.empty()) {
            outputs_ = std::move(piece);
        } else {
            outputs_.shape[0] += piece.shape[0];
            outputs_.bytes.insert(outputs_.bytes.end(), piece.bytes.begin(), piece.bytes.end());
        }
    }

    const net::Tensor& outputs() const { return outputs_; }

    // {"images", "seconds", "images_per_second", "top1"}: top-1 where there are labels and scores.
    Json facts(std::span<const int32_t> labels) const {
        const int64_t images = outputs_.shape[0];
        Json result = {{"images", images},
                       {"seconds", seconds_},
                       {"images_per_second", static_cast<double>(images) / seconds_}};
        if (!labels.empty() && is_classifier(outputs_)) {
            result["top1"] = 100 * share_equal(predictions(outputs_), labels);
        }
        return result;
    }

  private:
    std::unique_ptr<net::Session> session_;
    int64_t batch_;
    net::Tensor outputs_;
    double seconds_ = 0;
};

Json compare(const Judged& own, const Judged& theirs, const Model& model, const Model& reference,
             std::span<const int32_t> labels) {
    if (theirs.outputs().shape != own.outputs().shape) {
        throw InputError("--reference: {} puts out {}, {} puts out {}: they must be alike",
                         reference.path, net::to_string(theirs.outputs().shape), model.path,
                         net::to_string(own.outputs().shape));
    }
    Json against = {{"model", to_json(reference)}, {"result", theirs.facts(labels)}};
    if (is_classifier(own.outputs())) {
        against["agreement"] =
            100 * share_equal(predictions(own.outputs()), predictions(theirs.outputs()));
        against["divergence"] = mean_divergence(theirs.outputs(), own.outputs());
    } else {
        against["relative_squared_error"] = relative_squared_error(theirs.outputs(), own.outputs());
    }
    return against;
}

}  // namespace

Json evaluate(const EvaluateOptions& options, StopToken stop, ProgressSink& progress) {
    const Model model = load_model(options.model);
    require_one_input(model);
    std::optional<Model> reference;
    if (options.reference) {
        reference = load_model(*options.reference);
        require_one_input(*reference);
    }
    const auto source = open_images(options.data, data::Split::kTest, model, options.threads);
    const int64_t count = std::min(source->size(), options.images.value_or(source->size()));
    if (count < 1) throw InputError("--images: must be at least 1");
    const auto engine = load_engine();
    Judged own(*engine, model, options);
    std::optional<Judged> theirs;
    if (reference) theirs.emplace(*engine, *reference, options);

    BrokenFiles broken(*source, options.data, stop, progress);
    const std::vector<int64_t> rows = broken.first_usable(count);
    broken.say();
    progress.begin("eval " + std::filesystem::path(model.path).filename().string(), rows.size(),
                   "images");
    ImageReader reader(*source, options.data.preprocess, model);
    std::vector<int32_t> labels;
    // Whole batches, so that they are the same as if all images were in memory.
    const auto piece = static_cast<size_t>((kPiece + options.batch - 1) / options.batch) *
                       static_cast<size_t>(options.batch);
    for (size_t begin = 0; begin < rows.size(); begin += piece) {
        const size_t end = std::min(begin + piece, rows.size());
        const Images images = reader.read(std::span(rows).subspan(begin, end - begin));
        own.run(images, stop);
        if (theirs) theirs->run(images, stop);
        labels.insert(labels.end(), images.labels.begin(), images.labels.end());
        progress.update(end);
    }

    Json result;
    result["model"] = to_json(model);
    result["data"] = {{"path", options.data.path.string()},
                      {"part", data::name_of(source->part())},
                      {"images", rows.size()},
                      {"seconds", reader.seconds()},
                      {"sha256", reader.sha256()},
                      {"preprocess", data::to_json(options.data.preprocess)}};
    if (options.data.skip_broken) result["data"]["left_out"] = broken.left_out();
    result["engine"] = engine->name();
    result["result"] = own.facts(labels);
    if (theirs) result["reference"] = compare(own, *theirs, model, *reference, labels);
    return result;
}

}  // namespace adiabat::pipeline
