// SPDX-License-Identifier: Apache-2.0
#pragma once

// All layers of a network probed in one walk through it (layer_probe.h), and what cannot be.

#include <functional>
#include <optional>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/base/store.h"
#include "adiabat/net/engine.h"
#include "adiabat/recon/range_rule.h"
#include "adiabat/sense/directions.h"
#include "adiabat/sense/layer_probe.h"
#include "adiabat/sense/stand_ins.h"

namespace adiabat::sense {

// Images begin .. begin + count - 1 of those that sense, as the network takes them.
using ImageBatches = std::function<net::Tensor(int64_t begin, int64_t count)>;

// Channels along axis 1 of a value whose groups something else than a probed layer reads.
struct DirectProbe {
    net::ValueId value = net::kNoValue;
    std::vector<net::GroupId> groups;  // one a channel, kStays where it is probed by its readers
    std::vector<float> means;          // over images and positions
};

struct Probes {
    Directions directions;
    std::vector<LayerProbe> layers;
    std::vector<DirectProbe> direct;
    // One a family: seen where it is made, so that its cuts in `layers` do not count again.
    std::vector<uint8_t> is_direct;
    std::vector<std::vector<StandIn>> stand_ins;  // one list a branch
    std::vector<recon::CodeMap> code_maps;        // one an activation that may be coded
    // The network as the incumbent leaves it (incumbent.h), where there is one.
    std::optional<net::Graph> around;

    // What changes are looked at in.
    const net::Graph& network(const Candidates& candidates) const {
        return around ? *around : candidates.graph;
    }
};

struct ProbingOptions {
    DirectionOptions directions;
    int64_t images = 0;
    uint64_t memory_bytes = uint64_t{1} << 30;  // for the activations that are held at once
    int threads = 0;
    recon::RangeRule ranges = {};  // of activations that may be coded
};

// The images that are held at once: as many as `memory_bytes` has room for.
int64_t probing_images(const net::Graph& graph, const ProbingOptions& options);

// Finished layers go to the store, or come from it. Around an incumbent the walk sees what its
// network makes of the images, and beside it what the original does.
Probes probe_network(const Candidates& candidates, net::Engine& engine, const ImageBatches& images,
                     const ProbingOptions& options, Store& store, StopToken stop,
                     ProgressSink& progress);

int64_t elements_an_image(const net::Graph& graph, net::ValueId id);

// Bytes of all values that one image has at a layer's input and output, by layer.
std::vector<int64_t> bytes_at_layers(const Candidates& candidates);

}  // namespace adiabat::sense
