#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the bundled example: a small residual network for Fashion-MNIST.

    sudo apt-get install dataset-fashion-mnist
    python3 -m venv /tmp/train-venv
    /tmp/train-venv/bin/pip install torch onnx onnxruntime numpy
    /tmp/train-venv/bin/python dev/train_example.py

Takes about 8 minutes on two idle cores that have AVX-512 BF16 (23 s an epoch; 27 minutes in all
when others compile on the same cores), longer on processors without. Writes into testdata/,
2.7 MB in all:

    fashion-resnet.onnx                              opset 13, float32, batch norm left unfused
    fashion-calibration-{images-idx3,labels-idx1}-ubyte   512 images drawn from the training set
    fashion-test-{images-idx3,labels-idx1}-ubyte     the first 2,000 images of the test set
    fashion-preprocess.json                          x = (pixel * scale - mean) / std
    README.md                                        provenance, licence, measured accuracy

The network is the residual network for CIFAR of He et al. (2016) with two blocks a stage: 13
convolutions and a linear layer on the longest path, and a 1x1 convolution as the shortcut of each
block that halves the size. Every
hyper-parameter is a constant below, chosen before the first run; the test images are read once,
after the last epoch, and choose nothing. The seeds are fixed, but floating-point sums differ from
one processor and version to the next, so a new run gives a sibling of the network, not its copy.
"""

import argparse
import collections
import gzip
import json
import os
import pathlib
import time

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

kSeed = 20250117
kBatch = 128
kPeakRate = 0.1
kMomentum = 0.9
kWeightDecay = 5e-4
kLabelSmoothing = 0.1
kMaxShift = 2  # pixels, each way, on both axes
kScale = 1 / 255
kMean = 0.2860  # of the 60,000 training images, after kScale
kStd = 0.3530
kCalibrationImages = 512
kTestImages = 2000
kTolerance = 1e-4  # largest difference of a logit between PyTorch and ONNX Runtime


# ---- data ---------------------------------------------------------------------------------------


def read_idx(path):
    """The uint8 array, of any rank, in a gzipped IDX file."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: starts with {raw[:3].hex()}; an IDX file of bytes has 000008")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def idx_bytes(array):
    """The IDX form of a uint8 array: magic, extents (big-endian), then the bytes."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def write(path, content):
    """Replaces `path` in one step, so that an interrupted run leaves the old file or the new."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def preprocess(pixels):
    """uint8 [N,28,28] -> float32 [N,1,28,28], as fashion-preprocess.json says."""
    return ((pixels.float() * kScale - kMean) / kStd).unsqueeze(1)


def augment(padded, picks):
    """Shifts and mirrors the picked images: uint8 [M,32,32], int64 [B] -> uint8 [B,28,28].

    One gather for the whole batch: each image gets its own row and column indices, and mirroring
    is counting the columns down.
    """
    count, side = len(picks), padded.shape[1] - 2 * kMaxShift
    steps = torch.arange(side)
    mirrored = torch.rand(count, 1) < 0.5
    rows = torch.randint(2 * kMaxShift + 1, (count, 1)) + steps
    columns = torch.randint(2 * kMaxShift + 1, (count, 1)) + torch.where(
        mirrored, side - 1 - steps, steps
    )
    return padded[picks[:, None, None], rows[:, :, None], columns[:, None, :]]


# ---- network ------------------------------------------------------------------------------------


class Block(nn.Module):
    """relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))"""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    """[N,1,28,28] -> [N,10]: stem, three stages of 16, 32 and 64 channels, average, linear."""

    def __init__(self, blocks=2):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stage1 = self._stage(16, 16, 1, blocks)
        self.stage2 = self._stage(16, 32, 2, blocks)
        self.stage3 = self._stage(32, 64, 2, blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    @staticmethod
    def _stage(inputs, outputs, stride, blocks):
        first = Block(inputs, outputs, stride)
        return nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(blocks - 1)))

    def forward(self, x):
        x = functional.relu(self.bn(self.conv(x)))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


def train(images, labels, epochs):
    """The network after `epochs` passes; images uint8 [M,28,28], labels int64 [M]."""
    # Channels last and bfloat16 activations: 20 s an epoch where plain float32 takes 52 s (2 cores,
    # AVX-512 BF16). Weights, batch statistics and the optimizer stay float32.
    model = ResNet().to(memory_format=torch.channels_last)
    padded = functional.pad(images, (kMaxShift,) * 4)
    optimizer = torch.optim.SGD(
        model.parameters(), kPeakRate, kMomentum, weight_decay=kWeightDecay, nesterov=True
    )
    batches = len(images) // kBatch  # the last, partial batch of each shuffle is left out
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, kPeakRate, epochs * batches)
    for epoch in range(epochs):
        start, total = time.monotonic(), 0.0
        order = torch.randperm(len(images))[: batches * kBatch]
        for picks in order.split(kBatch):
            x = preprocess(augment(padded, picks)).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
            loss = functional.cross_entropy(
                logits.float(), labels[picks], label_smoothing=kLabelSmoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.monotonic() - start
        loss = total / batches
        print(f"epoch {epoch + 1:2}/{epochs}  loss {loss:.4f}  {seconds:.1f} s", flush=True)
    return model.to(memory_format=torch.contiguous_format).eval()


# ---- the file, and what it scores ---------------------------------------------------------------


def unshare(graph):
    """Gives every parameter its own initializer.

    The exporter stores equal tensors once and puts Identity nodes before the other uses. The two
    biases that a block with a convolution on its shortcut adds to the same sum start at 0 and have
    the same gradient, so they stay equal to the last bit, and would be written that way.
    """
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in initializers]:
        copy = graph.initializer.add()
        copy.CopyFrom(initializers[node.input[0]])
        copy.name = node.output[0]
        graph.node.remove(node)


def export(model, path):
    """Writes the ONNX file and returns how many nodes of each operator it has."""
    temporary = path.with_name(path.name + ".tmp")
    # PRESERVE, on a network in evaluation mode, keeps batch norm apart from the convolutions:
    # fusing is the reader's work, and this file is its test.
    torch.onnx.export(
        model,
        (preprocess(torch.zeros(2, 28, 28, dtype=torch.uint8)),),
        str(temporary),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        opset_version=13,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        dynamo=False,
    )
    written = onnx.load(temporary)
    unshare(written.graph)
    onnx.checker.check_model(written, full_check=True)
    for node in written.graph.node:
        if node.op_type == "BatchNormalization":
            mode = [a.i for a in node.attribute if a.name == "training_mode"]
            assert mode in ([], [0]) and len(node.output) == 1, f"{node.name} is in training form"
    operators = collections.Counter(node.op_type for node in written.graph.node)
    batch_norms = sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert operators["BatchNormalization"] == batch_norms, operators
    write(path, written.SerializeToString())
    return dict(sorted(operators.items()))


def logits_of_file(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    parts = [session.run(["logits"], {"input": part.numpy()})[0] for part in x.split(500)]
    return torch.from_numpy(np.concatenate(parts))


def measure(model, path, images, labels):
    """Which test images the FILE gets right (bool [M]), and its largest difference from PyTorch."""
    x = preprocess(images)
    from_file = logits_of_file(path, x)
    with torch.no_grad():
        from_torch = torch.cat([model(part) for part in x.split(500)])
    difference = (from_file - from_torch).abs().max().item()
    assert difference < kTolerance, f"ONNX Runtime is {difference} from PyTorch"
    return from_file.argmax(1) == labels, difference


kReadme = """\
# testdata

The bundled example: a small residual network for Fashion-MNIST, and the images to compress it with.

| file | bytes | what it is |
|---|---:|---|
{files}

Written by

    {command}

whose opening lists the packages it needs. The seeds are fixed; another processor or version of
PyTorch rounds differently and gives a sibling of this network, not the same bytes.

## The network
`input` float32 [N,1,28,28] -> `logits` float32 [N,10]; {parameters:,} parameters, opset 13,
PyTorch's TorchScript exporter. Batch norm is deliberately left unfused, in inference form.

Nodes: {operators}.

Trained for {epochs} epochs on all 60,000 training images (SGD with Nesterov momentum, one-cycle
rate up to {rate}, weight decay {decay}, label smoothing {smoothing}, mirroring, shifts by up to
{shift} pixels), in {minutes:.0f} minutes with two threads of PyTorch {torch}. The test images were
looked at once, after the last epoch; they chose nothing.

| top-1, ONNX Runtime {onnxruntime} | correct | of | |
|---|---:|---:|---:|
| `fashion-test`, the first 2,000 test images | {correct_part:,} | {part:,} | {top1_part:.2f} % |
| the whole official test set | {correct_all:,} | {whole:,} | {top1_all:.2f} % |

The largest difference of a logit from PyTorch over the whole test set is {difference:.1e}.

## The images
Unchanged bytes of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747), in uncompressed
IDX, taken from Debian's package `dataset-fashion-mnist`. The calibration images are {calibration}
of the 60,000 training images, drawn without replacement by a fixed seed (so the network has seen
them); the test images are the first {part:,} of the official test set, without selection. Labels:
0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle
boot.

`fashion-preprocess.json` turns a pixel into what the network reads:
x = (pixel * scale - mean) / std.

## Licence
The network and the JSON file are part of this project, under its licence. The image and label files
are under the MIT licence:

    Copyright (c) 2017 Zalando SE, https://tech.zalando.com

    Permission is hereby granted, free of charge, to any person obtaining a
    copy of this software and associated documentation files (the "Software"),
    to deal in the Software without restriction, including without limitation
    the rights to use, copy, modify, merge, publish, distribute, sublicense,
    and/or sell copies of the Software, and to permit persons to whom the
    Software is furnished to do so, subject to the following conditions:

    The above copyright notice and this permission notice shall be included
    in all copies or substantial portions of the Software.

    THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS
    OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
    MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
    IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
    CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT,
    TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
    SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

kFiles = {
    "fashion-resnet.onnx": "the trained network",
    "fashion-calibration-images-idx3-ubyte": f"training images, uint8 [{kCalibrationImages},28,28]",
    "fashion-calibration-labels-idx1-ubyte": f"their labels, uint8 [{kCalibrationImages}]",
    "fashion-test-images-idx3-ubyte": f"test images, uint8 [{kTestImages},28,28]",
    "fashion-test-labels-idx1-ubyte": f"their labels, uint8 [{kTestImages}]",
    "fashion-preprocess.json": "how a pixel becomes a number the network reads",
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument(
        "--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist",
        help="folder of the four gzipped IDX files (default: %(default)s)",
    )
    parser.add_argument("--out", type=pathlib.Path, default=root / "testdata")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error(f"--epochs {arguments.epochs}: at least 1")
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(kSeed)
    torch.set_num_threads(2)
    train_images = read_idx(arguments.data / "train-images-idx3-ubyte.gz")
    train_labels = read_idx(arguments.data / "train-labels-idx1-ubyte.gz")
    drawn = np.random.default_rng(kSeed).permutation(len(train_images))[:kCalibrationImages]
    write(out / "fashion-calibration-images-idx3-ubyte", idx_bytes(train_images[drawn]))
    write(out / "fashion-calibration-labels-idx1-ubyte", idx_bytes(train_labels[drawn]))
    recipe = {"mean": [kMean], "std": [kStd], "scale": kScale, "layout": "NCHW"}
    write(out / "fashion-preprocess.json", (json.dumps(recipe) + "\n").encode())

    start = time.monotonic()
    model = train(
        torch.tensor(train_images), torch.tensor(train_labels).long(), arguments.epochs
    )
    minutes = (time.monotonic() - start) / 60
    onnx_path = out / "fashion-resnet.onnx"
    operators = export(model, onnx_path)

    test_images = read_idx(arguments.data / "t10k-images-idx3-ubyte.gz")
    test_labels = read_idx(arguments.data / "t10k-labels-idx1-ubyte.gz")
    write(out / "fashion-test-images-idx3-ubyte", idx_bytes(test_images[:kTestImages]))
    write(out / "fashion-test-labels-idx1-ubyte", idx_bytes(test_labels[:kTestImages]))
    right, difference = measure(
        model, onnx_path, torch.tensor(test_images), torch.tensor(test_labels).long()
    )
    command = "python dev/train_example.py"
    if arguments.epochs != parser.get_default("epochs"):
        command += f" --epochs {arguments.epochs}"
    readme = kReadme.format(
        files="\n".join(
            f"| `{name}` | {(out / name).stat().st_size:,} | {what} |"
            for name, what in kFiles.items()
        ),
        command=command,
        parameters=sum(p.numel() for p in model.parameters()),
        operators=", ".join(f"{count} {name}" for name, count in operators.items()),
        epochs=arguments.epochs,
        rate=kPeakRate,
        decay=kWeightDecay,
        smoothing=kLabelSmoothing,
        shift=kMaxShift,
        minutes=minutes,
        torch=torch.__version__,
        onnxruntime=onnxruntime.__version__,
        correct_part=right[:kTestImages].sum().item(),
        part=kTestImages,
        top1_part=100 * right[:kTestImages].double().mean().item(),
        correct_all=right.sum().item(),
        whole=len(right),
        top1_all=100 * right.double().mean().item(),
        difference=difference,
        calibration=kCalibrationImages,
    )
    write(out / "README.md", readme.encode())
    print(readme[: readme.index("## The images")])


if __name__ == "__main__":
    main()
