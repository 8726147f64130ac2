// SPDX-License-Identifier: Apache-2.0
#pragma once

// A network's outputs on many images, and what they say: accuracy, agreement, divergence.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/net/engine.h"

namespace adiabat::pipeline {

// First output of the network, in float (of vectors of probabilities the scores that a final
// Softmax reads), for all images ([N, C, H, W], float; cast to what the network takes), `batch`
// images a run. Throws Interrupted, and InputError where the output has no row for every image.
net::Tensor run_network(net::Session& session, const net::Tensor& images, int64_t batch,
                        StopToken stop = {}, ProgressSink& progress = no_progress());

// Whether every image has one vector of scores: shape [N, classes], two classes at least.
bool is_classifier(const net::Tensor& outputs);

// Index of the largest score of each image, the first of equal ones.
std::vector<int32_t> predictions(const net::Tensor& logits);

// Share of equal entries, 0 to 1.
double share_equal(std::span<const int32_t> a, std::span<const int32_t> b);

// Mean over images of KL(softmax(reference / T) || softmax(logits / T)), in nats, T a temperature.
double mean_divergence(const net::Tensor& reference, const net::Tensor& logits,
                       double temperature = 1);

// Mean squared difference over the mean square of the reference around its mean: for outputs that
// are no classifier's.
double relative_squared_error(const net::Tensor& reference, const net::Tensor& outputs);

}  // namespace adiabat::pipeline
