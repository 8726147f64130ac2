// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/activation_codes.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/net/frontier.h"
#include "adiabat/sense/directions.h"
#include "adiabat/sense/probing.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

constexpr int64_t kRangeImages = 128;
constexpr float kLargestCode = 255;

}  // namespace

std::vector<recon::CodeMap> find_code_maps(const Candidates& candidates, net::Session& session,
                                           const Tensor& images, const CodeMapOptions& options,
                                           const StopToken& stop) {
    const net::Graph& graph = session.graph();
    const Tensor some = net::rows_of(images, 0, std::min(kRangeImages, images.shape[0]));
    const std::vector<net::Feed> feeds = {{graph.inputs[0], &some}};
    std::vector<recon::CodeMap> maps;
    std::vector<ValueId> fetches;
    uint64_t held = 0;
    const auto take = [&] {
        if (stop.requested()) throw Interrupted();
        for (const Tensor& values : session.run(feeds, fetches)) {
            maps.push_back(recon::code_map(recon::range_of(values.as<float>(), options.ranges)));
        }
        fetches.clear();
        held = 0;
    };
    for (size_t a : candidates.coded()) {
        const ValueId id = candidates.activations[a].value;
        const auto bytes = static_cast<uint64_t>(4 * some.shape[0] * elements_an_image(graph, id));
        if (!fetches.empty() && held + bytes > options.memory_bytes) take();
        fetches.push_back(id);
        held += bytes;
    }
    if (!fetches.empty()) take();
    return maps;
}

Tensor rounding_error(const Tensor& values, const recon::CodeMap& map) {
    Tensor error(net::DType::kFloat, values.shape);
    const auto zero = static_cast<float>(map.zero_point);
    const auto from = values.as<float>();
    const auto to = error.as<float>();
    for (size_t k = 0; k < from.size(); ++k) {
        const float code =
            std::clamp(std::nearbyint(from[k] / map.scale) + zero, 0.0f, kLargestCode);
        to[k] = map.scale * (code - zero) - from[k];
    }
    return error;
}

void ActivationRuns::add_rows(const Tensor& images, std::span<const Tensor> before,
                              const std::vector<std::vector<Tensor>>& seeds, recon::Rows& rows,
                              const StopToken& stop) const {
    const net::Uses uses(graph);
    const std::vector<ValueId> outputs = sensed_outputs(graph);
    const std::vector<net::Feed> feeds = {{graph.inputs[0], &images}};
    const std::vector<size_t> coded = candidates.coded();
    for (size_t i = 0; i < coded.size(); ++i) {
        if (stop.requested()) throw Interrupted();
        const ValueId id = candidates.activations[coded[i]].value;
        const int node = uses.producer(id);
        const std::vector<ValueId> across = net::values_across(graph, node + 1);
        std::vector<Tensor> held = session.run(feeds, across);
        std::vector<net::Feed> prefix;
        for (size_t k = 0; k < across.size(); ++k) {
            if (across[k] == id) {
                const Tensor error = rounding_error(held[k], maps[i]);
                for (int64_t e = 0; e < error.size(); ++e) {
                    held[k].as<float>()[static_cast<size_t>(e)] +=
                        step * error.as<float>()[static_cast<size_t>(e)];
                }
            }
            prefix.push_back({across[k], &held[k]});
        }
        // Outputs before it are what they were.
        std::vector<Tensor> after(before.begin(), before.end());
        for (size_t o = 0; o < outputs.size(); ++o) {
            if (uses.producer(outputs[o]) <= node) continue;
            after[o] = std::move(session.run(prefix, std::vector{outputs[o]})[0]);
        }
        rows.col(candidates.column_of_codes(coded[i])) = along_seeds(seeds, before, after) / step;
    }
}

}  // namespace adiabat::sense
