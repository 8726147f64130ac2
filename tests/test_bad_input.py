# SPDX-License-Identifier: Apache-2.0
"""Bad input of every kind ends with one clear line, exit code 2, and no file left behind."""

import shutil
import subprocess

import numpy as np
import onnx
import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, TOOL, adiabat
from onnx import helper, numpy_helper


def refused(done, *words):
    """One line that holds all the words, exit code 2."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("adiabat: ")]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def compress(folder, model=MODEL, data=CALIBRATION, preprocess=PREPROCESS, budget="file=100KB", output=None, more=()):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    done = adiabat("compress", model, "--data", data, "--preprocess", preprocess, "--budget", budget, "-o",
                   out / "small.onnx" if output is None else output, *more)
    assert list(out.iterdir()) == []
    return done


def changed_model(folder, change):
    model = onnx.load(MODEL)
    change(model)
    path = folder / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())
    return path


def test_missing_files(tmp_path):
    refused(compress(tmp_path, model=tmp_path / "none.onnx"), "none.onnx", "no such file")
    refused(compress(tmp_path, data=tmp_path / "none"), "none")
    refused(compress(tmp_path, preprocess=tmp_path / "none.json"), "none.json")
    refused(adiabat("eval", tmp_path / "none.onnx", "--data", CALIBRATION), "none.onnx")
    refused(adiabat("inspect", tmp_path / "none.onnx"), "none.onnx")


@pytest.mark.parametrize("content", [b"", b"hello, I am text\n" * 50, bytes(1000), b"\xff" * 500, b"\x89PNG\r\n\x1a\n"])
def test_not_onnx(tmp_path, content):
    path = tmp_path / "not.onnx"
    path.write_bytes(content)
    refused(compress(tmp_path, model=path), "not.onnx")
    refused(adiabat("inspect", path), "not.onnx")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_truncated_onnx(tmp_path, share):
    whole = MODEL.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[:int(len(whole) * share)])
    refused(compress(tmp_path, model=path), "cut.onnx")


def test_wrong_shapes(tmp_path):
    images = idx(tmp_path / "a-images-idx3-ubyte", np.zeros((20, 32, 32)))
    refused(compress(tmp_path, data=images), "[1, 32, 32]", "[?, 1, 28, 28]")

    def other_kernel(model):
        weight = next(t for t in model.graph.initializer if list(t.dims) == [32, 16, 3, 3])
        weight.CopyFrom(numpy_helper.from_array(np.zeros((32, 15, 3, 3), np.float32), weight.name))
    refused(compress(tmp_path, model=changed_model(tmp_path, other_kernel)), "15", "16")


def test_unknown_operators_are_named_at_once(tmp_path):
    def two_unknown(model):
        relus = [n for n in model.graph.node if n.op_type == "Relu"]
        relus[0].op_type, relus[1].op_type = "Frobnicate", "Transmogrify"
    path = changed_model(tmp_path, two_unknown)
    refused(compress(tmp_path, model=path), "Frobnicate", "Transmogrify")
    refused(adiabat("eval", path, "--data", CALIBRATION, "--preprocess", PREPROCESS), "Frobnicate", "Transmogrify")
    done = adiabat("inspect", path)
    assert done.returncode == 0 and "Frobnicate" in done.stdout and "Transmogrify" in done.stdout


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, value):
    def poison(model):
        tensor = next(t for t in model.graph.initializer if list(t.dims) == [64, 64, 3, 3])
        array = numpy_helper.to_array(tensor).copy()
        array[3, 5, 1, 1] = value
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        poison.name = tensor.name
    refused(compress(tmp_path, model=changed_model(tmp_path, poison)), poison.name)


def test_data_sets(tmp_path):
    refused(compress(tmp_path, data=idx(tmp_path / "empty-images-idx3-ubyte", np.zeros((0, 28, 28)))), "empty")
    short = idx(tmp_path / "short-images-idx3-ubyte", np.zeros((9, 28, 28)))
    short.write_bytes(short.read_bytes()[:-100])
    refused(compress(tmp_path, data=short), "short-images")
    (tmp_path / "folder").mkdir()
    refused(compress(tmp_path, data=tmp_path / "folder"), "folder")
    images = idx(tmp_path / "b-images-idx3-ubyte", np.zeros((9, 28, 28)))
    idx(tmp_path / "b-labels-idx1-ubyte", np.array([0, 1, 2, 3, 4, 5, 6, 7, 10]))
    refused(compress(tmp_path, data=images), "10")
    idx(tmp_path / "b-labels-idx1-ubyte", np.array([0, 1, 2]))
    refused(compress(tmp_path, data=images), "3", "9")
    bad = np.zeros((4, 1, 28, 28), np.float32)
    bad[2, 0, 3, 3] = np.nan
    np.save(tmp_path / "nan.npy", bad)
    refused(compress(tmp_path, data=tmp_path / "nan.npy"), "nan.npy")


def test_outputs_that_cannot_be_written(tmp_path):
    refused(compress(tmp_path, output=tmp_path / "none" / "small.onnx"), "none")
    refused(compress(tmp_path, output=tmp_path), "no regular file")
    copy = tmp_path / "copy.onnx"
    shutil.copy(MODEL, copy)
    refused(compress(tmp_path, model=copy, output=copy), "overwrite")
    assert copy.read_bytes() == MODEL.read_bytes()
    refused(compress(tmp_path, more=["--run", tmp_path / "none" / "run.json"]), "none")


@pytest.mark.parametrize("budget", ["file=1KB", "bytes=10", "file=0", "file", "fil=3KB", "file=12parsecs", "file=1KB,file=2KB",
                                    "macs=20MB", "mac=60%", "macs=1", "bops=1k", "activations=1KiB", "params=0%",
                                    "file=60KB,macs=3"])
def test_budgets(tmp_path, budget):
    refused(compress(tmp_path, budget=budget), "budget")


@pytest.mark.parametrize("option, value", [("--bits", "2,9"), ("--bits", "two"), ("--bits", ""), ("--first-last", "16"),
                                           ("--first-last", "x"), ("--least-kept", "1.5"), ("--least-kept", "nan"),
                                           ("--keep", "re:("), ("--keep", "nobody"), ("--only", "re:^nobody$"),
                                           ("--only", "nobody*"), ("--align", "0"), ("--rounding", "up")])
def test_controls(tmp_path, option, value):
    refused(compress(tmp_path, more=[option, value]), option)


@pytest.mark.parametrize("preprocess", ['{"mean": [1, 2]}', '{"std": [0]}', '{"means": [0]}', "{", '{"scale": "x"}'])
def test_preprocessing(tmp_path, preprocess):
    refused(compress(tmp_path, preprocess=preprocess))


def test_a_network_that_is_quantized_already(tmp_path):
    from conftest import compress as compressed
    once = tmp_path / "once.onnx"
    compressed(once, "--images", 64)
    refused(compress(tmp_path, model=once), "quantized already")


def test_a_network_without_layers(tmp_path):
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", 1, ["N", 1, 28, 28])],
                              [helper.make_tensor_value_info("y", 1, ["N", 1, 28, 28])])
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    refused(compress(tmp_path, model=path), "nothing to compress")


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["inspect"], ["compress", str(MODEL)],
                                       ["eval", str(MODEL), "--data", str(CALIBRATION), "--threads", "-1"],
                                       ["eval", str(MODEL), "--data", str(CALIBRATION), "--split", "half"],
                                       ["inspect", str(MODEL), "--frobnicate"]])
def test_command_lines(arguments):
    refused(adiabat(*arguments))


@pytest.mark.parametrize("arguments, where", [
    (["compress", "m.onnx", "--data", "d", "-o", "o.onnx", "--candidates", "17"], "see adiabat compress --help"),
    (["pareto", "m.onnx", "--data", "d", "-o", "folder", "--frobnicate"], "see adiabat pareto --help"),
    (["sense"], "see adiabat sense --help"),
    (["frobnicate"], "unknown verb `frobnicate`: see adiabat --help")])
def test_the_help_of_the_verb_is_named(arguments, where):
    refused(adiabat(*arguments), where)


def tiny(path, nodes, constants=(), shape=("N", 1, 28, 28), outputs=("y",), opset=13):
    """A model of the given nodes on an input x."""
    graph = helper.make_graph(list(nodes), "g", [helper.make_tensor_value_info("x", 1, list(shape))],
                              [helper.make_tensor_value_info(name, 1, None) for name in outputs],
                              [numpy_helper.from_array(array, name) for name, array in constants])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


WEIGHT = ("w", np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32))


@pytest.mark.parametrize("nodes", [
    [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("ReduceMean", ["c"], ["y"], keepdims=0)],
    [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Reshape", ["c", "s"], ["y"])]])
def test_outputs_without_a_batch(tmp_path, nodes):
    path = tiny(tmp_path / "t.onnx", nodes, [WEIGHT, ("s", np.array([1, -1], np.int64))])
    refused(adiabat("eval", path, "--data", CALIBRATION, "--images", 600))
    refused(compress(tmp_path, model=path, budget="file=90%"))


def test_files_are_not_overwritten_by_mistake(tmp_path):
    data = tmp_path / "a-images-idx3-ubyte"
    shutil.copy(CALIBRATION, data)
    refused(compress(tmp_path, data=data, more=["--run", data]), "overwrite")
    assert data.read_bytes() == CALIBRATION.read_bytes()
    refused(compress(tmp_path, output=f"{tmp_path}/o.onnx", more=["--run", f"{tmp_path}/./o.onnx"]), "one file")
    refused(compress(tmp_path, output="/dev/null"), "no regular file")
    refused(compress(tmp_path, output=tmp_path / ("n" * 300)))
    refused(compress(tmp_path, output=""))


def test_a_full_disk_is_no_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([TOOL, "inspect", MODEL], stdout=full, stderr=subprocess.PIPE, text=True)
    refused(done, "standard output")


def test_help_has_an_example_for_every_verb():
    for verb in ("inspect", "eval", "compress"):
        done = adiabat(verb, "--help")
        assert done.returncode == 0
        assert f"Example: adiabat {verb}" in done.stdout
    assert "0.1.0" in adiabat("--version").stdout
