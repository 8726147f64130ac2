# SPDX-License-Identifier: Apache-2.0
"""Operators that changed between operator sets, said anew: the runtime sees the same network before and after."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import TOOL

ROUND_TRIP = TOOL.parent / "adiabat_round_trip"
RNG = np.random.default_rng(0)
X = (2, 6, 4, 8)


def f32(*shape):
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


# Opset of the network; operator; constants behind the first input; attributes; outputs; shape of the first input.
CASES = [
    (7, "Slice", [], {"starts": [1, 0], "ends": [4, -1], "axes": [1, 3]}, 1),
    (9, "Slice", [], {"starts": [0, 2], "ends": [2, 9]}, 1),
    (7, "Pad", [], {"pads": [0, 1, 0, 2, 0, 0, 3, 0], "value": 0.5}, 1),
    (10, "Pad", [], {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "mode": "reflect"}, 1),
    (7, "Clip", [], {"min": -0.5}, 1),
    (7, "Clip", [], {"max": 0.25}, 1),
    (10, "Clip", [], {"min": -0.1, "max": 0.3}, 1),
    (7, "Clip", [], {}, 1),
    (7, "BatchNormalization", [f32(6), f32(6), f32(6), f32(6)], {"epsilon": 0.1}, 1),
    (9, "BatchNormalization", [f32(6), f32(6), f32(6), f32(6)], {}, 1),
    (7, "Dropout", [], {"ratio": 0.3}, 1),
    (7, "Softmax", [], {}, 1),
    (7, "Softmax", [], {"axis": 3}, 1),
    (11, "Softmax", [], {"axis": -2}, 1),
    (11, "LogSoftmax", [], {"axis": 2}, 1),
    (11, "Hardmax", [], {"axis": 0}, 1),
    (7, "Split", [], {"axis": 1, "split": [1, 3, 2]}, 3),
    (11, "Split", [], {"axis": 1}, 3),
    (13, "Split", [], {"axis": -1}, 2),
    (13, "Split", [np.array([5, 1], np.int64)], {"axis": 1}, 2),
    (7, "Unsqueeze", [], {"axes": [0, 3]}, 1),
    (11, "Unsqueeze", [], {"axes": [-1]}, 1),
    (7, "Squeeze", [], {"axes": [2]}, 1, (2, 3, 1, 4)),
    (7, "Squeeze", [], {}, 1, (2, 3, 1, 4)),
    (7, "ReduceSum", [], {"axes": [1, 3], "keepdims": 0}, 1),
    (7, "ReduceSum", [], {}, 1),
    (7, "TopK", [], {"k": 2, "axis": 1}, 2),
    (7, "Upsample", [], {"scales": [1.0, 1.0, 2.0, 3.0]}, 1),
    (7, "Upsample", [], {"scales": [1.0, 1.0, 2.0, 2.0], "mode": "linear"}, 1),
    (9, "Upsample", [np.array([1, 1, 2, 2], np.float32)], {}, 1),
    (10, "Resize", [np.array([1, 1, 2, 1.5], np.float32)], {}, 1),
    (10, "Resize", [np.array([1, 1, 0.5, 0.3], np.float32)], {}, 1),
    (10, "Resize", [np.array([1, 1, 0.5, 3], np.float32)], {"mode": "linear"}, 1),
    (9, "Scatter", [np.array([[[[0, 1]]]], np.int64), f32(1, 1, 1, 2)], {"axis": 3}, 1),
    (13, "RoiAlign", [np.array([[0, 0, 3, 3]], np.float32), np.array([0], np.int64)],
     {"output_height": 2, "output_width": 2}, 1),
    (16, "GridSample", [f32(2, 3, 3, 2) - 1], {"mode": "bilinear"}, 1),
    (16, "GridSample", [f32(2, 3, 3, 2) - 1], {"mode": "bicubic", "align_corners": 1}, 1),
    *[(13, name, [], {"axes": [2, 3]}, 1)
      for name in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                   "ReduceLogSumExp")],
    (13, "ReduceMean", [], {"keepdims": 0}, 1),
    (18, "GroupNormalization", [f32(3), f32(3)], {"num_groups": 3}, 1),
]

# The checker wants a rank that depends on what is fed, and an operator that was not yet withdrawn.
UNCHECKED = [("Squeeze", [], {}), *[case[1:4] for case in CASES if case[1] == "GroupNormalization"]]


def model(opset, op, constants, attributes, outputs, shape=X):
    names = [f"c{k}" for k in range(len(constants))]
    node = helper.make_node(op, ["x", *names], [f"y{k}" for k in range(outputs)], name="node", **attributes)
    types = [TensorProto.INT64 if op == "TopK" and k == 1 else TensorProto.FLOAT for k in range(outputs)]
    # Behind a product, so that the operator's input is not the network's, with a batch that is free.
    first = helper.make_node("Mul", ["input", "two"], ["x"])
    graph = helper.make_graph(
        [first, node], "g", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *shape[1:]])],
        [helper.make_tensor_value_info(f"y{k}", types[k], None) for k in range(outputs)],
        [numpy_helper.from_array(np.float32(2), "two"),
         *[numpy_helper.from_array(c, n) for c, n in zip(constants, names)]])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def run(file, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"]).run(None, {"input": x})


@pytest.mark.parametrize("to", [13, 21])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]}-{case[0]}-{'-'.join(case[3])}")
def test_raised_network_computes_the_same(case, to, tmp_path):
    onnx.save(model(*case), tmp_path / "old.onnx")
    done = subprocess.run([ROUND_TRIP, str(to), tmp_path / "old.onnx", tmp_path / "new.onnx"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    raised = onnx.load(str(tmp_path / "new.onnx"))
    if case[1:4] not in UNCHECKED:
        onnx.checker.check_model(raised, full_check=True)
    assert next(entry.version for entry in raised.opset_import if not entry.domain) == max(to, case[0])
    x = RNG.uniform(-1, 1, case[5] if len(case) > 5 else X).astype(np.float32)
    before, after = run(tmp_path / "old.onnx", x), run(tmp_path / "new.onnx", x)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case, said", [
    ((10, "Resize", [np.array([1, 1, 0.5, 3], np.float32)], {}, 1), "one axis grows and another shrinks"),
    ((7, "BatchNormalization", [f32(6, 4, 8)] * 4, {"spatial": 0}, 1), "statistics for every pixel"),
])
def test_what_cannot_be_said_anew_is_refused_by_name(case, said, tmp_path):
    onnx.save(model(*case), tmp_path / "old.onnx")
    done = subprocess.run([ROUND_TRIP, "13", tmp_path / "old.onnx", tmp_path / "new.onnx"], capture_output=True,
                          text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and said in done.stderr and f"opset than {case[0]}" in done.stderr
