// SPDX-License-Identifier: Apache-2.0
//
// What the ways of rounding leave of a network at uniform bits: for each the seconds of carrying
// the plan out, and divergence and top-1 on images that took part in nothing; for `qubo` layer by
// layer the share of filters that are lower than rounded in order, and how the squared errors
// compare, on the images of the fit and between halves of them (apply/layer_rounding.h). CSV.
//
//     adiabat_perf_rounding MODEL DATA PREPROCESS.json IMAGES SEED BITS
//         ['nearest;ordered;qubo' [FOLDER]]
//
// FOLDER receives the files.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "adiabat/apply/calibrate.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/net/cast.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/deciding_options.h"
#include "adiabat/pipeline/mixes.perf.h"

namespace adiabat::pipeline {
namespace {

using apply::Rounding;

void print(int bits, const std::string& name, const apply::RoundingReport& report) {
    const auto ratio = [](double a, double b) { return b > 0 ? a / b : 1.0; };
    fmt::print("{},{},{},{},{},{:.4f},{:.4f}\n", bits, name, report.filters, report.annealed,
               report.lower, ratio(report.error, report.ordered),
               ratio(report.judged_qubo, report.judged_ordered));
}

int run(int argc, char** argv) {
    if (argc < 7) return 2;
    const auto seed = static_cast<uint64_t>(std::atoll(argv[5]));
    const int bits = std::atoi(argv[6]);
    const Subject subject({.model = argv[1], .controls = {.keep_branches = true}}, no_progress());
    const plan::Network& network = subject.network();
    const net::Graph& graph = subject.graph();
    const Calibration images = read_case(subject, argv, seed);
    const Judge judge(subject, images.judging, SensingOptions{}.temperature, {});
    const plan::Plan plan = plan::uniform_plan(network, bits);
    fmt::print("bits,layer,filters,annealed,lower,error,error on the other half\n");
    for (const std::string& name : split(argc > 7 ? argv[7] : "nearest;ordered;qubo", ';')) {
        const Rounding rounding = apply::parse_rounding(name);
        auto quantized = apply::quantize(graph, network.layers, apply::widths_of(network, plan),
                                         onnx::Storage::kPlanes);
        const net::Tensor pixels =
            net::as_type(images.sensing.pixels, graph.value(graph.inputs[0]).type);
        const auto begin = std::chrono::steady_clock::now();
        const auto reports = apply::calibrate(
            quantized, {graph, graph, network, plan, pixels, rounding}, subject.engine(), {});
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        apply::RoundingReport sum;
        for (size_t k = 0; k < reports.size(); ++k) {
            sum.add(reports[k]);
            if (rounding == Rounding::kQubo) print(bits, network.layers[k].name, reports[k]);
        }
        if (rounding == Rounding::kQubo) print(bits, "all", sum);
        std::vector<onnx::WeightCodes> weights;
        for (const auto& layer : quantized.layers) weights.push_back(layer.weight);
        onnx::encode_weights(quantized.graph, weights, onnx::Storage::kPlanes, quantized.prefix);
        const auto file = onnx::serialize_model(quantized.graph);
        if (argc > 8)
            write_file_atomically(fmt::format("{}/{}-{}-{}.onnx", argv[8], bits, seed, name), file);
        const Judgement found = judge.judge(file, "plan", {}, no_progress());
        fmt::print("{},{}: {:.2f} s, divergence {:.5g}, top-1 {:.2f} %\n", bits, name,
                   seconds.count(), found.divergence, 100 * found.top1_after);
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace
}  // namespace adiabat::pipeline

int main(int argc, char** argv) {
    return adiabat::pipeline::in_main(adiabat::pipeline::run, argc, argv);
}
