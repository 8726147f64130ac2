// SPDX-License-Identifier: Apache-2.0
//
// One side of a race between our engine and another, driven by dev/perf_forward.py.
//
//     adiabat_perf_forward MODEL.onnx INPUT.npy THREADS [OUTPUT.npy]
//
// Loads the plug-in, reads and simplifies the model, runs the whole array as one batch and writes
// the first output's value. Prints one line of JSON with the seconds each of these took. Then, for
// every line read from standard input, runs again and prints the seconds of that run: so that the
// other side can be timed in turn, on the same cores, with the same array. Ends with the input.

#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "adiabat/base/json.h"
#include "adiabat/data/npy.h"
#include "adiabat/net/simplify.h"
#include "adiabat/onnx/read.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace {

// Seconds that `work` takes.
template <typename Work>
double seconds(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int race(const char* model, const char* input, int threads, const char* output) {
    using namespace adiabat;
    net::Graph graph;
    std::unique_ptr<net::Engine> engine;
    std::unique_ptr<net::Session> session;
    net::Tensor result;
    Json line;
    line["load_seconds"] = seconds([&] { engine = pipeline::load_engine(); });
    line["engine"] = engine->name();
    line["read_seconds"] = seconds([&] {
        graph = onnx::read_model(model);
        net::simplify(graph);
    });
    const net::Tensor images = data::read_npy(input);
    const net::Feed feed{graph.inputs.at(0), &images};
    const net::ValueId fetch = graph.outputs.at(0);
    const auto forward = [&] { result = session->run({&feed, 1}, {&fetch, 1}).at(0); };
    line["open_seconds"] = seconds([&] { session = engine->open(graph, {.threads = threads}); });
    line["first_seconds"] = seconds(forward);
    if (output) data::write_npy(output, result);
    std::cout << line.dump() << std::endl;
    for (std::string command; std::getline(std::cin, command);) {
        std::cout << seconds(forward) << std::endl;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fputs("usage: adiabat_perf_forward MODEL.onnx INPUT.npy THREADS [OUTPUT.npy]\n",
                   stderr);
        return 2;
    }
    try {
        return race(argv[1], argv[2], std::stoi(argv[3]), argc > 4 ? argv[4] : nullptr);
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 2;
    }
}
