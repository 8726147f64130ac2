// SPDX-License-Identifier: Apache-2.0
//
// For tests/: reads a model and writes it again, as it is, simplified, turned to float, or
// simplified and raised to an opset.
//
//     adiabat_round_trip write|simplify|float32|OPSET IN.onnx OUT.onnx

#include <cctype>
#include <cstdio>
#include <exception>
#include <string>

#include "adiabat/net/raise_opset.h"
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
    if (std::isdigit(static_cast<unsigned char>(how[0]))) net::raise_opset(graph, std::stoi(how));
    net::check_graph(graph);
    onnx::write_model(graph, argv[3]);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
