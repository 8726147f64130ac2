// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/objective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/pipeline/outputs.h"

namespace adiabat::tune {
namespace {

using net::random_tensor;
using net::Tensor;

const std::vector<int32_t> kLabels = {2, 0, 4, 1, 1, 3};

// Scores of five classes and a map, of six images.
std::vector<Tensor> outputs(uint64_t seed) {
    return {random_tensor({6, 5}, seed, -6, 6), random_tensor({6, 2, 3}, seed + 1, -3, 3)};
}

TEST(Objective, GradientsAgreeWithDifferences) {
    for (const ObjectiveOptions& options :
         {ObjectiveOptions{4, 0}, ObjectiveOptions{1, 0}, ObjectiveOptions{2, 0.3}}) {
        const std::vector<Tensor> targets = outputs(1);
        std::vector<Tensor> z = outputs(5);
        const Objective objective(targets, options);
        const auto gradient = objective.gradient(z, targets, kLabels, 6);
        for (size_t o = 0; o < z.size(); ++o) {
            for (size_t k = 0; k < z[o].as<float>().size(); ++k) {
                float& x = z[o].as<float>()[k];
                const float old = x, step = 0.01f;
                x = old + step;
                const double up = objective.loss(z, targets, kLabels);
                x = old - step;
                const double down = objective.loss(z, targets, kLabels);
                x = old;
                EXPECT_NEAR(static_cast<double>(gradient[o].as<float>()[k]),
                            (up - down) / (2 * static_cast<double>(step)), 2e-4)
                    << "T " << options.temperature << ", output " << o << ", element " << k;
            }
        }
    }
}

TEST(Objective, IsNothingWhereTheTeacherIsMet) {
    const std::vector<Tensor> targets = outputs(3);
    const Objective objective(targets, {});
    EXPECT_NEAR(objective.loss(targets, targets, {}), 0, 1e-9);
    for (const Tensor& part : objective.gradient(targets, targets, {}, 6)) {
        for (float x : part.as<float>()) EXPECT_NEAR(x, 0, 1e-7);
    }
}

TEST(Objective, PartsOfABatchAddUpToIt) {
    const std::vector<Tensor> targets = outputs(1), z = outputs(5);
    const Objective objective(targets, {4, 0.5});
    const auto whole = objective.gradient(z, targets, kLabels, 6);
    for (const auto& [first, count] : {std::pair{0, 2}, {2, 4}}) {
        std::vector<Tensor> some, wanted;
        for (size_t o = 0; o < z.size(); ++o) {
            some.push_back(net::rows_of(z[o], first, count));
            wanted.push_back(net::rows_of(targets[o], first, count));
        }
        const auto labels =
            std::span(kLabels).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
        const auto part = objective.gradient(some, wanted, labels, 6);
        for (size_t o = 0; o < z.size(); ++o) {
            const Tensor same = net::rows_of(whole[o], first, count);
            for (size_t k = 0; k < same.as<float>().size(); ++k) {
                EXPECT_NEAR(part[o].as<float>()[k], same.as<float>()[k], 1e-7);
            }
        }
    }
}

TEST(Objective, IsTheDivergenceOfDocuments) {
    const std::vector<Tensor> t = {outputs(1)[0]}, z = {outputs(5)[0]};
    EXPECT_NEAR(Objective(t, {1, 0}).loss(z, t, {}), pipeline::mean_divergence(t[0], z[0]), 1e-12);
    EXPECT_NEAR(Objective(t, {4, 0}).loss(z, t, {}), 16 * pipeline::mean_divergence(t[0], z[0], 4),
                1e-12);
    // Of others the relative squared error.
    const std::vector<Tensor> map = {outputs(1)[1]}, other = {outputs(5)[1]};
    EXPECT_NEAR(Objective(map, {}).loss(other, map, {}),
                pipeline::relative_squared_error(map[0], other[0]), 1e-9);
}

// No output that is the same for all images is better.
TEST(Objective, KnowingNothing) {
    const std::vector<Tensor> t = {outputs(1)[0]};
    const Objective objective(t, {1, 0});
    double least = 1e30;
    for (uint64_t seed = 0; seed < 200; ++seed) {
        const Tensor row = random_tensor({5}, seed, -3, 3);
        Tensor same(net::DType::kFloat, {6, 5});
        for (size_t k = 0; k < 30; ++k) same.as<float>()[k] = row.as<float>()[k % 5];
        least = std::min(least, objective.loss(std::vector{same}, t, {}));
    }
    EXPECT_GT(objective.of_knowing_nothing(), 0);
    EXPECT_LE(objective.of_knowing_nothing(), least);
    EXPECT_NEAR(objective.of_knowing_nothing(), least, 0.2);
}

}  // namespace
}  // namespace adiabat::tune
