# SPDX-License-Identifier: Apache-2.0
"""Activations that stay float: as plans, in files, in problems and in what is said of them."""

import json

import numpy as np
import onnx
import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, adiabat, compress, fashion_images, runtime_outputs, session

FEW = ("--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 64)
MIXED = ("--activations", "mixed")


@pytest.fixture(scope="module")
def sensed():
    """Names of all layers, and the activations that may be float with the effect of coding each."""
    done = adiabat("sense", MODEL, *FEW, *MIXED, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    return ([layer["name"] for layer in document["layers"]],
            {row["name"]: row["effect"] for row in document["activations"]})


def plan_with(sensed, floats, path, bits=8):
    rows = [{"name": name, "bits": bits, "cut": []} for name in sensed[0]]
    path.write_text(json.dumps({"plan": rows, "float_activations": list(floats)}))
    return path


def applied(plan, output, *more):
    done = adiabat("compress", MODEL, *FEW, *MIXED, "--plan", plan, "-o", output, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def integer_kernels(path, tmp_path):
    session(path, tmp_path / "optimized.onnx")
    nodes = onnx.load(tmp_path / "optimized.onnx").graph.node
    return sum(node.op_type == "QLinearConv" for node in nodes)


def test_the_file_computes_in_float_there(sensed, tmp_path):
    images, _ = fashion_images()
    before = runtime_outputs(MODEL, images)
    names = list(sensed[1])
    assert min(sensed[1].values()) > 0
    errors, sizes = [], []
    for floats in ([], names[:1], names[3:5], names[::2], names):
        document = applied(plan_with(sensed, floats, tmp_path / "plan.json"), tmp_path / "small.onnx")
        assert sorted(document.get("float_activations", [])) == sorted(floats)
        model = onnx.load(tmp_path / "small.onnx")
        onnx.checker.check_model(model, full_check=True)
        # One scale less each; the file is as large as was predicted, or the tool had stopped.
        quantizers = sum(node.op_type == "QuantizeLinear" for node in model.graph.node)
        assert quantizers == len(names) - len(floats)
        in_float = document["after"]["float_macs"]
        kernels = integer_kernels(tmp_path / "small.onnx", tmp_path)
        assert (in_float == 0) == (not floats) and (kernels == 15) == (not floats)
        after = runtime_outputs(tmp_path / "small.onnx", images)
        errors.append(float(np.mean((after - before) ** 2)))
        sizes.append(document["after"]["activations"])
    assert kernels == 0 and in_float == document["after"]["macs"]
    assert errors[-1] < errors[3] < errors[0] and errors[-1] < errors[0] / 3
    assert sizes[0] * 4 == sizes[-1] == document["before"]["activations"]


def test_weights_alone(sensed, tmp_path):
    document = compress(tmp_path / "small.onnx", "--images", 64, "--activations", "float", budget="bytes=30%")
    assert document["float_activations"] == list(sensed[1])
    assert not any(node.op_type == "QuantizeLinear" for node in onnx.load(tmp_path / "small.onnx").graph.node)
    images, _ = fashion_images()
    agreement = np.mean(runtime_outputs(MODEL, images).argmax(1) ==
                        runtime_outputs(tmp_path / "small.onnx", images).argmax(1))
    assert agreement > 0.95


def test_budgets_decide_which(sensed, tmp_path):
    cache = ("--cache", tmp_path / "cache")
    document = compress(tmp_path / "small.onnx", "--images", 64, *cache, *MIXED, budget="file=100KB,float=4%")
    floats = document["float_activations"]
    assert 0 < len(floats) < len(sensed[1])
    assert 0 < document["after"]["float_macs"] <= 0.04 * document["before"]["float_macs"]
    assert document["before"]["float_macs"] == document["before"]["macs"]
    # A run comes back from its document, and is explained.
    again = applied(tmp_path / "run.json", tmp_path / "again.onnx", "--run", tmp_path / "again.json")
    assert again["float_activations"] == floats
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "small.onnx").read_bytes()
    done = adiabat("explain", tmp_path / "run.json", "--json")
    assert done.returncode == 0, done.stderr
    said = {row["name"]: row for row in json.loads(done.stdout)["activations"]}
    assert list(said) == list(sensed[1])
    assert [name for name, row in said.items() if row["float"]] == floats
    for name, row in said.items():
        assert row["change"]["bits"] == (8 if row["float"] else 32)
        sign = 1 if row["float"] else -1
        assert row["change"]["energy"] == pytest.approx(sign * sensed[1][name], rel=1e-3)
    done = adiabat("explain", tmp_path / "run.json")
    assert done.returncode == 0 and "leaving it float" in done.stdout and "coding it" in done.stdout
    # Of each layer its input, and its output where its kernel can end in codes.
    done = adiabat("explain", tmp_path / "run.json", "--layer", "*", "--alternatives", 0, "--json")
    assert done.returncode == 0, done.stderr
    used = [row for layer in json.loads(done.stdout)["details"] for row in layer["activations"]]
    assert all(said[row["name"]] == {member: row[member] for member in ("name", "float", "change")} for row in used)
    first = json.loads(done.stdout)["details"][0]["activations"]
    assert [(row["name"], row["role"]) for row in first] == list(zip(sensed[1], ("input", "output")))
    done = adiabat("explain", tmp_path / "run.json", "--layer", sensed[0][0])
    assert f"input: {first[0]['name']}" in done.stdout and f"output: {first[1]['name']}" in done.stdout


def test_they_are_variables(sensed, tmp_path):
    done = adiabat("qubo", MODEL, *FEW, *MIXED, "--budget", "bops=50x", "-o", tmp_path / "p.json", "--json")
    assert done.returncode == 0, done.stderr
    meaning = json.loads(done.stdout)
    names = [v["name"] for v in meaning["variables"] if v["kind"] == "activation"]
    assert names == [f"activation {name} {bits}" for name in sensed[1] for bits in (8, 32)]
    (tmp_path / "x.txt").write_text(meaning["reference"]["x"] + "\n")
    done = adiabat("qubo", "--read", tmp_path / "x.txt", "--meaning", tmp_path / "p.json.meaning.json", "-o",
                   tmp_path / "plan.json", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    x = meaning["reference"]["x"]
    chosen = {v["name"] for v, value in zip(meaning["variables"], x) if value == "1"}
    assert plan.get("float_activations", []) == [name for name in sensed[1] if f"activation {name} 32" in chosen]
    document = applied(tmp_path / "plan.json", tmp_path / "small.onnx")
    assert document["after"]["bops"] * 50 <= document["before"]["bops"]


def test_what_is_refused(sensed, tmp_path):
    def fails(*arguments, plan=None):
        more = ("--plan", plan) if plan else ()
        done = adiabat("compress", MODEL, *FEW, "-o", tmp_path / "never.onnx", *more, *arguments)
        assert done.returncode == 2, done.stderr
        return done.stderr.splitlines()[-1]

    assert "8, float or mixed" in fails("--activations", "16", "--budget", "bops=50x")
    assert "budget of bops, activations or float" in fails(*MIXED, "--budget", "file=100KB")
    assert "budget of bops, activations or float" in fails(*MIXED, "--max-kl", "0.1")
    assert "l1 weighs no activations" in fails(*MIXED, "--budget", "bops=50x", "--hamiltonian", "l1")
    assert "--steps" in fails(*MIXED, "--budget", "bops=50x", "--steps", "2")
    floats = plan_with(sensed, list(sensed[1])[:2], tmp_path / "plan.json")
    assert "2 activations stay float" in fails(plan=floats)
    assert "all are to be float: expected --activations mixed" in fails("--activations", "float", plan=floats)
    assert "--integer-program" in fails(*MIXED, "--budget", "bops=50x", "--integer-program", "5")
    other = plan_with(sensed, ["nothing"], tmp_path / "other.json")
    assert "nothing is no activation" in fails(*MIXED, plan=other)
    assert not (tmp_path / "never.onnx").exists()


@pytest.mark.long
def test_the_smallest_within(tmp_path):
    done = adiabat("compress", MODEL, *FEW, *MIXED, "--max-kl", 0.2, "--minimize", "bops", "-o",
                   tmp_path / "small.onnx", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["measured"]["divergence"] <= 0.2 and document["after"]["bops"] < document["before"]["bops"] / 20


def odd_network(path, kind):
    """Convolutions and Gemms whose values are outputs as well, or end in a ReLU."""
    rng = np.random.default_rng(5)
    make = onnx.helper.make_node
    weights, nodes = {}, []

    def layer(op, x, shape, out):
        weights[f"w{len(weights)}"] = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        nodes.append(make(op, [x, f"w{len(weights) - 1}"], [out], **({"transB": 1} if op == "Gemm" else
                                                                     {"pads": [1, 1, 1, 1]})))

    layer("Conv", "input", (8, 3, 3, 3), "a")
    nodes.append(make("Relu", ["a"], ["b"]))
    layer("Conv", "b", (6, 8, 3, 3), "c")
    outputs = [("c", ["N", 6, 8, 8])]
    if kind == "gemms":
        nodes.append(make("Relu", ["c"], ["d"]))
        nodes.append(make("ReduceMean", ["d"], ["feat"], axes=[2, 3], keepdims=0))
        layer("Gemm", "feat", (12, 6), "e")
        nodes.append(make("Relu", ["e"], ["f"]))
        layer("Gemm", "f", (5, 12), "g")
        outputs = [("g", ["N", 5]), ("feat", ["N", 6])]
    if kind == "intermediate":
        layer("Conv", "c", (4, 6, 3, 3), "d")
        outputs.append(("d", ["N", 4, 8, 8]))
    graph = onnx.helper.make_graph(
        nodes, "odd", [onnx.helper.make_tensor_value_info("input", 1, ["N", 3, 8, 8])],
        [onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("kind", ["output", "intermediate", "gemms"])
def test_what_is_an_output_too(kind, tmp_path):
    model = odd_network(tmp_path / "odd.onnx", kind)
    images = np.random.default_rng(1).normal(size=(64, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    expected = session(model).run(None, {"input": images})
    for activations, budget in (("8", "bytes=50%"), ("mixed", "float=30%"), ("float", "bytes=50%")):
        done = adiabat("compress", model, "--data", tmp_path / "x.npy", "--images", 64, "--bits", 8, "--keep", "*",
                       "--activations", activations, "--budget", budget, "--candidates", 1, "-o",
                       tmp_path / "small.onnx", "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        found = session(tmp_path / "small.onnx", tmp_path / "optimized.onnx").run(None, {"input": images})
        for a, b in zip(expected, found):
            assert np.mean((a - b) ** 2) < (1e-4 if activations == "float" else 1e-2) * np.var(a)
        # What is said to run in float is what does.
        nodes = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
        in_float = sum(op in ("Conv", "Gemm", "FusedConv", "FusedGemm") for op in nodes)
        assert (document["after"]["float_macs"] == 0) == (in_float == 0), nodes
        if activations == "float":
            assert document["after"]["float_macs"] == document["after"]["macs"]
            assert "QuantizeLinear" not in nodes


def test_a_sweep_of_what_runs_in_float(tmp_path):
    done = adiabat("pareto", MODEL, *FEW, *MIXED, "--quantity", "float", "--from", "1%", "--to", "40%", "--points", 3,
                   "-o", tmp_path / "par", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    macs = [point["after"]["float_macs"] for point in document["points"]]
    assert document["axis"] == "float" and len(macs) == 3
    for point in document["points"]:
        assert point["after"]["float_macs"] <= point["budgets"][0]["limit"]
    assert (tmp_path / "par" / "pareto.csv").read_text().splitlines()[0].split(",")[7] == "float_macs"
