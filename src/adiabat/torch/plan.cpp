// SPDX-License-Identifier: Apache-2.0
#include "adiabat/torch/plan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adiabat/base/errors.h"

namespace adiabat::torch {

using net::DType;
using net::kNoValue;

namespace {

size_t at(ValueId id) { return static_cast<size_t>(id); }

bool is_byte(DType type) { return type == DType::kUint8 || type == DType::kInt8; }

class Matcher {
  public:
    Matcher(const Graph& graph, std::span<const DType> types)
        : graph_(graph), types_(types), uses_(graph) {}

    std::optional<IntegerLayer> match(int index) const {
        const Node& node = graph_.nodes[static_cast<size_t>(index)];
        const bool gemm = node.op == "Gemm";
        if (node.op != "Conv" && node.op != "MatMul" && !gemm) return std::nullopt;
        if (gemm && (node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1 ||
                     node.int_or("transA", 0) != 0)) {
            return std::nullopt;
        }
        const Node* x = dequantize(node.input(0));
        const Node* w = dequantize(node.input(1));
        if (!x || !w || !per_tensor(*x) || !graph_.constant(w->input(0))) return std::nullopt;
        if (!is_byte(type(x->input(0))) || !fits_byte(type(w->input(0)))) return std::nullopt;
        if (!per_tensor(*w) && !per_filter(node, *w)) return std::nullopt;
        if (node.op == "MatMul" && graph_.constant(w->input(0))->rank() != 2) return std::nullopt;

        IntegerLayer layer;
        layer.node = index;
        layer.x = x->input(0);
        layer.w = w->input(0);
        layer.of_x = {x->input(1), x->input(2)};
        layer.of_w = {w->input(1), w->input(2)};
        layer.before = {node.input(0), node.input(1)};
        if (node.input(2) != kNoValue) {
            const Node* b = dequantize(node.input(2));
            if (!b || type(b->input(0)) != DType::kInt32 || !graph_.constant(b->input(0)) ||
                !is_zero(b->input(2)) || graph_.constant(b->input(0))->rank() != 1) {
                return std::nullopt;
            }
            layer.b = b->input(0);
            layer.before.push_back(node.input(2));
        }
        layer.real = node.outputs[0];
        add_tail(layer);
        return layer;
    }

  private:
    DType type(ValueId id) const { return types_[at(id)]; }

    static bool fits_byte(DType t) { return is_byte(t) || t == DType::kInt4 || t == DType::kUint4; }

    const Node* producer(ValueId id) const {
        const int index = id == kNoValue ? -1 : uses_.producer(id);
        return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
    }

    // The DequantizeLinear with constant parameters that makes the value.
    const Node* dequantize(ValueId id) const {
        const Node* node = producer(id);
        return node && node->op == "DequantizeLinear" && has_constants(*node) ? node : nullptr;
    }

    bool has_constants(const Node& node) const {
        return graph_.constant(node.input(1)) &&
               (node.input(2) == kNoValue || graph_.constant(node.input(2))) &&
               node.int_or("block_size", 0) == 0;
    }

    bool per_tensor(const Node& node) const { return graph_.constant(node.input(1))->size() == 1; }

    // Whether the weight's scales run over the filters.
    bool per_filter(const Node& node, const Node& w) const {
        const int64_t rank = graph_.constant(w.input(0))->rank();
        int64_t axis = w.int_or("axis", 1);
        if (axis < 0) axis += rank;
        if (node.op == "Conv") return axis == 0;
        if (rank != 2) return false;
        return axis == (node.op == "Gemm" && node.int_or("transB", 0) != 0 ? 0 : 1);
    }

    bool is_zero(ValueId id) const {
        if (id == kNoValue) return true;
        const auto values = graph_.constant(id)->to_ints();
        return std::all_of(values.begin(), values.end(), [](int64_t v) { return v == 0; });
    }

    const Node* reader(ValueId id, std::string_view op) const {
        for (int index : uses_.readers(id)) {
            const Node& node = graph_.nodes[static_cast<size_t>(index)];
            if (node.op == op && node.input(0) == id) return &node;
        }
        return nullptr;
    }

    // The QuantizeLinear to bytes that reads the value.
    const Node* quantize(ValueId id) const {
        const Node* node = reader(id, "QuantizeLinear");
        return node && has_constants(*node) && per_tensor(*node) && is_byte(type(node->outputs[0]))
                   ? node
                   : nullptr;
    }

    void add_tail(IntegerLayer& layer) const {
        const Node* q = quantize(layer.real);
        if (!q) {
            if (const Node* relu = reader(layer.real, "Relu")) {
                q = quantize(relu->outputs[0]);
                if (q) layer.rectified = relu->outputs[0];
            }
        }
        if (!q) return;
        layer.codes = q->outputs[0];
        layer.code_type = type(layer.codes);
        layer.of_y = {q->input(1), q->input(2)};
    }

    const Graph& graph_;
    std::span<const DType> types_;
    net::Uses uses_;
};

DType type_of_output(const Node& node, std::span<const DType> types) {
    const auto type = [&](size_t k) {
        return node.input(k) == kNoValue ? DType::kUndefined : types[at(node.input(k))];
    };
    if (node.op == "Cast") return static_cast<DType>(node.int_or("to", 1));
    if (node.op == "DequantizeLinear") return type(1);
    if (node.op == "QuantizeLinear") {
        if (node.input(2) != kNoValue) return type(2);
        const auto wanted = static_cast<DType>(node.int_or("output_dtype", 0));
        return wanted == DType::kUndefined ? DType::kUint8 : wanted;
    }
    return type(0);
}

}  // namespace

std::vector<ValueId> IntegerLayer::constants() const {
    std::vector<ValueId> found;
    for (ValueId id : {w, b, of_x.scale, of_x.zero_point, of_w.scale, of_w.zero_point, of_y.scale,
                       of_y.zero_point}) {
        if (id != kNoValue) found.push_back(id);
    }
    return found;
}

std::vector<DType> value_types(const Graph& graph) {
    std::vector<DType> types(graph.values.size());
    for (size_t k = 0; k < types.size(); ++k) {
        const net::Value& value = graph.values[k];
        types[k] = value.constant ? value.constant->type : value.type;
    }
    for (const Node& node : graph.nodes) {
        for (ValueId id : node.outputs) {
            if (id == kNoValue || types[at(id)] != DType::kUndefined) continue;
            types[at(id)] = type_of_output(node, types);
        }
    }
    return types;
}

std::vector<IntegerLayer> find_integer_layers(const Graph& graph, std::span<const DType> types) {
    const Matcher matcher(graph, types);
    std::vector<IntegerLayer> layers;
    for (size_t k = 0; k < graph.nodes.size(); ++k) {
        if (auto layer = matcher.match(static_cast<int>(k))) layers.push_back(*std::move(layer));
    }
    return layers;
}

namespace {

class Planner {
  public:
    Planner(const Graph& graph, std::span<const IntegerLayer> layers, const Request& request)
        : graph_(graph),
          layers_(layers),
          request_(request),
          needed_(graph.values.size()),
          fed_(graph.values.size()),
          wanted_(graph.values.size()) {
        for (ValueId id : request.feeds) fed_[at(id)] = 1;
        for (ValueId id : request.wanted) wanted_[at(id)] = 1;
    }

    Plan make() {
        choose_layers();
        collect_steps();
        complain_about_missing();
        split_constant_steps();
        mark_last_uses();
        return std::move(plan_);
    }

  private:
    bool is_constant(ValueId id) const { return graph_.constant(id) && !fed_[at(id)]; }

    // A layer is evaluated as one step unless a value that it bypasses or holds is fed or
    // differentiated.
    void choose_layers() {
        role_.assign(graph_.nodes.size(), -1);
        std::vector<int> producer(graph_.values.size(), -1);
        for (size_t k = 0; k < graph_.nodes.size(); ++k) {
            for (ValueId id : graph_.nodes[k].outputs) {
                if (id != kNoValue) producer[at(id)] = static_cast<int>(k);
            }
        }
        for (size_t l = 0; l < layers_.size(); ++l) {
            const IntegerLayer& layer = layers_[l];
            auto touched = layer.constants();
            touched.insert(touched.end(), layer.before.begin(), layer.before.end());
            for (ValueId id : {layer.real, layer.rectified}) {
                if (id != kNoValue) touched.push_back(id);
            }
            const bool free = std::none_of(touched.begin(), touched.end(), [&](ValueId id) {
                return fed_[at(id)] || wanted_[at(id)];
            });
            if (!free) continue;
            for (ValueId id : {layer.real, layer.rectified, layer.codes}) {
                if (id != kNoValue)
                    role_[static_cast<size_t>(producer[at(id)])] = static_cast<int>(l);
            }
        }
    }

    void need(ValueId id) {
        if (id != kNoValue) needed_[at(id)] = 1;
    }

    // Backwards from the fetched values; an integer layer stands where its Conv or Gemm stands.
    void collect_steps() {
        for (ValueId id : request_.fetches) need(id);
        for (ValueId id : request_.wanted) need(id);
        for (size_t k = graph_.nodes.size(); k-- > 0;) {
            const Node& node = graph_.nodes[k];
            const int l = role_[k];
            Step step;
            step.node = static_cast<int>(k);
            if (l >= 0) {
                const IntegerLayer& layer = layers_[static_cast<size_t>(l)];
                if (layer.node != step.node) continue;
                step.layer = l;
                step.outputs = {layer.real, layer.rectified, layer.codes};
                step.inputs = {layer.x};
            } else {
                step.outputs = node.outputs;
                step.inputs = node.inputs;
            }
            bool used = false;
            for (ValueId& id : step.outputs) {
                if (id == kNoValue || !needed_[at(id)] || fed_[at(id)]) {
                    id = kNoValue;
                } else {
                    used = true;
                }
            }
            if (!used) continue;
            for (ValueId id : step.inputs) need(id);
            plan_.steps.push_back(std::move(step));
        }
        std::reverse(plan_.steps.begin(), plan_.steps.end());
    }

    void complain_about_missing() const {
        std::vector<uint8_t> known(graph_.values.size());
        for (const Step& step : plan_.steps) {
            for (ValueId id : step.outputs) {
                if (id != kNoValue) known[at(id)] = 1;
            }
        }
        std::string missing;
        for (size_t k = 0; k < needed_.size(); ++k) {
            if (!needed_[k] || known[k] || fed_[k] || graph_.values[k].constant) continue;
            missing += (missing.empty() ? "'" : ", '") + graph_.values[k].name + "'";
        }
        if (!missing.empty()) throw InputError("the run needs {}, which is not fed", missing);
    }

    void split_constant_steps() {
        std::vector<uint8_t> constant(graph_.values.size());
        plan_.carries_batch.assign(graph_.values.size(), 0);
        plan_.sliceable = !request_.no_batch;
        auto& carries = plan_.carries_batch;
        for (size_t k = 0; k < constant.size(); ++k) {
            const auto id = static_cast<ValueId>(k);
            constant[k] = is_constant(id) && !wanted_[k];
            carries[k] = fed_[k] && !graph_.constant(id) && !request_.no_batch;
        }
        std::vector<Step> varying;
        for (Step& step : plan_.steps) {
            const bool folds =
                step.layer < 0 && all_of(step.inputs, constant) && !any_of(step.outputs, wanted_);
            if (folds) {
                for (ValueId id : step.outputs) {
                    if (id != kNoValue) constant[at(id)] = 1;
                }
                plan_.constant.push_back(std::move(step));
                continue;
            }
            follow_batch(step);
            varying.push_back(std::move(step));
        }
        plan_.steps = std::move(varying);
        std::vector<uint8_t> read(graph_.values.size());
        const auto note = [&](ValueId id) {
            if (id == kNoValue || read[at(id)] || fed_[at(id)]) return;
            if (!constant[at(id)] && !is_constant(id)) return;
            read[at(id)] = 1;
            plan_.inputs.push_back(id);
        };
        for (const Step& step : plan_.steps)
            std::for_each(step.inputs.begin(), step.inputs.end(), note);
        for (ValueId id : request_.fetches) note(id);
        for (ValueId id : request_.wanted) note(id);
    }

    void follow_batch(const Step& step) {
        auto& carries = plan_.carries_batch;
        if (!any_of(step.inputs, carries)) return;
        const Node& node = graph_.nodes[static_cast<size_t>(step.node)];
        bool kept = true;
        if (step.layer >= 0) {  // judge the operator by its dequantized input
            std::vector<uint8_t> interior(carries);
            interior[at(node.input(0))] = 1;
            kept = keeps_batch(graph_, node, interior);
        } else {
            kept = keeps_batch(graph_, node, carries);
        }
        if (!kept) plan_.sliceable = false;  // and what follows is whole
        for (ValueId id : step.outputs) {
            if (id != kNoValue) carries[at(id)] = kept;
        }
    }

    void mark_last_uses() {
        std::vector<uint8_t> alive(graph_.values.size());
        for (ValueId id : request_.fetches) alive[at(id)] = 1;
        for (ValueId id : request_.wanted) alive[at(id)] = 1;
        for (size_t s = plan_.steps.size(); s-- > 0;) {
            Step& step = plan_.steps[s];
            step.last.assign(step.inputs.size(), 0);
            for (size_t k = step.inputs.size(); k-- > 0;) {
                const ValueId id = step.inputs[k];
                if (id == kNoValue || alive[at(id)]) continue;
                alive[at(id)] = step.last[k] = 1;
            }
        }
    }

    static bool all_of(std::span<const ValueId> ids, std::span<const uint8_t> flags) {
        return std::all_of(ids.begin(), ids.end(),
                           [&](ValueId id) { return id == kNoValue || flags[at(id)]; });
    }
    static bool any_of(std::span<const ValueId> ids, std::span<const uint8_t> flags) {
        return std::any_of(ids.begin(), ids.end(),
                           [&](ValueId id) { return id != kNoValue && flags[at(id)]; });
    }

    const Graph& graph_;
    std::span<const IntegerLayer> layers_;
    const Request& request_;
    std::vector<uint8_t> needed_, fed_, wanted_;
    std::vector<int> role_;  // a node: the integer layer that stands for it, -1 for none
    Plan plan_;
};

}  // namespace

Plan make_plan(const Graph& graph, std::span<const IntegerLayer> layers, const Request& request) {
    return Planner(graph, layers, request).make();
}

}  // namespace adiabat::torch
