// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/applied.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "adiabat/apply/calibrate.h"
#include "adiabat/apply/cut.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/base/threads.h"
#include "adiabat/net/cast.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/inspect.h"
#include "adiabat/pipeline/outputs.h"

namespace adiabat::pipeline {

namespace {

constexpr int64_t kBatch = 250;
// Of the largest activations that one image needs at once: those of the original and of what is
// made of it, and what a step makes of them on the way.
constexpr int64_t kActivationsHeld = 3;

struct Workers {
    int count, threads_each;
};

Workers workers_for(const Subject& subject, int64_t plans, int64_t images) {
    const int threads = thread_count(subject.options().threads);
    const int64_t bytes = std::max<int64_t>(
        1, subject.network().costs.whole().activations * images * kActivationsHeld);
    const auto count = static_cast<int>(
        std::clamp<int64_t>(kMostBytesAtOnce / bytes, 1, std::min<int64_t>(plans, threads)));
    return {count, std::max(1, threads / count)};
}

std::vector<uint8_t> file_of(const Subject& subject, const plan::Plan& plan,
                             const net::Tensor& sensing, int threads, StopToken stop,
                             ProgressSink& progress) {
    const net::Graph& graph = subject.carried_out();
    const plan::Network& network = subject.network();
    const SubjectOptions& options = subject.options();
    const onnx::Storage storage = options.weights;
    const net::Graph cut =
        apply::cut_groups(graph, network.coupling, plan::cut_flags(network, plan),
                          plan::gone_branches(network, plan.bits));
    apply::Quantized quantized =
        apply::quantize(cut, net::find_layers(cut), apply::widths_of(network, plan), storage);
    const net::Tensor pixels =
        net::as_type(net::rows_of(sensing, 0, std::min(sensing.shape[0], kCalibrationImages)),
                     graph.value(graph.inputs[0]).type);
    apply::calibrate(quantized,
                     {graph, cut, network, plan, pixels, options.rounding, options.ranges},
                     subject.engine(), {threads}, stop, progress);
    std::vector<onnx::WeightCodes> weights;
    for (const auto& layer : quantized.layers) weights.push_back(layer.weight);
    onnx::encode_weights(quantized.graph, weights, storage, quantized.prefix);
    return onnx::serialize_model(quantized.graph);
}

void check_size(const Subject& subject, const plan::Plan& plan, size_t bytes) {
    const int64_t predicted = subject.costs().cost(plan::Quantity::kFile, plan);
    ADIABAT_CHECK(static_cast<int64_t>(bytes) == predicted,
                  "the file has {} bytes, {} were predicted", bytes, predicted);
}

}  // namespace

std::vector<uint8_t> apply_plan(const Subject& subject, const plan::Plan& plan,
                                const net::Tensor& sensing, StopToken stop,
                                ProgressSink& progress) {
    std::vector<uint8_t> file =
        file_of(subject, plan, sensing, subject.options().threads, stop, progress);
    check_size(subject, plan, file.size());
    return file;
}

std::vector<Written> carry_out(const Subject& subject, const Judge& judge,
                               std::span<const plan::Plan> plans, const net::Tensor& sensing,
                               StopToken stop, ProgressSink& progress) {
    std::vector<Written> written(plans.size());
    if (plans.empty()) return written;
    const auto workers =
        workers_for(subject, std::ssize(plans), std::min(sensing.shape[0], kCalibrationImages));
    if (workers.count == 1) {
        for (size_t k = 0; k < plans.size(); ++k) {
            written[k].file = apply_plan(subject, plans[k], sensing, stop, progress);
            written[k].judgement = judge.judge(written[k].file, "the plan's file", stop, progress);
        }
        return written;
    }
    progress.begin("carry out", plans.size(), "plans");
    std::mutex mutex;
    size_t next = 0, done = 0;
    parallel_for(workers.count, workers.count, [&](int64_t, int64_t, int) {
        std::unique_lock lock(mutex);
        while (next < plans.size()) {
            const size_t k = next++;
            lock.unlock();
            written[k].file =
                file_of(subject, plans[k], sensing, workers.threads_each, stop, no_progress());
            written[k].judgement = judge.judge(written[k].file, "the plan's file",
                                               workers.threads_each, stop, no_progress());
            lock.lock();
            progress.update(++done);
        }
    });
    for (size_t k = 0; k < plans.size(); ++k) check_size(subject, plans[k], written[k].file.size());
    return written;
}

Json Judgement::to_json(int64_t images, size_t file_bytes) const {
    Json json = {{"file", file_bytes}, {"images", images}};
    if (!is_classifier) {
        json["relative_squared_error"] = divergence;
        return json;
    }
    json["agreement"] = 100 * agreement;
    json["divergence"] = divergence;
    if (!has_labels) return json;
    json["top1_before"] = 100 * top1_before;
    json["top1_after"] = 100 * top1_after;
    return json;
}

Judge::Judge(const Subject& subject, const Images& images, double temperature, StopToken stop)
    : subject_(subject),
      images_(images),
      temperature_(temperature),
      expected_(run_network(subject.original(), images.pixels, kBatch, stop)) {}

Judgement Judge::judge(std::span<const uint8_t> file, const std::string& name, StopToken stop,
                       ProgressSink& progress) const {
    return judge(file, name, subject_.options().threads, std::move(stop), progress);
}

Judgement Judge::judge(std::span<const uint8_t> file, const std::string& name, int threads,
                       StopToken stop, ProgressSink& progress) const {
    const net::Graph written = parse_simplified(file, name);
    progress.begin("judge", static_cast<uint64_t>(images_.size()), "images");
    const auto small = subject_.engine().open(written, {threads});
    const net::Tensor outputs = run_network(*small, images_.pixels, kBatch, stop, progress);
    Judgement judgement;
    judgement.is_classifier = is_classifier(expected_);
    if (!judgement.is_classifier) {
        judgement.divergence = judgement.tempered = relative_squared_error(expected_, outputs);
        return judgement;
    }
    const auto before = predictions(expected_), after = predictions(outputs);
    judgement.agreement = share_equal(before, after);
    judgement.divergence = mean_divergence(expected_, outputs);
    judgement.tempered = mean_divergence(expected_, outputs, temperature_);
    if (images_.labels.empty()) return judgement;
    judgement.has_labels = true;
    judgement.top1_before = share_equal(before, images_.labels);
    judgement.top1_after = share_equal(after, images_.labels);
    return judgement;
}

Json plan_to_json(const plan::Network& network, const plan::Plan& plan) {
    const auto after = plan::states(network, plan);
    const auto flags = plan::cut_flags(network, plan);
    const auto counts = plan::cut_counts(plan);
    Json layers = Json::array();
    for (size_t k = 0; k < after.size(); ++k) {
        Json cut = Json::array();
        const auto& groups = network.filter_groups(k);
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] != net::kStays && flags[static_cast<size_t>(groups[i])]) cut.push_back(i);
        }
        layers.push_back({{"name", network.layers[k].name},
                          {"bits", after[k].bits},
                          {"filters", after[k].filters},
                          {"inputs", after[k].inputs},
                          {"filters_before", network.layers[k].filters},
                          {"inputs_before", network.layers[k].inputs},
                          {"cut", std::move(cut)},
                          {"cost", to_json(network.costs.cost_of_layer(
                                       k, counts, plan.bits[k], after[k].activation_bits))}});
    }
    return layers;
}

Json groups_to_json(const plan::Network& network, const plan::Plan& plan) {
    const auto flags = plan::cut_flags(network, plan);
    return {{"all", flags.size()}, {"cut", std::count(flags.begin(), flags.end(), 1)}};
}

}  // namespace adiabat::pipeline
