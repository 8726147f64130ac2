// SPDX-License-Identifier: Apache-2.0
#pragma once

// Stochastic gradient descent with Nesterov's momentum, on plain arrays.
//
// Every parameter x has a unit u and is trained as x / u, so that with the rate r
//
//   g' = clip(u g),  v <- m v + g',  x <- x - r u (g' + m v).
//
// Gradients whose norm over all parameters, in these units, exceeds `clip` are scaled to it. The
// rate of step t of n rises linearly over the first `warm_up` steps and falls along a cosine to 0:
// r = peak (1 + cos(pi (t - warm_up) / (n - warm_up))) / 2. O(parameters) a step.
//
// Source: I. Sutskever et al., "On the importance of initialization and momentum in deep learning"
// (ICML 2013); I. Loshchilov and F. Hutter, "SGDR" (ICLR 2017); clipping R. Pascanu et al. (ICML
// 2013).

#include <cstdint>
#include <span>
#include <vector>

namespace adiabat::tune {

struct DescentOptions {
    double rate = 0.005;  // peak
    double momentum = 0.9;
    double clip = 1;       // 0: none
    double warm_up = 0.1;  // share of the steps
};

// One array of parameters: element k has the unit units[k / inner % units.size()].
struct Block {
    std::vector<float> values, velocity;
    std::vector<float> units;
    int64_t inner = 1;
    std::vector<float> least;  // values stay at or above, where there are any

    float unit(size_t k) const { return units[k / static_cast<size_t>(inner) % units.size()]; }
};

// The rate of step t, 0 <= t < steps.
double rate_at(const DescentOptions& options, int64_t t, int64_t steps);

// The norm of all gradients in the blocks' units.
double norm_of(std::span<const Block> blocks, std::span<const std::vector<float>> gradients);

// One step with the gradients of all blocks; returns their norm before it was clipped, which may be
// infinite or NaN: then nothing is changed.
double step(std::span<Block> blocks, std::span<const std::vector<float>> gradients, double rate,
            const DescentOptions& options);

}  // namespace adiabat::tune
