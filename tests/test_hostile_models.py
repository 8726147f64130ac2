# SPDX-License-Identifier: Apache-2.0
"""Models that are made to hurt: one clear line, exit code 2, at once and without memory."""

import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from conftest import SANITIZED, TOOL
from onnx import TensorProto, helper, numpy_helper
from test_bad_input import refused

# A second on a machine with nothing else to do; tests share theirs.
SECONDS = 10
# What the tool and its libraries take for a network of a few bytes, and as much again.
MEGABYTES = 300 if SANITIZED else 150


# A child's peak counts what its parent held when it was started: a small process stands between.
LAUNCHER = """
import resource, subprocess, sys
limit = int(sys.argv[1])
def restrict():
    if limit: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
code = subprocess.run(sys.argv[3:], preexec_fn=restrict).returncode
with open(sys.argv[2], "w") as out: out.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code if code >= 0 else 128 - code)
"""


def inspect(path, limit=0):
    """The finished process and the peak memory that it took, in MB; `limit` bytes are all there are."""
    start = time.monotonic()
    peak = path.with_suffix(".peak")
    done = subprocess.run([sys.executable, "-c", LAUNCHER, str(limit), peak, TOOL, "inspect", path],
                          capture_output=True, text=True)
    assert time.monotonic() - start < SECONDS
    return done, int(peak.read_text()) / 1024


def model(nodes, constants=(), shape=("N", 1, 8, 8), outputs=("y",), **more):
    graph = helper.make_graph(list(nodes), "g", [helper.make_tensor_value_info("x", 1, list(shape))],
                              [helper.make_tensor_value_info(name, 1, None) for name in outputs], list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **more)


def save(folder, made):
    path = folder / "hostile.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def refuse(folder, made, *words):
    done, megabytes = inspect(save(folder, made))
    refused(done, *words)
    assert megabytes < MEGABYTES + (len(made) if isinstance(made, bytes) else made.ByteSize()) * 3 / 2 ** 20


def lying(dims, raw, kind=TensorProto.FLOAT):
    tensor = TensorProto(name="w", data_type=kind, dims=dims, raw_data=raw)
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [tensor], shape=("N", 1, 8, 2))


@pytest.mark.parametrize("dims", [[2 ** 62], [2 ** 40, 2 ** 40], [2 ** 31, 2 ** 31, 2 ** 31], [2 ** 40], [-1], [10], [-2 ** 63]])
def test_dimensions_that_lie(tmp_path, dims):
    refuse(tmp_path, lying(dims, b"12345678"), "initializer 'w'")
    refuse(tmp_path, lying(dims, b""), "initializer 'w'")


def test_lengths_that_lie(tmp_path):
    whole = lying([2], b"12345678").SerializeToString()
    for at in range(2, len(whole), 3):
        for length in (b"\x7f", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"):
            done, megabytes = inspect(save(tmp_path, whole[:at] + length + whole[at + 1:]))
            assert done.returncode in (0, 2) and done.stderr.count("\n") <= 1, done.stderr
            assert megabytes < MEGABYTES


def test_external_data_that_lies(tmp_path):
    def external(**entries):
        made = lying([2], b"")
        made.graph.initializer[0].data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            made.graph.initializer[0].external_data.add(key=key, value=str(value))
        return made
    (tmp_path / "w.bin").write_bytes(bytes(8))
    assert inspect(save(tmp_path, external(location="w.bin")))[0].returncode == 0
    refuse(tmp_path, external(location="w.bin", offset=2 ** 62), "which has 8")
    refuse(tmp_path, external(location="w.bin", offset=1), "which has 8")
    refuse(tmp_path, external(location="w.bin", length=2 ** 62), "shape takes 8")
    refuse(tmp_path, external(location="/etc/passwd"), "model's folder")
    refuse(tmp_path, external(location="../w.bin"), "model's folder")
    refuse(tmp_path, external(location="none.bin"), "no such file")
    refuse(tmp_path, external(), "model's folder")


def test_graphs_deep_inside_one_another(tmp_path):
    def bytes_of(field, body):
        length, prefix = len(body), b""
        while length > 127:
            prefix, length = prefix + bytes([length & 127 | 128]), length >> 7
        return bytes([field << 3 | 2]) + prefix + bytes([length]) + body
    graph = b""
    for _ in range(2000):
        graph = bytes_of(1, bytes_of(4, b"If") + bytes_of(5, bytes_of(6, graph)))
    refuse(tmp_path, b"\x08\x08" + bytes_of(8, b"\x10\x11") + bytes_of(7, graph), "hostile.onnx")


def test_a_million_nodes(tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"]).SerializeToString()
    many = (b"\x0a" + bytes([len(node)]) + node) * 10 ** 6
    head = model([]).SerializeToString()
    # A second field of the same number is merged with the first.
    length = b"".join(bytes([len(many) >> 7 * k & 127 | (128 if k < 3 else 0)]) for k in range(4))
    refuse(tmp_path, head + b"\x3a" + length + many, "more than 262144 nodes")


@pytest.mark.parametrize("op", ["Relu", "Identity"])
def test_long_chains(tmp_path, op):
    count = 100_000
    nodes = [helper.make_node(op, [f"v{k}" if k else "x"], [f"v{k + 1}" if k + 1 < count else "y"]) for k in range(count)]
    done, _ = inspect(save(tmp_path, model(nodes)))
    assert done.returncode == 0, done.stderr


def test_cycles(tmp_path):
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Relu", ["b"], ["y"])]
    refuse(tmp_path, model(nodes), "cycle")


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "chain", "many"])
def test_small_files_do_not_fill_the_memory(tmp_path, kind):
    ints = numpy_helper.from_array(np.array([2 ** 14, 2 ** 13], np.int64), "shape")
    if kind == "ConstantOfShape":
        nodes = [helper.make_node("ConstantOfShape", ["shape"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])]
    elif kind == "Expand":
        nodes = [helper.make_node("Expand", ["one", "shape"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])]
    elif kind == "chain":
        nodes = [helper.make_node("ConstantOfShape", ["mid"], ["c0"])]
        nodes += [helper.make_node("Concat", [f"c{k}"] * 4, [f"c{k + 1}"], axis=0) for k in range(8)]
        nodes.append(helper.make_node("Add", ["x", "c8"], ["y"]))
    else:
        nodes = [helper.make_node("ConstantOfShape", ["mid"], [f"c{k}"]) for k in range(1000)]
        nodes.append(helper.make_node("Sum", ["x"] + [f"c{k}" for k in range(1000)], ["y"]))
    constants = [ints, numpy_helper.from_array(np.array([1024, 1024], np.int64), "mid"),
                 numpy_helper.from_array(np.ones((1, 1), np.float32), "one")]
    done, megabytes = inspect(save(tmp_path, model(nodes, constants, shape=(1, 1))))
    assert done.returncode in (0, 2) and done.stderr.count("\n") <= 1, done.stderr
    assert megabytes < 600


@pytest.mark.skipif("asan" in str(TOOL), reason="AddressSanitizer itself takes more memory than is left here")
def test_memory_that_is_not_there(tmp_path):
    weight = numpy_helper.from_array(np.ones((4000, 4000), np.float32), "w")
    path = save(tmp_path, model([helper.make_node("Add", ["x", "w"], ["y"])], [weight]))
    done, _ = inspect(path, limit=100 * 2 ** 20)
    refused(done, "memory")


def test_names_with_control_characters(tmp_path):
    name = "evil\nadiabat: name\x1b[31m\x00end"
    made = model([helper.make_node("Conv", ["x", "w"], ["y"], name=name)],
                 [numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w")])
    refuse(tmp_path, made, "evil\\nadiabat: name\\x1b[31m\\x00end", "3 channels")
    fine = model([helper.make_node("Conv", ["x", "w"], ["y"], name=name)],
                 [numpy_helper.from_array(np.ones((2, 1, 1, 1), np.float32), "w")])
    done, _ = inspect(save(tmp_path, fine))
    assert done.returncode == 0 and "evil\\nadiabat" in done.stdout and "\x1b" not in done.stdout
