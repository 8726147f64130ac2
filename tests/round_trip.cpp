// SPDX-License-Identifier: Apache-2.0
//
// For tests/: reads a model and writes it again, as it is, simplified, or turned to float.
//
//     adiabat_round_trip write|simplify|float32 IN.onnx OUT.onnx

#include <cstdio>
#include <exception>
#include <string>

#include "adiabat/net/simplify.h"
#include "adiabat/net/to_float32.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/write.h"

int main(int argc, char** argv) try {
    using namespace adiabat;
    if (argc != 4) return 2;
    const std::string how = argv[1];
    net::Graph graph = onnx::read_model(argv[2]);
    if (how == "float32") net::to_float32(graph);
    if (how != "write") net::simplify(graph);
    net::check_graph(graph);
    onnx::write_model(graph, argv[3]);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
