// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fills in a quantized graph: weights, biases, scales and zero points, in the order of the data.
//
// Each layer sees the codes that the compressed network so far makes of the calibration images. Its
// weights are fitted by least squares to what the original network gave (recon/least_squares.h),
// plus, where its output is added to a skip path, what that has lost so far: the sum comes out
// right, and the error of a residual stream does not pile up. They are rounded together
// (layer_rounding.h); transposed convolutions are rounded as they are, with searched scales
// (recon/rounding.h). Its bias is re-centred exactly, so that the mean of every output channel over
// the images is the original network's:
//
//   b' = b + mean(original output) - mean(output with rounded weights on rounded inputs)
//
// which also gives back the mean of what cut channels contributed. Then the range of its output is
// chosen (recon/range_rule.h) and the output coded. Two forward passes in all, the activations of
// all images that are still needed held in memory.
//
// Source of the re-centring: M. Nagel et al., "Data-free quantization through weight equalization
// and bias correction" (ICCV 2019), with the means measured.

#include "adiabat/apply/layer_rounding.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/net/engine.h"
#include "adiabat/plan/plan.h"
#include "adiabat/recon/range_rule.h"

namespace adiabat::apply {

struct CalibrationInput {
    const net::Graph& original;    // float, whole
    const net::Graph& cut;         // float, cut: the same values (cut.h)
    const plan::Network& network;  // of the original
    const plan::Plan& plan;
    const net::Tensor& images;  // for the network's only input: [N, ...], float
    Rounding rounding = Rounding::kQubo;
    recon::RangeRule ranges = {};
};

// Throws Interrupted when stopped, InputError where activations are not finite. Of every layer,
// what its rounding did; no filters where it was rounded as it was.
std::vector<RoundingReport> calibrate(Quantized& quantized, const CalibrationInput& input,
                                      net::Engine& engine, const net::EngineOptions& options,
                                      StopToken stop = {}, ProgressSink& progress = no_progress());

}  // namespace adiabat::apply
