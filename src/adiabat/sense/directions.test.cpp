// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/directions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "adiabat/net/graph_builder.test.h"

namespace adiabat::sense {
namespace {

// The naive twin: sum_k p_k (dz_k - p.dz)^2 of one image.
double tempered_cost(std::span<const float> z, std::span<const float> dz, double temperature) {
    double sum = 0, along = 0, cost = 0;
    std::vector<double> p;
    for (float score : z) p.push_back(std::exp(static_cast<double>(score) / temperature));
    for (double x : p) sum += x;
    for (double& x : p) x /= sum;
    for (size_t k = 0; k < p.size(); ++k) along += p[k] * static_cast<double>(dz[k]);
    for (size_t k = 0; k < p.size(); ++k)
        cost += p[k] * std::pow(static_cast<double>(dz[k]) - along, 2);
    return cost;
}

// Mean over images of the sum over directions of <seed, dz>^2.
double seeded_cost(const Directions& directions, const net::Tensor& z, const net::Tensor& dz) {
    const std::vector<net::Tensor> outputs = {z};
    const auto seeds = directions.seeds(outputs, 0);
    double cost = 0;
    const auto row = static_cast<size_t>(z.shape[1]);
    for (const auto& set : seeds) {
        for (size_t n = 0; n < static_cast<size_t>(z.shape[0]); ++n) {
            double along = 0;
            for (size_t k = 0; k < row; ++k) {
                along += static_cast<double>(set[0].as<float>()[n * row + k]) *
                         static_cast<double>(dz.as<float>()[n * row + k]);
            }
            cost += along * along;
        }
    }
    return cost / static_cast<double>(z.shape[0]);
}

double naive_cost(const net::Tensor& z, const net::Tensor& dz, double temperature) {
    const auto row = static_cast<size_t>(z.shape[1]), images = static_cast<size_t>(z.shape[0]);
    double cost = 0;
    for (size_t n = 0; n < images; ++n) {
        cost += tempered_cost(z.as<float>().subspan(n * row, row),
                              dz.as<float>().subspan(n * row, row), temperature);
    }
    return cost / static_cast<double>(images);
}

TEST(Directions, OfFewClassesAreExact) {
    for (const int64_t classes : {2, 3, 10, 16}) {
        for (const double temperature : {1.0, 4.0}) {
            const net::Tensor z = net::random_tensor({20, classes}, 1, -8, 8);
            const net::Tensor dz = net::random_tensor({20, classes}, 2);
            const std::vector<net::Tensor> sample = {z};
            const Directions directions(sample, {.temperature = temperature});
            EXPECT_EQ(directions.count, classes - 1);
            const double expected = naive_cost(z, dz, temperature);
            EXPECT_NEAR(seeded_cost(directions, z, dz), expected, 1e-5 * expected);
        }
    }
}

TEST(Directions, OfManyClassesAreRightInTheMean) {
    const net::Tensor z = net::random_tensor({2000, 40}, 3, -4, 4);
    const net::Tensor dz = net::random_tensor({2000, 40}, 4);
    const std::vector<net::Tensor> sample = {z};
    const Directions directions(sample, {.count = 16, .seed = 5});
    EXPECT_FALSE(directions.are_exact);
    EXPECT_EQ(directions.count, 16);
    const double expected = naive_cost(z, dz, 4);
    EXPECT_NEAR(seeded_cost(directions, z, dz), expected, 0.04 * expected);
}

TEST(Directions, OfOtherOutputsAreSquaredErrorAtUnitVariance) {
    const net::Tensor y = net::random_tensor({50, 3, 4, 4}, 6, -10, 10);
    const net::Tensor dy = net::random_tensor({50, 3 * 4 * 4}, 7);
    const std::vector<net::Tensor> sample = {y};
    const Directions directions(sample, {.count = 200});
    EXPECT_FALSE(directions.are_scores);
    double squares = 0;
    for (float x : dy.as<float>()) squares += static_cast<double>(x) * static_cast<double>(x);
    const double variance = 400.0 / 12;
    double cost = 0;
    const auto seeds = directions.seeds(sample, 0);
    for (const auto& set : seeds) {
        for (size_t n = 0; n < 50; ++n) {
            double along = 0;
            for (size_t k = 0; k < 48; ++k) {
                along += static_cast<double>(set[0].as<float>()[n * 48 + k]) *
                         static_cast<double>(dy.as<float>()[n * 48 + k]);
            }
            cost += along * along;
        }
    }
    const double expected = squares / variance / 48;
    EXPECT_NEAR(cost, expected, 0.1 * expected);
}

TEST(Directions, AreTheSameHoweverImagesAreBatched) {
    const net::Tensor z = net::random_tensor({6, 30}, 8);
    const std::vector<net::Tensor> sample = {z};
    const Directions directions(sample, {.count = 3, .seed = 9});
    const auto whole = directions.seeds(sample, 10);
    const std::vector<net::Tensor> tail = {
        net::Tensor::of<float>({2, 30}, z.as<float>().subspan(4 * 30))};
    const auto part = directions.seeds(tail, 14);
    for (size_t j = 0; j < whole.size(); ++j) {
        for (size_t k = 0; k < 60; ++k)
            EXPECT_EQ(part[j][0].as<float>()[k], whole[j][0].as<float>()[4 * 30 + k]);
    }
}

TEST(Directions, LookBehindCastsAndRefuseWhatHasNoRealOutput) {
    net::GraphBuilder b;
    const net::ValueId x = b.input({net::kUnknown, 5});
    const net::ValueId probabilities = b.node("Softmax", {x});
    b.graph.value(probabilities).type = net::DType::kFloat;
    b.graph.outputs = {b.node("Cast", {probabilities}, {{"to", int64_t{10}}})};
    b.graph.value(b.graph.outputs[0]).type = net::DType::kFloat16;
    EXPECT_EQ(sensed_outputs(b.graph), std::vector<net::ValueId>{x});
    b.graph.outputs = {b.node("ArgMax", {x})};
    b.graph.value(b.graph.outputs[0]).type = net::DType::kInt64;
    EXPECT_THROW(sensed_outputs(b.graph), InputError);
}

TEST(Directions, LookBehindAFinalSoftmax) {
    net::GraphBuilder b;
    const net::ValueId x = b.input({net::kUnknown, 5});
    b.graph.value(x).type = net::DType::kFloat;
    b.graph.outputs = {b.node("Softmax", {x})};
    EXPECT_EQ(sensed_outputs(b.graph), std::vector<net::ValueId>{x});
}

}  // namespace
}  // namespace adiabat::sense
