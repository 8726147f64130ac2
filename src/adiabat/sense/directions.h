// SPDX-License-Identifier: Apache-2.0
#pragma once

// The directions of a network's outputs along which changes are looked at, as seeds of backward
// passes: with z the outputs of an image and dz a small change of them, entry j of the image is
// <seed_j, dz>, and the sum of its squares is what the change costs.
//
// Scores of C classes: with p = softmax(z / T) the tempered divergence of the change is, to second
// order, proportional to sum_k p_k (dz_k - p.dz)^2. That is |B' diag(sqrt p) dz|^2 for any
// orthonormal basis B of the complement of sqrt(p): C - 1 directions are exact (a Householder
// reflection makes B, O(C) each). For many classes `count` random ones r / sqrt(count), r with
// independent signs, projected likewise, give the same squares and products in the mean.
//
// Other outputs: sum of dz^2 over the elements, scaled to unit variance of the output and mean over
// its elements; random signs likewise. Several outputs add up.
//
// Source: A. Householder (1958); random probing as in M. Hutchinson, "A stochastic estimator of the
// trace" (1990). Tempering: T = 1 leaves to the cross terms of images that the network is sure of
// little but noise.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/recon/moments.h"

namespace adiabat::sense {

struct DirectionOptions {
    double temperature = 4;
    int count = 0;      // 0: exact up to kMostExact classes, else kSampled
    uint64_t seed = 0;  // of random ones
};

inline constexpr int kMostExact = 16, kSampled = 4;

// How outputs are looked at: whether the only one is scores of classes ([N, C >= 2]) with exact
// directions, how many directions there are, and one over the standard deviation of each other
// output.
struct Directions {
    DirectionOptions options;
    bool are_scores = false, are_exact = false;
    int count = 0;
    std::vector<double> units;

    // `sample` holds the outputs of some images, one tensor an output.
    Directions(std::span<const net::Tensor> sample, const DirectionOptions& how);

    // Seeds [direction][output], each of the shape of its output, for images first_image ..
    std::vector<std::vector<net::Tensor>> seeds(std::span<const net::Tensor> outputs,
                                                int64_t first_image) const;
};

// <seeds_j, to - from> of each image: [images x directions, 1], image by image and in each the
// directions.
recon::Rows along_seeds(const std::vector<std::vector<net::Tensor>>& seeds,
                        std::span<const net::Tensor> from, std::span<const net::Tensor> to);

// What a final Softmax, LogSoftmax or Cast that gives an output reads; the output itself where
// there is none.
net::ValueId behind_softmax(const net::Graph& graph, net::ValueId output);

// The values that changes are looked at: what is behind_softmax() of the graph's outputs, those of
// real numbers. Throws InputError where there are none.
std::vector<net::ValueId> sensed_outputs(const net::Graph& graph);

}  // namespace adiabat::sense
