# SPDX-License-Identifier: Apache-2.0
"""Senses and plans a network of ResNet-50's shape: 25 M random weights, 224 x 224, 128 images.

    python3 dev/perf_large.py TOOL [--folder F] [--images 128] [--budget macs=70%] [--verb qubo|compress]

Writes network and images to the folder (made anew unless they are there), runs the tool with an empty
cache, and prints its seconds and peak memory. Asked: under 8 minutes and 6 GB on two cores.
"""

import argparse
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCKS = [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)]  # blocks, inner channels, stride


def resnet50(path, seed=0):
    random = np.random.default_rng(seed)
    nodes, weights = [], []

    def constant(name, values):
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(x, inputs, filters, kernel, stride, name, gain=2.0):
        scale = np.sqrt(gain / (inputs * kernel * kernel))
        w = constant(name + ".w", random.normal(0, scale, (filters, inputs, kernel, kernel)))
        b = constant(name + ".b", random.normal(0, 0.05, filters))
        nodes.append(helper.make_node("Conv", [x, w, b], [name + ".y"], name=name, strides=[stride] * 2,
                                      kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4))
        return name + ".y"

    def op(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name + ".y"], name=name, **attributes))
        return name + ".y"

    x = op("Relu", [conv("input", 3, 64, 7, 2, "stem")], "stem.relu")
    x = op("MaxPool", [x], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (count, inner, stride) in enumerate(BLOCKS):
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            s = stride if block == 0 else 1
            y = op("Relu", [conv(x, channels, inner, 1, 1, name + ".conv1")], name + ".relu1")
            y = op("Relu", [conv(y, inner, inner, 3, s, name + ".conv2")], name + ".relu2")
            y = conv(y, inner, 4 * inner, 1, 1, name + ".conv3", gain=0.25)
            if block == 0:
                x = conv(x, channels, 4 * inner, 1, s, name + ".shortcut", gain=1.0)
                channels = 4 * inner
            x = op("Relu", [op("Add", [y, x], name + ".add")], name + ".relu3")
    x = op("Flatten", [op("GlobalAveragePool", [x], "mean")], "flatten")
    w = constant("fc.w", random.normal(0, 0.02, (1000, channels)))
    nodes.append(helper.make_node("Gemm", [x, w, constant("fc.b", np.zeros(1000))], ["logits"], name="fc", transB=1))
    graph = helper.make_graph(nodes, "resnet50", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 224, 224])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1000])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=128, help="that sense; as many judge")
    parser.add_argument("--budget", default="macs=70%")
    parser.add_argument("--verb", default="qubo", choices=["qubo", "compress"])
    arguments = parser.parse_args()
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp(prefix="adiabat-large-"))
    folder.mkdir(parents=True, exist_ok=True)
    model, images = folder / "resnet50.onnx", folder / "images.npy"
    if not model.exists():
        resnet50(model)
    if not images.exists():
        random = np.random.default_rng(1)
        # Smooth random pictures, so that pixels depend on each other as in photographs.
        small = random.normal(0, 1, (2 * arguments.images, 3, 28, 28)).astype(np.float32)
        np.save(images, np.repeat(np.repeat(small, 8, 2), 8, 3) + random.normal(
            0, 0.1, (2 * arguments.images, 3, 224, 224)).astype(np.float32))
    output = folder / ("problem.json" if arguments.verb == "qubo" else "small.onnx")
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    command = [arguments.tool, arguments.verb, str(model), "--data", str(images), "--budget", arguments.budget,
               "--images", str(2 * arguments.images), "--cache", str(cache), "-o", str(output)]
    begin = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{arguments.verb} {arguments.budget}: {seconds:.0f} s, peak {peak:.2f} GB, exit code {code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
