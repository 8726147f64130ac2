// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/equalizing.h"

#include <algorithm>

#include "adiabat/apply/equalize.h"
#include "adiabat/net/cast.h"

namespace adiabat::pipeline {

namespace {

constexpr int64_t kRangeImages = 128;

}  // namespace

std::string_view name_of(Equalize equalize) {
    return equalize == Equalize::kAuto ? "auto" : equalize == Equalize::kOn ? "on" : "off";
}

Equalize parse_equalize(std::string_view text) {
    for (Equalize equalize : {Equalize::kAuto, Equalize::kOn, Equalize::kOff}) {
        if (text == name_of(equalize)) return equalize;
    }
    throw InputError("--equalize: `{}`: expected auto, on or off", text);
}

EqualizedNetwork equalize_network(const Subject& subject, const net::Tensor& sensing) {
    const net::Graph& graph = subject.graph();
    const auto& layers = subject.network().layers;
    const auto links = apply::find_links(graph, layers);
    const net::Tensor images =
        net::as_type(net::rows_of(sensing, 0, std::min(sensing.shape[0], kRangeImages)),
                     graph.value(graph.inputs[0]).type);
    const auto ranges = apply::measure_channels(graph, layers, links, subject.original(), images);
    return {links.size(), apply::equalized(graph, layers, links, ranges)};
}

std::vector<Written> carry_out_equalized(Subject& subject, const EqualizedNetwork& equalized,
                                         const Judge& judge, std::span<const plan::Plan> plans,
                                         const net::Tensor& sensing, StopToken stop,
                                         ProgressSink& progress) {
    // Its own again, whatever happens.
    const struct Back {
        Subject& subject;
        ~Back() { subject.carry_out_on(std::nullopt); }
    } back{subject};
    subject.carry_out_on(equalized.graph);
    return carry_out(subject, judge, plans, sensing, stop, progress);
}

Json equalization_to_json(size_t links, const Judgement& without, const Judgement& with,
                          bool used) {
    return {{"links", links},
            {"divergence_without", without.divergence},
            {"divergence_with", with.divergence},
            {"used", used}};
}

}  // namespace adiabat::pipeline
