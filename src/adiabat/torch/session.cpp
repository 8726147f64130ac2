// SPDX-License-Identifier: Apache-2.0
#include "adiabat/torch/session.h"

#include <torch/version.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/torch/collect.h"
#include "adiabat/torch/gradient_order.h"
#include "adiabat/torch/image_order.h"
#include "adiabat/torch/operators.h"
#include "adiabat/torch/plan.h"
#include "adiabat/torch/quantized.h"
#include "adiabat/torch/silence.h"
#include "adiabat/torch/slices.h"
#include "adiabat/torch/tensors.h"

namespace adiabat::torch {

using at::Tensor;
using net::DType;
using net::Feed;
using net::kNoValue;

namespace {

constexpr int64_t kNoBatch = -2;

size_t at_id(ValueId id) { return static_cast<size_t>(id); }

using Slots = std::vector<Tensor>;  // one a value of the graph

// One forward pass, and a backward pass for each set of seeds.
struct Backward {
    std::span<const Feed> feeds;
    std::span<const ValueId> outputs;
    std::vector<std::span<const net::Tensor>> seeds;  // [set][output]
    std::span<const ValueId> wanted, fetches;
    const net::SeedMaker* maker = nullptr;  // instead of one set of seeds

    size_t sets() const { return maker ? 1 : seeds.size(); }
};

class TorchSession final : public net::Session {
  public:
    TorchSession(const Graph& graph, const net::EngineOptions& options)
        : graph_(graph),
          threads_(thread_count(options.threads)),
          types_(value_types(graph_)),
          layers_(find_integer_layers(graph_, types_)),
          constants_(graph_.values.size()),
          prepared_(layers_.size()) {
        std::map<std::string, int> unknown;
        for (const Node& node : graph_.nodes) {
            const std::string name = node.domain.empty() ? node.op : node.domain + "." + node.op;
            functions_.push_back(find_operator(name));
            if (!functions_.back()) ++unknown[name];
        }
        if (unknown.empty()) return;
        std::string names;
        for (const auto& [name, count] : unknown) {
            names += fmt::format("{}{} ({} node{})", names.empty() ? "" : ", ", name, count,
                                 count == 1 ? "" : "s");
        }
        throw InputError("the engine cannot run these operators: {}", names);
    }

    const Graph& graph() const override { return graph_; }

    std::vector<net::Tensor> run(std::span<const Feed> feeds,
                                 std::span<const ValueId> fetches) override {
        const std::lock_guard lock(mutex_);
        const int64_t batch = check_feeds(feeds);
        const Plan& plan =
            plan_for({ids(feeds), {fetches.begin(), fetches.end()}, {}, batch == kNoBatch});
        Collector collector(types_of(fetches), batch);
        try {
            const bool sliceable = plan.sliceable && !weights_outweigh(graph_, batch);
            for_slices({graph_, sliceable, batch, threads_}, [&](const Slice& slice) {
                const Silence silence;
                const c10::InferenceMode guard;
                Slots slots(graph_.values.size());
                const auto kept = feed(feeds, plan, slice, slots);
                for (const Step& step : plan.steps) execute(step, slots);
                for (size_t k = 0; k < fetches.size(); ++k) {
                    collect(collector, k, get(slots, fetches[k]), carries(plan, fetches[k]), slice);
                }
            });
        } catch (const c10::Error& error) {
            // A graph that does not treat images one by one, such as a Reshape to a fixed batch.
            const std::string text = error.what_without_backtrace();
            const std::string line = text.substr(0, text.find('\n'));
            if (batch == kNoBatch) throw InputError("the network cannot be run: {}", line);
            throw InputError("the network cannot be run on {} images at once: {}", batch, line);
        }
        return collector.take();
    }

    net::Gradients gradients(std::span<const Feed> feeds, std::span<const ValueId> outputs,
                             std::span<const net::Tensor> seeds,
                             std::span<const ValueId> wanted) override {
        auto both = backward({feeds, outputs, {seeds}, wanted, outputs}, {});
        return {std::move(both.fetched), std::move(both.gradients.front())};
    }

    net::Gradients gradients_of_loss(std::span<const Feed> feeds, std::span<const ValueId> outputs,
                                     const net::SeedMaker& seeds,
                                     std::span<const ValueId> wanted) override {
        auto both = backward({feeds, outputs, {}, wanted, outputs, &seeds}, {});
        return {std::move(both.fetched), std::move(both.gradients.front())};
    }

    net::ManyGradients gradients_of_many(std::span<const Feed> feeds,
                                         std::span<const ValueId> outputs,
                                         std::span<const std::vector<net::Tensor>> seeds,
                                         std::span<const ValueId> wanted,
                                         std::span<const ValueId> fetches,
                                         net::ManyGradients reuse) override {
        return backward({feeds, outputs, {seeds.begin(), seeds.end()}, wanted, fetches},
                        std::move(reuse));
    }

    void set_constant(ValueId id, const net::Tensor& tensor) override {
        const std::lock_guard lock(mutex_);
        const net::Tensor* old = graph_.constant(id);
        ADIABAT_CHECK(old, "value {} is no constant", id);
        ADIABAT_CHECK(old->type == tensor.type && old->shape == tensor.shape,
                      "'{}' is {} {}, the replacement {} {}", graph_.value(id).name,
                      net::name_of(old->type), net::to_string(old->shape),
                      net::name_of(tensor.type), net::to_string(tensor.shape));
        graph_.value(id).constant = std::make_shared<const net::Tensor>(tensor);
        for (size_t k = 0; k < constants_.size(); ++k) {  // what has been folded may depend on it
            if (k == at_id(id) || !graph_.values[k].constant) constants_[k] = Tensor();
        }
        for (size_t l = 0; l < layers_.size(); ++l) {
            const auto used = layers_[l].constants();
            if (std::find(used.begin(), used.end(), id) != used.end()) prepared_[l].reset();
        }
        if (tensor.type != DType::kFloat) {  // axes, shapes and zero points shape the plans
            plans_.clear();
            layers_ = find_integer_layers(graph_, types_);
            prepared_.assign(layers_.size(), std::nullopt);
        }
    }

  private:
    static std::vector<ValueId> ids(std::span<const Feed> feeds) {
        std::vector<ValueId> out;
        for (const Feed& f : feeds) out.push_back(f.value);
        return out;
    }
    static std::vector<DType> floats(size_t n) { return std::vector<DType>(n, DType::kFloat); }

    std::vector<DType> types_of(std::span<const ValueId> values) const {
        std::vector<DType> out;
        for (ValueId id : values) out.push_back(types_[at_id(id)]);
        return out;
    }

    static bool carries(const Plan& plan, ValueId id) { return plan.carries_batch[at_id(id)] != 0; }

    // The common leading dimension of the fed values, 1 where only constants are fed, kNoBatch
    // where they have none in common and the graph fixes them: such a run is not about images.
    int64_t check_feeds(std::span<const Feed> feeds) const {
        int64_t batch = kNoValue;
        std::string_view first;
        bool shared = true;
        for (const Feed& f : feeds) {
            ADIABAT_CHECK(f.tensor && f.value >= 0 && at_id(f.value) < graph_.values.size(),
                          "a feed without a value");
            check_feed(f);
            const net::Value& value = graph_.value(f.value);
            const net::Shape& shape = f.tensor->shape;
            if (value.constant) continue;
            if (shape.empty() || shape[0] <= 0) {
                shared = false;
                continue;
            }
            if (batch != kNoValue && batch != shape[0]) {
                if (leads(value) && leads(graph_.value(graph_.find(first)))) {
                    throw InputError("'{}' is fed with a batch of {}, another value with {}",
                                     value.name, shape[0], batch);
                }
                shared = false;
            }
            batch = shape[0];
            first = value.name;
        }
        return !shared ? kNoBatch : batch == kNoValue ? 1 : batch;
    }

    // Whether the graph leaves the leading dimension free.
    static bool leads(const net::Value& value) {
        return value.shape && !value.shape->empty() && value.shape->front() == net::kUnknown;
    }

    void check_feed(const Feed& f) const {
        const net::Value& value = graph_.value(f.value);
        const net::Tensor& t = *f.tensor;
        const DType type = types_[at_id(f.value)];
        bool fits = type == DType::kUndefined || type == t.type;
        const net::Shape* shape = value.constant ? &value.constant->shape
                                  : value.shape  ? &*value.shape
                                                 : nullptr;
        if (shape) {
            fits = fits && shape->size() == t.shape.size();
            for (size_t k = 0; fits && k < shape->size(); ++k) {
                fits = (*shape)[k] == net::kUnknown || (*shape)[k] == t.shape[k];
            }
        }
        if (fits) return;
        throw InputError("'{}' is fed with {} {}; the graph has {} {}", value.name,
                         net::name_of(t.type), net::to_string(t.shape), net::name_of(type),
                         shape ? net::to_string(*shape) : "of any shape");
    }

    const Plan& plan_for(Request request) {
        auto found = plans_.find(request);
        if (found == plans_.end()) {
            Plan plan = make_plan(graph_, layers_, request);
            found = plans_.emplace(std::move(request), std::move(plan)).first;
        }
        prepare(found->second);
        return found->second;
    }

    // Converts and folds what depends on constants alone; kept until a constant is replaced.
    void prepare(const Plan& plan) {
        const at::NoGradGuard no_grad;
        const CallThreads threads(threads_);
        for (const Step& step : plan.constant) {
            const bool done = std::all_of(
                step.outputs.begin(), step.outputs.end(),
                [&](ValueId id) { return id == kNoValue || constants_[at_id(id)].defined(); });
            if (done) continue;
            for (ValueId id : step.inputs) constant(id);
            Slots slots(graph_.values.size());
            execute(step, slots);
            for (ValueId id : step.outputs) {
                if (id != kNoValue) constants_[at_id(id)] = slots[at_id(id)];
            }
        }
        for (ValueId id : plan.inputs) constant(id);
        for (const Step& step : plan.steps) {
            if (step.layer < 0) continue;
            auto& prepared = prepared_[static_cast<size_t>(step.layer)];
            if (prepared) continue;
            const IntegerLayer& layer = layers_[static_cast<size_t>(step.layer)];
            prepared = prepare_layer(
                graph_, layer, [&](ValueId id) { return constant(id); }, types_[at_id(layer.x)]);
        }
    }

    const Tensor& constant(ValueId id) {
        static const Tensor kNone;
        if (id == kNoValue) return kNone;
        Tensor& t = constants_[at_id(id)];
        if (!t.defined() && graph_.constant(id)) {
            t = to_torch(*graph_.constant(id)).clone();
            t = by_positions(t);
        }
        return t;
    }

    // Fills the fed slots, images in the order of channels that convolutions leave behind, so that
    // a run from a captured value repeats the sums of the run that captured it. The result keeps
    // the caller's memory from looking unshared (may_overwrite).
    std::vector<Tensor> feed(std::span<const Feed> feeds, const Plan& plan, const Slice& slice,
                             Slots& slots) const {
        std::vector<Tensor> kept;
        for (const Feed& f : feeds) {
            const bool cut = carries(plan, f.value) && slice.rows < f.tensor->shape[0];
            Tensor t = cut ? to_torch(*f.tensor, slice.begin, slice.rows) : to_torch(*f.tensor);
            t = by_positions(t);
            kept.push_back(std::move(t));
            slots[at_id(f.value)] = kept.back();
        }
        return kept;
    }

    const Tensor& get(const Slots& slots, ValueId id) const {
        const Tensor& slot = slots[at_id(id)];
        return slot.defined() ? slot : constants_[at_id(id)];
    }

    void execute(const Step& step, Slots& slots) const {
        const Node& node = graph_.nodes[static_cast<size_t>(step.node)];
        std::vector<Tensor> in(step.inputs.size());
        for (size_t k = 0; k < in.size(); ++k) {
            const ValueId id = step.inputs[k];
            if (id == kNoValue) continue;
            const bool dies = k < step.last.size() && step.last[k] && slots[at_id(id)].defined();
            if (dies) {
                in[k] = std::move(slots[at_id(id)]);
            } else {
                in[k] = get(slots, id);
            }
            if (at::GradMode::is_enabled()) in[k] = with_gradient_alike(in[k]);
        }
        std::vector<DType> in_types(in.size()), out_types(node.outputs.size());
        const auto type_of = [&](ValueId id) {
            return id == kNoValue ? DType::kUndefined : types_[at_id(id)];
        };
        std::transform(step.inputs.begin(), step.inputs.end(), in_types.begin(), type_of);
        std::transform(node.outputs.begin(), node.outputs.end(), out_types.begin(), type_of);
        const DType type = out_types.empty() ? DType::kUndefined : out_types[0];
        const Call call{node, graph_.opset, in, type, in_types, out_types};
        try {
            if (step.layer >= 0) {
                const auto wants = [&](size_t k) { return step.outputs[k] != kNoValue; };
                auto out = run_layer(call, *prepared_[static_cast<size_t>(step.layer)],
                                     {wants(0), wants(1), wants(2)});
                store(step, out, slots);
            } else {
                auto out = functions_[static_cast<size_t>(step.node)](call);
                for (size_t k = 0; k < out.size() && k < out_types.size(); ++k) {
                    out[k] = as_carried(std::move(out[k]), out_types[k]);
                }
                store(step, out, slots);
            }
        } catch (const c10::Error& error) {
            const std::string text = error.what_without_backtrace();
            call.refuse(text.substr(0, text.find('\n')));
        }
    }

    static void store(const Step& step, std::span<Tensor> out, Slots& slots) {
        for (size_t k = 0; k < step.outputs.size() && k < out.size(); ++k) {
            if (step.outputs[k] != kNoValue) slots[at_id(step.outputs[k])] = std::move(out[k]);
        }
    }

    static void collect(Collector& collector, size_t k, const Tensor& value, bool has_batch,
                        const Slice& slice) {
        if (has_batch) {
            collector.put(k, value, slice.begin, slice.rows);
        } else if (slice.number == 0) {
            collector.put_whole(k, value);
        }
    }

    Tensor leaf(const Tensor& t, ValueId id) const {
        if (t.scalar_type() != at::kFloat) {
            throw InputError("'{}' is {}: only float values have gradients", graph_.value(id).name,
                             net::name_of(types_[at_id(id)]));
        }
        return t.detach().set_requires_grad(true);
    }

    // A wanted value that depends on no other wanted one is where the backward pass ends.
    void make_leaf_if_wanted(ValueId id, std::span<const ValueId> wanted, Slots& slots) const {
        if (id == kNoValue || std::find(wanted.begin(), wanted.end(), id) == wanted.end()) return;
        Tensor& t = slots[at_id(id)];
        if (!t.requires_grad()) t = leaf(t, id);
    }

    net::ManyGradients backward(const Backward& task, net::ManyGradients reuse) {
        for (const auto& set : task.seeds) {
            ADIABAT_CHECK(set.size() == task.outputs.size(), "{} seeds for {} outputs", set.size(),
                          task.outputs.size());
        }
        const std::lock_guard lock(mutex_);
        const int64_t batch = check_feeds(task.feeds);
        std::vector<ValueId> ends(task.outputs.begin(), task.outputs.end());
        ends.insert(ends.end(), task.fetches.begin(), task.fetches.end());
        const Plan& plan = plan_for({ids(task.feeds),
                                     std::move(ends),
                                     {task.wanted.begin(), task.wanted.end()},
                                     batch == kNoBatch});
        const size_t sets = task.sets(), wanted = task.wanted.size();
        std::vector<net::Tensor> flat;  // set by set
        for (auto& set : reuse.gradients)
            std::move(set.begin(), set.end(), std::back_inserter(flat));
        Collector fetched(types_of(task.fetches), batch, std::move(reuse.fetched));
        Collector gradients(floats(sets * wanted), batch, std::move(flat));
        OrderedSum sum;
        for_slices({graph_, plan.sliceable, batch, threads_}, [&](const Slice& slice) {
            const Silence silence;
            const at::AutoGradMode guard(true);
            Slots slots(graph_.values.size());
            const auto kept = record(task, plan, slice, slots);
            for (size_t k = 0; k < task.fetches.size(); ++k) {
                const ValueId id = task.fetches[k];
                collect(fetched, k, get(slots, id).detach(), carries(plan, id), slice);
            }
            std::vector<Tensor> terms(sets * wanted);
            for (size_t j = 0; j < sets; ++j) {
                auto parts = differentiate(task, j, plan, slice, slots);
                for (size_t k = 0; k < wanted; ++k) {
                    if (carries(plan, task.wanted[k])) {
                        collect(gradients, j * wanted + k, parts[k], true, slice);
                    } else {
                        terms[j * wanted + k] = std::move(parts[k]);
                    }
                }
            }
            sum.add(slice.number, std::move(terms));
        });
        for (size_t k = 0; k < sets * wanted; ++k) {
            if (!carries(plan, task.wanted[k % wanted])) gradients.put_whole(k, sum.sums()[k]);
        }
        net::ManyGradients result{fetched.take(), std::vector<std::vector<net::Tensor>>(sets)};
        flat = gradients.take();
        for (size_t k = 0; k < flat.size(); ++k) {
            result.gradients[k / wanted].push_back(std::move(flat[k]));
        }
        return result;
    }

    // The forward pass of a slice, with what the backward passes need.
    std::vector<Tensor> record(const Backward& task, const Plan& plan, const Slice& slice,
                               Slots& slots) const {
        auto kept = feed(task.feeds, plan, slice, slots);
        for (ValueId id : task.wanted) {
            if (graph_.constant(id) || slots[at_id(id)].defined()) {
                slots[at_id(id)] = leaf(get(slots, id), id);
            }
        }
        for (const Step& step : plan.steps) {
            execute(step, slots);
            for (ValueId id : step.outputs) make_leaf_if_wanted(id, task.wanted, slots);
        }
        return kept;
    }

    // The backward pass from one set of seeds. The last one frees the record.
    std::vector<Tensor> differentiate(const Backward& task, size_t set, const Plan& plan,
                                      const Slice& slice, const Slots& slots) const {
        std::vector<Tensor> heads, weights, tails;
        std::vector<net::Tensor> made;
        if (task.maker) {
            for (ValueId id : task.outputs)
                made.push_back(from_torch(get(slots, id).detach(), DType::kFloat));
            made = (*task.maker)(made, slice.begin);
        }
        for (size_t k = 0; k < task.outputs.size(); ++k) {
            const ValueId id = task.outputs[k];
            const net::Tensor& given = task.maker ? made.at(k) : task.seeds[set][k];
            const Tensor& head = get(slots, id);
            const bool cut = !task.maker && carries(plan, id) && slice.rows < given.shape.at(0);
            Tensor seed = cut ? to_torch(given, slice.begin, slice.rows) : to_torch(given);
            if (seed.sizes() != head.sizes()) {
                throw InputError(
                    "the seed of '{}' is {}, the value has {} dimensions of another size",
                    graph_.value(id).name, net::to_string(given.shape), head.dim());
            }
            if (!head.requires_grad()) continue;
            heads.push_back(head);
            weights.push_back(std::move(seed));
        }
        for (ValueId id : task.wanted) tails.push_back(get(slots, id));
        std::vector<Tensor> grads(tails.size());
        if (!heads.empty() && !tails.empty()) {
            const bool more = set + 1 < task.sets();
            grads = ::torch::autograd::grad(heads, tails, weights, /*retain_graph=*/more,
                                            /*create_graph=*/false, /*allow_unused=*/true);
        }
        for (size_t k = 0; k < grads.size(); ++k) {
            if (!grads[k].defined()) grads[k] = at::zeros_like(tails[k]);
        }
        return grads;
    }

    Graph graph_;
    int threads_;
    std::vector<DType> types_;
    std::vector<IntegerLayer> layers_;
    std::vector<Function> functions_;  // one a node
    std::mutex mutex_;                 // one run at a time
    std::map<Request, Plan> plans_;
    Slots constants_;  // and what has been folded from them; undefined where not made yet
    std::vector<std::optional<PreparedLayer>> prepared_;
};

}  // namespace

std::unique_ptr<net::Session> make_session(const Graph& graph, const net::EngineOptions& options) {
    return std::make_unique<TorchSession>(graph, options);
}

std::string library_name() { return "LibTorch " TORCH_VERSION; }

std::vector<std::string> operator_names() {
    std::vector<std::string> names;
    for (const auto& table : all_operators()) {
        for (const Operator& entry : table) names.emplace_back(entry.name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace adiabat::torch
