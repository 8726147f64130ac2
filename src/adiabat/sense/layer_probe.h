// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the output of one layer changes with each candidate that touches the layer, as linear maps of
// what it reads.
//
// Cutting the channels S of its input, the others standing in for them (recon/compensation.h),
// changes the output by -W_S e with e = K_S (x - mean x); rounding the weights to b bits in order
// (recon/ordered_rounding.h) changes it by (W_b - W)(x - mean x). The means are left out since the
// bias is re-centred. Both are measured as plans will be applied.
//
// Beside the maps, what the second moments say at once: the errors E(u), E(u, v) of losing one or
// two groups, outputs weighed by their mean squared gradients s_o, and the share of each width's
// rounding error that lies in the columns of each group.
//
// Around an incumbent (incumbent.h): K and the coefficients V in the place of W_S are those of a
// group that changes sides, be it cut or found again, E(u) is what the layer's error grows by, and
// widths change from the incumbent's.
//
// Grouped convolutions: each group of filters on its own. Memory: (cut columns + widths x filters)
// x D floats. O(D^3 + widths (D^2 F)) once a layer, and O(cuts^2 taps^3) for the pairs.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/net/layers.h"
#include "adiabat/recon/moments.h"
#include "adiabat/sense/candidates.h"
#include "adiabat/sense/layer_rows.h"

namespace adiabat::sense {

struct LayerProbe {
    std::vector<net::GroupId> cuts;  // groups among the inputs, ascending
    // Rows of K in one group of filters: which of `cuts` each belongs to, and its column there.
    std::vector<int> cut_of_row, column_of_row;
    recon::Rows residual;                // K: [filter groups x rows, D]
    std::vector<float> residual_offset;  // K mean x
    // W_S transposed, a row for each of K: [filter groups x rows, filters of a group].
    recon::Rows coefficients;
    recon::Rows rounding;                // W_b - W: [filter groups x widths x their filters, D]
    std::vector<float> rounding_offset;  // of (W_b - W) mean x

    recon::Matrix pairs;   // E(u, v), symmetric; the diagonal is E(u)
    recon::Matrix shares;  // [widths, cuts]; zero around an incumbent

    // Around an incumbent: the layer as it leaves it, [F, D], and its bias.
    recon::Rows weights;
    std::vector<float> bias;

    int64_t rows() const { return static_cast<int64_t>(cut_of_row.size()); }
};

// What a probe around an incumbent needs besides: what the layer gives in the original network,
// and of each filter whether it is there.
enum class Presence : uint8_t {
    kThere,
    kCut,   // and may come back
    kGone,  // cut, of a family whose groups do not come back
};
struct AroundIncumbent {
    const net::Tensor& target;
    std::vector<Presence> filters;
};
// One entry a filter of the layer; `is_direct` has one a family.
std::vector<Presence> presence_of_filters(const Candidates& candidates, size_t layer,
                                          std::span<const uint8_t> is_direct);

// `rows` are those of the layer in the original network, or as the incumbent leaves it;
// `output_weights` are s_o, one a filter. Without rows (a layer too large for second moments): no
// cuts, plain rounding, means left in. The bias is the caller's to find.
LayerProbe probe_layer(const Candidates& candidates, size_t layer,
                       const std::optional<LayerRows>& rows, std::span<const double> output_weights,
                       int threads, const AroundIncumbent* around = nullptr);

}  // namespace adiabat::sense
