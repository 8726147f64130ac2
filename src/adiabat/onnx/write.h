// SPDX-License-Identifier: Apache-2.0
#pragma once

// Writes a net::Graph as an ONNX file, as small as ONNX allows.
//
// Constants that somebody reads become initializers, always as raw data, so that the size of a file
// depends on its structure alone, never on the values in it (wire.h predicts it to the byte); all
// are inside, also those that came from other files. Types and shapes of inputs and outputs, and of
// what operators make for which there is no shape rule, where the file said them; no empty fields;
// attributes in the order of their names; bytes that nobody interpreted as they were read. The same
// graph gives the same bytes. O(bytes of the file).
//
// Source: onnx/onnx.proto.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::onnx {

// Throws InputError where the file would pass the 2 GiB that ONNX allows.
std::vector<uint8_t> serialize_model(const net::Graph& graph);

// Through base/atomic_file.h: the file is there whole or not at all.
void write_model(const net::Graph& graph, const std::filesystem::path& path);

// The constants that become initializers, in the order in which they are written.
std::vector<net::ValueId> written_constants(const net::Graph& graph);

// The values whose types are written beside those of inputs and outputs, in that order.
std::vector<net::ValueId> written_types(const net::Graph& graph);

// A dimension as it is written: a batch that a file fixed is fixed again.
int64_t written_dimension(const net::Value& value, size_t axis);

// The operator sets other than ai.onnx that are imported, with versions: those that the file did
// import, and 1 for others that the graph uses.
std::map<std::string, int64_t> written_domains(const net::Graph& graph);

}  // namespace adiabat::onnx
