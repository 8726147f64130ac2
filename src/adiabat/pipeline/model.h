// SPDX-License-Identifier: Apache-2.0
#pragma once

// A model as a verb takes it: read, simplified, with the facts that documents say of its file.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/net/graph.h"

namespace adiabat::pipeline {

struct Model {
    std::string path;
    int64_t file_bytes = 0;  // with the weights it keeps in other files
    std::string sha256;
    net::Graph graph;         // simplified (net/simplify.h)
    std::string computed_in;  // the type before compute_in_float, empty where it was float
};

// Throws InputError as onnx::read_model and net::simplify do.
Model load_model(const std::filesystem::path& path);

// Throws InputError where a file cannot be written there, or would overwrite one of the inputs.
void check_output(const std::filesystem::path& path,
                  const std::vector<std::filesystem::path>& inputs);

// The graph of a model in memory, simplified, its batch free (Value::fixed_batch keeps what it
// was).
net::Graph parse_simplified(std::span<const uint8_t> bytes, const std::string& where);

// {"path": .., "bytes": .., "sha256": ..}
Json to_json(const Model& model);

// Turns a network that computes in half precision or in double into one that computes in float, its
// inputs and outputs as they were (net/to_float32.h). Throws InputError as to_float32 does.
void compute_in_float(Model& model);

// Throws InputError unless the network has exactly one input, of real numbers, that is fed (verbs
// that run images).
void require_one_input(const Model& model);

}  // namespace adiabat::pipeline
