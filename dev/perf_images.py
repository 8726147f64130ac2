#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many JPEG images one thread reads in a second of its time, resized to 256 and cropped to 224, beside Pillow.

    .venv/bin/python dev/perf_images.py [--images N] [--tool build/release/adiabat]

Writes N pictures of 500 x 375 pixels (ImageNet's common size, quality 90, 4:2:0) into a temporary folder and lets
`adiabat eval --threads 1` read them all, then a fifth of them, for a network that does next to nothing. The difference
in processor time is that of reading, digest and preprocessing included; other work on the machine hardly disturbs it.
"""

import argparse
import pathlib
import resource
import subprocess
import tempfile
import time

import numpy as np
import onnx
from PIL import Image


def write_images(folder, count):
    rng = np.random.default_rng(0)
    for k in range(count):
        # Noise on three scales: about as many bytes a pixel as photographs have.
        layers = [Image.fromarray(rng.integers(0, 256, (375 // s + 1, 500 // s + 1, 3), np.uint8)).resize((500, 375))
                  for s in (60, 15, 4)]
        pixels = sum(w * np.asarray(layer, float) for w, layer in zip((0.6, 0.25, 0.15), layers))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{k:05}.jpg", quality=90)


def write_network(path):
    helper = onnx.helper
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "mean",
                              [helper.make_tensor_value_info("x", 1, ["N", 3, 224, 224])],
                              [helper.make_tensor_value_info("y", 1, ["N", 3, 1, 1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def processor_seconds(tool, folder, images):
    """Of one run of the tool on so many images."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([tool, "eval", folder / "n.onnx", "--data", folder / "images", "--resize", "256", "--crop", "224",
                    "--threads", "1", "--images", str(images)], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--tool", default=pathlib.Path(__file__).parent.parent / "build" / "release" / "adiabat")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "images").mkdir()
        write_images(folder / "images", arguments.images)
        write_network(folder / "n.onnx")
        files = sorted((folder / "images").iterdir())
        print(f"{sum(f.stat().st_size for f in files) / len(files) / 1000:.0f} KB an image")
        for _ in range(3):
            all_of_them, fifth = (processor_seconds(arguments.tool, folder, n) for n in (len(files), len(files) // 5))
            began = time.process_time()
            for file in files:
                image = Image.open(file).convert("RGB")
                image = image.resize((341, 256), Image.Resampling.BILINEAR).crop((58, 16, 282, 240))
                np.asarray(image, np.float32).transpose(2, 0, 1).copy()
            pillow = (time.process_time() - began) / len(files)
            ours = (all_of_them - fifth) / (len(files) - len(files) // 5)
            print(f"adiabat {1 / ours:.0f} images/s, Pillow {1 / pillow:.0f} images/s")


if __name__ == "__main__":
    main()
