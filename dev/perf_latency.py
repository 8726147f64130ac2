#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file of adiabat against ONNX Runtime's own int8 quantization of the original: latency and top-1.

    python3 dev/perf_latency.py ORIGINAL.onnx SMALL.onnx --calibration data_batch_1.bin --test test_batch.bin

Needs onnx, onnxruntime and numpy from PyPI. The runtime quantizes statically: 8-bit weights per channel,
uint8 activations, ranges from --images of the calibration data (CIFAR-10 binary batches, the usual mean and
deviation). Sessions run one image at a time on --threads threads, in turn, --rounds times; medians. Prints one
JSON object: milliseconds, the median of the rounds' ratios to the runtime's own (below 1: faster), top-1 of all
test images in per cent, and what convolutions each session runs after its optimizations.
"""

import argparse
import collections
import json
import pathlib
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)


def read_batch(path, count=None):
    raw = np.fromfile(path, np.uint8).reshape(-1, 3073)[:count]
    pixels = raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    return np.ascontiguousarray((pixels - MEAN) / DEVIATION), raw[:, 0]


class Images(CalibrationDataReader):
    def __init__(self, name, images):
        self.batches = iter([{name: images[k:k + 1]} for k in range(len(images))])

    def get_next(self):
        return next(self.batches, None)


def quantized_by_the_runtime(original, images, folder):
    prepared, path = folder / "prepared.onnx", folder / "runtime.onnx"
    quant_pre_process(str(original), str(prepared), skip_symbolic_shape=True)
    name = onnx.load(prepared).graph.input[0].name
    quantize_static(str(prepared), str(path), Images(name, images), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return path


def session(path, threads, dump):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.optimized_model_filepath = str(dump)
    made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    kinds = collections.Counter(node.op_type for node in onnx.load(dump).graph.node if "Conv" in node.op_type)
    return made, dict(kinds)


def top1(made, images, labels):
    name = made.get_inputs()[0].name
    hits = 0
    for k in range(0, len(images), 500):
        hits += int(np.sum(made.run(None, {name: images[k:k + 500]})[0].argmax(1) == labels[k:k + 500]))
    return round(100 * hits / len(images), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original", type=pathlib.Path)
    parser.add_argument("small", type=pathlib.Path)
    parser.add_argument("--calibration", type=pathlib.Path, required=True)
    parser.add_argument("--test", type=pathlib.Path, required=True)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    calibration, _ = read_batch(arguments.calibration, arguments.images)
    images, labels = read_batch(arguments.test)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        paths = {"original": arguments.original, "small": arguments.small,
                 "runtime": quantized_by_the_runtime(arguments.original, calibration, folder)}
        sessions, result = {}, {"onnxruntime": onnxruntime.__version__, "threads": arguments.threads}
        for kind, path in paths.items():
            sessions[kind], convolutions = session(path, arguments.threads, folder / f"{kind}.optimized.onnx")
            result[kind] = {"bytes": path.stat().st_size, "convolutions": convolutions}
        times = {kind: [] for kind in sessions}
        for k in range(arguments.rounds):
            one = images[k % len(images):][:1]
            for kind, made in sessions.items():
                feed = {made.get_inputs()[0].name: one}
                begin = time.perf_counter()
                made.run(None, feed)
                times[kind].append(1e3 * (time.perf_counter() - begin))
        for kind, made in sessions.items():
            result[kind]["milliseconds"] = round(float(np.median(times[kind])), 4)
            result[kind]["ratio"] = round(float(np.median(np.divide(times[kind], times["runtime"]))), 3)
            result[kind]["top1"] = top1(made, images, labels)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
