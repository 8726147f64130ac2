// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reads an ONNX file into a net::Graph.
//
// Protobuf stays inside: what comes out has initializers and Constant nodes as constants, nodes in
// topological order (those of the file where it is one already), symbolic and absent dimensions as
// net::kUnknown. Operators are not judged here: shape inference and the engine name the ones they
// do not know, all at once. What has no place in a net::Graph (documentation strings, subgraphs,
// functions, sparse tensors) is dropped where it means nothing and refused where it does. O(bytes
// of the file).
//
// Source: the ONNX intermediate representation, onnx/docs/IR.md and onnx/onnx.proto.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "adiabat/net/graph.h"

namespace adiabat::onnx {

// Throws InputError where the file is missing, is not ONNX, is cut short, keeps its weights in
// another file, holds a weight that is NaN or infinite, or is not a graph in single static
// assignment. An infinite scalar is a bound or a padding value and stays.
net::Graph read_model(const std::filesystem::path& path);

// The same from memory; `where` begins every message.
net::Graph parse_model(std::span<const uint8_t> bytes, const std::string& where);

}  // namespace adiabat::onnx
