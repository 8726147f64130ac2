// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/weight_slopes.h"

#include <algorithm>

#include "adiabat/base/threads.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

// Numbers that say what all cuts change in the weights.
constexpr int64_t kMostNumbers = int64_t{1} << 21;

// y = a b', batch by batch.
net::Graph products_of_two(const net::Graph& like) {
    net::Graph graph;
    graph.name = "slopes";
    graph.opset = like.opset;
    graph.ir_version = like.ir_version;
    const net::Shape free(3, net::kUnknown);
    const ValueId a = graph.add_value("a", net::DType::kFloat, free),
                  b = graph.add_value("b", net::DType::kFloat, free);
    const ValueId transposed = graph.add_value("t", net::DType::kFloat);
    graph.inputs = {a, b};
    graph.nodes.push_back(
        {"Transpose", "", "", {b}, {transposed}, {{"perm", std::vector<int64_t>{0, 2, 1}}}});
    graph.outputs = {graph.add_value("y", net::DType::kFloat)};
    graph.nodes.push_back({"MatMul", "", "", {a, transposed}, graph.outputs, {}});
    net::infer_shapes(graph);
    return graph;
}

// y = x maps'.
net::Graph products_with(const net::Graph& like, const recon::Rows& maps) {
    net::Graph graph;
    graph.name = "cuts";
    graph.opset = like.opset;
    graph.ir_version = like.ir_version;
    const ValueId x =
        graph.add_value("x", net::DType::kFloat, net::Shape{net::kUnknown, maps.cols()});
    graph.inputs = {x};
    const ValueId w = graph.add_constant(
        "w", Tensor::of<float>({maps.rows(), maps.cols()},
                               std::span(maps.data(), static_cast<size_t>(maps.size()))));
    graph.outputs = {graph.add_value("y", net::DType::kFloat)};
    graph.nodes.push_back({"Gemm", "", "", {x, w}, graph.outputs, {{"transB", int64_t{1}}}});
    net::infer_shapes(graph);
    return graph;
}

// A row a cut: what it adds to each filter's weights and, last, to its bias, less the sign.
recon::Rows changes_of_cuts(const LayerProbe& probe) {
    const Eigen::Index filters = probe.coefficients.cols(), unknowns = probe.residual.cols();
    recon::Rows changes = recon::Rows::Zero(std::ssize(probe.cuts), filters * (unknowns + 1));
    for (Eigen::Index s = 0; s < probe.rows(); ++s) {
        auto change = changes.row(probe.cut_of_row[static_cast<size_t>(s)]);
        for (Eigen::Index f = 0; f < filters; ++f) {
            const float v = probe.coefficients(s, f);
            change.segment(f * (unknowns + 1), unknowns) += v * probe.residual.row(s);
            change[f * (unknowns + 1) + unknowns] -=
                v * probe.residual_offset[static_cast<size_t>(s)];
        }
    }
    return changes;
}

}  // namespace

std::unique_ptr<WeightSlopes> WeightSlopes::make(const Candidates& candidates, size_t layer,
                                                 const LayerProbe& probe, int64_t directions,
                                                 net::Engine& engine,
                                                 const net::EngineOptions& options) {
    const net::Layer& facts = candidates.layers[layer];
    const net::Node& node = candidates.graph.nodes[static_cast<size_t>(facts.node)];
    const int64_t unknowns = facts.inputs * facts.taps;
    if (node.op != "Conv" || facts.groups != 1 || unknowns > kMostInputs) return nullptr;
    if (std::ssize(probe.cuts) * facts.filters * unknowns > kMostNumbers) return nullptr;
    // What is written: residuals, roundings and pullbacks, or the inputs unfolded and slopes.
    const auto widths = static_cast<int64_t>(candidates.widths[layer].size());
    const int64_t products =
        facts.positions * (probe.rows() * (directions + 1) + widths * facts.filters);
    const int64_t slopes = unknowns * (facts.positions + directions * facts.filters);
    if (products <= slopes) return nullptr;
    return std::unique_ptr<WeightSlopes>(
        new WeightSlopes(candidates, layer, probe, engine, options));
}

WeightSlopes::WeightSlopes(const Candidates& candidates, size_t layer, const LayerProbe& probe,
                           net::Engine& engine, const net::EngineOptions& options)
    : node_(candidates.graph.nodes[static_cast<size_t>(candidates.layers[layer].node)]),
      layer_(candidates.layers[layer]),
      weight_(candidates.graph.constant(layer_.weight)->shape),
      threads_(options.threads),
      cuts_(probe.cuts.size()),
      roundings_(probe.rounding.rows(), probe.rounding.cols() + 1),
      slopes_(engine.open(products_of_two(candidates.graph), options)) {
    roundings_.leftCols(probe.rounding.cols()) = probe.rounding;
    for (Eigen::Index r = 0; r < roundings_.rows(); ++r) {
        roundings_(r, probe.rounding.cols()) = -probe.rounding_offset[static_cast<size_t>(r)];
    }
    if (cuts_ > 0) {
        of_cuts_ = engine.open(products_with(candidates.graph, changes_of_cuts(probe)), options);
    }
}

WeightSlopes::Slopes WeightSlopes::of(const Tensor& x, std::span<const Tensor* const> gradients) {
    const auto rows = LayerRows::of(node_, layer_, weight_, x);
    ADIABAT_CHECK(rows, "{} does not unfold", layer_.name);
    const int64_t images = x.shape[0], unknowns = layer_.inputs * layer_.taps;
    const int64_t filters = layer_.filters, directions = std::ssize(gradients);
    const int64_t positions = gradients[0]->size() / images / filters;
    Tensor unfolded(net::DType::kFloat, {images, unknowns + 1, positions});
    Tensor seeds(net::DType::kFloat, {images, directions * filters, positions});
    parallel_for(images, threads_, [&](int64_t begin, int64_t end, int) {
        for (int64_t n = begin; n < end; ++n) {
            float* const to = unfolded.as<float>().data() + n * (unknowns + 1) * positions;
            rows->unfold(n, to);
            std::fill_n(to + unknowns * positions, positions, 1.0f);
            for (int64_t j = 0; j < directions; ++j) {
                const float* const from = gradients[static_cast<size_t>(j)]->as<float>().data();
                std::copy_n(from + n * filters * positions, filters * positions,
                            seeds.as<float>().data() + (n * directions + j) * filters * positions);
            }
        }
    });
    const net::Graph& graph = slopes_->graph();
    const std::vector<net::Feed> feeds = {{graph.inputs[0], &seeds}, {graph.inputs[1], &unfolded}};
    Slopes result;
    result.slopes = std::move(slopes_->run(feeds, graph.outputs)[0]);
    if (!of_cuts_) return result;
    const net::Shape shape = result.slopes.shape;
    result.slopes.shape = {images * directions, filters * (unknowns + 1)};
    const net::Graph& cuts = of_cuts_->graph();
    result.cuts = std::move(
        of_cuts_->run(std::vector<net::Feed>{{cuts.inputs[0], &result.slopes}}, cuts.outputs)[0]);
    result.slopes.shape = shape;
    return result;
}

}  // namespace adiabat::sense
