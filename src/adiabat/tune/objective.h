// SPDX-License-Identifier: Apache-2.0
#pragma once

// What training makes small: how far a network's outputs are from its teacher's, and its gradient.
//
// Scores of classes ([N, C >= 2]), z of the network and t of the teacher, T a temperature:
//
//   L = mean over images of T^2 KL(softmax(t / T) || softmax(z / T)),
//   dL/dz = T (softmax(z / T) - softmax(t / T)) / N.
//
// With labels y and a weight a it is (1 - a) L + a times the cross entropy -log softmax(z)_y. Other
// outputs: the squared error over the variance of the teacher's, mean over elements. Several
// outputs add up. O(elements), sums in double.
//
// Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network" (arXiv
// 1503.02531).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::tune {

struct ObjectiveOptions {
    double temperature = 4;
    double label_weight = 0;  // 0 to 1
};

class Objective {
  public:
    // `sample` holds the teacher's outputs on some images, one float tensor an output.
    Objective(std::span<const net::Tensor> sample, const ObjectiveOptions& options);

    // Labels may be empty where they have no weight.
    double loss(std::span<const net::Tensor> outputs, std::span<const net::Tensor> targets,
                std::span<const int32_t> labels) const;
    // The gradient at every output, of the loss of a batch of `images` among which are these.
    std::vector<net::Tensor> gradient(std::span<const net::Tensor> outputs,
                                      std::span<const net::Tensor> targets,
                                      std::span<const int32_t> labels, int64_t images) const;

    // The loss of a network that says the same of every image of the sample, the best such thing:
    // its mean output, of scores the mean probabilities.
    double of_knowing_nothing() const { return of_nothing_; }
    // Whether output o is scores of classes.
    bool are_scores(size_t o) const { return are_scores_[o]; }

  private:
    ObjectiveOptions options_;
    std::vector<bool> are_scores_;
    std::vector<double> variances_;
    double of_nothing_ = 0;
};

}  // namespace adiabat::tune
