// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/weight_slopes.h"

#include <algorithm>

#include "adiabat/base/threads.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/recon/product.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

// What a number costs that is written and read again, in multiplications: 6 ns at 90 billion of
// them a second were measured on two cores of a Zen 3.
constexpr int64_t kOfANumber = 500;
// Numbers that say what all cuts change in the weights.
constexpr int64_t kMostNumbers = int64_t{1} << 22;

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

// Maps of inputs less their means as maps of inputs and of one.
recon::Rows with_offsets(const recon::Rows& maps, const std::vector<float>& offsets) {
    recon::Rows result(maps.rows(), maps.cols() + 1);
    result.leftCols(maps.cols()) = maps;
    for (Eigen::Index r = 0; r < maps.rows(); ++r)
        result(r, maps.cols()) = -offsets[static_cast<size_t>(r)];
    return result;
}

}  // namespace

bool WeightSlopes::unfolds(const Candidates& candidates, size_t layer) {
    const net::Layer& facts = candidates.layers[layer];
    return candidates.graph.nodes[static_cast<size_t>(facts.node)].op == "Conv" &&
           facts.groups == 1 && facts.inputs * facts.taps <= kMostInputs;
}

std::unique_ptr<WeightSlopes> WeightSlopes::make(const Candidates& candidates, size_t layer,
                                                 const LayerProbe& probe, int64_t directions,
                                                 net::Engine& engine,
                                                 const net::EngineOptions& options) {
    if (!unfolds(candidates, layer)) return nullptr;
    const net::Layer& facts = candidates.layers[layer];
    const int64_t unknowns = facts.inputs * facts.taps;
    // Multiplications an image, and what is written on the way.
    const int64_t positions = facts.positions, filters = facts.filters, rows = probe.rows();
    const auto widths = static_cast<int64_t>(candidates.widths[layer].size());
    const int64_t of_a_map = filters * unknowns, numbers = std::ssize(probe.cuts) * of_a_map;
    const int64_t widths_by_products =
        widths * filters * positions * (unknowns + directions + kOfANumber);
    const int64_t cuts_by_products =
        rows * positions * (unknowns + directions * filters + (directions + 1) * kOfANumber);
    const int64_t widths_by_slopes = directions * of_a_map * (positions + widths + kOfANumber);
    const int64_t by_rows = directions * rows * unknowns * (filters + 1);
    const bool is_mapped = numbers <= kMostNumbers && directions * numbers <= by_rows;
    const int64_t cuts_by_slopes = is_mapped ? directions * numbers : by_rows;
    if (widths_by_products + cuts_by_products <=
        widths_by_slopes + std::min(cuts_by_slopes, cuts_by_products)) {
        return nullptr;
    }
    const Cuts cuts = cuts_by_products < cuts_by_slopes ? Cuts::kLeft
                      : is_mapped                       ? Cuts::kMapped
                                                        : Cuts::kByRows;
    return std::make_unique<WeightSlopes>(candidates, layer, probe, cuts, engine, options);
}

WeightSlopes::WeightSlopes(const Candidates& candidates, size_t layer, const LayerProbe& probe,
                           Cuts cuts, net::Engine& engine, const net::EngineOptions& options)
    : node_(candidates.graph.nodes[static_cast<size_t>(candidates.layers[layer].node)]),
      layer_(candidates.layers[layer]),
      weight_(candidates.graph.constant(layer_.weight)->shape),
      threads_(options.threads),
      probe_(probe),
      cuts_(probe.cuts.empty() ? Cuts::kLeft : cuts),
      roundings_(with_offsets(probe.rounding, probe.rounding_offset)),
      slopes_(engine.open(products_of_two(candidates.graph), options)) {
    if (cuts_ == Cuts::kMapped) {
        of_cuts_ = engine.open(products_with(candidates.graph, changes_of_cuts(probe)), options);
    } else if (cuts_ == Cuts::kByRows) {
        residuals_ = with_offsets(probe.residual, probe.residual_offset);
    }
}

// [count, cuts] of `count` slopes, each [F, D + 1].
Tensor WeightSlopes::cuts_by_rows(const Tensor& slopes, int64_t count) const {
    Tensor result(net::DType::kFloat, {count, std::ssize(probe_.cuts)});
    const int64_t filters = probe_.coefficients.cols(), size = filters * residuals_.cols();
    parallel_for(count, threads_, [&](int64_t begin, int64_t end, int) {
        for (int64_t at = begin; at < end; ++at) {
            const Eigen::Map<const recon::Rows> h(slopes.as<float>().data() + at * size, filters,
                                                  residuals_.cols());
            const Eigen::VectorXf found =
                recon::products_of_rows(probe_.coefficients, h, residuals_);
            float* const to = result.as<float>().data() + at * std::ssize(probe_.cuts);
            for (size_t s = 0; s < probe_.cut_of_row.size(); ++s)
                to[probe_.cut_of_row[s]] += found[static_cast<Eigen::Index>(s)];
        }
    });
    return result;
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
    if (cuts_ == Cuts::kByRows) result.cuts = cuts_by_rows(result.slopes, images * directions);
    if (cuts_ != Cuts::kMapped) return result;
    const net::Shape shape = result.slopes.shape;
    result.slopes.shape = {images * directions, filters * (unknowns + 1)};
    const net::Graph& cuts = of_cuts_->graph();
    result.cuts = std::move(
        of_cuts_->run(std::vector<net::Feed>{{cuts.inputs[0], &result.slopes}}, cuts.outputs)[0]);
    result.slopes.shape = shape;
    return result;
}

}  // namespace adiabat::sense
