// SPDX-License-Identifier: Apache-2.0
#pragma once

// What changes of a layer's weights do along each direction, from the slopes of its weights: for an
// image and a direction with gradient G [F, P] at the layer's outputs and inputs X [D, P] unfolded
// position by position, the slopes are H = G X' [F, D], and a change dW of the weights does <dW,
// H>. A last row of X holds ones: H has the slopes of biases too.
//
// Against products with the inputs (probe_products.h), which work on every position again for all
// cuts and widths, positions are summed over once: O(D F P) an image and direction, then O(F D) for
// every cut and width. Where positions are many and the layer is small, that is less by far.

#include <memory>
#include <optional>
#include <vector>

#include "adiabat/net/engine.h"
#include "adiabat/sense/layer_probe.h"

namespace adiabat::sense {

class WeightSlopes {
  public:
    // Null where products with the inputs are cheaper, or the layer is none that unfolds so:
    // grouped, of too many inputs (layer_rows.h), no convolution. What is given must outlive it.
    static std::unique_ptr<WeightSlopes> make(const Candidates& candidates, size_t layer,
                                              const LayerProbe& probe, int64_t directions,
                                              net::Engine& engine,
                                              const net::EngineOptions& options);

    struct Slopes {
        net::Tensor slopes;  // [N, directions x filters, D + 1]
        net::Tensor cuts;    // what each cut of the probe does: [N x directions, cuts]
    };
    // `x` is what the layer reads, `gradients` are at its outputs, one a direction.
    Slopes of(const net::Tensor& x, std::span<const net::Tensor* const> gradients);

    // What rounding does, row widths x filters: <row, slopes of the filter>.
    const recon::Rows& roundings() const { return roundings_; }

  private:
    WeightSlopes(const Candidates& candidates, size_t layer, const LayerProbe& probe,
                 net::Engine& engine, const net::EngineOptions& options);

    const net::Node& node_;
    const net::Layer& layer_;
    const net::Shape& weight_;
    int threads_;
    size_t cuts_;
    recon::Rows roundings_;                           // [widths x filters, D + 1]
    std::unique_ptr<net::Session> slopes_, of_cuts_;  // none where nothing is cut
};

}  // namespace adiabat::sense
