// SPDX-License-Identifier: Apache-2.0
#pragma once

// `--equalize`: whether plans are carried out on the network with its channels rescaled
// (apply/equalize.h). `on`: all of them. `automatic`: the plan that is taken once more, and what is
// better on the judging images stays. Budgets are the same to the byte, and what was sensed is of
// the network as it was: cuts do the same in both, rounding nearly.

#include <string_view>

#include "adiabat/net/tensor.h"
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

}  // namespace adiabat::pipeline
