// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reads an ONNX file into a net::Graph.
//
// Protobuf stays inside: what comes out has initializers and Constant nodes as constants, nodes in
// topological order (those of the file where it is one already), symbolic and absent dimensions as
// net::kUnknown. Operators are not judged here: shape inference and the engine name the ones they
// do not know, all at once. Nothing is lost: what nobody here interprets (graphs inside attributes,
// strings, types, fields that are younger than our schema) stays as bytes and is written as it was
// read. Functions of the model are inlined, sparse tensors become dense, weights in other files
// come into the graph; what belongs to training alone is dropped. O(bytes of the file).
//
// Source: the ONNX intermediate representation, onnx/docs/IR.md and onnx/onnx.proto.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "adiabat/net/graph.h"

namespace adiabat::onnx {

// Throws InputError where the file is missing, is not ONNX, is cut short, where another file lacks
// the weights it should hold, where a weight is NaN or infinite, or where there is no graph in
// single static assignment. An infinite scalar is a bound or a padding value and stays.
net::Graph read_model(const std::filesystem::path& path);

// The same from memory; `where` begins every message. Weights in other files are looked for in
// `folder`; without one they are refused.
net::Graph parse_model(std::span<const uint8_t> bytes, const std::string& where,
                       const std::optional<std::filesystem::path>& folder = std::nullopt);

// The folder of a model, where its other files lie.
std::filesystem::path folder_of(const std::filesystem::path& path);

}  // namespace adiabat::onnx
