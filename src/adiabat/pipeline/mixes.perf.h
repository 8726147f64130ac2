// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the programs that measure decisions share: how their arguments are read.
//
// MODEL DATA PREPROCESS.json IMAGES come first; as many images sense as judge. A mix of
// interactions is written KAPPA,TAU,RHO_CUTS,RHO_MIXED,RHO_WIDTHS[,shares]. Lists are separated by
// semicolons.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "adiabat/pipeline/calibration.h"
#include "adiabat/plan/interactions.h"

namespace adiabat::pipeline {

inline std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(at, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

inline plan::Interactions parse_interactions(const std::string& text) {
    plan::Interactions mix = plan::Interactions::none();
    const auto numbers = split(text, ',');
    double* const to[] = {&mix.kappa, &mix.tau, &mix.rho_cuts, &mix.rho_mixed, &mix.rho_widths};
    for (size_t i = 0; i < 5; ++i) *to[i] = std::atof(numbers.at(i).c_str());
    mix.shares = numbers.size() > 5;
    return mix;
}

inline Calibration read_case(const Subject& subject, char** argv, uint64_t seed) {
    DrawOptions draw;
    draw.data.path = argv[2];
    draw.data.preprocess = data::read_preprocess(argv[3]);
    draw.images = 2 * std::atoll(argv[4]);
    draw.seed = seed;
    return read_calibration(subject, draw, {}, no_progress());
}

inline int in_main(int (*run)(int, char**), int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 2;
    }
}

}  // namespace adiabat::pipeline
