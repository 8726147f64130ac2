// SPDX-License-Identifier: Apache-2.0
//
// Sensing with a real engine: gradients against runs of the network, batches, the store.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adiabat/apply/cut.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/sensing_case.test.h"
#include "adiabat/sense/branch_runs.h"
#include "adiabat/sense/forward.h"
#include "adiabat/sense/probe_products.h"
#include "adiabat/sense/weight_slopes.h"

namespace adiabat::pipeline {
namespace {

using sense::Effects;

void expect_near(const Effects& a, const Effects& b, double tolerance) {
    ASSERT_EQ(a.columns(), b.columns());
    const double scale = b.single.maxCoeff();
    for (int u = 0; u < a.columns(); ++u) {
        EXPECT_NEAR(a.single[u], b.single[u], tolerance * (b.single[u] + 1e-2 * scale)) << u;
        for (int v = 0; v < u; ++v) {
            EXPECT_NEAR(a.product(u, v), b.product(u, v),
                        tolerance * (std::sqrt(b.single[u] * b.single[v]) + 1e-2 * scale));
        }
    }
}

TEST(Sensing, GradientsAreTheDerivativesOfRuns) {
    for (uint64_t seed : {0, 1, 2}) {
        SensingCase s(net::residual_network(seed));
        Store one, two;
        const Effects gradient = s.by_gradients(one);
        const Effects forward =
            sense::sense_by_forward(s.candidates, *s.engine, s.batches(), {s.options, 1e-2}, two);
        expect_near(gradient, forward, 0.05);
        EXPECT_GT(gradient.single.minCoeff(), 0);
    }
}

// Slopes of weights against products with the inputs, for every layer that both can do.
TEST(Sensing, SlopesOfWeightsGiveWhatProductsGive) {
    int layers = 0, cuts = 0;
    for (uint64_t seed : {0, 1, 2, 3}) {
        SensingCase s(net::residual_network(seed), 6);
        Store store;
        const sense::Probes probes =
            sense::probe_network(s.candidates, *s.engine, s.batches(),
                                 sense::probing_options(s.options), store, {}, no_progress());
        const int64_t directions = 3;
        for (size_t k = 0; k < s.network.layers.size(); ++k) {
            const net::Layer& layer = s.network.layers[k];
            const sense::LayerProbe& probe = probes.layers[k];
            if (!sense::WeightSlopes::unfolds(s.candidates, k)) continue;
            ++layers;
            const net::Node& node = s.graph.nodes[static_cast<size_t>(layer.node)];
            const std::vector<net::Feed> feeds = {{s.graph.inputs[0], &s.images}};
            const std::vector<net::ValueId> fetches = {node.inputs[0], node.outputs[0]};
            const auto found = s.engine->open(s.graph, {1})->run(feeds, fetches);
            std::vector<net::Tensor> gradients;
            std::vector<const net::Tensor*> pointers;
            for (int64_t j = 0; j < directions; ++j) {
                gradients.push_back(
                    net::random_tensor(found[1].shape, 10 * seed + static_cast<uint64_t>(j)));
            }
            for (const net::Tensor& gradient : gradients) pointers.push_back(&gradient);
            using Cuts = sense::WeightSlopes::Cuts;
            sense::WeightSlopes mapped(s.candidates, k, probe, Cuts::kMapped, *s.engine, {1});
            const auto here = mapped.of(found[0], pointers);
            const auto by_rows =
                sense::WeightSlopes(s.candidates, k, probe, Cuts::kByRows, *s.engine, {1})
                    .of(found[0], pointers);
            sense::ProbeProducts products(s.candidates, k, probe, true, *s.engine, {1});
            const auto of_inputs = products.of_inputs(found[0]);
            const int64_t images = found[0].shape[0], positions = layer.positions;
            const auto planes = [&](const net::Tensor& tensor, int64_t n) {
                const int64_t channels = tensor.size() / images / positions;
                return Eigen::Map<const recon::Rows>(
                    tensor.as<float>().data() + n * channels * positions, channels, positions);
            };
            for (int64_t n = 0; n < images; ++n) {
                for (int64_t j = 0; j < directions; ++j) {
                    const net::Tensor& gradient = gradients[static_cast<size_t>(j)];
                    const int64_t at = n * directions + j;
                    const int64_t columns = mapped.roundings().cols();
                    const Eigen::Map<const recon::Rows> mine(
                        here.slopes.as<float>().data() + at * layer.filters * columns,
                        layer.filters, columns);
                    for (Eigen::Index r = 0; r < mapped.roundings().rows(); ++r) {
                        const float expected = planes(of_inputs.roundings, n)
                                                   .row(r)
                                                   .dot(planes(gradient, n).row(r % layer.filters));
                        EXPECT_NEAR(mapped.roundings().row(r).dot(mine.row(r % layer.filters)),
                                    expected, 1e-4);
                    }
                    if (probe.cuts.empty()) continue;
                    ASSERT_EQ(by_rows.cuts.size(), here.cuts.size());
                    const recon::Rows back = planes(products.pullback(gradient), n);
                    std::vector<float> expected(probe.cuts.size());
                    for (Eigen::Index row = 0; row < probe.rows(); ++row) {
                        expected[static_cast<size_t>(probe.cut_of_row[static_cast<size_t>(row)])] +=
                            planes(of_inputs.residuals, n).row(row).dot(back.row(row));
                    }
                    for (size_t c = 0; c < expected.size(); ++c, ++cuts) {
                        const size_t place = static_cast<size_t>(at) * expected.size() + c;
                        EXPECT_NEAR(here.cuts.as<float>()[place], expected[c], 1e-3);
                        EXPECT_NEAR(by_rows.cuts.as<float>()[place], expected[c], 1e-3);
                    }
                }
            }
        }
    }
    EXPECT_GT(layers, 8);
    EXPECT_GT(cuts, 100);
}

// Coding an activation: the twin is the engine's own QuantizeLinear put into the graph.
TEST(Sensing, ActivationsAreCodedAsTheyWouldBe) {
    for (uint64_t seed : {0, 1, 2}) {
        SensingCase s(net::residual_network(seed), 24, 0, false, true);
        Store one, two;
        const Effects gradient = s.by_gradients(one);
        const Effects forward =
            sense::sense_by_forward(s.candidates, *s.engine, s.batches(), {s.options, 1}, two);
        const sense::Probes probes =
            sense::probe_network(s.candidates, *s.engine, s.batches(),
                                 sense::probing_options(s.options), one, {}, no_progress());
        const auto coded = s.candidates.coded();
        ASSERT_EQ(coded.size(), s.network.activations.size());
        ASSERT_EQ(probes.code_maps.size(), coded.size());
        const auto run = [&](const net::Graph& graph) {
            const std::vector<net::Feed> feeds = {{graph.inputs[0], &s.images}};
            return s.engine->open(graph, {1})->run(feeds, graph.outputs);
        };
        const auto before = run(s.graph);
        const auto seeds = sense::Directions(before, s.options.directions).seeds(before, 0);
        for (size_t i = 0; i < coded.size(); ++i) {
            net::Graph graph = s.graph;
            const net::ValueId id = s.network.activations[coded[i]].value;
            const auto scale =
                graph.add_constant("S", net::Tensor::scalar(probes.code_maps[i].scale));
            const auto zero =
                graph.add_constant("Z", net::Tensor::scalar(probes.code_maps[i].zero_point));
            const auto codes = graph.add_value("codes", net::DType::kUint8);
            const auto decoded =
                graph.add_value("decoded", net::DType::kFloat, graph.value(id).shape);
            for (net::Node& node : graph.nodes) {
                std::replace(node.inputs.begin(), node.inputs.end(), id, decoded);
            }
            const net::Uses uses(s.graph);
            graph.nodes.insert(
                graph.nodes.begin() + uses.producer(id) + 1,
                {net::Node{"QuantizeLinear", "", "", {id, scale, zero}, {codes}, {}},
                 net::Node{"DequantizeLinear", "", "", {codes, scale, zero}, {decoded}, {}}});
            const recon::Rows rows = sense::along_seeds(seeds, before, run(graph));
            const double expected =
                rows.cast<double>().squaredNorm() / static_cast<double>(s.images.shape[0]);
            const int column = s.candidates.column_of_codes(coded[i]);
            EXPECT_NEAR(forward.single[column], expected, 1e-3 * expected);
            EXPECT_NEAR(gradient.single[column], expected, 0.1 * expected);
            EXPECT_EQ(gradient.single[column + 1], 0);  // it stays float
        }
        EXPECT_EQ(s.by_gradients(one).single, gradient.single);
    }
}

// The twin: the network without the branch, the layers behind it exchanged.
double effect_of_dropping(SensingCase& s, size_t branch, const std::vector<sense::StandIn>& list) {
    const net::Graph whole = sense::with_biases(s.graph, s.network.layers);
    const std::vector<uint8_t> nothing(s.network.coupling.groups.size(), 0);
    net::Coupling coupling = s.network.coupling;
    coupling.axes.resize(whole.values.size());
    net::Graph left =
        apply::cut_groups(whole, coupling, nothing, std::vector{s.network.branches[branch].place});
    for (const sense::StandIn& one : list) {
        const net::Layer& layer = s.network.layers[one.layer];
        const net::ValueId bias = whole.nodes[static_cast<size_t>(layer.node)].inputs[2];
        left.value(layer.weight).constant =
            std::make_shared<const net::Tensor>(net::weight_of_filters(whole, layer, one.filters));
        left.value(bias).constant =
            std::make_shared<const net::Tensor>(net::Tensor::of<float>({layer.filters}, one.bias));
    }
    const auto run = [&](const net::Graph& graph) {
        const std::vector<net::Feed> feeds = {{graph.inputs[0], &s.images}};
        return s.engine->open(graph, {1})->run(feeds, graph.outputs);
    };
    const auto before = run(s.graph), after = run(left);
    const sense::Directions directions(before, s.options.directions);
    const recon::Rows rows = sense::along_seeds(directions.seeds(before, 0), before, after);
    return rows.cast<double>().squaredNorm() / static_cast<double>(s.images.shape[0]);
}

TEST(Sensing, BranchesGoWithWhatStandsInForThem) {
    double with = 0, without = 0;
    for (uint64_t seed : {0, 1, 2, 3}) {
        SensingCase s(net::residual_network(seed), 100, 0, true);
        ASSERT_EQ(s.candidates.branches.size(), 2u);
        Store one, two;
        const Effects gradient = s.by_gradients(one);
        const Effects forward =
            sense::sense_by_forward(s.candidates, *s.engine, s.batches(), {s.options, 1}, two);
        sense::StandInFinder finder(s.candidates, *s.engine, 1);
        for (size_t b = 0; b < 2; ++b) {
            const auto list = finder.find(b, s.images);
            // The next block's two layers, or the Gemm.
            EXPECT_EQ(list.size(), b == 0 ? 2u : 1u);
            const double expected = effect_of_dropping(s, b, list);
            const int column = s.candidates.column_of_branch(b);
            EXPECT_NEAR(gradient.single[column], expected, 1e-3 * expected);
            EXPECT_NEAR(forward.single[column], expected, 1e-3 * expected);
            with += expected;
            without += effect_of_dropping(s, b, {});
        }
        EXPECT_EQ(s.by_gradients(one).single, gradient.single);
    }
    EXPECT_LT(with, 0.7 * without);
}

TEST(Sensing, BranchesAreRunOnSomeImagesForAll) {
    SensingCase s(net::residual_network(2), 20, 0, true);
    Store store;
    const sense::Probes probes =
        sense::probe_network(s.candidates, *s.engine, s.batches(),
                             sense::probing_options(s.options), store, {}, no_progress());
    const std::vector<net::Feed> feeds = {{s.graph.inputs[0], &s.images}};
    const auto before = s.engine->open(s.graph, {1})->run(feeds, s.graph.outputs);
    const auto seeds = probes.directions.seeds(before, 7);
    const auto rows_of = [&](int64_t stride) {
        const sense::BranchRuns runs(s.candidates, probes, *s.engine, 1, stride);
        recon::Rows rows = recon::Rows::Zero(20 * probes.directions.count, s.candidates.columns());
        runs.add_rows(7, s.images, before, seeds, rows, {});
        return rows;
    };
    const recon::Rows all = rows_of(1), some = rows_of(3);
    const Eigen::Index first = s.candidates.column_of_branch(0);
    EXPECT_EQ(all.leftCols(first).norm(), 0);
    EXPECT_GT(all.rightCols(2).norm(), 0);
    for (int64_t n = 0; n < 20; ++n) {
        const float factor = (7 + n) % 3 == 0 ? std::sqrt(3.0f) : 0;
        const auto here = [&](const recon::Rows& rows) {
            return rows.middleRows(n * probes.directions.count, probes.directions.count);
        };
        EXPECT_LE((here(some) - factor * here(all)).norm(), 1e-4 * (1e-3 + here(all).norm())) << n;
    }
}

// x + f(x) as an output, and one that a branch comes behind.
TEST(Sensing, BranchesBehindOutputsAndBeforeThem) {
    for (const bool classifies : {false, true}) {
        net::GraphBuilder b;
        const auto conv = [&](net::ValueId x, int64_t from, int64_t to, uint64_t seed) {
            return b.node("Conv", {x, b.constant(net::random_tensor({to, from, 1, 1}, seed))});
        };
        net::ValueId x = b.input({net::kUnknown, 3, 8, 8});
        if (classifies) x = b.node("Relu", {conv(x, 3, 4, 1)});
        const int64_t channels = classifies ? 4 : 3;
        const net::ValueId y = conv(b.node("Relu", {conv(x, channels, 5, 2)}), 5, channels, 3);
        const net::ValueId sum = b.node("Add", {x, y});
        b.graph.outputs = {sum};
        if (classifies) b.graph.outputs = {x, conv(sum, 4, 2, 4), sum};
        net::infer_shapes(b.graph);
        SensingCase s(b.graph, 24, 0, true);
        ASSERT_EQ(s.candidates.branches.size(), 1u);
        Store store;
        const Effects effects = s.by_gradients(store);
        sense::StandInFinder finder(s.candidates, *s.engine, 1);
        const auto list = finder.find(0, s.images);
        EXPECT_EQ(list.size(), classifies ? 1u : 0u);
        const double expected = effect_of_dropping(s, 0, list);
        EXPECT_NEAR(effects.single[s.candidates.column_of_branch(0)], expected, 1e-3 * expected);
    }
}

TEST(Sensing, AroundAPlanToo) {
    for (uint64_t seed : {1, 2, 3}) {
        SensingCase s(net::residual_network(seed), 24, seed);
        Store one, two;
        const Effects gradient = s.by_gradients(one);
        const Effects forward =
            sense::sense_by_forward(s.candidates, *s.engine, s.batches(), {s.options, 1e-2}, two);
        expect_near(gradient, forward, 0.05);
        EXPECT_GT(gradient.residual_square, 0);
        EXPECT_NEAR(gradient.residual_square, forward.residual_square,
                    1e-4 * gradient.residual_square);
        for (int u = 0; u < gradient.columns(); ++u) {
            const double size = std::sqrt(gradient.single[u] * gradient.residual_square);
            EXPECT_NEAR(gradient.residual[u], forward.residual[u], 0.05 * size + 1e-9) << u;
        }
        // The same from what is stored.
        EXPECT_EQ(s.by_gradients(one).residual, gradient.residual);
    }
}

// What changing the last layer does is what is sensed around the plan that it leads to.
TEST(Sensing, AroundAPlanLeadsToTheNext) {
    SensingCase s(net::residual_network(4), 64, 11);
    const size_t last = s.network.layers.size() - 1;
    Store store;
    const Effects here =
        sense::sense_by_forward(s.candidates, *s.engine, s.batches(), {s.options, 1}, store);
    int compared = 0;
    const auto compare = [&](const plan::Plan& next, int column) {
        const auto candidates = plan::candidates_of(s.graph, s.network, &next);
        Store other;
        const Effects there =
            sense_by_gradients(candidates, *s.engine, s.batches(), s.options, other);
        const double expected =
            here.residual_square + 2 * here.residual[column] + here.single[column];
        EXPECT_NEAR(there.residual_square, expected, 0.02 * there.residual_square) << column;
        ++compared;
    };
    for (size_t w = 0; w < 3; ++w) {
        plan::Plan next = s.incumbent;
        next.bits[last] = s.network.widths(last)[w];
        compare(next, s.candidates.column(last, w));
    }
    EXPECT_EQ(compared, 3);
}

TEST(Sensing, BatchesDoNotMatter) {
    SensingCase s(net::residual_network(3), 25);
    // As many as are held where there is no memory for them.
    s.options.probe_images = 8;
    Store one, two;
    const Effects whole = s.by_gradients(one);
    s.options.memory_bytes = 1;
    EXPECT_EQ(sense::batch_size(s.candidates, s.options, 4), 1);
    expect_near(s.by_gradients(two), whole, 1e-3);
}

TEST(Sensing, SampledDirectionsAgreeInTheMean) {
    SensingCase s(net::residual_network(4), 200);
    Store one, two;
    const Effects exact = s.by_gradients(one);
    s.options.directions.count = 2;
    const Effects sampled = s.by_gradients(two);
    EXPECT_EQ(sampled.directions, 2);
    for (int u = 0; u < exact.columns(); ++u) {
        if (exact.single[u] > 1e-2 * exact.single.maxCoeff()) {
            EXPECT_NEAR(sampled.single[u], exact.single[u], 0.35 * exact.single[u]) << u;
        }
    }
}

// Asks to stop after so many updates of a stage.
class Stopper final : public ProgressSink {
  public:
    Stopper(std::string stage, int updates) : stage_(std::move(stage)), left_(updates) {}
    void begin(std::string_view stage, uint64_t, std::string_view) override { now_ = stage; }
    void update(uint64_t, std::string_view) override {
        if (now_ == stage_ && --left_ == 0) source.request();
    }
    void end() override {}
    void say(std::string_view) override {}

    StopSource source;

  private:
    std::string stage_, now_;
    int left_;
};

TEST(Sensing, GoesOnWhereItWasStopped) {
    SensingCase s(net::residual_network(5), 20);
    s.options.memory_bytes = 60'000;  // a few images a batch
    Store whole_store;
    const Effects whole = s.by_gradients(whole_store);
    Store store;
    for (const auto& [stage, updates] :
         {std::pair{"probe", 2}, {"sense", 1}, {"sense", 2}, {"sense", 3}}) {
        Stopper stopper(stage, updates);
        EXPECT_THROW(s.by_gradients(store, stopper.source.token(), stopper), Interrupted);
    }
    // What is finished is not done again: other images change nothing of it.
    int64_t asked = 0;
    const auto counting = [&](int64_t begin, int64_t n) {
        asked += n;
        return net::rows_of(s.images, begin, n);
    };
    const Effects resumed = sense_by_gradients(s.candidates, *s.engine, counting, s.options, store);
    EXPECT_EQ(resumed.single, whole.single);
    EXPECT_EQ(resumed.products, whole.products);
    const int64_t batch = sense::batch_size(s.candidates, s.options, 4);
    const int64_t probed = std::min<int64_t>(8, s.options.images);
    EXPECT_LE(asked, 2 * probed + s.options.images - 3 * batch);
}

}  // namespace
}  // namespace adiabat::pipeline
