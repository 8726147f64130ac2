// SPDX-License-Identifier: Apache-2.0
#pragma once

// The table of `--debug layers`: what each layer and each activation of a written network has lost
// (apply/layer_noise.h) on the judging images.

#include <cstdint>
#include <span>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/subject.h"

namespace adiabat::pipeline {

struct LayerTableTask {
    const Subject& subject;
    const net::Graph& original;  // the subject's, or equalized
    const plan::Plan& plan;
    std::span<const uint8_t> file;  // that the plan has become
    const net::Tensor& images;      // float
};

// In the order of the data, of each: the `name` of the layer, of another operator's node, or of
// the value; its `operator` (Input for what the network is given); weight `bits` (null for no
// layer) and `activation_bits`; `channels` that stay and `channels_before`; `snr` and `snr_alone`
// in dB (null where nothing is lost or nothing was there), and the share of `saturated` codes in
// percent (null where there are none).
Json layer_table(const LayerTableTask& task, StopToken stop, ProgressSink& progress);

}  // namespace adiabat::pipeline
