// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/probe_products.h"

#include "adiabat/net/shape_inference.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

// A graph of one input that products of it are added to.
class Products {
  public:
    Products(const net::Graph& like, ValueId input) {
        graph_.name = "products";
        graph_.opset = like.opset;
        graph_.ir_version = like.ir_version;
        input_ = graph_.add_value("x", net::DType::kFloat, like.value(input).shape);
        graph_.inputs.push_back(input_);
    }

    // maps [rows, D], of which each group of `groups` reads its own channels, less the offset.
    // `window` holds a convolution's attributes, `kernel` its extents; both empty for a Gemm.
    void add(const recon::Rows& maps, const std::vector<float>& offset, int64_t groups,
             const std::map<std::string, net::Attribute>& window, const net::Shape& kernel) {
        const auto name = std::to_string(graph_.nodes.size());
        net::Node node;
        node.op = kernel.empty() ? "Gemm" : "Conv";
        net::Shape shape = {maps.rows(), maps.cols()};
        if (kernel.empty()) {
            node.attributes["transB"] = int64_t{1};
        } else {
            node.attributes = window;
            node.attributes["group"] = groups;
            int64_t taps = 1;
            for (int64_t extent : kernel) taps *= extent;
            shape[1] /= taps;
            shape.insert(shape.end(), kernel.begin(), kernel.end());
        }
        const auto count = static_cast<size_t>(maps.size());
        node.inputs = {
            input_, graph_.add_constant("w" + name,
                                        Tensor::of<float>(shape, std::span(maps.data(), count)))};
        if (!offset.empty()) {
            std::vector<float> bias;
            for (float mean : offset) bias.push_back(-mean);
            node.inputs.push_back(
                graph_.add_constant("b" + name, Tensor::of<float>({maps.rows()}, bias)));
        }
        node.outputs = {graph_.add_value("y" + name, net::DType::kFloat)};
        graph_.outputs.push_back(node.outputs[0]);
        graph_.nodes.push_back(std::move(node));
    }

    std::unique_ptr<net::Session> open(net::Engine& engine, const net::EngineOptions& options) {
        net::infer_shapes(graph_);
        return engine.open(graph_, options);
    }

  private:
    net::Graph graph_;
    ValueId input_ = net::kNoValue;
};

}  // namespace

ProbeProducts::ProbeProducts(const Candidates& candidates, size_t layer, const LayerProbe& probe,
                             bool with_widths, net::Engine& engine,
                             const net::EngineOptions& options)
    : has_cuts_(probe.rows() > 0), has_widths_(with_widths) {
    const net::Layer& facts = candidates.layers[layer];
    const net::Graph& graph = candidates.graph;
    const net::Node& node = graph.nodes[static_cast<size_t>(facts.node)];
    const net::Shape& weight = graph.constant(facts.weight)->shape;
    const bool convolves = node.op == "Conv";
    const net::Shape kernel =
        convolves ? net::Shape(weight.begin() + 2, weight.end()) : net::Shape{};
    Products products(graph, node.inputs[0]);
    if (has_cuts_) {
        products.add(probe.residual, probe.residual_offset, facts.groups, node.attributes, kernel);
    }
    if (has_widths_) {
        products.add(probe.rounding, probe.rounding_offset, facts.groups, node.attributes, kernel);
    }
    inputs_ = products.open(engine, options);
    if (!has_cuts_) return;

    Products back(graph, node.outputs[0]);
    back.add(probe.coefficients, {}, facts.groups, {}, net::Shape(kernel.size(), 1));
    gradients_ = back.open(engine, options);
}

ProbeProducts::OfInputs ProbeProducts::of_inputs(const Tensor& x) {
    const net::Graph& graph = inputs_->graph();
    const std::vector<net::Feed> feeds = {{graph.inputs[0], &x}};
    auto results = inputs_->run(feeds, graph.outputs);
    OfInputs products;
    if (has_cuts_) products.residuals = std::move(results.front());
    if (has_widths_) products.roundings = std::move(results.back());
    return products;
}

Tensor ProbeProducts::pullback(const Tensor& gradient) {
    if (!has_cuts_) return {};
    const net::Graph& graph = gradients_->graph();
    const std::vector<net::Feed> feeds = {{graph.inputs[0], &gradient}};
    return std::move(gradients_->run(feeds, graph.outputs)[0]);
}

}  // namespace adiabat::sense
