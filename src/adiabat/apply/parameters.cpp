// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/parameters.h"

namespace adiabat::apply {

using net::DType;
using net::Tensor;
using net::ValueId;

LayerParameters add_parameters(net::Graph& graph, const net::Layer& layer, const net::Shape& shape,
                               int bits, bool is_gemm, int ordinal, ValueId input_scale,
                               const std::string& prefix) {
    const auto name = [&](const char* role) { return prefix + role + std::to_string(ordinal); };
    // The default axis, 1, is not written.
    const auto decode = [&](std::vector<ValueId> inputs, ValueId output, int axis) {
        net::Node node{"DequantizeLinear", "", "", std::move(inputs), {output}, {}};
        if (axis != 1) node.attributes["axis"] = int64_t{axis};
        graph.nodes.push_back(std::move(node));
    };
    const int64_t filters = shape[static_cast<size_t>(layer.filter_axis)];
    const bool is_unsigned = is_gemm || bits == 8;

    LayerParameters p;
    p.code_offset = is_unsigned ? 1 << (bits - 1) : 0;
    p.weight.ordinal = ordinal;
    p.weight.bits = bits;
    p.weight.input_scale = input_scale;
    p.weight.codes =
        graph.add_constant(name("w"), Tensor(is_unsigned ? DType::kUint8 : DType::kInt8, shape));
    p.weight.scales = graph.add_constant(name("s"), Tensor(DType::kFloat, {filters}));
    std::vector<ValueId> inputs = {p.weight.codes, p.weight.scales};
    if (is_unsigned) {
        const std::vector<uint8_t> offsets(static_cast<size_t>(filters),
                                           static_cast<uint8_t>(p.code_offset));
        inputs.push_back(graph.add_constant(name("z"), Tensor::of<uint8_t>({filters}, offsets)));
    }
    p.decoded_weight = graph.add_value(name("W"), DType::kFloat, shape);
    decode(std::move(inputs), p.decoded_weight, layer.filter_axis);

    if (input_scale == net::kNoValue) {
        p.bias = p.decoded_bias = graph.add_constant(name("B"), Tensor(DType::kFloat, {filters}));
        return p;
    }
    p.bias = graph.add_constant(name("i"), Tensor(DType::kInt32, {filters}));
    p.weight.bias_scales = graph.add_constant(name("j"), Tensor(DType::kFloat, {filters}));
    p.decoded_bias = graph.add_value(name("B"), DType::kFloat, net::Shape{filters});
    decode({p.bias, p.weight.bias_scales}, p.decoded_bias, 0);
    return p;
}

}  // namespace adiabat::apply
