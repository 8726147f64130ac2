#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times the forward pass of our engine against PyPI's PyTorch, in turn, on the same cores.

    cmake -B build -DADIABAT_BUILD_PERF=ON && cmake --build build --target adiabat_perf_forward
    python3 dev/perf_forward.py MODEL.onnx --program build/adiabat_perf_forward \\
        [--images test_batch.bin] [--batch 200] [--threads 2] [--rounds 20]

Needs torch, onnx, onnxruntime and numpy from PyPI. Both sides get the same float32 array of --batch
images (from a CIFAR-10 binary batch, or random without --images) and the same number of threads, and
run the whole of it: PyTorch as plain NCHW functional calls in inference mode, with constants folded
beforehand. The two run alternately, each round once, so that a busy machine is unfair to both alike.
Prints one JSON object: medians of images per second, the median of the per-round ratios (above 1: ours
is faster), the largest difference of our output, and PyTorch's, from ONNX Runtime's. With --no-torch
(quantized models) only ours against ONNX Runtime's output, and ONNX Runtime's own speed.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

kMean = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
kStd = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)


def read_images(path, model, batch):
    """The first images of a CIFAR-10 binary batch, normalized; random ones without a path."""
    if path is None:
        dims = model.graph.input[0].type.tensor_type.shape.dim
        shape = [batch] + [d.dim_value for d in dims[1:]]
        return np.random.default_rng(0).standard_normal(shape, np.float32)
    raw = np.fromfile(path, np.uint8).reshape(-1, 3073)[:batch, 1:]
    assert len(raw) == batch, f"{path} has {len(raw)} images"
    x = (raw.reshape(-1, 3, 32, 32).astype(np.float32) / 255 - kMean) / kStd
    return np.ascontiguousarray(x)


def attributes_of(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def evaluate_constant(node, constants):
    """What a node computes from constants alone."""
    if node.op_type == "Constant":
        return numpy_helper.to_array(attributes_of(node)["value"])
    feeds = {name: constants[name] for name in node.input if name}
    graph = onnx.helper.make_graph(
        [node], "one",
        [onnx.helper.make_tensor_value_info(
            n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in feeds.items()],
        [onnx.ValueInfoProto(name=node.output[0])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    return ReferenceEvaluator(model).run(None, feeds)[0]


class TorchNetwork:
    """The graph as a list of functional PyTorch calls, NCHW; constants folded."""

    def __init__(self, model):
        import torch
        self.torch = torch
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.steps = []
        self.input = model.graph.input[0].name
        self.output = model.graph.output[0].name
        for node in model.graph.node:
            if all(name in self.constants for name in node.input if name):
                self.constants[node.output[0]] = evaluate_constant(node, self.constants)
            else:
                self.steps.append((self.step(node), node.input, node.output[0]))
        tensors = {n: torch.from_numpy(np.array(v)) for n, v in self.constants.items()
                   if v.dtype == np.float32}
        last = {name: k for k, (_, names, _) in enumerate(self.steps) for name in names}
        self.steps = [(f, names, out, [n for n in set(names) if last[n] == k and n not in tensors])
                      for k, (f, names, out) in enumerate(self.steps)]
        self.tensors = tensors

    def ints(self, node, position, attribute):
        if attribute in attributes_of(node):
            return list(attributes_of(node)[attribute])
        if len(node.input) > position:
            return [int(v) for v in np.atleast_1d(self.constants[node.input[position]])]
        return []

    def step(self, node):
        torch, functional = self.torch, self.torch.nn.functional
        a = attributes_of(node)
        kind = node.op_type
        if kind == "Conv":
            pads = a.get("pads", [0, 0, 0, 0])
            assert pads[:2] == pads[2:], "asymmetric pads"
            stride, dilation = a.get("strides", [1, 1]), a.get("dilations", [1, 1])
            group = a.get("group", 1)
            return lambda x, w, b=None: functional.conv2d(x, w, b, stride, pads[:2], dilation, group)
        if kind == "Slice":
            starts, ends, axes = (self.ints(node, k, None) for k in (1, 2, 3))
            steps = self.ints(node, 4, None) or [1] * len(starts)
            picks = list(zip(axes, starts, ends, steps))

            def cut(x, *_):
                index = [slice(None)] * x.dim()
                for axis, start, end, stride in picks:
                    index[axis] = slice(start, min(end, x.shape[axis]), stride)
                return x[tuple(index)]

            return cut
        if kind == "Pad":
            pads = self.ints(node, 1, "pads")
            rank = len(pads) // 2
            flat = [pads[k + side * rank] for k in reversed(range(rank)) for side in (0, 1)]
            return lambda x, *_: functional.pad(x, flat)
        if kind == "ReduceMean":
            axes, keep = self.ints(node, 1, "axes"), bool(a.get("keepdims", 1))
            return lambda x, *_: x.mean(axes, keep)
        if kind == "Gemm":
            assert a.get("transB", 0) and a.get("alpha", 1) == 1 and a.get("beta", 1) == 1
            return functional.linear
        simple = {"Relu": functional.relu, "Add": torch.add, "Identity": lambda x: x,
                  "Flatten": lambda x: x.flatten(1),
                  "Reshape": lambda x, _: x.flatten(1),
                  "GlobalAveragePool": lambda x: x.mean((2, 3), True)}
        if kind not in simple:
            raise SystemExit(f"{kind}: not in this script's list of operators; use --no-torch")
        return simple[kind]

    def __call__(self, x):
        values = dict(self.tensors)
        values[self.input] = x
        for function, names, out, dead in self.steps:
            values[out] = function(*(values.get(n) for n in names if n))
            for name in dead:
                values.pop(name, None)
        return values[self.output]


class OurNetwork:
    """The program, asked for one run at a time."""

    def __init__(self, program, model, images, threads, output):
        self.process = subprocess.Popen([str(program.resolve()), str(model), str(images), str(threads), str(output)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{program} failed")
        self.start = json.loads(line)

    def seconds(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--images", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    model = onnx.load(arguments.model)
    x = read_images(arguments.images, model, arguments.batch)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    runtime = onnxruntime.InferenceSession(str(arguments.model), options,
                                           providers=["CPUExecutionProvider"])
    feed = {runtime.get_inputs()[0].name: x}
    expected = runtime.run(None, feed)[0]

    with tempfile.TemporaryDirectory() as folder:
        images, output = pathlib.Path(folder) / "x.npy", pathlib.Path(folder) / "y.npy"
        np.save(images, x)
        ours = OurNetwork(arguments.program, arguments.model, images, arguments.threads, output)
        y = np.load(output)
    report = {"model": arguments.model.name, "batch": arguments.batch, "threads": arguments.threads,
              **ours.start, "difference": float(np.abs(y - expected).max()),
              "same_top1": float((y.argmax(-1) == expected.argmax(-1)).mean())}

    if arguments.no_torch:
        def theirs():
            runtime.run(None, feed)
        report["other"] = "ONNX Runtime " + onnxruntime.__version__
    else:
        import torch
        torch.set_num_threads(arguments.threads)
        network, batch = TorchNetwork(model), torch.from_numpy(x)
        report["other"] = "PyTorch " + torch.__version__

        def theirs():
            with torch.inference_mode():
                return network(batch)

        report["other_difference"] = float(np.abs(theirs().numpy() - expected).max())

    mine, other = [], []
    for k in range(arguments.rounds + 2):
        a = ours.seconds()
        start = time.perf_counter()
        theirs()
        b = time.perf_counter() - start
        if k >= 2:
            mine.append(a)
            other.append(b)
    mine, other = np.array(mine), np.array(other)
    report["our_images_per_second"] = round(arguments.batch / float(np.median(mine)), 1)
    report["other_images_per_second"] = round(arguments.batch / float(np.median(other)), 1)
    report["median_ratio"] = round(float(np.median(other / mine)), 3)
    report["best_ratio"] = round(float(other.min() / mine.min()), 3)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
