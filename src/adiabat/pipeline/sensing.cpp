// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/sensing.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

#include "adiabat/base/digest.h"
#include "adiabat/base/store.h"
#include "adiabat/net/cast.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/plan/measured.h"
#include "adiabat/sense/forward.h"
#include "adiabat/sense/gradient.h"

namespace adiabat::pipeline {

namespace {

// Whatever changes what is stored must change this.
constexpr int kCacheVersion = 5;
constexpr double kWeakAgreement = 0.97;

std::string key_of(const Subject& subject, const Calibration& images, const SensingOptions& options,
                   const plan::Plan* incumbent) {
    const plan::Network& network = subject.network();
    Json widths = Json::array();
    for (size_t k = 0; k < network.tensors(); ++k) widths.push_back(network.widths(k));
    Json groups = Json::array();
    for (const auto& group : network.coupling.groups) {
        groups.push_back(group.family);
        groups.push_back(group.member);
    }
    Json branches = Json::array();
    for (const plan::Branch& branch : network.branches) branches.push_back(branch.place.add);
    Json key = {{"cache", kCacheVersion},
                {"adiabat", version()},
                {"engine", subject.engine().name()},
                {"model", subject.model().sha256},
                {"opset", subject.graph().opset},
                {"images", images.sensing.sha256},
                {"count", images.sensing.size()},
                {"preprocess", images.document["preprocess"]},
                {"groups", groups},
                {"widths", widths},
                {"branches", branches},
                {"temperature", options.temperature},
                {"directions", options.directions},
                {"seed", options.seed}};
    // Of activations alone, where these are decided.
    const recon::RangeRule& ranges = subject.options().ranges;
    if (!network.activations.empty() && ranges != recon::RangeRule{}) {
        key["ranges"] = recon::to_text(ranges);
    }
    if (incumbent) {
        key["incumbent"] = {incumbent->bits, plan::cut_flags(network, *incumbent)};
    }
    return sha256(to_text(key));
}

Store open_store(const std::string& cache, const std::string& key) {
    if (cache == "none") return Store();
    const std::filesystem::path folder =
        cache.empty() ? default_cache() : std::filesystem::path(cache);
    return folder.empty() ? Store() : Store(folder / key.substr(0, 32));
}

}  // namespace

std::string_view name_of(SenseMethod method) {
    return method == SenseMethod::kGradient ? "gradient" : "forward";
}

SenseMethod parse_sense_method(std::string_view text) {
    for (SenseMethod method : {SenseMethod::kGradient, SenseMethod::kForward}) {
        if (text == name_of(method)) return method;
    }
    throw InputError("--sense: unknown method `{}`: it must be gradient or forward", text);
}

std::filesystem::path default_cache() {
    const auto folder = [](const char* variable) {
        const char* const value = std::getenv(variable);
        return std::filesystem::path(value ? value : "");
    };
    if (const auto cache = folder("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "adiabat";
    if (const auto home = folder("HOME"); !home.empty()) return home / ".cache" / "adiabat";
    return {};
}

Sensed sense_effects(const Subject& subject, const Calibration& images,
                     const SensingOptions& options, StopToken stop, ProgressSink& progress,
                     const plan::Plan* incumbent) {
    const auto began = std::chrono::steady_clock::now();
    const plan::Network& network = subject.network();
    const sense::Candidates candidates = plan::candidates_of(subject.graph(), network, incumbent);
    sense::GradientOptions how;
    how.directions = {options.temperature, options.directions, options.seed};
    how.images = images.sensing.size();
    how.memory_bytes = options.memory_bytes;
    how.threads = subject.options().threads;
    how.ranges = subject.options().ranges;
    const auto batches = [&](int64_t begin, int64_t count) {
        return net::as_type(net::rows_of(images.sensing.pixels, begin, count),
                            subject.graph().value(subject.graph().inputs[0]).type);
    };
    const std::string key = key_of(subject, images, options, incumbent);
    Store store = open_store(options.cache, key);
    if (!store.folder().empty()) {
        progress.say(fmt::format("finished work is kept in {}", store.folder().string()));
    }
    Sensed sensed;
    if (options.method == SenseMethod::kGradient) {
        sensed.effects = sense::sense_by_gradients(candidates, subject.engine(), batches, how,
                                                   store, stop, progress);
    } else {
        sensed.effects = sense::sense_by_forward(candidates, subject.engine(), batches, {how, 1},
                                                 store, stop, progress);
    }
    const sense::Effects& effects = sensed.effects;
    const auto or_null = [](const std::optional<double>& value) {
        return value ? Json(*value) : Json();
    };
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    sensed.document = {{"method", name_of(options.method)},
                       {"images", effects.images},
                       {"directions", effects.directions},
                       {"temperature", options.temperature},
                       {"candidates", effects.columns()},
                       {"agreement", or_null(effects.agreement)},
                       {"product_agreement", or_null(effects.product_agreement)},
                       {"cache", store.folder().string()},
                       {"seconds", std::round(seconds.count() * 1e3) / 1e3}};
    const bool is_weak = effects.images < 2 || effects.agreement.value_or(1) < kWeakAgreement;
    progress.say(agreement_text(sensed.document) + (is_weak ? ": more images would help" : ""));
    return sensed;
}

}  // namespace adiabat::pipeline
