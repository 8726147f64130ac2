# SPDX-License-Identifier: Apache-2.0
"""Models of every kind go through the reader and the writer: ONNX accepts what comes out and computes the same."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import ROOT, TOOL
from onnx import TensorProto, helper, numpy_helper

PROGRAM = TOOL.parent / "adiabat_round_trip"
RANDOM = np.random.default_rng(0)


def weight(name, shape, kind=np.float32):
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(kind), name)


def model(nodes, constants, kind=TensorProto.FLOAT, sparse=(), **more):
    def info(name):
        return helper.make_tensor_value_info(name, kind, ["N", 3, "height", "width"])
    graph = helper.make_graph(nodes, "g", [info("x")], [info("y")], list(constants), sparse_initializer=list(sparse))
    graph.doc_string = "of the graph"
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=imports + more.pop("imports", []), ir_version=8, producer_name="p",
                             producer_version="1.2", model_version=7, doc_string="of the model", **more)


def control_flow():
    def branch(op):
        nodes = [helper.make_node(op, ["conv"], [op + "1"]), helper.make_node("Add", [op + "1", "w1"], [op + "2"])]
        return helper.make_graph(nodes, op, [], [helper.make_tensor_value_info(op + "2", TensorProto.FLOAT, None)])
    nodes = [helper.make_node("Conv", ["x", "w"], ["conv0"], name="conv", doc_string="words"),
             helper.make_node("Identity", ["conv0"], ["conv"]), helper.make_node("Identity", ["one"], ["w1"]),
             helper.make_node("ReduceSum", ["conv"], ["sum"], keepdims=0), helper.make_node("Greater", ["sum", "zero"], ["c"]),
             helper.make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"))]
    return model(nodes, [weight("w", (3, 3, 1, 1)), weight("one", (1,)), numpy_helper.from_array(np.float32(0), "zero")])


def functions():
    body = [helper.make_node("LeakyRelu", ["a"], ["c"]), helper.make_node("Mul", ["c", "b"], ["d"])]
    body[0].attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    default = helper.make_attribute("slope", 0.3)
    function = helper.make_function("local", "F", ["a", "b"], ["d"], body, [helper.make_opsetid("", 17)], [], [default])
    nodes = [helper.make_node("F", ["x", "w"], ["m"], domain="local", slope=0.2, name="one"),
             helper.make_node("F", ["m", "w"], ["y"], domain="local")]
    return model(nodes, [weight("w", (1,))], functions=[function], imports=[helper.make_opsetid("local", 1)])


def sparse():
    values = helper.make_tensor("s", TensorProto.FLOAT, [2], [1.0, 2.0])
    at = helper.make_tensor("at", TensorProto.INT64, [2], [1, 2])
    return model([helper.make_node("Add", ["x", "s"], ["y"])], [],
                 sparse=[helper.make_sparse_tensor(values, at, [3, 1, 1])])


def half():
    return model([helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])],
                 [weight("w", (3, 3, 1, 1), np.float16)], kind=TensorProto.FLOAT16)


def double():
    return model([helper.make_node("MatMul", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])],
                 [weight("w", (6, 6), np.float64)], kind=TensorProto.DOUBLE)


def noise():
    nodes = [helper.make_node("Identity", ["w"], ["w1"]), helper.make_node("Conv", ["x", "w1"], ["a"]),
             helper.make_node("Dropout", ["a"], ["b"]), helper.make_node("Cast", ["b"], ["c"], to=1),
             helper.make_node("Concat", ["c"], ["d"], axis=1), helper.make_node("Transpose", ["d"], ["e"], perm=[0, 1, 2, 3]),
             helper.make_node("Conv", ["e", "w"], ["f"]), helper.make_node("Identity", ["f"], ["y"])]
    return model(nodes, [weight("w", (3, 3, 1, 1))])


def run(made):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kind = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}[session.get_inputs()[0].type]
    x = np.random.default_rng(1).normal(size=(2, 3, 5, 6)).astype(kind)
    return session.run(None, {"x": x})[0]


def through(folder, made, how):
    (folder / "in.onnx").write_bytes(made.SerializeToString())
    done = subprocess.run([PROGRAM, how, folder / "in.onnx", folder / "out.onnx"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return onnx.load(folder / "out.onnx")


@pytest.mark.parametrize("make", [control_flow, functions, sparse, half, double, noise])
@pytest.mark.parametrize("how", ["write", "simplify", "float32"])
def test_round_trip(tmp_path, make, how):
    made = make()
    onnx.checker.check_model(made)
    out = through(tmp_path, made, how)
    onnx.checker.check_model(out)
    expected, found = run(made), run(out)
    assert found.dtype == expected.dtype
    tolerance = 1e-2 if expected.dtype == np.float16 else 1e-5
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    for name in ("ir_version", "producer_name", "producer_version", "model_version", "doc_string"):
        assert getattr(out, name) == getattr(made, name)
    assert {(o.domain, o.version) for o in made.opset_import} <= {(o.domain, o.version) for o in out.opset_import}
    assert list(out.graph.input) == list(made.graph.input)
    assert [o.name for o in out.graph.output] == ["y"]
    assert out.graph.doc_string == made.graph.doc_string
    if how == "write":
        assert list(out.graph.output) == list(made.graph.output)
    if how == "write" and not made.functions:
        assert list(out.graph.node) == list(made.graph.node)


def test_external_data(tmp_path):
    made = noise()
    expected = run(made)
    onnx.save(made, tmp_path / "in.onnx", save_as_external_data=True, size_threshold=0, location="weights.bin")
    done = subprocess.run([PROGRAM, "write", tmp_path / "in.onnx", tmp_path / "out.onnx"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(run(onnx.load(tmp_path / "out.onnx", load_external_data=False)), expected)


def test_noise_goes(tmp_path):
    out = through(tmp_path, noise(), "simplify")
    assert [node.op_type for node in out.graph.node] == ["Conv", "Conv"]
    assert len(out.graph.initializer) == 1


def test_bundled_model(tmp_path):
    path = ROOT / "testdata" / "fashion-resnet.onnx"
    out = through(tmp_path, onnx.load(path), "write")
    assert [n.name for n in out.graph.node] == [n.name for n in onnx.load(path).graph.node]
