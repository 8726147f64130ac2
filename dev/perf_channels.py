#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What numbers of channels cost in ONNX Runtime's integer convolutions.

    python3 dev/perf_channels.py [--rounds 300]

Needs numpy, onnx and onnxruntime from PyPI. Two QLinearConv of 3 x 3, C channels to n and back, random weights of
7 bits, one image, one thread, all n in turn: for each C and its image's side the median time by n over that of
n = C, as one JSON object a line (doc/activations.md).
"""

import argparse
import json
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SHAPES = [(16, 32), (32, 16), (64, 8)]  # channels, side of the image


def session(channels, inner, side):
    random = np.random.default_rng(0)
    constants = {"scale": np.float32(0.02), "zero": np.uint8(0)}
    nodes = []
    for k, (inputs, filters) in enumerate(((channels, inner), (inner, channels))):
        constants |= {f"w{k}": random.integers(-60, 60, (filters, inputs, 3, 3)).astype(np.int8),
                      f"s{k}": np.full(filters, 0.01, np.float32), f"z{k}": np.zeros(filters, np.int8),
                      f"b{k}": np.zeros(filters, np.int32)}
        nodes.append(helper.make_node("QLinearConv", [("x", "y0")[k], "scale", "zero", f"w{k}", f"s{k}", f"z{k}", "scale",
                                                      "zero", f"b{k}"], [f"y{k}"], pads=[1] * 4))
    graph = helper.make_graph(nodes, "channels",
                              [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, channels, side, side])],
                              [helper.make_tensor_value_info("y1", TensorProto.UINT8, None)],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def ratios(channels, counts, side, rounds):
    """Of each count the median ratio to the last one, in turn."""
    image = np.random.default_rng(1).integers(0, 255, (1, channels, side, side)).astype(np.uint8)
    sessions = [session(channels, n, side) for n in counts]
    times = np.empty((rounds, len(counts)))
    for row in times:
        for k, run in enumerate(sessions):
            begin = time.perf_counter()
            run.run(None, {"x": image})
            row[k] = time.perf_counter() - begin
    return {n: round(float(ratio), 2) for n, ratio in zip(counts, np.median(times / times[:, -1:], axis=0))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    for channels, side in SHAPES:
        inner = [channels // 2, channels * 3 // 4, channels * 7 // 8, channels - 2, channels - 1, channels]
        print(json.dumps({"channels": channels, "side": side, "time": ratios(channels, inner, side, rounds)}))


if __name__ == "__main__":
    main()
