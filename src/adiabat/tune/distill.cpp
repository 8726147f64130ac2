// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/distill.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/net/cast.h"
#include "adiabat/sense/directions.h"

namespace adiabat::tune {

namespace {

using net::Tensor;
using net::ValueId;

constexpr uint32_t kOrderStream = 0x0DE6;
constexpr double kBlownUp = 1.5;  // times the loss of the start, or of knowing nothing
constexpr int64_t kJudgedBatch = 250;

double seconds_since(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// The rows in the order of an epoch.
std::vector<int64_t> shuffled(std::span<const int64_t> rows, uint64_t seed, uint32_t epoch) {
    std::vector<int64_t> order(rows.begin(), rows.end());
    Random random(seed, kOrderStream, epoch);
    for (size_t k = order.size(); k > 1; --k) {
        std::swap(order[k - 1], order[random.below(static_cast<uint32_t>(k))]);
    }
    return order;
}

size_t largest(std::span<const float> scores) {
    return static_cast<size_t>(std::ranges::max_element(scores) - scores.begin());
}

// A graph that is run: its input, and the outputs that are compared.
struct Runner {
    std::unique_ptr<net::Session> session;
    ValueId input;
    std::vector<ValueId> outputs;

    Runner(net::Engine& engine, const net::EngineOptions& options, const net::Graph& graph)
        : session(engine.open(graph, options)),
          input(graph.inputs.at(0)),
          outputs(sense::sensed_outputs(graph)) {}

    Tensor fed(const Tensor& pixels) const {
        return net::as_type(pixels, session->graph().value(input).type);
    }
    std::vector<Tensor> run(const Tensor& pixels) const {
        const Tensor images = fed(pixels);
        const std::vector<net::Feed> feeds = {{input, &images}};
        return session->run(feeds, outputs);
    }
};

class Distillation {
  public:
    Distillation(const DistillTask& task, const DistillOptions& options, StopToken stop,
                 ProgressSink& progress)
        : task_(task),
          options_(options),
          stop_(std::move(stop)),
          progress_(progress),
          teacher_(task.engine, task.engine_options, task.teacher),
          training_(task.engine, task.engine_options, task.student.training()),
          rounded_(task.engine, task.engine_options, task.student.network()),
          wanted_(task.student.wanted()) {}

    Distilled run() {
        teach_held_out();
        objective_.emplace(taught_, options_.objective);
        result_.knowing_nothing = objective_->of_knowing_nothing();
        if (!restore()) {
            now_ = result_.best = task_.student.start();
            result_.start = judge(now_);
        }
        while (can_go_on()) {
            if (!run_epoch()) break;
            save();
        }
        return std::move(result_);
    }

  private:
    int finished() const { return static_cast<int>(result_.epochs.size()); }

    // Of what has been restored too: a run that had ended ends again.
    bool can_go_on() {
        if (result_.ending != Ending::kDone || finished() >= options_.epochs) return false;
        if (options_.patience > 0 && finished() - result_.kept >= options_.patience) {
            result_.ending = Ending::kEarly;
            return false;
        }
        return true;
    }

    // The teacher's outputs on the held-out images, and that both put out the same things.
    void teach_held_out() {
        for_held_out("teach", [&](const Batch& batch, size_t) {
            const std::vector<Tensor> targets = teacher_.run(batch.pixels);
            if (taught_.empty()) {
                check_alike(targets, rounded_.run(batch.pixels), batch.pixels.shape[0]);
                if (options_.objective.label_weight > 0 && batch.labels.empty()) {
                    throw InputError("labels are to count, but the images have none");
                }
                taught_ = targets;
                return;
            }
            for (size_t o = 0; o < targets.size(); ++o) {
                taught_[o].shape[0] += targets[o].shape[0];
                taught_[o].bytes.insert(taught_[o].bytes.end(), targets[o].bytes.begin(),
                                        targets[o].bytes.end());
            }
        });
    }

    void check_alike(const std::vector<Tensor>& targets, const std::vector<Tensor>& outputs,
                     int64_t images) const {
        const net::Graph& graph = task_.student.network();
        if (targets.size() != outputs.size()) {
            throw InputError("the network has {} outputs, the teacher {}: they must be alike",
                             outputs.size(), targets.size());
        }
        for (size_t o = 0; o < targets.size(); ++o) {
            const std::string& name = graph.value(rounded_.outputs[o]).name;
            if (targets[o].shape != outputs[o].shape) {
                throw InputError("{} is {}, the teacher puts out {}: they must be alike", name,
                                 net::to_string(outputs[o].shape),
                                 net::to_string(targets[o].shape));
            }
            if (targets[o].shape.empty() || targets[o].shape[0] != images) {
                throw InputError("{} is {} for {} images: its first dimension must be the batch",
                                 name, net::to_string(outputs[o].shape), images);
            }
        }
    }

    template <typename Body>
    void for_held_out(const char* stage, const Body& body) {
        progress_.begin(stage, task_.held_out.size(), "images");
        for (size_t begin = 0; begin < task_.held_out.size(); begin += kJudgedBatch) {
            if (stop_.requested()) throw Interrupted();
            const size_t count = std::min<size_t>(kJudgedBatch, task_.held_out.size() - begin);
            body(task_.read(task_.held_out.subspan(begin, count)), begin);
            progress_.update(begin + count);
        }
        progress_.end();
    }

    HeldOut judge(std::span<const Block> blocks) {
        task_.student.store(blocks, *rounded_.session);
        HeldOut sums;
        const bool are_scores = taught_.size() == 1 && objective_->are_scores(0);
        const auto all = static_cast<double>(task_.held_out.size());
        const Objective plain(taught_, {.temperature = 1});
        for_held_out("judge", [&](const Batch& batch, size_t begin) {
            const std::vector<Tensor> outputs = rounded_.run(batch.pixels);
            const int64_t count = batch.pixels.shape[0];
            std::vector<Tensor> targets;
            for (const Tensor& taught : taught_) {
                targets.push_back(net::rows_of(taught, static_cast<int64_t>(begin), count));
            }
            const double share = static_cast<double>(count) / all;
            sums.loss += share * objective_->loss(outputs, targets, batch.labels);
            if (!are_scores) return;
            sums.divergence += share * plain.loss(outputs, targets, {});
            const auto classes = static_cast<size_t>(outputs[0].shape[1]);
            for (size_t n = 0; n < static_cast<size_t>(count); ++n) {
                const auto row = [&](const Tensor& t) {
                    return largest(t.as<float>().subspan(n * classes, classes));
                };
                const size_t answer = row(outputs[0]);
                sums.agreement += (answer == row(targets[0]) ? 1 : 0) / all;
                if (!batch.labels.empty()) {
                    sums.top1 += (static_cast<int32_t>(answer) == batch.labels[n] ? 1 : 0) / all;
                }
            }
        });
        return sums;
    }

    int64_t steps_an_epoch() const {
        return (std::ssize(task_.training) + options_.batch - 1) / options_.batch;
    }

    // False where it was interrupted or has diverged: then the state is what it was.
    bool run_epoch() {
        const auto began = std::chrono::steady_clock::now();
        const auto number = static_cast<uint32_t>(finished());
        const std::vector<int64_t> order = shuffled(task_.training, options_.seed, number);
        const std::vector<Block> before = now_;
        Epoch epoch;
        progress_.begin(fmt::format("epoch {} of {}", number + 1, options_.epochs), order.size(),
                        "images");
        bool is_finite = true;
        for (int64_t k = 0; k < steps_an_epoch() && is_finite; ++k) {
            if (stop_.requested()) return interrupted(before);
            is_finite = take_step(std::span(order), k, epoch);
        }
        progress_.end();
        const double limit = kBlownUp * std::max(result_.start.loss, result_.knowing_nothing);
        if (!is_finite || epoch.loss > limit) return diverged(before);
        try {
            epoch.held_out = judge(now_);
        } catch (const Interrupted&) {
            return interrupted(before);
        }
        if (!(epoch.held_out.loss <= limit)) return diverged(before);
        epoch.seconds = seconds_since(began);
        const bool is_best = epoch.held_out.loss < result_.best_held_out().loss;
        result_.epochs.push_back(epoch);
        if (is_best) {
            result_.kept = finished();
            result_.best = now_;
        }
        progress_.say(fmt::format("epoch {}: loss {:.4g}, held out {:.4g} (start {:.4g}){}",
                                  finished(), epoch.loss, epoch.held_out.loss, result_.start.loss,
                                  is_best ? ", the best so far" : ""));
        return true;
    }

    bool interrupted(const std::vector<Block>& before) {
        result_.ending = Ending::kInterrupted;
        now_ = before;
        return false;
    }

    bool diverged(const std::vector<Block>& before) {
        result_.ending = Ending::kDiverged;
        now_ = before;
        return false;
    }

    // False where something is not finite.
    bool take_step(std::span<const int64_t> order, int64_t k, Epoch& epoch) {
        const auto begin = static_cast<size_t>(k * options_.batch);
        const auto rows = order.subspan(
            begin, std::min(static_cast<size_t>(options_.batch), order.size() - begin));
        Batch batch = task_.read(rows);
        augment(batch.pixels, rows, options_.augmentation, task_.fill, options_.seed,
                static_cast<uint32_t>(finished()));
        const std::vector<Tensor> targets = teacher_.run(batch.pixels);
        task_.student.load(now_, *training_.session);
        const Tensor images = training_.fed(batch.pixels);
        const std::vector<net::Feed> feeds = {{training_.input, &images}};
        double loss = 0;
        const std::vector<Tensor> gradients = backward(feeds, targets, batch.labels, loss);
        if (!std::isfinite(loss)) return false;
        const int64_t steps = steps_an_epoch() * options_.epochs;
        const int64_t t = finished() * steps_an_epoch() + k;
        epoch.rate = rate_at(options_.descent, t, steps);
        const double norm = step(now_, task_.student.gradients(now_, gradients), epoch.rate, t + 1,
                                 options_.descent);
        epoch.loss += loss * static_cast<double>(rows.size()) / static_cast<double>(order.size());
        epoch.norm += norm / static_cast<double>(steps_an_epoch());
        progress_.update(begin + rows.size(), fmt::format("loss {:.4g}", loss));
        return std::isfinite(norm);
    }

    // One forward and one backward pass.
    std::vector<Tensor> backward(std::span<const net::Feed> feeds,
                                 const std::vector<Tensor>& targets,
                                 std::span<const int32_t> labels, double& loss) {
        const int64_t images = feeds[0].tensor->shape[0];
        const auto seeds = [&](std::span<const Tensor> outputs, int64_t first) {
            const int64_t count = outputs[0].shape.at(0);
            std::vector<Tensor> part;
            for (const Tensor& target : targets) part.push_back(net::rows_of(target, first, count));
            const auto named = labels.empty() ? labels
                                              : labels.subspan(static_cast<size_t>(first),
                                                               static_cast<size_t>(count));
            return objective_->gradient(outputs, part, named, images);
        };
        net::Gradients found =
            training_.session->gradients_of_loss(feeds, training_.outputs, seeds, wanted_);
        loss = objective_->loss(found.fetched, targets, labels);
        return std::move(found.gradients);
    }

    void save() {
        ByteWriter out;
        const auto held_out = [&](const HeldOut& h) {
            for (double x : {h.loss, h.divergence, h.agreement, h.top1}) out.number(x);
        };
        held_out(result_.start);
        out.number(static_cast<int64_t>(result_.kept));
        out.number(static_cast<uint64_t>(result_.epochs.size()));
        for (const Epoch& epoch : result_.epochs) {
            for (double x : {epoch.loss, epoch.norm, epoch.rate, epoch.seconds}) out.number(x);
            held_out(epoch.held_out);
        }
        for (const Block& block : now_) {
            out.list(block.values);
            out.list(block.mean);
            out.list(block.square);
        }
        for (const Block& block : result_.best) out.list(block.values);
        task_.store.put(task_.checkpoint, out.take());
    }

    bool restore() {
        const auto bytes = task_.store.get(task_.checkpoint);
        if (!bytes) return false;
        ByteReader in(*bytes);
        const auto held_out = [&](HeldOut& h) {
            for (double* x : {&h.loss, &h.divergence, &h.agreement, &h.top1})
                *x = in.number<double>();
        };
        held_out(result_.start);
        result_.kept = static_cast<int>(in.number<int64_t>());
        result_.epochs.resize(in.number<uint64_t>());
        for (Epoch& epoch : result_.epochs) {
            for (double* x : {&epoch.loss, &epoch.norm, &epoch.rate, &epoch.seconds}) {
                *x = in.number<double>();
            }
            held_out(epoch.held_out);
        }
        now_ = result_.best = task_.student.start();
        for (Block& block : now_) {
            block.values = in.list<float>();
            block.mean = in.list<float>();
            block.square = in.list<float>();
        }
        for (Block& block : result_.best) block.values = in.list<float>();
        result_.resumed_at = finished();
        progress_.say(fmt::format("goes on after epoch {}", finished()));
        return true;
    }

    const DistillTask& task_;
    const DistillOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    Runner teacher_, training_, rounded_;
    std::vector<ValueId> wanted_;
    std::vector<Tensor> taught_;  // the teacher's outputs on the held-out images
    std::optional<Objective> objective_;
    std::vector<Block> now_;
    Distilled result_;
};

}  // namespace

std::string_view name_of(Ending ending) {
    switch (ending) {
        case Ending::kEarly:
            return "early";
        case Ending::kDiverged:
            return "diverged";
        case Ending::kInterrupted:
            return "interrupted";
        default:
            return "done";
    }
}

Distilled distill(const DistillTask& task, const DistillOptions& options, StopToken stop,
                  ProgressSink& progress) {
    return Distillation(task, options, std::move(stop), progress).run();
}

}  // namespace adiabat::tune
