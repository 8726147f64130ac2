// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where accuracy went: of every value that a written network computes, how far it is from the
// original's value at the same place, in the channels that stay.
//
//   signal-to-noise ratio = 10 log10 (sum x^2 / sum (x - y)^2) dB,  x original, y written,
//
// sums over images, channels and positions. Twice: `noise` with everything before it compressed,
// as the network runs, and `alone` with the original's values at its inputs, rounded to the codes
// that these have: what the stage itself does. A layer whose weights make good what was lost before
// it looks worse alone. Codes are saturated that are 0 or 255 where the original's value lies
// beyond the range.
//
// Three passes: of the original, of the written network, and of each of its stages. Memory is for
// all activations of the images of one call, so call it for a few at a time and add.

#include <cmath>
#include <optional>
#include <vector>

#include "adiabat/apply/quantize.h"
#include "adiabat/net/engine.h"
#include "adiabat/plan/plan.h"

namespace adiabat::apply {

struct StageNoise {
    net::ValueId made = net::kNoValue;   // in the original
    net::ValueId value = net::kNoValue;  // the same behind an absorbed ReLU
    int layer = -1;                      // of the network, -1 for other operators
    bool is_coded = false;
    double signal = 0, noise = 0, alone = 0;  // sums of squares
    int64_t codes = 0, saturated = 0;

    // In dB; none where signal or noise is 0.
    static std::optional<double> decibels(double signal, double noise) {
        if (signal <= 0 || noise <= 0) return std::nullopt;
        return 10 * std::log10(signal / noise);
    }
};

// Of a plan of a network and the file that it has become. What it is given must outlive it.
class NoiseMeter {
  public:
    struct Subject {
        const net::Graph& original;
        const plan::Network& network;  // of the original
        const plan::Plan& plan;
        onnx::Storage storage;
        const net::Graph& written;  // as read back: names are those that quantize() gave
    };
    NoiseMeter(const Subject& subject, net::Engine& engine, const net::EngineOptions& options);

    // Adds what these images say ([N, ...], as the network takes them).
    void add(const net::Tensor& images);
    // In the order of the data; values that are only moved are left out.
    const std::vector<StageNoise>& stages() const { return found_; }
    // Bytes that an image takes.
    int64_t bytes_an_image() const;

  private:
    // A value of the original and what stands for it in the written network.
    struct Place {
        net::ValueId original, written;
        std::optional<net::ValueId> scale, zero_point;  // where it is codes
        int found = -1;  // index of its StageNoise, -1 where it moves
    };

    net::Tensor kept(net::ValueId id, net::Tensor value) const;
    net::Tensor coded(const Place& place, const net::Tensor& value) const;
    int64_t clipped(const Place& place, const net::Tensor& x, const net::Tensor& codes) const;
    double squared_error(const Place& place, const net::Tensor& x, const net::Tensor& y) const;

    const Subject subject_;
    std::vector<uint8_t> cut_;
    std::vector<Place> places_;
    std::vector<std::vector<net::ValueId>> needs_;  // of each place, those it is computed from
    std::vector<StageNoise> found_;
    std::unique_ptr<net::Session> original_, written_;
};

}  // namespace adiabat::apply
