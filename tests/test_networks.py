# SPDX-License-Identifier: Apache-2.0
"""Networks as exporters write them, through compress: the written file in ONNX Runtime against the original."""

import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import TOOL, adiabat, session

RNG = np.random.default_rng(0)


class Network:
    def __init__(self, opset=17, shape=("N", 3, 16, 16), kind=np.float32):
        self.opset, self.shape, self.kind, self.nodes, self.constants = opset, shape, kind, [], []

    def constant(self, values, kind=None):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind or self.kind), name))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def node(self, op, inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"node{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, channels, filters, kernel=3):
        weight = self.constant(RNG.normal(size=(filters, channels, kernel, kernel)) / np.sqrt(channels * kernel ** 2))
        bias = self.constant(RNG.normal(size=filters) / 4)
        return self.node("Conv", [x, weight, bias], pads=[kernel // 2] * 4)

    def gemm(self, x, inputs, outputs):
        weight = self.constant(RNG.normal(size=(inputs, outputs)) / np.sqrt(inputs))
        return self.node("Gemm", [x, weight, self.constant(RNG.normal(size=outputs))])

    def save(self, path, *outputs):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.kind))
        graph = helper.make_graph(self.nodes, "the graph", [helper.make_tensor_value_info("x", kind, self.shape)],
                                  [helper.make_tensor_value_info(y, kind, None) for y in outputs], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=7,
                                  producer_name="the exporter")
        helper.set_model_props(model, {"key": "value"})
        onnx.save(model, path)


def head(n, x, channels, flat=None):
    x = n.node("GlobalAveragePool", [n.node("Relu", [x])])
    return n.gemm(flat(x) if flat else n.node("Flatten", [x]), channels, 5)


def old(opset):
    """Bounds as attributes; softmax over what is flattened."""
    n = Network(opset)
    a, b = n.node("Split", [n.node("Relu", [n.conv("x", 3, 16)])], 2, axis=1, split=[6, 10])
    if opset < 11:
        a = n.node("Clip", [a], min=0.0, max=6.0)
        b = n.node("Pad", [b], pads=[0, 0, 1, 1, 0, 0, -1, -1])
    x = n.node("Concat", [b, a], axis=1)
    x = n.node("Slice", [x], starts=[1], ends=[15], axes=[1]) if opset < 10 else x
    channels = 14 if opset < 10 else 16
    x = n.conv(x, channels, 12)
    return n, n.node("Softmax", [head(n, x, 12, lambda y: n.node("Squeeze", [y], axes=[2, 3]))])


def fixed_batch(batch):
    n = Network(shape=(batch, 3, 16, 16))
    x = n.node("Relu", [n.conv("x", 3, 16)])
    x = n.node("Reshape", [x, n.ints(batch, 2, 8, 16, 16)])
    x = n.node("Reshape", [n.node("Transpose", [x], perm=[0, 2, 1, 3, 4]), n.ints(batch, 16, 16, 16)])
    return n, head(n, n.conv(x, 16, 12), 12, lambda y: n.node("Reshape", [y, n.ints(batch, -1)]))


def unread_part():
    n = Network()
    parts = n.node("Split", [n.node("Relu", [n.conv("x", 3, 18)]), n.ints(6, 6, 6)], 3, axis=1)
    return n, head(n, n.conv(n.node("Concat", [parts[2], parts[0]], axis=1), 12, 8), 8)


def half():
    n = Network(kind=np.float16)
    return n, head(n, n.conv(n.node("Relu", [n.conv("x", 3, 16)]), 16, 8), 8)


def standardized_weights():
    """Weights that are computed, from parameters alone, by operators that the small evaluator does not know."""
    n = Network()
    raw = n.constant(RNG.normal(size=(16, 3, 3, 3)))
    mean = n.node("ReduceMean", [raw], axes=[1, 2, 3])
    scale = n.node("ReduceL2", [n.node("Sub", [raw, mean])], axes=[1, 2, 3])
    weight = n.node("Div", [n.node("Sub", [raw, mean]), scale])
    return n, head(n, n.conv(n.node("Conv", ["x", weight], pads=[1] * 4), 16, 8), 8)


def flattened():
    """x.flatten(2) and a product of matrices over the pixels."""
    n = Network()
    x = n.node("Relu", [n.conv("x", 3, 16)])
    shape = n.node("Slice", [n.node("Shape", [x]), n.ints(0), n.ints(2)])
    flat = n.node("Reshape", [x, n.node("Concat", [shape, n.ints(-1)], axis=0)])
    gate = n.node("Sigmoid", [n.node("ReduceMean", [flat], axes=[2], keepdims=0)])
    gate = n.node("Unsqueeze", [gate, n.ints(2, 3)])
    return n, head(n, n.conv(n.node("Mul", [x, gate]), 16, 8), 8)


def normalized_by_groups():
    n = Network()
    x = n.node("Reshape", [n.conv("x", 3, 16), n.ints(0, 4, -1)])
    ones, zeros = n.constant(np.ones(4)), n.constant(np.zeros(4))
    x = n.node("Reshape", [n.node("InstanceNormalization", [x, ones, zeros]), n.ints(-1, 16, 16, 16)])
    x = n.node("Mul", [x, n.constant(RNG.uniform(0.5, 1.5, (16, 1, 1)))])
    return n, head(n, n.conv(n.node("Relu", [x]), 16, 8), 8)


MAKERS = {"opset 7": lambda: old(7), "opset 9": lambda: old(9), "opset 10": lambda: old(10),
          "opset 12": lambda: old(12), "batch of 1": lambda: fixed_batch(1), "batch of 4": lambda: fixed_batch(4),
          "unread part": unread_part, "half": half, "standardized weights": standardized_weights,
          "flatten(2)": flattened, "group normalization": normalized_by_groups}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, images=RNG.uniform(-1, 1, (40, 3, 16, 16)).astype(np.float32))
    return path


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("budget", ["bytes=30%", "bytes=9%"])
def test_compressed_network_stands_for_the_original(name, budget, images, tmp_path):
    network, output = MAKERS[name]()
    network.save(tmp_path / "net.onnx", output)
    done = adiabat("compress", tmp_path / "net.onnx", "--data", images, "--budget", budget, "--json", "--sweeps", "50",
                   "--replicas", "2", "-o", tmp_path / "small.onnx")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["output"]["bytes"] == document["predicted"]["file"]
    # Where nothing must go, only what nobody reads does.
    assert document["groups"]["cut"] > 0 or budget == "bytes=30%"
    before, after = onnx.load(str(tmp_path / "net.onnx")), onnx.load(str(tmp_path / "small.onnx"))
    onnx.checker.check_model(after, full_check=True)
    assert after.producer_name == "the exporter" and after.graph.name == "the graph"
    assert [(p.key, p.value) for p in after.metadata_props] == [("key", "value")]
    assert after.graph.input[0] == before.graph.input[0]
    assert [y.name for y in after.graph.output] == [output]
    assert after.opset_import[0].version == max(network.opset, 13)
    batch = network.shape[0] if isinstance(network.shape[0], int) else 3
    x = np.load(images)["images"][:batch].astype(network.kind)
    expected, got = (session(tmp_path / file).run(None, {"x": x})[0] for file in ("net.onnx", "small.onnx"))
    assert got.shape == expected.shape and got.dtype == expected.dtype
    if budget == "bytes=30%":  # 8 bits: the same but for rounding
        assert np.abs(got - expected).max() <= 0.1 * np.abs(expected).max()


def test_images_of_free_sizes_keep_their_arithmetic(tmp_path):
    """Padding to a multiple of 32, computed from the size of the image: no size may be taken for all."""
    n = Network(shape=("N", 3, "H", "W"))
    size = n.node("Slice", [n.node("Shape", ["x"]), n.ints(2), n.ints(4)])
    missing = n.node("Mod", [n.node("Sub", [n.ints(32, 32), n.node("Mod", [size, n.ints(32, 32)])]), n.ints(32, 32)])
    x = n.node("Pad", ["x", n.node("Concat", [n.ints(0, 0, 0, 0, 0, 0), missing], axis=0)])
    y = n.conv(x, 3, 4)
    n.save(tmp_path / "net.onnx", y)
    x = RNG.normal(size=(2, 3, 37, 64)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    subprocess.run([TOOL.parent / "adiabat_engine_run", tmp_path / "net.onnx", "--feed", f"x={tmp_path / 'x.npy'}",
                    "--fetch", f"{y}={tmp_path / 'y.npy'}"], check=True, timeout=60)
    expected = session(tmp_path / "net.onnx").run(None, {"x": x})[0]
    assert expected.shape == (2, 4, 64, 64)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5)


def test_what_stands_behind_an_unknown_operator_has_a_reason(tmp_path):
    n = Network()
    x = n.node("Weird", [n.conv("x", 3, 8)], domain="my.ops")
    x = n.node("Relu", [n.conv(n.node("Relu", [n.conv(x, 8, 6)]), 6, 5)])
    n.save(tmp_path / "net.onnx", n.conv(x, 5, 4))
    document = json.loads(adiabat("inspect", tmp_path / "net.onnx", "--json").stdout)
    assert document["unknown_operators"] == ["my.ops.Weird"]
    assert [layer["cut"] for layer in document["layers"]] == [0, 0, 5, 0]
    assert all(layer["cut"] or layer["frozen"] for layer in document["layers"])


def test_groups_are_not_written_over_the_network(tmp_path):
    network, output = half()
    network.save(tmp_path / "net.onnx", output)
    before = (tmp_path / "net.onnx").read_bytes()
    done = adiabat("inspect", tmp_path / "net.onnx", "--groups-json", tmp_path / "net.onnx")
    assert done.returncode == 2 and "would overwrite" in done.stderr
    assert (tmp_path / "net.onnx").read_bytes() == before
