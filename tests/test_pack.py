# SPDX-License-Identifier: Apache-2.0
"""adiabat pack and unpack: the same bytes again, whatever is damaged is named, doc/container.md is what is written."""

import ctypes
import ctypes.util
import hashlib
import json
import math
import random
import shutil
import signal
import subprocess
import time

import numpy as np
import onnx
import pytest
from conftest import MODEL, SHARED, TOOL, adiabat, compress
from onnx import TensorProto, helper, numpy_helper
from test_bad_input import refused

SHARED_MODELS = sorted((SHARED / "models").rglob("*.onnx"))


def packed(folder, model):
    """The container of a model that was packed and gave the same bytes again, and the document of `pack`."""
    container, back = folder / "c.adb", folder / "back.onnx"
    done = adiabat("pack", model, "-o", container, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    done = adiabat("unpack", container, "-o", back, "--json")
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == model.read_bytes()
    assert json.loads(done.stdout)["output"]["sha256"] == document["model"]["sha256"]
    return container, document


# A reader of containers by doc/container.md alone, in the plainest way.

def unzstd(squeezed, count):
    name = ctypes.util.find_library("zstd")
    if name is None:
        pytest.skip("there is no libzstd to load")
    library = ctypes.CDLL(name)
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    out = ctypes.create_string_buffer(count)
    assert library.ZSTD_decompress(out, count, squeezed, len(squeezed)) == count
    return out.raw


def digest(data):
    return hashlib.sha256(data).digest()[:8]


class Numbers:
    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count:self.at]


def part(stored, codes, bits):
    if len(stored) == math.ceil(codes * bits / 8):
        whole = int.from_bytes(stored, "little")
        return [whole >> bits * k & (1 << bits) - 1 for k in range(codes)] if bits < 8 else list(stored)
    per = 8 // bits
    loose = unzstd(stored, math.ceil(codes / per))
    return [loose[k // per] >> k % per * bits & (1 << bits) - 1 for k in range(codes)]


def stream_of(coding, bits, width, least, size, stored):
    codes, parts = size * 8 // bits, []
    for p in range(math.ceil(width / 8)):
        parts.append(part(stored[p], codes, min(8, width - 8 * p)))
    if coding == 0:
        return bytes(parts[0])
    if coding == 3:
        planes = np.array(parts[0], np.uint8).reshape(-1, 8)
        return b"".join(bytes(int(sum((int(c) >> k & 1) << i for i, c in enumerate(row))) for k in range(bits)) for row in planes)
    numbers = [sum(p[k] << 8 * i for i, p in enumerate(parts)) for k in range(codes)]
    if coding == 1:
        elements = [n >> 1 | (n & 1) << bits - 1 for n in numbers]
    else:
        elements = [(n + least) % (1 << bits) for n in numbers]
    if bits == 4:
        return bytes(low | high << 4 for low, high in zip(elements[::2], elements[1::2]))
    return b"".join(e.to_bytes(bits // 8, "little") for e in elements)


def read_container(data):
    number = lambda at, size: int.from_bytes(data[at:at + size], "little")
    assert data[:8] == b"\x89ADB\r\n\x1a\n" and number(8, 4) == 1
    count, table_stored, table_size = number(12, 4), number(64, 4), number(68, 4)
    assert number(16, 8) == len(data) and data[80:88] == digest(data[:80])
    digests_at = 88 + table_stored
    at = digests_at + 8 * count
    assert data[72:80] == digest(data[88:at])
    table = data[88:digests_at]
    table = Numbers(table if table_stored == table_size else unzstd(table, table_size))
    streams = []
    for s in range(count):
        table.bytes(table.next())  # the name
        coding, bits, width, least, size = (table.next() for _ in range(5))
        begin, stored = at, []
        for _ in range(math.ceil(width / 8)):
            length = table.next()
            stored.append(data[at:at + length])
            at += length
        assert data[digests_at + 8 * s:digests_at + 8 * s + 8] == digest(data[begin:at])
        streams.append(stream_of(coding, bits, width, least, size, stored))
    assert at == len(data)
    used, pieces = [0] * count, []
    for _ in range(table.next()):
        section, size = table.next(), table.next()
        pieces.append(streams[section][used[section]:used[section] + size])
        used[section] = (used[section] + size) % len(streams[section])
    assert table.at == len(table.data)
    file = b"".join(pieces)
    assert len(file) == number(24, 8) and data[32:64] == hashlib.sha256(file).digest()
    return file


def everything(seed=0):
    """A model with tensors of every type and size, equal ones, small ones, in attributes, in a subgraph."""
    draw = np.random.default_rng(seed)
    kinds = [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_, np.uint64]
    tensors = [numpy_helper.from_array((draw.normal(size=(n, 3)) * 9).astype(kind), f"t{kind.__name__}{n}")
               for kind in kinds for n in (1, 20, 700)]
    tensors.append(numpy_helper.from_array(numpy_helper.to_array(tensors[5]), "again"))
    tensors.append(helper.make_tensor("typed", TensorProto.FLOAT, [900], draw.normal(size=900)))
    tensors.append(TensorProto(name="nibbles", data_type=22, dims=[2999], raw_data=draw.bytes(1500)))
    tensors += [TensorProto(name=f"planes{b}", data_type=2, dims=[700, 1, b], raw_data=draw.bytes(700 * b)) for b in range(2, 8)]
    inner = helper.make_graph([], "inner", [], [], [numpy_helper.from_array(draw.normal(size=500), "w")])
    nodes = [helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(draw.normal(size=400).astype(np.float32))),
             helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    return helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)).SerializeToString()


def test_every_kind_of_tensor(tmp_path):
    (tmp_path / "m.onnx").write_bytes(everything() + b"\xfa\xff\x03\x03abc")  # a field that nobody knows
    container, document = packed(tmp_path, tmp_path / "m.onnx")
    assert read_container(container.read_bytes()) == (tmp_path / "m.onnx").read_bytes()
    found = {(s["type"], s["bits"]) for s in document["sections"]}
    assert {("float", 32), ("double", 64), ("float16", 16), ("uint8", 3), ("bool", 1), (None, 8)} <= found
    sizes = [sum(row[key] for row in document[rows]) for rows in ("kinds", "sections") for key in ("file_bytes", "packed_bytes")]
    assert sizes[0] == sizes[2] == document["model"]["bytes"]
    assert sizes[1] == document["output"]["bytes"] == container.stat().st_size


def test_the_bundled_network(tmp_path):
    container, document = packed(tmp_path, MODEL)
    assert read_container(container.read_bytes()) == MODEL.read_bytes()
    assert document["output"]["bytes"] < 0.85 * document["model"]["bytes"]
    floats = next(kind for kind in document["kinds"] if kind["kind"] == "floats")
    assert floats["packed_bytes"] < 0.85 * floats["file_bytes"]


@pytest.mark.parametrize("bits, storage", [(2, "planes"), (3, "planes"), (4, "int4"), (4, "planes"), (6, "planes"), (8, "int8")])
def test_compressed_networks(tmp_path, bits, storage):
    path = tmp_path / "small.onnx"
    d = compress(path, "--bits", bits, "--weights", storage, "--images", 64, budget="macs=100%")
    container, document = packed(tmp_path, path)
    assert document["output"]["bytes"] == d["after"]["packed"] == container.stat().st_size
    assert document["output"]["bytes"] < document["model"]["bytes"]
    codes = [s for s in document["sections"] if s["kind"] == "weight codes" and s["codes"] > 2000]
    assert codes
    for section in codes:
        assert section["bits"] <= max(bits, 4 if storage == "int4" else bits)
        assert section["packed_bytes"] <= math.ceil(section["codes"] * section["bits"] / 8)


@pytest.mark.skipif(not SHARED_MODELS, reason="no shared models beside the checkout")
@pytest.mark.parametrize("path", SHARED_MODELS, ids=lambda path: path.stem)
def test_shared_models(tmp_path, path):
    _, document = packed(tmp_path, path)
    assert document["output"]["bytes"] < 0.9 * document["model"]["bytes"]
    if shutil.which("zstd"):
        other = subprocess.run(["zstd", "-19", "-q", "-c", path], capture_output=True, check=True).stdout
        assert document["output"]["bytes"] < len(other)


def test_damage_is_named(tmp_path):
    (tmp_path / "m.onnx").write_bytes(everything())
    container, _ = packed(tmp_path, tmp_path / "m.onnx")
    whole, path = container.read_bytes(), tmp_path / "damaged.adb"
    draw = random.Random(1)
    for at in [0, 9, 20, 40, 75, 85, 90, len(whole) - 1] + [draw.randrange(len(whole)) for _ in range(30)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        part = "magic" if at < 8 else "header" if at < 88 else "bytes "
        refused(adiabat("unpack", path, "-o", tmp_path / "none.onnx"), "damaged.adb", part, "damaged")
    for count in [0, 5, 50, 88, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:count])
        refused(adiabat("unpack", path, "-o", tmp_path / "none.onnx"), "damaged.adb", "cut short")
    path.write_bytes(whole + b"\0")
    refused(adiabat("unpack", path, "-o", tmp_path / "none.onnx"), "behind its end")
    assert not (tmp_path / "none.onnx").exists()


def test_bad_input(tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("hello, I am text\n" * 20)
    out = tmp_path / "out"
    refused(adiabat("pack", text, "-o", out), "text.onnx", "not an ONNX model")
    refused(adiabat("unpack", MODEL, "-o", out), "no container of adiabat")
    refused(adiabat("unpack", text, "-o", out), "no container of adiabat")
    refused(adiabat("pack", tmp_path / "none.onnx", "-o", out), "no such file")
    refused(adiabat("pack", tmp_path, "-o", out), "directory")
    refused(adiabat("pack", MODEL, "-o", tmp_path / "none" / "out"), "none")
    refused(adiabat("pack"), "see adiabat pack --help")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(MODEL.read_bytes()[:100_000])
    refused(adiabat("pack", cut, "-o", out), "cut.onnx", "cut short")
    outside = onnx.load(MODEL)
    onnx.save(outside, tmp_path / "outside.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    refused(adiabat("pack", tmp_path / "outside.onnx", "-o", out), "outside.onnx", "another file", "weights inside")
    assert not out.exists()


def test_names_of_outputs(tmp_path):
    model, container = tmp_path / "net.onnx", tmp_path / "net.adb"
    shutil.copy(MODEL, model)
    assert adiabat("pack", model).returncode == 0
    refused(adiabat("pack", model), "net.adb", "-o")
    refused(adiabat("unpack", container), "net.onnx", "-o")
    model.unlink()
    assert adiabat("unpack", container).returncode == 0
    assert model.read_bytes() == MODEL.read_bytes()
    refused(adiabat("pack", model, "-o", model), "overwrite")
    refused(adiabat("unpack", container, "-o", container), "overwrite")
    refused(adiabat("pack", container, "-o", tmp_path / "x"), "not an ONNX model")
    container.rename(tmp_path / "same")
    refused(adiabat("pack", model, "-o", ""), "")
    assert adiabat("pack", model, "-o", tmp_path / "same").returncode == 0  # what -o names may be there
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "same"]


def test_what_is_printed(tmp_path):
    done = adiabat("pack", MODEL, "-o", tmp_path / "c.adb", "--verbose")
    assert done.returncode == 0 and "floats" in done.stdout and "wrote" in done.stdout
    largest = max(onnx.load(MODEL).graph.initializer, key=lambda t: len(t.raw_data)).name
    assert largest in done.stdout
    done = adiabat("pack", MODEL, "-o", tmp_path / "c.adb")
    assert done.returncode == 0 and largest not in done.stdout
    done = adiabat("unpack", tmp_path / "c.adb", "-o", tmp_path / "back.onnx")
    assert done.returncode == 0 and hashlib.sha256(MODEL.read_bytes()).hexdigest() in done.stdout
    for verb in ("pack", "unpack"):
        assert f"Example: adiabat {verb}" in adiabat(verb, "--help").stdout


def test_the_same_container_for_any_number_of_threads(tmp_path):
    for threads in (1, 2):
        assert adiabat("pack", MODEL, "-o", tmp_path / f"{threads}.adb", "--threads", threads).returncode == 0
    assert (tmp_path / "1.adb").read_bytes() == (tmp_path / "2.adb").read_bytes()


def test_an_interrupt_leaves_nothing(tmp_path):
    model = tmp_path / "large.onnx"
    draw = np.random.default_rng(0)
    weights = [numpy_helper.from_array(draw.normal(size=4_000_000).astype(np.float32), f"w{k}") for k in range(4)]
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], weights)), model)
    process = subprocess.Popen([TOOL, "pack", model, "-o", tmp_path / "out.adb", "--threads", "1"], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors
    assert [p.name for p in tmp_path.iterdir()] == ["large.onnx"]
