// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer reads and gives, position by position, as its reconstruction wants it
// (recon/moments.h).
//
// A row is one output position of one image: the values under the filter, in the order of the
// filter's weights (inputs x taps; zeros in the pads), and what the filters gave in the original
// network. Of all positions a part is drawn, one from each of as many equal ranges, always the
// same: at least kFewestRows, recon::kRowsAnUnknown for each weight of a filter, at most kMostRows.
// Second moments of inputs hardly change beyond that.
//
// For convolutions of up to three dimensions, grouped ones too, and Gemms, of at most kMostInputs
// weights a filter. Not for transposed convolutions.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/net/layers.h"
#include "adiabat/net/sliding_window.h"
#include "adiabat/recon/moments.h"

namespace adiabat::sense {

inline constexpr int64_t kFewestRows = 8192, kMostRows = 65536;
// Second moments of more inputs than this take more memory and time than they are worth.
inline constexpr int64_t kMostInputs = 6144;

class LayerRows {
  public:
    // `node` computes the layer, whose weight has shape `weight`, from `input`, [N, C, ..], float.
    // None where the layer is of another kind or too large, or where there is nothing to read.
    static std::optional<LayerRows> of(const net::Node& node, const net::Layer& layer,
                                       const net::Shape& weight, const net::Tensor& input);

    int64_t groups() const { return groups_; }

    // The moments of the filters of one group. `target` is [N, F', ..] with F' the original's
    // filters, of which `kept` are the layer's. The same for any number of threads. `halves`, where
    // given, takes those of the first half of the images and of the second.
    recon::Moments moments(int64_t group, const net::Tensor& target, std::span<const int64_t> kept,
                           int threads, recon::Halves* halves = nullptr) const;
    // The same where `more`, of the target's shape, is to be given besides, for those filters for
    // which that holds on images it was not fitted to (recon/least_squares.h).
    recon::Moments moments(int64_t group, const net::Tensor& target, const net::Tensor& more,
                           std::span<const int64_t> kept, int threads,
                           recon::Halves* halves = nullptr) const;
    // Of the inputs alone.
    recon::Moments moments(int64_t group, int threads) const;

    // All positions of one image, of a layer of one group: [inputs x taps, positions].
    void unfold(int64_t image, float* to) const;

  private:
    static constexpr size_t kRank = 3;  // shorter windows are filled up with ones
    struct Axis {
        int64_t size = 1, kernel = 1, stride = 1, dilation = 1, begin = 0, positions = 1;
    };

    explicit LayerRows(const net::Tensor& input) : input_(&input) {}
    int64_t drawn(int64_t row, int64_t rows) const;
    // Of the first and of the second half of the images. `read_targets(place, t)` fills in
    // `filters` targets.
    std::vector<recon::MomentSums> sums(int64_t group, int64_t filters,
                                        const std::function<void(int64_t, float*)>& read_targets,
                                        int threads) const;
    // The values of a group's kept filters at a place.
    void targets_at(const net::Tensor& target, int64_t group, std::span<const int64_t> kept,
                    int64_t place, float* t) const;
    void fill(int64_t place, int64_t group, float* row) const;

    const net::Tensor* input_;
    Axis axes_[kRank];
    int64_t images_ = 0, channels_ = 0, groups_ = 1, filters_ = 0;
    int64_t inputs_ = 0;  // channels that one filter reads
    int64_t taps_ = 1, positions_ = 1, plane_ = 1;
};

}  // namespace adiabat::sense
