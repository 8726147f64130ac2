# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations, equalization, the table of losses, and latency in the runtime."""

import json
import signal
import subprocess
import sys
import time

import jsonschema
import numpy as np
import onnx
import pytest
from conftest import (CALIBRATION, MODEL, PREPROCESS, ROOT, SHARED, TOOL, adiabat, compress, fashion_images,
                      runtime_outputs)
from onnx import TensorProto, helper, numpy_helper

FEW = ("--images", 64)
SCHEMA = json.loads((ROOT / "doc" / "run.schema.json").read_text())


def bad(*more, model=MODEL, **options):
    """The one line of a run that is refused."""
    done = adiabat("compress", model, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--budget", "file=100KB",
                   "-o", "never.onnx", *FEW, *more, **options)
    assert done.returncode == 2 and done.stdout == "", (done.returncode, done.stderr)
    return done.stderr.strip().splitlines()[-1]


def scales(path):
    """Of activations, by name: what one code of the written file is worth."""
    model = onnx.load(path)
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    return {node.output[0]: float(constants[node.input[1]]) for node in model.graph.node
            if node.op_type == "QuantizeLinear"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A run at 100 KB, whose plan others carry out."""
    folder = tmp_path_factory.mktemp("plan")
    compress(folder / "small.onnx", *FEW, "--equalize", "off")
    return folder


def test_ranges_are_what_is_asked_for(plan, tmp_path):
    images, _ = fashion_images()
    expected = runtime_outputs(MODEL, images)
    errors, found = {}, {}
    for rule in ("minmax", "mse", "percentile", "percentile:99", "entropy"):
        document = compress(tmp_path / "small.onnx", "--plan", plan / "run.json", *FEW, "--ranges", rule,
                            "--equalize", "off")
        assert document["options"]["ranges"] == ("percentile:99.99" if rule == "percentile" else rule)
        jsonschema.validate(document, SCHEMA)
        found[rule] = scales(tmp_path / "small.onnx")
        outputs = runtime_outputs(tmp_path / "small.onnx", images)
        errors[rule] = float(np.mean((outputs - expected) ** 2) / np.var(expected))
    # The first range is the input's, which no rule before has touched.
    first = next(iter(found["minmax"]))
    assert all(found[rule][first] <= found["minmax"][first] * 1.0001 for rule in found)
    assert len({json.dumps(found[rule]) for rule in found}) == 5
    # 1 of 100 values clipped is worse than none of them.
    assert max(errors[rule] for rule in ("minmax", "mse", "percentile")) < 0.1
    assert errors["percentile:99"] > errors["mse"]
    # What is not said is the squared error.
    compress(tmp_path / "small.onnx", "--plan", plan / "run.json", *FEW, "--equalize", "off")
    assert scales(tmp_path / "small.onnx") == found["mse"]


def test_ranges_that_are_none():
    for text in ("max", "percentile:40", "percentile:", "percentile:100.1", "mse:2", ""):
        assert f"--ranges: `{text}`: expected minmax, mse, percentile" in bad("--ranges", text)
    assert "--ranges: float activations have none" in bad("--ranges", "mse", "--activations", "float")


def test_sensing_of_activations_knows_the_ranges(tmp_path):
    effects = []
    for rule in ("mse", "percentile:90"):
        done = adiabat("sense", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, *FEW, "--activations",
                       "mixed", "--cache", tmp_path, "--ranges", rule, "--json")
        assert done.returncode == 0, done.stderr
        effects.append(sum(row["effect"] for row in json.loads(done.stdout)["activations"]))
    assert effects[1] > 2 * effects[0]


def test_the_table_of_layers(plan, tmp_path):
    document = compress(tmp_path / "small.onnx", "--plan", plan / "run.json", *FEW, "--debug", "layers")
    jsonschema.validate(document, SCHEMA)
    layers = document["layers"]
    by_name = {row["name"]: row for row in layers if row["bits"] is not None}
    alive = [row for row in document["plan"] if row["bits"]]
    assert list(by_name) == [row["name"] for row in alive]
    for row in alive:
        said = by_name[row["name"]]
        assert (said["bits"], said["channels"], said["channels_before"]) == (
            row["bits"], row["filters"], row["filters_before"])
        assert 0 < said["snr"] < 60 and 0 < said["snr_alone"] < 80
    assert layers[0]["operator"] == "Input" and layers[0]["snr"] == layers[0]["snr_alone"] > 30
    assert all(row["saturated"] is None or 0 <= row["saturated"] < 5 for row in layers)
    # The last row is the output's, in ONNX Runtime as well, on the judging images here and others there.
    images, _ = fashion_images()
    before, after = (runtime_outputs(path, images) for path in (MODEL, tmp_path / "small.onnx"))
    decibels = 10 * np.log10(np.sum(before ** 2) / np.sum((before - after) ** 2))
    assert abs(layers[-1]["snr"] - decibels) < 2
    # Fewer bits in one layer are seen there.
    rows = document["plan"]
    k = next(k for k, row in enumerate(rows) if row["bits"] >= 4)
    spoiled = [{"name": row["name"], "bits": 2 if n == k else row["bits"], "cut": row["cut"]}
               for n, row in enumerate(rows)]
    (tmp_path / "plan.json").write_text(json.dumps({"plan": spoiled, "dropped": document.get("dropped", [])}))
    other = compress(tmp_path / "other.onnx", "--plan", tmp_path / "plan.json", *FEW, "--debug", "layers",
                     budget="file=200KB")
    name = rows[k]["name"]
    there = {row["name"]: row for row in other["layers"]}[name]
    assert there["bits"] == 2 and there["snr_alone"] < by_name[name]["snr_alone"] - 2
    done = adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--plan",
                   plan / "run.json", *FEW, "--debug", "layers", "-o", tmp_path / "printed.onnx")
    assert done.returncode == 0 and "dB alone" in done.stdout
    assert f"{by_name[name]['snr']:.1f}" in done.stdout


def test_no_other_table():
    assert "--debug: `weights`: expected layers" in bad("--debug", "weights")
    assert "--equalize: `maybe`: expected auto, on or off" in bad("--equalize", "maybe")


def test_latency(plan, tmp_path):
    document = compress(tmp_path / "small.onnx", "--plan", plan / "run.json", *FEW, "--measure", "--python",
                        sys.executable, "--threads", 2)
    jsonschema.validate(document, SCHEMA)
    latency = document["latency"]
    assert latency["runtime"].startswith("ONNX Runtime 1.") and latency["batch"] == 1
    assert [row["threads"] for row in latency["threads"]] == [1, 2]
    assert all(row["runs"] >= 11 and row["before"] > 0 and row["after"] > 0 for row in latency["threads"])


def test_latency_without_a_runtime(plan, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named onnxruntime' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    run = ("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--plan", plan / "run.json", *FEW,
           "-o", tmp_path / "small.onnx", "--measure")
    done = adiabat(*run, "--python", tmp_path / "python")
    assert done.returncode == 0 and (tmp_path / "small.onnx").is_file()
    assert "latency was not measured" in done.stdout and "No module named onnxruntime" in done.stdout
    assert "No module named onnxruntime" in done.stderr  # before the work too
    latency = json.loads((tmp_path / "run.json").read_text())["latency"]
    assert list(latency) == ["skipped"]
    assert "--python /no/python: cannot be started" in bad("--measure", "--python", "/no/python")
    assert "--python: it runs what --measure asks for" in bad("--python", "/usr/bin/python3")


def test_names_are_no_commands(plan, tmp_path):
    """Neither a shell nor Python reads what files are called."""
    folder = tmp_path / "a b; touch x $(touch y) '"
    folder.mkdir()
    output = folder / "-c \".onnx"
    document = compress(output, "--plan", plan / "run.json", *FEW, "--measure", "--python", sys.executable,
                        "--threads", 1)
    assert document["latency"]["threads"][0]["after"] > 0
    assert sorted(p.name for p in folder.iterdir()) == ["-c \".onnx", "run.json"]


def test_an_interrupt_while_measuring(plan, tmp_path):
    """The network is there, and so is the document; the exit code says what happened."""
    (tmp_path / "python").write_text(
        f"#!/bin/sh\ncase \"$#\" in 2) echo 1.0 ;; *) touch {tmp_path}/measuring; sleep 60 ;; esac\n")
    (tmp_path / "python").chmod(0o755)
    process = subprocess.Popen(
        [TOOL, "compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--plan", plan / "run.json",
         *map(str, FEW), "-o", tmp_path / "small.onnx", "--measure", "--python", tmp_path / "python"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(1200):
        if (tmp_path / "measuring").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 3
    onnx.checker.check_model(onnx.load(tmp_path / "small.onnx"))
    assert json.loads((tmp_path / "run.json").read_text())["latency"] == {"skipped": "interrupted"}


def badly_scaled(path, seed=0):
    """A depthwise network for the bundled images, random, with channels of very different size."""
    random = np.random.default_rng(seed)
    spread = np.exp(2 * random.standard_normal(16)).astype(np.float32)
    nodes, constants = [], []

    def constant(values):
        constants.append(numpy_helper.from_array(values.astype(np.float32), f"c{len(constants)}"))
        return constants[-1].name

    def conv(data, weight, bias, **attributes):
        out = f"t{len(nodes)}"
        nodes.append(helper.make_node("Conv", [data, constant(weight), constant(bias)], [out], **attributes))
        return out

    def relu(data):
        nodes.append(helper.make_node("Relu", [data], [f"t{len(nodes)}"]))
        return nodes[-1].output[0]

    normal = random.standard_normal
    data = relu(conv("x", normal((16, 1, 3, 3)) * spread[:, None, None, None] / 3, 0.1 * spread * normal(16),
                     pads=[1] * 4, strides=[2, 2]))
    data = relu(conv(data, normal((16, 1, 3, 3)) / 3, 0.1 * spread * normal(16), pads=[1] * 4, group=16))
    data = relu(conv(data, normal((24, 16, 1, 1)) / spread[None, :, None, None] / 4, 0.1 * normal(24)))
    nodes.append(helper.make_node("GlobalAveragePool", [data], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", constant(normal((10, 24))), constant(normal(10))], ["y"], transB=1))
    graph = helper.make_graph(nodes, "scaled",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 28, 28])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def test_badly_scaled_channels_are_equalized(tmp_path):
    badly_scaled(tmp_path / "net.onnx")
    images, _ = fashion_images()
    expected = runtime_outputs(tmp_path / "net.onnx", images)
    errors, documents = {}, {}
    for how in ("off", "on", "auto"):
        documents[how] = compress(tmp_path / "small.onnx", *FEW, "--equalize", how, model=tmp_path / "net.onnx",
                                  budget="bytes=50%")
        jsonschema.validate(documents[how], SCHEMA)
        outputs = runtime_outputs(tmp_path / "small.onnx", images)
        errors[how] = float(np.mean((outputs - expected) ** 2))
    assert documents["off"]["equalized"] is None
    assert documents["on"]["equalized"] == {"links": 3, "used": True}
    auto = documents["auto"]["equalized"]
    assert auto["used"] and auto["divergence_with"] < auto["divergence_without"]
    assert documents["auto"]["measured"]["divergence"] == auto["divergence_with"]
    assert errors["auto"] < 0.7 * errors["off"]
    # Nothing but constants differs: the sizes are the same.
    assert len({documents[how]["output"]["bytes"] for how in documents}) == 1
    # Points of a sweep, carried out two at once, are equalized as runs of their own are.
    def sweep(how):
        done = adiabat("pareto", tmp_path / "net.onnx", "--data", CALIBRATION, "--preprocess", PREPROCESS, *FEW,
                       "--threads", 2, "--equalize", how, "--budgets", "bytes=60%", "bytes=50%", "-o",
                       tmp_path / "sweep")
        assert done.returncode == 0, done.stderr
        point = json.loads((tmp_path / "sweep" / "point-01.json").read_text())
        return done.stderr, point["equalized"], (tmp_path / "sweep" / "point-01.onnx").read_bytes()

    assert sweep("auto")[1:] == (auto, (tmp_path / "small.onnx").read_bytes())
    said, equalized, _ = sweep("auto")
    assert "2 of 2 points are there already" in said and equalized == auto
    said, equalized, _ = sweep("off")
    assert "there already" not in said and equalized is None
    assert sweep("on")[1] == {"links": 3, "used": True}


@pytest.mark.long
@pytest.mark.parametrize("name", ["mobilenet-v2-025-ts", "shufflenet-x05-ts", "vgg-flatten-ts"])
def test_networks_of_the_zoo_are_written_equalized(name, tmp_path):
    model = SHARED / "models" / "zoo" / f"{name}.onnx"
    if not model.is_file():
        pytest.skip("the development models are not beside the checkout")
    size = onnx.load(model).graph.input[0].type.tensor_type.shape.dim[3].dim_value
    images = np.random.default_rng(0).standard_normal((32, 3, size, size)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "none.json").write_text("{}")
    document = compress(tmp_path / "small.onnx", "--images", 32, "--equalize", "on", "--hamiltonian", "l1",
                        "--debug", "layers", model=model, data=tmp_path / "images.npy",
                        preprocess=tmp_path / "none.json", budget="bytes=25%")
    before, after = (runtime_outputs(path, images, 8) for path in (model, tmp_path / "small.onnx"))
    decibels = 10 * np.log10(np.sum(before ** 2) / np.sum((before - after) ** 2))
    assert document["equalized"]["used"] == (document["equalized"]["links"] > 0)
    assert abs(document["layers"][-1]["snr"] - decibels) < 6
