// SPDX-License-Identifier: Apache-2.0
#pragma once

// Stochastic gradient descent by Adam, on plain arrays.
//
// Every parameter x has a unit u and is trained as x / u, so that step t = 1, 2, .. of rate r is
//
//   g = clip(u dL/dx),  m <- a m + (1 - a) g,  v <- b v + (1 - b) g^2,
//   x <- x - r u (m / (1 - a^t)) / (sqrt(v / (1 - b^t)) + epsilon):
//
// about r units, whatever the size of the gradient. Networks whose batch norms have been folded
// into the weights want that: curvatures of their parameters lie orders of magnitude apart, and
// one rate for plain gradients is too high for some and nothing to others. Gradients whose norm
// over all parameters, in these units, exceeds `clip` are scaled to it. The rate of step t of n
// rises linearly over the first `warm_up` share of the steps and falls along a cosine to 0.
// O(parameters) a step.
//
// Source: D. Kingma and J. Ba, "Adam" (ICLR 2015); I. Loshchilov and F. Hutter, "SGDR" (ICLR
// 2017); clipping R. Pascanu et al. (ICML 2013).

#include <cstdint>
#include <span>
#include <vector>

namespace adiabat::tune {

struct DescentOptions {
    double rate = 0.002;   // peak
    double first = 0.9;    // a
    double second = 0.99;  // b
    double clip = 0;       // 0: none
    double warm_up = 0.1;  // share of the steps
};

// One array of parameters: element k has the unit units[k / inner % units.size()].
struct Block {
    std::vector<float> values;
    std::vector<float> mean = {}, square = {};  // m and v; empty before the first step
    std::vector<float> units = {1};
    int64_t inner = 1;
    std::vector<float> least = {};  // values stay at or above, where there are any

    float unit(size_t k) const { return units[k / static_cast<size_t>(inner) % units.size()]; }
};

// The rate of step t, 0 <= t < steps.
double rate_at(const DescentOptions& options, int64_t t, int64_t steps);

// The norm of all gradients in the blocks' units.
double norm_of(std::span<const Block> blocks, std::span<const std::vector<float>> gradients);

// Step t, from 1 on, with the gradients of all blocks; returns their norm before it was clipped,
// which may be infinite or NaN: then nothing is changed.
double step(std::span<Block> blocks, std::span<const std::vector<float>> gradients, double rate,
            int64_t t, const DescentOptions& options);

}  // namespace adiabat::tune
