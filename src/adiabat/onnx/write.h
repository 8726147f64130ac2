// SPDX-License-Identifier: Apache-2.0
#pragma once

// Writes a net::Graph as an ONNX file, as small as ONNX allows.
//
// Constants that somebody reads become initializers, always as raw data, so that the size of a file
// depends on its structure alone, never on the values in it (wire.h predicts it to the byte). No
// value_info but for inputs and outputs, no documentation strings, no empty fields; attributes in
// the order of their names. The same graph gives the same bytes. O(bytes of the file).
//
// Source: onnx/onnx.proto.

#include <cstdint>
#include <filesystem>
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

// The domains other than ai.onnx whose operators the graph uses, sorted; each is imported at
// version 1.
std::vector<std::string> other_domains(const net::Graph& graph);

}  // namespace adiabat::onnx
