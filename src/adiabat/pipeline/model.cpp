// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/model.h"

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/net/simplify.h"
#include "adiabat/onnx/read.h"

namespace adiabat::pipeline {

Model load_model(const std::filesystem::path& path) {
    const std::vector<uint8_t> bytes = read_file(path);
    Model model;
    model.path = path.string();
    model.file_bytes = static_cast<int64_t>(bytes.size());
    model.sha256 = sha256(bytes);
    model.graph = onnx::parse_model(bytes, model.path);
    net::simplify(model.graph);
    return model;
}

Json to_json(const Model& model) {
    return {{"path", model.path}, {"bytes", model.file_bytes}, {"sha256", model.sha256}};
}

void require_one_input(const Model& model) {
    const auto& inputs = model.graph.inputs;
    if (inputs.size() != 1) {
        throw InputError("{}: has {} inputs: networks with one image input can be run so far",
                         model.path, inputs.size());
    }
    const net::Value& input = model.graph.value(inputs[0]);
    if (input.type != net::DType::kFloat) {
        throw InputError("{}: input {} takes {}: networks whose input is float can be run so far",
                         model.path, input.name, net::name_of(input.type));
    }
}

}  // namespace adiabat::pipeline
