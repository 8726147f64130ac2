# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the built tool, the bundled network, ONNX Runtime."""

import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np
import onnxruntime
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Whether the tool was built with sanitizers, which take memory of their own.
SANITIZED = "ASAN_OPTIONS" in os.environ
TOOL = pathlib.Path(os.environ.get("ADIABAT_TOOL", ROOT / "build" / "release" / "adiabat"))
TESTDATA = ROOT / "testdata"
MODEL = TESTDATA / "fashion-resnet.onnx"
CALIBRATION = TESTDATA / "fashion-calibration-images-idx3-ubyte"
TEST_IMAGES = TESTDATA / "fashion-test-images-idx3-ubyte"
PREPROCESS = TESTDATA / "fashion-preprocess.json"
SHARED = ROOT.parent / "shared"
CIFAR_MODEL = SHARED / "models" / "resnet20-cifar10.onnx"
CIFAR_DATA = SHARED / "data" / "cifar-10-batches-bin"
CIFAR_PREPROCESS = '{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 0.00392156862745098}'


# What is sensed in tests is kept nowhere else, and nothing comes from elsewhere.
CACHE = tempfile.TemporaryDirectory(prefix="adiabat-tests-")
os.environ["XDG_CACHE_HOME"] = CACHE.name


def pytest_configure(config):
    config.addinivalue_line("markers", "long: many whole runs, or what other runs do as well, for its numbers; "
                                       "not under sanitizers, where a run takes seven times as long")


def adiabat(*arguments, **options):
    """The finished process of the tool."""
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=600, **options)


def compress(output, *more, model=MODEL, data=CALIBRATION, preprocess=PREPROCESS, budget="file=100KB"):
    """Runs `adiabat compress`, which must succeed; returns its document. One candidate and no proof if not said."""
    for option, value in (("--candidates", 1), ("--certify", 0)):
        if option not in more and "--plan" not in more:
            more = (*more, option, value)
    done = adiabat("compress", model, "--data", data, "--preprocess", preprocess, "--budget", budget,
                   "-o", output, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def session(path, dump=None):
    """A one-thread session of ONNX Runtime; what runs after its optimizations is written to `dump`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if dump:
        options.optimized_model_filepath = str(dump)
    source = path if isinstance(path, bytes) else str(path)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def runtime_outputs(path, images, batch=200):
    """First output of a model in ONNX Runtime."""
    s = session(path)
    name = s.get_inputs()[0].name
    return np.concatenate([s.run(None, {name: images[k:k + batch]})[0] for k in range(0, len(images), batch)])


def read_idx(path):
    """Images or labels of an IDX file."""
    raw = path.read_bytes()
    shape = [int.from_bytes(raw[4 + 4 * k:8 + 4 * k], "big") for k in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def fashion_images(path=TEST_IMAGES):
    """Preprocessed images [N, 1, 28, 28] and labels."""
    p = json.loads(PREPROCESS.read_text())
    images = read_idx(path).astype(np.float32)[:, None] * np.float32(p["scale"])
    labels = read_idx(pathlib.Path(str(path).replace("images-idx3", "labels-idx1")))
    return ((images - np.float32(p["mean"][0])) / np.float32(p["std"][0])).astype(np.float32), labels


def cifar_test():
    """Preprocessed test images [10000, 3, 32, 32] and labels; skips where the data are absent."""
    if not CIFAR_DATA.is_dir() or not CIFAR_MODEL.is_file():
        pytest.skip("the CIFAR-10 development data are not beside the checkout")
    raw = np.fromfile(CIFAR_DATA / "test_batch.bin", np.uint8).reshape(-1, 3073)
    p = json.loads(CIFAR_PREPROCESS)
    mean, std = (np.array(p[k], np.float32).reshape(1, 3, 1, 1) for k in ("mean", "std"))
    return (raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255 - mean) / std, raw[:, 0]


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The bundled network at 100 KB: (path, document)."""
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    return path, compress(path, "--certify", 1)
