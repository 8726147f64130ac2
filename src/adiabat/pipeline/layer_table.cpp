// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/layer_table.h"

#include <algorithm>

#include "adiabat/apply/layer_noise.h"
#include "adiabat/net/cast.h"
#include "adiabat/pipeline/model.h"

namespace adiabat::pipeline {

namespace {

constexpr int64_t kBatchBytes = int64_t{1} << 28;  // of activations
constexpr int64_t kMostImages = 250;               // a batch

class Rows {
  public:
    explicit Rows(const LayerTableTask& task)
        : task_(task),
          network_(task.subject.network()),
          uses_(task.original),
          cut_(plan::cut_flags(network_, task.plan)) {}

    Json row(const apply::StageNoise& stage) const {
        const net::Value& value = task_.original.value(stage.value);
        const int producer = uses_.producer(stage.made);
        const net::Node* node =
            producer < 0 ? nullptr : &task_.original.nodes[static_cast<size_t>(producer)];
        Json row = {
            {"name", value.name}, {"operator", node ? node->op : "Input"}, {"bits", nullptr}};
        if (node && !node->name.empty()) row["name"] = node->name;
        if (stage.layer >= 0) {
            const auto k = static_cast<size_t>(stage.layer);
            row["name"] = network_.layers[k].name;
            row["bits"] = task_.plan.bits[k];
        }
        const bool has_channels = value.shape && value.shape->size() > 1;
        const int64_t before = has_channels ? (*value.shape)[1] : 1;
        int64_t after = before;
        if (const auto* labels = network_.coupling.labels_of(stage.value, 1)) {
            after = std::count_if(labels->groups.begin(), labels->groups.end(), [&](int group) {
                return group == net::kStays || !cut_[static_cast<size_t>(group)];
            });
        }
        const auto or_null = [](const std::optional<double>& x) { return x ? Json(*x) : Json(); };
        row.update({{"activation_bits", stage.is_coded ? net::kActivationBits : net::kFloatBits},
                    {"channels", after},
                    {"channels_before", before},
                    {"snr", or_null(stage.decibels(stage.signal, stage.noise))},
                    {"snr_alone", or_null(stage.decibels(stage.signal, stage.alone))},
                    {"saturated", nullptr}});
        if (stage.codes > 0) {
            row["saturated"] =
                100 * static_cast<double>(stage.saturated) / static_cast<double>(stage.codes);
        }
        return row;
    }

  private:
    const LayerTableTask& task_;
    const plan::Network& network_;
    net::Uses uses_;
    std::vector<uint8_t> cut_;
};

}  // namespace

Json layer_table(const LayerTableTask& task, StopToken stop, ProgressSink& progress) {
    const SubjectOptions& options = task.subject.options();
    const net::Graph written = parse_simplified(task.file, "the plan's file");
    apply::NoiseMeter meter(
        {task.original, task.subject.network(), task.plan, options.weights, written},
        task.subject.engine(), {options.threads});
    const int64_t images = task.images.shape[0],
                  batch = std::clamp<int64_t>(kBatchBytes / meter.bytes_an_image(), 1, kMostImages);
    progress.begin("layers", static_cast<uint64_t>(images), "images");
    for (int64_t begin = 0; begin < images; begin += batch) {
        if (stop.requested()) throw Interrupted();
        const int64_t count = std::min(batch, images - begin);
        meter.add(net::as_type(net::rows_of(task.images, begin, count),
                               task.original.value(task.original.inputs[0]).type));
        progress.update(static_cast<uint64_t>(begin + count));
    }
    const Rows rows(task);
    Json table = Json::array();
    for (const apply::StageNoise& stage : meter.stages()) table.push_back(rows.row(stage));
    return table;
}

}  // namespace adiabat::pipeline
