// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/layer_noise.h"

#include <algorithm>
#include <map>

#include "adiabat/apply/cut.h"
#include "adiabat/base/errors.h"
#include "adiabat/net/frontier.h"
#include "adiabat/sense/probing.h"

namespace adiabat::apply {

namespace {

using net::kNoValue;
using net::Tensor;
using net::ValueId;

constexpr float kLargestCode = 255;

ValueId named(const net::Graph& graph, const std::string& name) {
    const ValueId id = graph.find(name);
    ADIABAT_CHECK(id != kNoValue, "the written network has no value {}", name);
    return id;
}

}  // namespace

NoiseMeter::NoiseMeter(const Subject& subject, net::Engine& engine,
                       const net::EngineOptions& options)
    : subject_(subject),
      cut_(plan::cut_flags(subject.network, subject.plan)),
      original_(engine.open(subject.original, options)),
      written_(engine.open(subject.written, options)) {
    const plan::Network& network = subject.network;
    std::vector<int> layers;  // those that are not gone
    for (size_t k = 0; k < network.layers.size(); ++k) {
        if (subject.plan.bits[k] != plan::kGone) layers.push_back(static_cast<int>(k));
    }
    const net::Graph cut = cut_groups(subject.original, network.coupling, cut_,
                                      plan::gone_branches(network, subject.plan.bits));
    const Quantized quantized =
        quantize(cut, net::find_layers(cut), widths_of(network, subject.plan), subject.storage);
    net::Frontier frontier(subject.written, subject.written.inputs);
    const auto in_written = [&](ValueId id) {
        return named(subject.written, quantized.graph.value(id).name);
    };
    for (const Stage& stage : quantized.stages) {
        const bool is_coded = stage.codes != kNoValue;
        Place place{stage.activated, in_written(is_coded ? stage.codes : stage.real), {}, {}};
        if (is_coded) {
            place.scale = in_written(stage.scale);
            place.zero_point = in_written(stage.zero_point);
        }
        if (stage.real != kNoValue) {
            place.found = static_cast<int>(found_.size());
            const int layer = stage.layer < 0 ? -1 : layers[static_cast<size_t>(stage.layer)];
            found_.push_back({stage.original, stage.activated, layer, is_coded});
        }
        frontier.plan(places_.size(), {place.written});
        needs_.push_back(frontier.needs(places_.size()));
        places_.push_back(place);
    }
}

int64_t NoiseMeter::bytes_an_image() const {
    int64_t bytes = 0;
    for (const Place& place : places_) {
        bytes += 2 * static_cast<int64_t>(sizeof(float)) *
                 sense::elements_an_image(subject_.original, place.original);
    }
    return std::max<int64_t>(bytes, 1);
}

// The channels of the original's value that stay.
Tensor NoiseMeter::kept(ValueId id, Tensor value) const {
    for (size_t axis = 0; axis < value.shape.size(); ++axis) {
        const auto* labels = subject_.network.coupling.labels_of(id, static_cast<int64_t>(axis));
        if (!labels) continue;
        const auto indices = kept_indices(*labels, cut_);
        if (indices.size() < labels->groups.size()) value = take(value, axis, indices);
    }
    return value;
}

// The codes of a float value, or itself where the place is float.
Tensor NoiseMeter::coded(const Place& place, const Tensor& value) const {
    if (!place.scale) return value;
    const float scale = subject_.written.constant(*place.scale)->as<float>()[0];
    const float zero = subject_.written.constant(*place.zero_point)->as<uint8_t>()[0];
    Tensor codes(net::DType::kUint8, value.shape);
    const auto from = value.as<float>();
    for (size_t k = 0; k < from.size(); ++k) {
        codes.bytes[k] = static_cast<uint8_t>(
            std::clamp(std::nearbyint(from[k] / scale) + zero, 0.0f, kLargestCode));
    }
    return codes;
}

// sum (x - y)^2, y codes or float values.
double NoiseMeter::squared_error(const Place& place, const Tensor& x, const Tensor& y) const {
    const auto exact = x.as<float>();
    double sum = 0;
    const auto add = [&](size_t k, double value) {
        const double error = static_cast<double>(exact[k]) - value;
        sum += error * error;
    };
    if (!place.scale) {
        const auto values = y.as<float>();
        for (size_t k = 0; k < exact.size(); ++k) add(k, values[k]);
        return sum;
    }
    const double scale = subject_.written.constant(*place.scale)->as<float>()[0];
    const int zero = subject_.written.constant(*place.zero_point)->as<uint8_t>()[0];
    for (size_t k = 0; k < exact.size(); ++k) add(k, scale * (y.bytes[k] - zero));
    return sum;
}

int64_t NoiseMeter::clipped(const Place& place, const Tensor& x, const Tensor& codes) const {
    const float scale = subject_.written.constant(*place.scale)->as<float>()[0];
    const float zero = subject_.written.constant(*place.zero_point)->as<uint8_t>()[0];
    const auto exact = x.as<float>();
    int64_t count = 0;
    for (size_t k = 0; k < exact.size(); ++k) {
        const float code = exact[k] / scale + zero;
        count += codes.bytes[k] == 0 ? code < -0.5f : codes.bytes[k] == 255 && code > 255.5f;
    }
    return count;
}

void NoiseMeter::add(const Tensor& images) {
    std::vector<ValueId> originals, writtens;
    for (const Place& place : places_) {
        originals.push_back(place.original);
        writtens.push_back(place.written);
    }
    std::vector<Tensor> exact =
        original_->run(std::vector<net::Feed>{{subject_.original.inputs[0], &images}}, originals);
    const std::vector<Tensor> found =
        written_->run(std::vector<net::Feed>{{subject_.written.inputs[0], &images}}, writtens);
    std::map<ValueId, Tensor> inputs;  // of stages, as the original has them
    inputs.emplace(subject_.written.inputs[0], images);
    for (size_t s = 0; s < places_.size(); ++s) {
        const Place& place = places_[s];
        Tensor x = kept(place.original, std::move(exact[s]));
        ADIABAT_CHECK(x.size() == found[s].size(), "{}: {} was kept, {} is written",
                      subject_.original.value(place.original).name, net::to_string(x.shape),
                      net::to_string(found[s].shape));
        x.shape = found[s].shape;  // a mean over positions may have its axes still
        inputs.insert_or_assign(place.written, coded(place, x));
        if (place.found < 0) continue;
        StageNoise& stage = found_[static_cast<size_t>(place.found)];
        for (float value : x.as<float>()) {
            stage.signal += static_cast<double>(value) * static_cast<double>(value);
        }
        stage.noise += squared_error(place, x, found[s]);
        std::vector<net::Feed> feeds;
        for (ValueId id : needs_[s]) feeds.push_back({id, &inputs.at(id)});
        stage.alone += squared_error(place, x, written_->run(feeds, std::vector{place.written})[0]);
        if (!place.scale) continue;
        stage.codes += x.size();
        stage.saturated += clipped(place, x, found[s]);
    }
}

}  // namespace adiabat::apply
