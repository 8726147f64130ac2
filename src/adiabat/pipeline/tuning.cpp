// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "adiabat/base/digest.h"
#include "adiabat/base/random.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::pipeline {

namespace {

// Whatever changes what is stored must change this.
constexpr int kCheckpointVersion = 1;
// Images up to so many stored bytes are all digested, of more only those that are held out.
constexpr int64_t kDigestedBytes = int64_t{1} << 28;
constexpr size_t kPiece = 256;
constexpr int kPadShare = 8;
constexpr uint32_t kRowsStream = 0x7A14;

std::string digest_of_images(const TuningTask& task, const StopToken& stop) {
    ImageReader reader(task.source, task.preprocess, task.teacher);
    const auto read = [&](std::span<const int64_t> rows) {
        for (size_t begin = 0; begin < rows.size(); begin += kPiece) {
            if (stop.requested()) throw Interrupted();
            reader.read(rows.subspan(begin, std::min(kPiece, rows.size() - begin)));
        }
    };
    read(task.held_out);
    const int64_t image =
        net::elements(task.source.image_shape()) * net::bits_of(task.source.type()) / 8;
    if (std::ssize(task.training) * image <= kDigestedBytes) read(task.training);
    return reader.sha256();
}

std::string digest_of_rows(std::span<const int64_t> rows) {
    return sha256(std::span(reinterpret_cast<const uint8_t*>(rows.data()), rows.size_bytes()));
}

std::string key_of(const TuningTask& task, const TuningOptions& options, const StopToken& stop) {
    const Json key = {{"checkpoint", kCheckpointVersion},
                      {"adiabat", version()},
                      {"engine", task.engine.name()},
                      {"model", sha256(task.file)},
                      {"teacher", task.teacher.sha256},
                      {"images", digest_of_images(task, stop)},
                      {"training", digest_of_rows(task.training)},
                      {"held_out", digest_of_rows(task.held_out)},
                      {"preprocess", data::to_json(task.preprocess)},
                      {"options", to_json(options)},
                      {"seed", options.distill.seed}};
    return sha256(to_text(key));
}

// What a stored 0 is for the network, a value a channel.
std::vector<float> black(const TuningTask& task) {
    data::Dataset zero;
    zero.source = task.source.name();
    zero.image_shape = task.source.image_shape();
    zero.type = task.source.type();
    net::Shape shape = zero.image_shape;
    shape.insert(shape.begin(), 1);
    zero.images = net::Tensor(zero.type, shape);
    const net::Tensor pixels = data::apply(task.preprocess, zero);
    std::vector<float> result;
    for (int64_t c = 0; c < shape[1]; ++c) {
        result.push_back(pixels.as<float>()[static_cast<size_t>(c * shape[2] * shape[3])]);
    }
    return result;
}

Json to_json(const tune::HeldOut& held_out, bool are_scores, bool has_labels) {
    Json json = {{"loss", held_out.loss}};
    if (!are_scores) return json;
    json["divergence"] = held_out.divergence;
    json["agreement"] = 100 * held_out.agreement;
    if (has_labels) json["top1"] = 100 * held_out.top1;
    return json;
}

Json document_of(const tune::Distilled& result, const TuningTask& task, int64_t trained_layers) {
    const auto& outputs = task.teacher.graph.outputs;
    const auto& shape = task.teacher.graph.value(outputs.at(0)).shape;
    const bool are_scores =
        outputs.size() == 1 && shape && shape->size() == 2 && shape->back() >= 2;
    const auto held_out = [&](const tune::HeldOut& h) {
        return to_json(h, are_scores, task.source.has_labels());
    };
    Json epochs = Json::array();
    for (const tune::Epoch& epoch : result.epochs) {
        epochs.push_back({{"loss", epoch.loss},
                          {"gradient_norm", epoch.norm},
                          {"last_rate", epoch.rate},
                          {"seconds", std::round(epoch.seconds * 1e3) / 1e3},
                          {"held_out", held_out(epoch.held_out)}});
    }
    return {{"layers", trained_layers},
            {"images", task.training.size()},
            {"held_out_images", task.held_out.size()},
            {"loss_of_knowing_nothing", result.knowing_nothing},
            {"start", held_out(result.start)},
            {"epochs", epochs},
            {"kept", result.kept},
            {"after", held_out(result.best_held_out())},
            {"ending", tune::name_of(result.ending)},
            {"resumed_at", result.resumed_at}};
}

// How it ended, where that is not as asked for, and what is kept.
void say_ending(const tune::Distilled& result, ProgressSink& progress) {
    const std::string kept =
        result.kept == 0 ? "the start is kept" : fmt::format("epoch {} is kept", result.kept);
    const auto finished = result.epochs.size();
    switch (result.ending) {
        case tune::Ending::kDiverged:
            progress.say(fmt::format("training diverged in epoch {}: {}; a lower --rate would help",
                                     finished + 1, kept));
            break;
        case tune::Ending::kEarly:
            progress.say(fmt::format("no better for {} epochs: {}",
                                     finished - static_cast<size_t>(result.kept), kept));
            break;
        case tune::Ending::kInterrupted:
            progress.say(fmt::format("interrupted in epoch {}: {}; the same command goes on",
                                     finished + 1, kept));
            break;
        default:
            if (result.kept == 0) progress.say("no epoch was better than the start, which is kept");
    }
}

}  // namespace

Json to_json(const TuningOptions& options) {
    const tune::DistillOptions& how = options.distill;
    return {{"epochs", how.epochs},
            {"batch", how.batch},
            {"patience", how.patience},
            {"rate", how.descent.rate},
            {"momentum", how.descent.first},
            {"clip", how.descent.clip},
            {"warm_up", how.descent.warm_up},
            {"temperature", how.objective.temperature},
            {"label_weight", how.objective.label_weight},
            {"flip", how.augmentation.flip},
            {"pad", options.pad ? Json(*options.pad) : Json()},
            {"learn_scales", options.student.scales},
            {"learn_activations", options.student.activations}};
}

void Tuned::forget_checkpoint() const {
    if (ending == tune::Ending::kInterrupted) return;
    std::error_code ignored;
    std::filesystem::remove(checkpoint, ignored);
}

std::vector<int64_t> training_rows(int64_t available, std::span<const int64_t> held_out,
                                   std::optional<int64_t> wanted, uint64_t seed,
                                   const data::FindBroken& broken) {
    const std::vector<int64_t> all = first_rows(available);
    std::vector<int64_t> rows;
    std::ranges::set_difference(all, held_out, std::back_inserter(rows));
    if (wanted && *wanted < std::ssize(rows)) {
        Random random(seed, kRowsStream);
        for (size_t k = 0; k < static_cast<size_t>(*wanted); ++k) {
            std::swap(rows[k], rows[k + random.below(static_cast<uint32_t>(rows.size() - k))]);
        }
        rows.resize(static_cast<size_t>(*wanted));
        std::ranges::sort(rows);
    }
    if (broken) {
        std::vector<int64_t> usable;
        std::ranges::set_difference(rows, broken(rows), std::back_inserter(usable));
        rows = std::move(usable);
    }
    if (rows.empty()) {
        throw InputError("{} images, {} of them held out: expected some that can be trained with",
                         available, held_out.size());
    }
    return rows;
}

Tuned tune_file(const TuningTask& task, const TuningOptions& options, StopToken stop,
                ProgressSink& progress) {
    const tune::Student student(onnx::parse_model(task.file, task.name),
                                parse_simplified(task.file, task.name), options.student);
    tune::DistillOptions how = options.distill;
    const net::Shape& shape = task.source.image_shape();
    how.augmentation.pad = options.pad.value_or(
        static_cast<int>(std::max<int64_t>(1, std::min(shape[1], shape[2]) / kPadShare)));
    const std::string key = key_of(task, options, stop);
    std::filesystem::path folder = options.cache;
    if (folder.empty()) folder = task.output.parent_path();
    if (folder.empty()) folder = ".";
    Store store(folder);
    const std::string name =
        fmt::format("{}.{}.checkpoint", task.output.filename().string(), key.substr(0, 16));
    const auto read = [&](std::span<const int64_t> rows) {
        data::Dataset stored = task.source.read(rows);
        tune::Batch batch{data::apply(task.preprocess, stored), std::move(stored.labels)};
        const auto& scores = task.teacher.graph.value(task.teacher.graph.outputs[0]).shape;
        if (scores && scores->size() == 2 && scores->back() > 0 && !batch.labels.empty()) {
            data::check_labels(batch.labels, scores->back(), task.source.name());
        }
        return batch;
    };
    const tune::DistillTask distill_task{task.engine,   {task.threads},
                                         student,       task.teacher.graph,
                                         read,          task.training,
                                         task.held_out, black(task),
                                         store,         name};
    const tune::Distilled result = tune::distill(distill_task, how, stop, progress);
    say_ending(result, progress);
    Tuned tuned;
    tuned.ending = result.ending;
    tuned.checkpoint = store.folder() / name;
    tuned.document = document_of(result, task, std::ssize(student.names()));
    if (result.kept == 0) {
        tuned.file.assign(task.file.begin(), task.file.end());
        return tuned;
    }
    tuned.file = onnx::serialize_model(student.written(result.best));
    ADIABAT_CHECK(tuned.file.size() == task.file.size(), "the file has {} bytes, before {}",
                  tuned.file.size(), task.file.size());
    return tuned;
}

}  // namespace adiabat::pipeline
