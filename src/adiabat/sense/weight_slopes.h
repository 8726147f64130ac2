// SPDX-License-Identifier: Apache-2.0
#pragma once

// What changes of a layer's weights do along each direction, from the slopes of its weights: for an
// image and a direction with gradient G [F, P] at the layer's outputs and inputs X [D, P] unfolded
// position by position, the slopes are H = G X' [F, D], and a change dW of the weights does <dW,
// H>. A last row of X holds ones: H has the slopes of biases too.
//
// Against products with the inputs (probe_products.h), which work on every position again for all
// cuts and widths, positions are summed over once: O(D F P) an image and direction, then O(F D) for
// every width, and for every cut or every row of K, whichever is less (layer_probe.h; a cut's dW is
// the sum of -v k' over its rows, so that it does -<k, H' v>). Where positions are many and the
// layer is small, that is less by far; in others cuts are left to products.

#include <memory>
#include <optional>
#include <vector>

#include "adiabat/net/engine.h"
#include "adiabat/sense/layer_probe.h"

namespace adiabat::sense {

class WeightSlopes {
  public:
    // How cuts are found: left to products with the inputs, by a map of all slopes, or row by row
    // of K.
    enum class Cuts : uint8_t { kLeft, kMapped, kByRows };

    // Null where products with the inputs cost less, or the layer does not unfold. What is given
    // must outlive it.
    static std::unique_ptr<WeightSlopes> make(const Candidates& candidates, size_t layer,
                                              const LayerProbe& probe, int64_t directions,
                                              net::Engine& engine,
                                              const net::EngineOptions& options);

    // A convolution, not grouped, of not too many inputs (layer_rows.h).
    static bool unfolds(const Candidates& candidates, size_t layer);
    // For a layer that unfolds.
    WeightSlopes(const Candidates& candidates, size_t layer, const LayerProbe& probe, Cuts cuts,
                 net::Engine& engine, const net::EngineOptions& options);

    bool has_cuts() const { return cuts_ != Cuts::kLeft; }

    struct Slopes {
        net::Tensor slopes;  // [N, directions x filters, D + 1]
        // What each cut of the probe does, less the sign: [N x directions, cuts].
        net::Tensor cuts;
    };
    // `x` is what the layer reads, `gradients` are at its outputs, one a direction.
    Slopes of(const net::Tensor& x, std::span<const net::Tensor* const> gradients);

    // What rounding does, row widths x filters: <row, slopes of the filter>.
    const recon::Rows& roundings() const { return roundings_; }

  private:
    net::Tensor cuts_by_rows(const net::Tensor& slopes, int64_t count) const;

    const net::Node& node_;
    const net::Layer& layer_;
    const net::Shape& weight_;
    int threads_;
    const LayerProbe& probe_;
    Cuts cuts_;
    recon::Rows roundings_;  // [widths x filters, D + 1]
    recon::Rows residuals_;  // K and what it gives of the means, [rows, D + 1], by rows alone
    std::unique_ptr<net::Session> slopes_, of_cuts_;
};

}  // namespace adiabat::sense
