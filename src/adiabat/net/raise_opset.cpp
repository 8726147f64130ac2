// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/raise_opset.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/net/describe.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

// The graph that is being made, and the node that is being said anew.
class Rewriter {
  public:
    Rewriter(Graph& graph, int from) : graph_(graph), from_(from) {}

    Graph& graph() { return graph_; }
    int from() const { return from_; }

    // The node as it stands, after what was put before it.
    Node node;
    std::vector<Node> before, behind;

    void refuse(const std::string& why) const {
        throw InputError("{}: {}: export the network at a later opset than {}",
                         describe(graph_, node), why, from_);
    }

    const std::optional<Shape>& shape(size_t input) const {
        return graph_.value(node.inputs[input]).shape;
    }

    ValueId constant(const char* what, Tensor tensor) {
        return graph_.add_constant(names_.take(graph_.value(node.outputs[0]).name + "_" + what),
                                   std::move(tensor));
    }

    ValueId ints(const char* what, const std::vector<int64_t>& values) {
        return constant(what, Tensor::of<int64_t>({std::ssize(values)}, values));
    }

    ValueId value(const char* what, DType type) {
        return graph_.add_value(names_.take(graph_.value(node.outputs[0]).name + "_" + what), type);
    }

    void set_input(size_t k, ValueId id) {
        if (node.inputs.size() <= k) node.inputs.resize(k + 1, kNoValue);
        node.inputs[k] = id;
    }

    // Integers that were an attribute and are input `k` now.
    void move_ints(const char* attribute, size_t k) {
        if (!node.has(attribute)) return;
        set_input(k, ints(attribute, node.ints_or(attribute, {})));
        node.attributes.erase(attribute);
    }

    // A number of the type of the first input.
    void move_number(const char* attribute, size_t k) {
        if (!node.has(attribute)) return;
        const float number = node.float_or(attribute, 0);
        Tensor tensor(graph_.value(node.inputs[0]).type, {});
        if (tensor.type == DType::kDouble) {
            tensor.as<double>()[0] = static_cast<double>(number);
        } else if (tensor.type == DType::kFloat) {
            tensor.as<float>()[0] = number;
        } else {
            refuse(fmt::format("its `{}` would be {}", attribute, name_of(tensor.type)));
        }
        set_input(k, constant(attribute, std::move(tensor)));
        node.attributes.erase(attribute);
    }

  private:
    Graph& graph_;
    int from_;
    UnusedNames names_{graph_};
};

void batch_normalization(Rewriter& r) {
    if (r.node.int_or("spatial", 1) == 0) r.refuse("it has statistics for every pixel");
    r.node.attributes.erase("spatial");
}

void one_output(Rewriter& r) {
    for (size_t k = 1; k < r.node.outputs.size(); ++k) {
        if (r.node.outputs[k] != kNoValue) r.refuse("it gives out the statistics of its training");
    }
    r.node.outputs.resize(1);
}

void clip(Rewriter& r) {
    r.move_number("min", 1);
    r.move_number("max", 2);
}

void dropout(Rewriter& r) { r.node.attributes.erase("ratio"); }  // nothing is dropped

void pad(Rewriter& r) {
    r.move_ints("pads", 1);
    r.move_number("value", 2);
}

void slice(Rewriter& r) {
    r.move_ints("starts", 1);
    r.move_ints("ends", 2);
    r.move_ints("axes", 3);
}

void axes(Rewriter& r) { r.move_ints("axes", 1); }

void split(Rewriter& r) { r.move_ints("split", 1); }

// Equal parts must be asked for.
void equal_parts(Rewriter& r) {
    if (r.node.input(1) == kNoValue && !r.node.has("num_outputs")) {
        r.node.attributes["num_outputs"] = std::ssize(r.node.outputs);
    }
}

void top_k(Rewriter& r) {
    if (!r.node.has("k")) return;
    r.set_input(1, r.ints("k", {r.node.int_or("k", 0)}));
    r.node.attributes.erase("k");
}

// All axes from `axis` on were one.
void softmax(Rewriter& r) {
    const auto& known = r.shape(0);
    if (!known) r.refuse("its axes are not known");
    const Shape shape = *known;
    const auto axis = normal_axis(r.node.int_or("axis", 1), std::ssize(shape));
    if (!axis) r.refuse("has an axis that is not there");
    r.node.attributes["axis"] = *axis;
    if (std::all_of(shape.begin() + *axis + 1, shape.end(), [](int64_t d) { return d == 1; })) {
        return;
    }
    std::vector<int64_t> merged(static_cast<size_t>(*axis), 0);
    merged.push_back(-1);
    const DType type = r.graph().value(r.node.inputs[0]).type;
    const ValueId x = r.node.inputs[0], y = r.node.outputs[0];
    const ValueId extents = r.value("extents", DType::kInt64), flat = r.value("flat", type),
                  result = r.value("merged", type);
    r.before.push_back({"Shape", "", "", {x}, {extents}, {}});
    r.before.push_back({"Reshape", "", "", {x, r.ints("axes", merged)}, {flat}, {}});
    r.behind.push_back({"Reshape", "", "", {result, extents}, {y}, {}});
    r.node.inputs[0] = flat;
    r.node.outputs[0] = result;
}

void as_before(Rewriter& r, const char* nearest) {
    r.node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
    r.node.attributes["nearest_mode"] = std::string(nearest);
}

// Nearest pixels were those before, or behind where the image shrank.
void resize(Rewriter& r) {
    const Tensor* scales = r.graph().constant(r.node.input(1));
    if (!scales || scales->type != DType::kFloat) r.refuse("its scales are computed");
    bool grows = false, shrinks = false;
    for (float scale : scales->as<float>()) {
        grows = grows || scale > 1;
        shrinks = shrinks || scale < 1;
    }
    if (grows && shrinks && r.node.string_or("mode", "nearest") == "nearest") {
        r.refuse("one axis grows and another shrinks");
    }
    as_before(r, shrinks ? "ceil" : "floor");
    r.node.inputs = {r.node.inputs[0], kNoValue, r.node.inputs[1]};
}

void upsample(Rewriter& r) {
    if (r.node.has("scales")) {
        const auto scales = r.node.floats_or("scales", {});
        r.set_input(1, r.constant("scales", Tensor::of<float>({std::ssize(scales)}, scales)));
        r.node.attributes.erase("scales");
    }
    r.node.op = "Resize";
}

void scatter(Rewriter& r) { r.node.op = "ScatterElements"; }

void roi_align(Rewriter& r) {
    r.node.attributes.try_emplace("coordinate_transformation_mode",
                                  std::string("output_half_pixel"));
}

void grid_sample(Rewriter& r) {
    const std::string mode = r.node.string_or("mode", "bilinear");
    if (mode == "bilinear") r.node.attributes["mode"] = std::string("linear");
    if (mode == "bicubic") r.node.attributes["mode"] = std::string("cubic");
}

// One scale a group became one a channel.
void group_normalization(Rewriter& r) {
    const auto& known = r.shape(0);
    const int64_t channels = known && known->size() > 1 ? (*known)[1] : kUnknown;
    const int64_t groups = r.node.int_or("num_groups", 1);
    for (size_t k : {size_t{1}, size_t{2}}) {
        const Tensor* old = r.graph().constant(r.node.input(k));
        if (!old || old->type != DType::kFloat || old->size() != groups || groups < 1 ||
            channels < groups || channels % groups != 0) {
            r.refuse("its scales are no constants, one a group");
        }
        Tensor tensor(DType::kFloat, {channels});
        for (int64_t c = 0; c < channels; ++c) {
            tensor.as<float>()[static_cast<size_t>(c)] =
                old->as<float>()[static_cast<size_t>(c / (channels / groups))];
        }
        r.node.inputs[k] = r.constant(k == 1 ? "scale" : "bias", std::move(tensor));
    }
}

void refuse(Rewriter& r) { r.refuse("means something else at the opset that the file needs"); }

struct Change {
    std::string_view op;
    int since;  // the opset that changed it
    void (*say_anew)(Rewriter&);
};

// In the order of opsets.
constexpr Change kChanges[] = {
    {"BatchNormalization", 9, batch_normalization},
    {"Scan", 9, refuse},
    {"Upsample", 10, upsample},
    {"Slice", 10, slice},
    {"TopK", 10, top_k},
    {"Clip", 11, clip},
    {"Pad", 11, pad},
    {"Resize", 11, resize},
    {"Scatter", 11, scatter},
    {"Dropout", 12, dropout},
    {"ReduceSum", 13, axes},
    {"Softmax", 13, softmax},
    {"LogSoftmax", 13, softmax},
    {"Hardmax", 13, softmax},
    {"Split", 13, split},
    {"Squeeze", 13, axes},
    {"Unsqueeze", 13, axes},
    {"BatchNormalization", 14, one_output},
    {"RoiAlign", 16, roi_align},
    {"ReduceL1", 18, axes},
    {"ReduceL2", 18, axes},
    {"ReduceLogSum", 18, axes},
    {"ReduceLogSumExp", 18, axes},
    {"ReduceMax", 18, axes},
    {"ReduceMean", 18, axes},
    {"ReduceMin", 18, axes},
    {"ReduceProd", 18, axes},
    {"ReduceSumSquare", 18, axes},
    {"Split", 18, equal_parts},
    {"DFT", 20, refuse},
    {"GridSample", 20, grid_sample},
    {"GroupNormalization", 21, group_normalization},
};

void say_anew(Rewriter& r, int opset) {
    if (!r.node.domain.empty()) return;
    for (const auto& [name, attribute] : r.node.attributes) {
        // Its nodes are written for the old opset, and nobody here rewrites them.
        if (std::holds_alternative<RawAttribute>(attribute)) {
            r.refuse(fmt::format("`{}` holds a graph of its own", name));
        }
    }
    for (const Change& change : kChanges) {
        if (change.op == r.node.op && r.from() < change.since && change.since <= opset) {
            change.say_anew(r);
        }
    }
}

}  // namespace

void raise_opset(Graph& graph, int opset) {
    if (graph.opset >= opset) return;
    Graph raised = graph;
    Rewriter rewriter(raised, graph.opset);
    std::vector<Node> nodes;
    for (const Node& node : graph.nodes) {
        rewriter.node = node;
        rewriter.before.clear();
        rewriter.behind.clear();
        say_anew(rewriter, opset);
        std::move(rewriter.before.begin(), rewriter.before.end(), std::back_inserter(nodes));
        nodes.push_back(std::move(rewriter.node));
        std::move(rewriter.behind.begin(), rewriter.behind.end(), std::back_inserter(nodes));
    }
    raised.nodes = std::move(nodes);
    raised.opset = opset;
    infer_shapes(raised);
    graph = std::move(raised);
}

}  // namespace adiabat::net
