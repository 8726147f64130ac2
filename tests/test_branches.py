# SPDX-License-Identifier: Apache-2.0
"""Residual branches that go whole: as plans, in files, in problems and in what is said of them."""

import json

import numpy as np
import onnx
import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, adiabat, compress, fashion_images, runtime_outputs

FEW = ("--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 64)


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """Names of all layers, and of the residual branches with their layers."""
    done = adiabat("inspect", MODEL, "--json")
    document = json.loads(done.stdout)
    return ([layer["name"] for layer in document["layers"]],
            {branch["added_by"]: branch["layers"] for branch in document["branches"]})


def plan_without(layers, dropped, path, bits=8):
    names, branches = layers
    gone = {name for branch in dropped for name in branches[branch]}
    rows = [{"name": name, "bits": 0 if name in gone else bits, "cut": []} for name in names]
    path.write_text(json.dumps({"plan": rows, "dropped": list(dropped)}))
    return path


def applied(plan, output, *more):
    done = adiabat("compress", MODEL, *FEW, "--plan", plan, "-o", output, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_file_has_nothing_of_it(layers, tmp_path):
    images, _ = fashion_images()
    before, agreements = runtime_outputs(MODEL, images), []
    for dropped in ([], ["/stage2/stage2.1/Add"], ["/stage1/stage1.1/Add", "/stage2/stage2.1/Add"], list(layers[1])):
        document = applied(plan_without(layers, dropped, tmp_path / "plan.json"), tmp_path / "small.onnx")
        assert document.get("dropped", []) == dropped
        gone = [row for row in document["plan"] if row["bits"] == 0]
        assert len(gone) == sum(len(layers[1][branch]) for branch in dropped)
        assert all(row["filters"] == row["inputs"] == row["cost"]["macs"] == 0 for row in gone)
        model = onnx.load(tmp_path / "small.onnx")
        onnx.checker.check_model(model, full_check=True)
        count = {op: sum(node.op_type == op for node in model.graph.node) for op in ("Conv", "Add")}
        assert count == {"Conv": 15 - len(gone), "Add": len(layers[1]) - len(dropped)}
        after = runtime_outputs(tmp_path / "small.onnx", images)
        agreements.append(np.mean(before.argmax(1) == after.argmax(1)))
    assert agreements[0] > 0.97 and agreements[1] > 0.9 and agreements[2] > 0.8
    assert document["measured"]["agreement"] / 100 == pytest.approx(agreements[-1], abs=0.15)


def test_a_document_comes_back(layers, tmp_path):
    first = applied(plan_without(layers, ["/stage3/stage3.1/Add"], tmp_path / "plan.json", 4), tmp_path / "a.onnx")
    again = applied(tmp_path / "run.json", tmp_path / "b.onnx", "--run", tmp_path / "b.json")
    assert again["plan"] == first["plan"] and again["dropped"] == first["dropped"]
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_faults_of_documents(layers, tmp_path):
    path = tmp_path / "plan.json"

    def fails(change, *more):
        document = read(plan_without(layers, ["/stage3/stage3.1/Add"], path))
        change(document)
        path.write_text(json.dumps(document))
        done = adiabat("compress", MODEL, *FEW, "--plan", path, "-o", tmp_path / "never.onnx", *more)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def last(document):
        return next(row for row in document["plan"] if row["name"] == "/stage3/stage3.1/conv1/Conv")

    assert '0: its branch is dropped' in fails(lambda d: last(d).update(bits=8))
    assert "expected one of 2, 3" in fails(lambda d: d.pop("dropped"))
    assert "no residual branch" in fails(lambda d: d["dropped"].append("/conv/Conv"))
    assert "no residual branch" in fails(lambda d: d["dropped"].append("/stage3/stage3.1/Add"))
    assert "names of residual branches" in fails(lambda d: d["dropped"].append(3))
    assert "goes with its branch" in fails(lambda d: last(d).update(cut=[0]))
    assert "no residual branch" in fails(lambda d: None, "--keep-branches")
    assert "no residual branch" in fails(lambda d: None, "--keep", "/stage3/stage3.1/conv2/Conv")
    assert "no residual branch" in fails(lambda d: None, "--least-kept", "0.1")
    assert not (tmp_path / "never.onnx").exists()


@pytest.mark.long
def test_a_budget_that_only_they_can_keep(tmp_path):
    """Below what all but one channel of every layer leaves."""
    def smallest(*more):
        done = adiabat("compress", MODEL, *FEW, "--budget", "macs=1", "-o", tmp_path / "never.onnx", *more)
        assert done.returncode == 2
        return int(done.stderr.rsplit("=", 1)[1])

    with_them, without = smallest(), smallest("--keep-branches")
    assert with_them < without
    document = compress(tmp_path / "small.onnx", "--images", 64, "--candidates", 3, budget=f"macs={with_them}")
    assert document["after"]["macs"] == with_them and len(document["dropped"]) == 6
    document = compress(tmp_path / "small.onnx", "--images", 64, "--keep-branches", budget=f"macs={without}")
    assert document["after"]["macs"] == without and "dropped" not in document


@pytest.mark.long
def test_what_is_said_of_them(layers, tmp_path):
    cache = ("--cache", tmp_path / "cache")
    document = compress(tmp_path / "small.onnx", "--images", 64, *cache, budget="macs=70%")
    done = adiabat("explain", tmp_path / "run.json", "--json", "--alternatives", 30)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [branch["name"] for branch in said["branches"]] == list(layers[1])
    branch = said["branches"][1]
    assert not branch["gone"] and branch["change"]["costs"]["macs"] < 0
    # What dropping it changes is what the plan without it has more.
    other = read(tmp_path / "run.json")
    for row in other["plan"]:
        for name in ("filters", "inputs"):
            row.pop(name)
        if row["name"] in branch["layers"]:
            row["bits"] = 0
            if row["name"].endswith("conv1/Conv"):
                row["cut"] = []
    other["dropped"] = [branch["name"]]
    (tmp_path / "other.json").write_text(json.dumps(other))
    done = adiabat("explain", tmp_path / "other.json", "--json", "--layer", branch["layers"][0], "--filter",
                   branch["layers"][0] + ":0")
    assert done.returncode == 0, done.stderr
    without = json.loads(done.stdout)
    assert without["energy"] - said["energy"] == pytest.approx(branch["change"]["energy"], rel=1e-6)
    assert without["branches"][1]["gone"] and without["filter"]["gone_with"] == branch["name"]
    macs = {b["quantity"]: b["cost"] for b in without["budgets"]}["macs"]
    assert macs - document["after"]["macs"] == branch["change"]["costs"]["macs"]
    done = adiabat("explain", tmp_path / "other.json", "--layer", branch["layers"][0])
    assert done.returncode == 0 and "gone with its branch" in done.stdout and "having it back" in done.stdout
    # The same effects in a listing.
    done = adiabat("sense", MODEL, *FEW, *cache, "--json")
    assert done.returncode == 0, done.stderr
    effects = {branch["name"]: branch["effect"] for branch in json.loads(done.stdout)["branches"]}
    assert list(effects) == list(layers[1]) and min(effects.values()) > 0


def test_they_are_variables(layers, tmp_path):
    cache = ("--cache", tmp_path / "cache")
    done = adiabat("qubo", MODEL, *FEW, *cache, "--budget", "macs=60%", "-o", tmp_path / "p.json", "--json")
    assert done.returncode == 0, done.stderr
    meaning = json.loads(done.stdout)
    kinds = {v["name"]: k for k, v in enumerate(meaning["variables"]) if v["kind"] == "branch"}
    assert list(kinds) == [f"drop {name}" for name in layers[1]]
    for name, branch in layers[1].items():
        variable = meaning["variables"][kinds[f"drop {name}"]]
        assert variable["layers"] == branch and variable["costs"]["macs"] < 0
    # An assignment that drops two of them is the plan without them, whatever it says of their layers.
    x = list(meaning["reference"]["x"])
    dropped = list(layers[1])[1:3]
    for name in dropped:
        x[kinds[f"drop {name}"]] = "1"
    (tmp_path / "x.txt").write_text("".join(x) + "\n")
    done = adiabat("qubo", "--read", tmp_path / "x.txt", "--meaning", tmp_path / "p.json.meaning.json", "-o",
                   tmp_path / "plan.json", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert set(dropped) <= set(plan["dropped"])
    assert all(row["bits"] == 0 for row in plan["plan"] if row["name"] in sum((layers[1][n] for n in dropped), []))
    assert applied(tmp_path / "plan.json", tmp_path / "small.onnx")["plan"] == plan["plan"]


@pytest.mark.long
def test_steps_and_l1_keep_them(tmp_path):
    for more in (("--steps", 2), ("--hamiltonian", "l1")):
        document = compress(tmp_path / "small.onnx", "--images", 64, *more, budget="macs=30%")
        assert "dropped" not in document
