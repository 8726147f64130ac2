# SPDX-License-Identifier: Apache-2.0
"""How long `adiabat inspect` takes on a network of the size of ResNet-50, and how much memory.

    python dev/perf_inspect.py [--tool build/release/adiabat] [--repeat 3]

Makes the network (random weights, 25.5 million, about 100 MB; once stored as raw data and once as numbers), runs
the tool, and prints the best time and the peak memory over the size of the file. The aim: under a second, under
three times the file.
"""

import argparse
import multiprocessing
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STAGES = [(3, 64), (4, 128), (6, 256), (3, 512)]


class Builder:
    """Layers one after another, with random weights."""

    def __init__(self, raw):
        self.raw, self.nodes, self.constants = raw, [], []
        self.random = np.random.default_rng(0)

    def constant(self, values):
        name = f"c{len(self.constants)}"
        values = np.asarray(values, np.float32)
        if self.raw:
            self.constants.append(numpy_helper.from_array(values, name))
        else:
            self.constants.append(helper.make_tensor(name, TensorProto.FLOAT, values.shape, values.ravel()))
        return name

    def add(self, op, inputs, **attributes):
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{len(self.nodes)}", **attributes))
        return output

    def convolution(self, x, channels, filters, kernel, stride=1, relu=True):
        weight = self.constant(self.random.standard_normal((filters, channels, kernel, kernel), np.float32) * 0.05)
        x = self.add("Conv", [x, weight], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)
        normal = [self.constant(np.full(filters, value)) for value in (1, 0, 0, 1)]
        x = self.add("BatchNormalization", [x, *normal])
        return self.add("Relu", [x]) if relu else x


def resnet50(raw):
    """The network, as in He et al. (2015)."""
    b = Builder(raw)
    x = b.convolution("x", 3, 64, 7, 2)
    x = b.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, (blocks, width) in enumerate(STAGES):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = b.convolution(x, channels, width, 1)
            y = b.convolution(y, width, width, 3, stride)
            y = b.convolution(y, width, 4 * width, 1, relu=False)
            if block == 0:
                x = b.convolution(x, channels, 4 * width, 1, stride, relu=False)
            channels = 4 * width
            x = b.add("Relu", [b.add("Add", [y, x])])
    x = b.add("Flatten", [b.add("GlobalAveragePool", [x])])
    weight = b.constant(b.random.standard_normal((1000, channels), np.float32) * 0.01)
    x = b.add("Gemm", [x, weight, b.constant(np.zeros(1000))], transB=1)
    graph = helper.make_graph(b.nodes, "resnet50",
                              [helper.make_tensor_value_info("x", 1, ["N", 3, 224, 224])],
                              [helper.make_tensor_value_info(x, 1, ["N", 1000])], b.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def make(raw, path):
    onnx.save(resnet50(raw), path)


def measure(command):
    """Seconds, seconds of all cores together, and peak bytes of one run, which must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{command} failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=pathlib.Path, default=pathlib.Path("build/release/adiabat"))
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for raw in (True, False):
            path = pathlib.Path(folder, "resnet50.onnx")
            # Elsewhere: a child's peak memory counts what its parent held when it was started.
            making = multiprocessing.get_context("spawn").Process(target=make, args=(raw, path))
            making.start()
            making.join()
            size = path.stat().st_size
            runs = [measure([options.tool, "inspect", path]) for _ in range(options.repeat)]
            seconds, busy, memory = (pick(column) for pick, column in zip((min, min, max), zip(*runs)))
            print(f"{'raw data' if raw else 'numbers'}: file {size / 1e6:.1f} MB, {seconds:.2f} s "
                  f"({busy:.2f} s of all cores), "
                  f"peak {memory / 1e6:.0f} MB, {memory / size:.2f} times the file", flush=True)


if __name__ == "__main__":
    main()
