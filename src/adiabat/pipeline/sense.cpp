// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/sense.h"

#include <cmath>

#include "adiabat/base/correlation.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/pipeline/sensing.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {

namespace {

// Effects that are a smaller share of the largest are the rounding of float outputs: of channels
// that give nothing.
constexpr double kRounding = 1e-10;

// Of logarithms, of candidates that both methods see: of the first `count`, since branches are run
// by both.
std::optional<double> log_correlation(const recon::Vector& a, const recon::Vector& b,
                                      Eigen::Index count) {
    Correlation correlation;
    const double least_a = kRounding * a.maxCoeff(), least_b = kRounding * b.maxCoeff();
    for (Eigen::Index u = 0; u < count; ++u) {
        if (a[u] > least_a && b[u] > least_b) correlation.add(std::log(a[u]), std::log(b[u]));
    }
    return correlation.value();
}

Json layers_of(const Subject& subject, const sense::Effects& effects) {
    const plan::Network& network = subject.network();
    const sense::Candidates candidates = plan::candidates_of(subject.graph(), network);
    Json layers = Json::array();
    for (size_t k = 0; k < network.layers.size(); ++k) {
        Json widths = Json::array(), cuts = Json::array();
        for (size_t w = 0; w < network.widths(k).size(); ++w) {
            widths.push_back({{"bits", network.widths(k)[w]},
                              {"effect", effects.single[candidates.column(k, w)]}});
        }
        const auto& groups = network.filter_groups(k);
        for (size_t i = 0; i < groups.size(); ++i) {
            if (groups[i] == net::kStays) continue;
            cuts.push_back({{"filter", i},
                            {"group", groups[i]},
                            {"effect", effects.single[candidates.column(groups[i])]}});
        }
        layers.push_back({{"name", network.layers[k].name},
                          {"widths", std::move(widths)},
                          {"cuts", std::move(cuts)}});
    }
    return layers;
}

Json branches_of(const Subject& subject, const sense::Effects& effects) {
    const plan::Network& network = subject.network();
    const sense::Candidates candidates = plan::candidates_of(subject.graph(), network);
    Json rows = Json::array();
    for (size_t b = 0; b < network.branches.size(); ++b) {
        Json layers = Json::array();
        for (size_t k : network.branches[b].layers) layers.push_back(network.layers[k].name);
        rows.push_back({{"name", network.branches[b].name},
                        {"layers", std::move(layers)},
                        {"effect", effects.single[candidates.column_of_branch(b)]}});
    }
    return rows;
}

Json activations_of(const Subject& subject, const sense::Effects& effects) {
    const plan::Network& network = subject.network();
    const sense::Candidates candidates = plan::candidates_of(subject.graph(), network);
    Json rows = Json::array();
    for (size_t a : candidates.coded()) {
        rows.push_back({{"name", network.name(network.layers.size() + a)},
                        {"effect", effects.single[candidates.column_of_codes(a)]}});
    }
    return rows;
}

}  // namespace

Json sense(const SenseOptions& options, StopToken stop, ProgressSink& progress) {
    StageClock clock;
    clock.begin("read");
    const Subject subject(options.of_subject(), progress);
    clock.begin("data");
    const Calibration images = read_calibration(subject, options.of_draw(), stop, progress);
    SensingOptions how = options.of_deciding().sensing;
    clock.begin("sense");
    const Sensed sensed = sense_effects(subject, images, how, stop, progress);
    Json document;
    document["adiabat"] = version();
    document["verb"] = "sense";
    document["command"] = options.command;
    document["model"] = to_json(subject.model());
    document["data"] = images.document;
    document["engine"] = subject.engine().name();
    document["sensing"] = sensed.document;
    if (options.compare) {
        clock.begin("compare");
        how.method =
            how.method == SenseMethod::kGradient ? SenseMethod::kForward : SenseMethod::kGradient;
        const Sensed other = sense_effects(subject, images, how, stop, progress);
        document["comparison"] = other.document;
        const auto correlation =
            log_correlation(sensed.effects.single, other.effects.single,
                            sensed.effects.columns() - std::ssize(subject.network().branches));
        document["comparison"]["log_correlation"] = correlation ? Json(*correlation) : Json();
    }
    document["layers"] = layers_of(subject, sensed.effects);
    document["branches"] = branches_of(subject, sensed.effects);
    document["activations"] = activations_of(subject, sensed.effects);
    clock.end();
    document["stages"] = clock.to_json();
    document["seconds"] = std::round(clock.total_seconds() * 1e3) / 1e3;
    document["peak_memory_bytes"] = peak_memory_bytes();
    return document;
}

}  // namespace adiabat::pipeline
