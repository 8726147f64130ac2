// SPDX-License-Identifier: Apache-2.0
#pragma once

// `--equalize`: whether plans are carried out on the network with its channels rescaled
// (apply/equalize.h). `on`: all of them. `auto`: the plan that is taken once more, and what is
// better on the judging images stays. Budgets are the same to the byte, and what was sensed is of
// the network as it was: cuts do the same in both, rounding nearly.

#include <span>
#include <string_view>
#include <vector>

#include "adiabat/net/tensor.h"
#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/subject.h"

namespace adiabat::pipeline {

enum class Equalize { kAuto, kOn, kOff };
// "auto", "on", "off". Throws InputError.
Equalize parse_equalize(std::string_view text);
std::string_view name_of(Equalize equalize);

// The subject's network with its channels rescaled, ranges from some of the images that sense; and
// between how many layers: 0 where none can be, and the network is as it was.
struct EqualizedNetwork {
    size_t links = 0;
    net::Graph graph;
};
EqualizedNetwork equalize_network(const Subject& subject, const net::Tensor& sensing);

// Plans carried out and judged on the equalized network; the subject is left with its own.
std::vector<Written> carry_out_equalized(Subject& subject, const EqualizedNetwork& equalized,
                                         const Judge& judge, std::span<const plan::Plan> plans,
                                         const net::Tensor& sensing, StopToken stop,
                                         ProgressSink& progress);

// Of a plan that was carried out on both, for documents: {"links", "divergence_without",
// "divergence_with", "used"}.
Json equalization_to_json(size_t links, const Judgement& without, const Judgement& with, bool used);

}  // namespace adiabat::pipeline
