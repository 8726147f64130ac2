// SPDX-License-Identifier: Apache-2.0
//
// Written files as training sees them, and training itself, with a real engine.
#include "adiabat/pipeline/tuning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "adiabat/apply/calibrate.h"
#include "adiabat/apply/cut.h"
#include "adiabat/data/testing.test.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/plan/fixture.test.h"

namespace adiabat::pipeline {
namespace {

using net::Graph;
using net::Tensor;
using tune::Block;
using tune::Student;

struct FileCase {
    uint64_t seed = 1;
    int bits = 4;
    bool cut = false;
    uint32_t floats = 0;  // activations of ten that stay float
    onnx::Storage storage = onnx::Storage::kPlanes;
};

// A file as compress writes it.
std::vector<uint8_t> written_file(const FileCase& c) {
    Graph graph = net::residual_network(c.seed);
    if (c.storage == onnx::Storage::kInt4) graph.opset = 21;
    if (c.storage == onnx::Storage::kInt4) {
        // The mean of a network at that opset takes its axes as an input.
        for (net::Node& node : graph.nodes) {
            if (node.op != "ReduceMean") continue;
            node.attributes.erase("axes");
            const std::vector<int64_t> axes = {2, 3};
            node.inputs.push_back(graph.add_constant("axes", Tensor::of<int64_t>({2}, axes)));
        }
        net::infer_shapes(graph);
    }
    const plan::Network network(graph, plan::with_activations());
    Random random(c.seed, 2);
    plan::Plan plan = plan::uniform_plan(network, c.bits);
    for (auto& cut : plan.cut) {
        for (size_t i = plan::kLeastKept; c.cut && i < cut.size(); ++i) cut[i] = random.below(2);
    }
    for (size_t k = network.layers.size(); k < network.tensors(); ++k) {
        plan.bits[k] = random.below(10) < c.floats ? net::kFloatBits : net::kActivationBits;
    }
    const Graph cut = apply::cut_groups(graph, network.coupling, plan::cut_flags(network, plan));
    apply::Quantized quantized =
        apply::quantize(cut, net::find_layers(cut), apply::widths_of(network, plan), c.storage);
    const Tensor images = net::random_tensor({64, 3, 8, 8}, c.seed);
    apply::calibrate(quantized, {graph, cut, network, plan, images}, *load_engine(), {});
    std::vector<onnx::WeightCodes> weights;
    for (const auto& layer : quantized.layers) weights.push_back(layer.weight);
    onnx::encode_weights(quantized.graph, weights, c.storage, quantized.prefix);
    return onnx::serialize_model(quantized.graph);
}

Student student_of(const std::vector<uint8_t>& file, const tune::StudentOptions& options = {}) {
    return {onnx::parse_model(file, "test"), parse_simplified(file, "test"), options};
}

std::vector<FileCase> cases() {
    using onnx::Storage;
    return {{1, 8, false, 0, Storage::kPlanes}, {2, 2, true, 0, Storage::kPlanes},
            {3, 3, true, 5, Storage::kPlanes},  {4, 5, false, 10, Storage::kPlanes},
            {5, 4, true, 0, Storage::kInt4},    {6, 3, false, 3, Storage::kInt4},
            {7, 6, true, 0, Storage::kInt8},    {8, 2, false, 0, Storage::kInt8}};
}

TEST(Student, StartsAsTheFileAndWritesItAgain) {
    const auto engine = load_engine();
    for (const FileCase& c : cases()) {
        const std::vector<uint8_t> file = written_file(c);
        const Student student = student_of(file);
        EXPECT_EQ(student.names().size(), 6);
        EXPECT_EQ(onnx::serialize_model(student.written(student.start())), file) << c.seed;
        // The float graph computes what the integer kernels do, to what one code is worth.
        const Tensor images = net::random_tensor({32, 3, 8, 8}, 99);
        const auto exact = engine->open(student.network(), {});
        const auto training = engine->open(student.training(), {});
        const Tensor expected = run_network(*exact, images, 32);
        student.load(student.start(), *training);
        EXPECT_LT(relative_squared_error(expected, run_network(*training, images, 32)), 1e-4);
        student.store(student.start(), *exact);
        EXPECT_EQ(run_network(*exact, images, 32), expected);
    }
}

// Any numbers: what a session is told and what the file says, read again, is one thing; the file's
// structure and size, the widths and the filters stay.
TEST(Student, WritesWhatItComputes) {
    const auto engine = load_engine();
    for (const FileCase& c : cases()) {
        const std::vector<uint8_t> file = written_file(c);
        const Student student = student_of(file);
        std::vector<Block> blocks = student.start();
        Random random(c.seed, 7);
        for (Block& block : blocks) {
            for (size_t k = 0; k < block.values.size(); ++k) {
                block.values[k] += 0.3f * block.unit(k) * (random.uniform_float() - 0.5f);
                if (!block.least.empty()) {
                    block.values[k] = std::max(block.values[k], block.least[k]);
                }
            }
        }
        const std::vector<uint8_t> changed = onnx::serialize_model(student.written(blocks));
        EXPECT_EQ(changed.size(), file.size());
        EXPECT_NE(changed, file);
        const Tensor images = net::random_tensor({32, 3, 8, 8}, 99);
        const auto exact = engine->open(student.network(), {});
        student.store(blocks, *exact);
        const Graph read = parse_simplified(changed, "test");
        EXPECT_EQ(run_network(*exact, images, 32), run_network(*engine->open(read, {}), images, 32))
            << "seed " << c.seed;
        const Student again = student_of(changed);
        ASSERT_EQ(again.names(), student.names());
        for (size_t b = 0; b < blocks.size(); ++b) {
            EXPECT_EQ(again.start()[b].values.size(), blocks[b].values.size());
        }
        // And computes in training, rounded, what it computes exactly.
        const auto training = engine->open(student.training(), {});
        student.load(blocks, *training);
        EXPECT_LT(relative_squared_error(run_network(*exact, images, 32),
                                         run_network(*training, images, 32)),
                  1e-3);
    }
}

TEST(Student, WhatIsKeptIsKept) {
    const std::vector<uint8_t> file = written_file({});
    const size_t all = student_of(file).start().size();
    const Student no_scales = student_of(file, {false, true});
    const Student no_ranges = student_of(file, {true, false});
    EXPECT_EQ(no_scales.start().size(), all - 6);
    EXPECT_LT(no_ranges.start().size(), all);
    EXPECT_EQ(onnx::serialize_model(no_scales.written(no_scales.start())), file);
    EXPECT_EQ(onnx::serialize_model(no_ranges.written(no_ranges.start())), file);
}

TEST(Student, RefusesWhatItCannotTrain) {
    net::GraphBuilder b;
    b.output(b.node("Relu", {b.input({1, 3, 8, 8})}));
    net::infer_shapes(b.graph);
    EXPECT_THROW(Student(b.graph, b.graph), InputError);
}

// Of activations that stay float nothing is rounded: then the gradients of biases are differences.
TEST(Student, GradientsAgreeWithDifferences) {
    const Student student = student_of(written_file({4, 8, false, 10, onnx::Storage::kPlanes}));
    const auto session = load_engine()->open(student.training(), {});
    const Tensor images = net::random_tensor({4, 3, 8, 8}, 5), seed = net::random_tensor({4, 5}, 6);
    const std::vector<net::Feed> feeds = {{student.training().inputs[0], &images}};
    const auto& outputs = student.training().outputs;
    std::vector<Block> blocks = student.start();
    const auto value = [&] {
        student.load(blocks, *session);
        const Tensor y = session->run(feeds, outputs)[0];
        double sum = 0;
        for (size_t k = 0; k < 20; ++k) {
            sum += static_cast<double>(y.as<float>()[k]) * static_cast<double>(seed.as<float>()[k]);
        }
        return sum;
    };
    value();
    const auto wanted = student.wanted();
    const auto found =
        student.gradients(blocks, session->gradients(feeds, outputs, {&seed, 1}, wanted).gradients);
    ASSERT_EQ(found.size(), blocks.size());
    int compared = 0;
    for (size_t b = 0; b < blocks.size(); ++b) {
        ASSERT_EQ(found[b].size(), blocks[b].values.size());
        // Weights move in codes, biases as they are.
        const bool is_bias = b % 3 == 2;
        for (size_t k = 0; is_bias && k < found[b].size(); k += 2) {
            const float old = blocks[b].values[k], step = 2e-3f;
            blocks[b].values[k] = old + step;
            const double up = value();
            blocks[b].values[k] = old - step;
            const double down = value();
            blocks[b].values[k] = old;
            const double expected = (up - down) / (2 * static_cast<double>(step));
            EXPECT_NEAR(static_cast<double>(found[b][k]), expected,
                        0.03 * (1 + std::abs(expected)));
            ++compared;
        }
    }
    EXPECT_GT(compared, 10);
}

// ---- training

struct Killed {};

// A sink that requests a stop, or throws, at its n-th update.
class Breaker final : public ProgressSink {
  public:
    Breaker(int at, StopSource* stop) : left_(at), stop_(stop) {}
    void begin(std::string_view, uint64_t, std::string_view) override {}
    void update(uint64_t, std::string_view) override {
        if (--left_ != 0) return;
        if (!stop_) throw Killed();
        stop_->request();
    }
    void end() override {}
    void say(std::string_view line) override { said += std::string(line) + "\n"; }
    std::string said;

  private:
    int left_;
    StopSource* stop_;
};

struct Lesson {
    explicit Lesson(const FileCase& c = {11, 2, true, 0, onnx::Storage::kPlanes})
        : teacher(net::residual_network(c.seed)),
          file(written_file(c)),
          student(student_of(file)),
          rows(160) {
        std::iota(rows.begin(), rows.end(), 0);
        how.epochs = 4;
        how.batch = 24;
        how.augmentation.pad = 1;
    }

    tune::Distilled run(Store& store, StopToken stop = {}, ProgressSink& progress = no_progress(),
                        int threads = 2) {
        const auto read = [&](std::span<const int64_t> wanted) {
            tune::Batch batch{Tensor(net::DType::kFloat, {std::ssize(wanted), 3, 8, 8}), {}};
            uint8_t* to = batch.pixels.bytes.data();
            for (int64_t row : wanted) {
                const Tensor one = net::rows_of(images, row, 1);
                to = std::ranges::copy(one.bytes, to).out;
                seen.insert(row);
                batch.labels.push_back(static_cast<int32_t>(row % 5));
            }
            return batch;
        };
        const std::span<const int64_t> all = rows;
        return tune::distill({*engine,
                              {threads},
                              student,
                              teacher,
                              read,
                              all.subspan(0, 128),
                              all.subspan(128),
                              {0, 0, 0},
                              store,
                              "test"},
                             how, stop, progress);
    }

    std::unique_ptr<net::Engine> engine = load_engine();
    Graph teacher;
    std::vector<uint8_t> file;
    Student student;
    Tensor images = net::random_tensor({160, 3, 8, 8}, 77);
    std::vector<int64_t> rows;
    tune::DistillOptions how;
    std::set<int64_t> seen;
};

std::vector<float> values_of(const std::vector<Block>& blocks) {
    std::vector<float> all;
    for (const Block& block : blocks) {
        all.insert(all.end(), block.values.begin(), block.values.end());
    }
    return all;
}

// A teacher that says half as much again as the one that the file was made from.
TEST(Distill, TheLossFalls) {
    Lesson lesson;
    lesson.how.epochs = 10;
    lesson.how.descent.rate = 0.02;
    for (net::Value& value : lesson.teacher.values) {
        if (!value.constant || value.constant->rank() != 2) continue;
        Tensor louder = *value.constant;
        for (float& x : louder.as<float>()) x *= 1.5f;
        value.constant = std::make_shared<const Tensor>(std::move(louder));
    }
    Store store;
    const tune::Distilled result = lesson.run(store);
    ASSERT_EQ(result.epochs.size(), 10);
    EXPECT_EQ(result.ending, tune::Ending::kDone);
    EXPECT_GT(result.kept, 0);
    EXPECT_LT(result.best_held_out().loss, 0.2 * result.start.loss);
    EXPECT_LT(result.epochs.back().loss, result.epochs.front().loss);
    double least = result.start.loss;
    for (const tune::Epoch& epoch : result.epochs) least = std::min(least, epoch.held_out.loss);
    EXPECT_EQ(result.best_held_out().loss, least);
    // What is kept is what was judged: read back from the file it gives the same.
    const Graph read =
        parse_simplified(onnx::serialize_model(lesson.student.written(result.best)), "test");
    const Tensor held_out = net::rows_of(lesson.images, 128, 32);
    const Tensor taught = run_network(*lesson.engine->open(lesson.teacher, {}), held_out, 32);
    const Tensor given = run_network(*lesson.engine->open(read, {}), held_out, 32);
    EXPECT_NEAR(16 * mean_divergence(taught, given, 4), least, 1e-6);
    EXPECT_NEAR(mean_divergence(taught, given), result.best_held_out().divergence, 1e-6);
    EXPECT_EQ(lesson.seen.size(), 160);
}

TEST(Distill, LabelsCountWhereTheyHaveWeight) {
    Lesson plain, labeled;
    labeled.how.objective.label_weight = 0.9;
    labeled.how.epochs = plain.how.epochs = 6;
    Store first, second;
    // The labels are noise of which the images say nothing: training follows them all the same.
    const auto without = plain.run(first), with = labeled.run(second);
    EXPECT_NE(values_of(with.best), values_of(without.best));
    EXPECT_LT(with.epochs.back().loss, with.epochs.front().loss);
}

TEST(Distill, IsTheSameForAnyNumberOfThreads) {
    Lesson lesson;
    Store first, second;
    EXPECT_EQ(values_of(lesson.run(first, {}, no_progress(), 1).best),
              values_of(lesson.run(second, {}, no_progress(), 2).best));
}

// Killed anywhere, even while it judges, and again while it goes on: the same bits.
TEST(Distill, GoesOnWhereItWasKilled) {
    Lesson lesson;
    Store whole;
    const tune::Distilled expected = lesson.run(whole);
    for (int first : {1, 3, 8, 11, 17, 25, 29}) {
        const data::TemporaryFolder folder;
        int runs = 0;
        for (int at = first;; at += 5) {
            Store store(folder.path());
            Breaker breaker(at, nullptr);
            try {
                const tune::Distilled found = lesson.run(store, {}, breaker);
                EXPECT_EQ(values_of(found.best), values_of(expected.best)) << "killed at " << first;
                EXPECT_EQ(found.kept, expected.kept);
                EXPECT_EQ(found.epochs.size(), expected.epochs.size());
                break;
            } catch (const Killed&) {
                ++runs;
            }
        }
        EXPECT_GT(runs, 0);
    }
}

TEST(Distill, AStopLeavesTheBestSoFar) {
    Lesson lesson;
    Store whole, store;
    const tune::Distilled expected = lesson.run(whole);
    StopSource stop;
    Breaker breaker(19, &stop);
    const tune::Distilled found = lesson.run(store, stop.token(), breaker);
    EXPECT_EQ(found.ending, tune::Ending::kInterrupted);
    EXPECT_GT(found.epochs.size(), 0);
    EXPECT_LT(found.epochs.size(), 4);
    EXPECT_LE(found.best_held_out().loss, found.start.loss);
    // And it goes on to where it would have come.
    const tune::Distilled rest = lesson.run(store);
    EXPECT_EQ(rest.resumed_at, static_cast<int>(found.epochs.size()));
    EXPECT_EQ(values_of(rest.best), values_of(expected.best));
    // Before anything was judged there is no result.
    StopSource at_once;
    at_once.request();
    Store none;
    EXPECT_THROW(lesson.run(none, at_once.token()), Interrupted);
}

TEST(Distill, RatesThatDivergeGiveTheStart) {
    for (const auto& [rate, clip] : {std::pair{1e6, 0.0}, {1e4, 1.0}, {1e30, 0.0}}) {
        Lesson lesson;
        lesson.how.descent = {
            .rate = rate, .first = 0.9, .second = 0.99, .clip = clip, .warm_up = 0};
        Store store;
        const tune::Distilled found = lesson.run(store);
        EXPECT_EQ(found.ending, tune::Ending::kDiverged) << rate;
        EXPECT_EQ(found.kept, 0);
        EXPECT_EQ(onnx::serialize_model(lesson.student.written(found.best)), lesson.file);
    }
}

TEST(Distill, EndsEarly) {
    Lesson lesson;
    lesson.how.descent.rate = 1e-9;  // nothing changes
    lesson.how.patience = 2;
    Store store;
    const tune::Distilled found = lesson.run(store);
    EXPECT_EQ(found.ending, tune::Ending::kEarly);
    EXPECT_EQ(found.epochs.size(), 2);
    EXPECT_EQ(found.kept, 0);
}

TEST(Distill, RefusesAnotherTeacher) {
    Lesson lesson;
    net::GraphBuilder b;
    b.output(b.node("Relu", {b.input("x", {net::kUnknown, 3, 8, 8})}));
    net::infer_shapes(b.graph);
    lesson.teacher = b.graph;
    Store store;
    EXPECT_THROW(lesson.run(store), InputError);
}

TEST(Tuning, TrainingRowsAreNotHeldOut) {
    const std::vector<int64_t> held_out = {0, 3, 9};
    EXPECT_EQ(training_rows(10, held_out, {}, 1), (std::vector<int64_t>{1, 2, 4, 5, 6, 7, 8}));
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const auto some = training_rows(10, held_out, 4, seed);
        EXPECT_EQ(std::set<int64_t>(some.begin(), some.end()).size(), 4);
        EXPECT_TRUE(std::ranges::is_sorted(some));
        for (int64_t row : some) EXPECT_FALSE(std::ranges::count(held_out, row));
    }
    EXPECT_NE(training_rows(1000, held_out, 4, 1), training_rows(1000, held_out, 4, 2));
    const auto find = [](std::span<const int64_t>) { return std::vector<int64_t>{2, 4}; };
    EXPECT_EQ(training_rows(10, held_out, {}, 1, find), (std::vector<int64_t>{1, 5, 6, 7, 8}));
    EXPECT_THROW(training_rows(3, std::vector<int64_t>{0, 1, 2}, {}, 1), InputError);
}

}  // namespace
}  // namespace adiabat::pipeline
