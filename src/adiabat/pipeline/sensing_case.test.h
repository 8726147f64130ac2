// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: a random residual network whose candidates are sensed with a real engine.

#include <memory>

#include "adiabat/net/residual_network.test.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/plan/fixture.test.h"
#include "adiabat/plan/measured.h"
#include "adiabat/sense/gradient.h"

namespace adiabat::pipeline {

// Of each family the first group stays.
inline plan::Plan seeded_plan(const plan::Network& network, uint64_t seed) {
    Random random(seed, 3);
    plan::Plan plan = plan::uniform_plan(network, 8);
    for (size_t l = 0; l < plan.bits.size(); ++l) {
        const auto& widths = network.widths(l);
        plan.bits[l] = widths[random.below(static_cast<uint32_t>(widths.size()))];
    }
    for (auto& cut : plan.cut) {
        for (size_t i = 1; i < cut.size(); ++i) cut[i] = random.below(2);
    }
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (random.below(3) == 0) plan::drop(network, plan, b);
    }
    return plan;
}

struct SensingCase {
    // Around a random plan where `around` is not 0.
    explicit SensingCase(net::Graph network_graph, int64_t count = 24, uint64_t around = 0,
                         bool branches = false, bool activations = false)
        : graph(std::move(network_graph)),
          network(graph, {.widths = {2, 4, 8},
                          .branches = branches,
                          .activations =
                              activations ? plan::Activations::kMixed : plan::Activations::kCoded}),
          incumbent(seeded_plan(network, around)),
          candidates(plan::candidates_of(graph, network, around > 0 ? &incumbent : nullptr)),
          images(net::random_tensor({count, 3, 8, 8}, 5)) {
        options.images = count;
    }
    sense::ImageBatches batches() const {
        return [this](int64_t begin, int64_t n) { return net::rows_of(images, begin, n); };
    }
    sense::Effects by_gradients(Store& store, StopToken stop = {},
                                ProgressSink& progress = no_progress()) {
        return sense_by_gradients(candidates, *engine, batches(), options, store, stop, progress);
    }

    net::Graph graph;
    plan::Network network;
    plan::Plan incumbent;
    sense::Candidates candidates;
    net::Tensor images;
    sense::GradientOptions options;
    std::unique_ptr<net::Engine> engine = load_engine();
};

}  // namespace adiabat::pipeline
