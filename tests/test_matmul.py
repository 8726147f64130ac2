# SPDX-License-Identifier: Apache-2.0
"""Fully connected layers that exporters write as MatMul and Add: cut, quantized, run on integers."""

import collections

import numpy as np
import onnx
from conftest import compress, fashion_images, runtime_outputs, session
from onnx import TensorProto, helper, numpy_helper


def network(path, seed=0):
    """A convolution, two dense layers with a bias of each form and one without; random."""
    random = np.random.default_rng(seed)
    nodes, constants = [], []

    def constant(values):
        constants.append(numpy_helper.from_array(values.astype(np.float32), f"c{len(constants)}"))
        return constants[-1].name

    def node(op, *inputs, **attributes):
        nodes.append(helper.make_node(op, inputs, [f"t{len(nodes)}"], name=f"n{len(nodes)}", **attributes))
        return nodes[-1].output[0]

    normal = random.standard_normal
    data = node("Conv", "x", constant(normal((12, 1, 5, 5)) / 5), constant(normal(12)), strides=[4, 4])
    data = node("Flatten", node("Relu", data))
    data = node("Relu", node("Add", node("MatMul", data, constant(normal((432, 40)) / 20)), constant(normal(40))))
    data = node("Relu", node("Add", constant(normal((1, 30))), node("MatMul", data, constant(normal((40, 30)) / 6))))
    nodes.append(helper.make_node("MatMul", [data, constant(normal((30, 10)))], ["y"], name="last"))
    graph = helper.make_graph(nodes, "dense", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 28, 28])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def test_dense_layers_are_layers(tmp_path):
    network(tmp_path / "net.onnx")
    document = compress(tmp_path / "small.onnx", "--images", 128, model=tmp_path / "net.onnx", budget="bytes=15%")
    assert [row["name"] for row in document["plan"]] == ["n0", "n3", "n6", "last"]
    assert all(2 <= row["bits"] <= 8 for row in document["plan"])
    assert document["predicted"]["file"] == (tmp_path / "small.onnx").stat().st_size
    assert document["after"]["float_macs"] == 0
    session(tmp_path / "small.onnx", tmp_path / "optimized.onnx")
    ran = collections.Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert ran["QLinearConv"] == 1 and ran["QGemm"] == 3
    assert ran["MatMul"] == ran["Gemm"] == ran["FusedMatMul"] == 0
    images, _ = fashion_images()
    before, after = (runtime_outputs(tmp_path / name, images) for name in ("net.onnx", "small.onnx"))
    assert np.mean((after - before) ** 2) < 0.05 * np.var(before)
