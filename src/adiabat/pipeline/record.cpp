// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/record.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>

namespace adiabat::pipeline {

std::string_view version() { return ADIABAT_VERSION; }

void StageClock::begin(std::string name) {
    end();
    stages_.push_back({std::move(name), 0});
    began_ = std::chrono::steady_clock::now();
    is_running_ = true;
}

void StageClock::end() {
    if (!is_running_) return;
    stages_.back().seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    is_running_ = false;
}

double StageClock::total_seconds() const {
    double sum = 0;
    for (const Stage& stage : stages_) sum += stage.seconds;
    return sum;
}

Json StageClock::to_json() const {
    Json stages = Json::array();
    for (const Stage& stage : stages_) {
        stages.push_back(
            {{"name", stage.name}, {"seconds", std::round(stage.seconds * 1e4) / 1e4}});
    }
    return stages;
}

std::string agreement_text(const Json& sensing) {
    const Json &single = sensing.at("agreement"), &product = sensing.at("product_agreement");
    std::string text =
        fmt::format("effects on two halves of {} images ", sensing.at("images").get<int64_t>());
    if (single.is_null()) return text + "were not compared";
    text += fmt::format("correlate by {:.4f}", single.get<double>());
    text += product.is_null() ? " (products were not compared)"
                              : fmt::format(" (products: {:.2f})", product.get<double>());
    return text + "; where that is near 1, more images change little";
}

int64_t peak_memory_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace adiabat::pipeline
