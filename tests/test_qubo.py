# SPDX-License-Identifier: Apache-2.0
"""The problem of a network as a file, to a solver and back, through the real binary."""

import json

import jsonschema
import numpy as np
import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, ROOT, adiabat, compress

BUDGET = "file=60KB,macs=70%"
FEW = ("--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 64)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return "--cache", tmp_path_factory.mktemp("cache")


def run(*arguments):
    """The document of a verb that must succeed, and what it said."""
    done = adiabat(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def write(path, *more):
    return run("qubo", MODEL, *FEW, "--budget", BUDGET, "-o", path, *more)


def read(assignment, problem, plan, *more):
    return run("qubo", "--read", assignment, "--meaning", f"{problem}.meaning.json", "-o", plan, *more)


def solve(problem, output, *more):
    return run("solve", problem, "--reads", 8, "--sweeps", 300, "--bound", "none", "-o", output, *more)[0]


def fails(*arguments):
    done = adiabat(*arguments)
    assert done.returncode == 2, (done.returncode, done.stderr)
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("name,form", [("net.coo", "coo"), ("net.bqm.json", "bqm-json"), ("net.lp", "lp"),
                                       ("net.json", "json"), ("net.qubo", "qbsolv")])
def test_to_a_solver_and_back(name, form, cache, tmp_path):
    problem, plan = tmp_path / name, tmp_path / "plan.json"
    meaning, said = write(problem, "--format", form, *cache)
    holds = form in ("lp", "json")
    assert meaning == json.loads((tmp_path / f"{name}.meaning.json").read_text())
    assert meaning["constraints"] == ("linear" if holds else "penalties")
    assert (f"{form} holds constraints" if holds else f"{form} holds no constraints") in said
    assert len(meaning["variables"]) == meaning["problem"]["variables"]
    assert (meaning["problem"]["slack_variables"] == 0) == holds
    solved = solve(problem, tmp_path / "best.json", "--format", form)
    assert solved["problem"]["variables"] == meaning["problem"]["variables"]
    document, said = read(tmp_path / "best.json", problem, plan, "--repair")
    assert document["kind"] == "plan" and document["model"]["sha256"] == meaning["model"]["sha256"]
    assert all(budget["cost"] <= budget["limit"] for budget in document["budgets"])
    assert document["energy"] > 0
    if holds:  # a solver that keeps constraints comes near to the search that knows exact costs
        assert document["energy"] < 1.2 * document["reference_energy"]
        if document["repaired"] == {"words": 0, "groups": 0, "budgets": False}:
            assert document["energy"] == pytest.approx(solved["energy"], rel=1e-9)
    out = tmp_path / "small.onnx"
    done, _ = run("compress", MODEL, *FEW, "--plan", plan, "--budget", BUDGET, "-o", out)
    assert out.stat().st_size == done["after"]["file"] <= 60_000
    assert done["plan"] == document["plan"]
    assert done["plan_from"]["path"] == str(plan) and done["plan_from"]["kind"] == "plan"
    jsonschema.validate(done, json.loads((ROOT / "doc" / "run.schema.json").read_text()))


def test_a_name_that_says_another_format(tmp_path):
    path = tmp_path / "net.coo"
    _, said = write(path, "--format", "qbsolv", "--hamiltonian", "l1")
    assert f"{path}: its name says coo, it is written as --format says: qbsolv" in said
    _, said = run("solve", path, "--format", "qbsolv", "--reads", 1, "--bound", "none")
    assert f"{path}: its name says coo, it is read as --format says: qbsolv" in said
    assert f"{path}:1: " in fails("solve", path)


def value(problem, x):
    """Energy of an adiabat-qubo document's assignment, by its definition."""
    x = np.array(x, float)
    e = problem.get("offset", 0) + np.dot(problem.get("linear", np.zeros(len(x))), x)
    if problem["form"] == "dense":
        n = len(x)
        for i, row in enumerate(problem["couplings"]):
            e += x[i] * np.dot(row, x[i + 1:n])
    for block in problem.get("blocks", []):
        at = slice(block["first"], block["first"] + block["size"])
        e += x[at] @ np.reshape(block["values"], (block["size"], block["size"])) @ x[at]
    if "weights" in problem:
        a = np.reshape(problem["columns"], (len(x), -1))
        e += np.dot(problem["weights"], (problem["constants"] + x @ a) ** 2)
    return e


@pytest.mark.parametrize("hamiltonian", ["measured", "l1"])
def test_the_reference_plan_is_what_the_sidecar_says(hamiltonian, cache, tmp_path):
    path = tmp_path / "net.json"
    meaning, _ = write(path, "--hamiltonian", hamiltonian, *cache)
    problem = json.loads(path.read_text())
    x = [int(c) for c in meaning["reference"]["x"]]
    assert value(problem, x) == pytest.approx(meaning["reference"]["energy"], rel=1e-9)
    # What a variable means, against the plan that the assignment becomes.
    (tmp_path / "x.txt").write_text(meaning["reference"]["x"] + "\n")
    plan, said = read(tmp_path / "x.txt", path, tmp_path / "plan.json")
    assert "repaired" not in said and "breaks" not in said
    assert plan["energy"] == pytest.approx(meaning["reference"]["energy"], rel=1e-9)
    for budget in plan["budgets"]:
        assert budget["cost"] == meaning["reference"]["costs"][budget["quantity"]] <= budget["limit"]
    cut = {(layer["name"], i) for layer in plan["plan"] for i in layer["cut"]}
    said = {(layer["name"], i) for v, variable in zip(x, meaning["variables"]) if v and variable["kind"] == "cut"
            for layer in variable["layers"] for i in layer["filters"]}
    assert cut == said and cut
    for layer, row in zip(meaning["layers"], plan["plan"]):
        spelled = x[layer["first"]:layer["first"] + layer["count"]]
        assert row["bits"] in [word["bits"] for word in layer["words"] if word["values"] == spelled]
    # The linear budgets are exact there.
    for budget in meaning["budgets"]:
        linear = sum(v * variable["costs"][budget["quantity"]] for v, variable in zip(x, meaning["variables"]))
        exact = meaning["reference"]["costs"][budget["quantity"]]
        assert linear + budget["linear"]["constant"] == pytest.approx(exact, rel=1e-9)
    # The plan as a file is the plan: `compress` writes the same bytes from either document.
    outputs = []
    for k, source in enumerate((tmp_path / "plan.json", tmp_path / "run0.json")):
        outputs.append(tmp_path / f"{k}.onnx")
        run("compress", MODEL, *FEW, "--plan", source, "-o", outputs[-1], "--run", tmp_path / f"run{k}.json")
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_penalties_add_nothing_to_plans_that_keep_all(cache, tmp_path):
    path = tmp_path / "net.coo"
    meaning, _ = write(path, *cache)
    energy, n = 0.0, meaning["problem"]["variables"]
    x = [int(c) for c in meaning["reference"]["x"]] + [0] * meaning["problem"]["slack_variables"]
    # Slack that fills what the budget leaves, as near as its unit allows.
    left_over = 0.0
    for penalty, budget in zip(meaning["penalty"]["budgets"], meaning["budgets"]):
        linear = sum(v * m["costs"][budget["quantity"]] for v, m in zip(x, meaning["variables"]) if m["kind"] != "slack")
        room = -penalty["constant"] - linear
        for slack in sorted(penalty["slack"], key=lambda s: -s["coefficient"]):
            if slack["coefficient"] <= room + 1e-6:
                x[slack["variable"]] = 1
                room -= slack["coefficient"]
        left_over += penalty["weight"] * room ** 2
    for line in path.read_text().splitlines():
        if line.startswith("# offset="):
            energy += float(line.split("=")[1])
        elif not line.startswith("#"):
            i, j, v = line.split()
            energy += float(v) * x[int(i)] * x[int(j)]
    assert len(x) == n
    assert energy == pytest.approx(meaning["reference"]["energy"] + left_over, abs=1e-9)


def test_what_is_no_plan_is_repaired_and_said(cache, tmp_path):
    path = tmp_path / "net.json"
    meaning, _ = write(path, *cache)
    n = meaning["problem"]["variables"]
    (tmp_path / "x.txt").write_text("1" * n + "\n" + "0" * n + "\n")
    plan, said = read(tmp_path / "x.txt", path, tmp_path / "plan.json")
    # Of branches that are gone nothing is wrong.
    present = [layer for layer in plan["plan"] if layer["bits"] > 0]
    assert plan["repaired"]["words"] == len(present) < len(meaning["layers"]) and plan["repaired"]["groups"] > 0
    assert "spell no width" in said
    assert all(layer["filters"] >= 1 for layer in present)
    second, said = read(tmp_path / "x.txt", path, tmp_path / "plan.json", "--sample", 2)
    assert all(layer["cut"] == [] and layer["bits"] == 8 for layer in second["plan"])
    assert "breaks a budget" in said and "--repair" in said
    third, _ = read(tmp_path / "x.txt", path, tmp_path / "plan.json", "--sample", 2, "--repair")
    assert third["repaired"]["budgets"] and all(b["cost"] <= b["limit"] for b in third["budgets"])


def test_what_would_be_ignored_is_refused(tmp_path):
    back = ("qubo", "--read", tmp_path / "x.txt", "--meaning", tmp_path / "p.meaning.json", "-o", tmp_path / "plan.json")
    message = fails(*back, *FEW, "--budget", BUDGET, "--kappa", 0.5)
    assert message.endswith("expected it without --budget, --images, --data, --preprocess, --kappa")
    # The network may lie elsewhere.
    assert "p.meaning.json" in fails(*back, MODEL, "--threads", 1, "--sample", 2, "--repair")
    for more in (("--meaning", tmp_path / "p.meaning.json"), ("--sample", 1), ("--repair",)):
        assert "--read" in fails("qubo", MODEL, *FEW, "--budget", BUDGET, "-o", tmp_path / "p.coo", *more)
    for name in ("p.lp", "p.json"):
        message = fails("qubo", MODEL, *FEW, "--budget", BUDGET, "-o", tmp_path / name, "--penalty", 2)
        assert "without --penalty" in message
    assert list(tmp_path.iterdir()) == []


def test_a_given_reference_and_its_faults(small, cache, tmp_path):
    path = tmp_path / "net.json"
    meaning, said = run("qubo", MODEL, *FEW, "--budget", "file=100KB", "-o", path, "--at",
                        small[0].parent / "run.json", *cache)
    assert "more than is asked" not in said
    assert meaning["reference"]["from"]["kind"] == "run" and meaning["decision"] is None
    assert meaning["reference"]["costs"]["file"] == small[1]["after"]["file"]
    sidecar, x = f"{path}.meaning.json", tmp_path / "x.txt"
    back = ("qubo", "--meaning", sidecar, "-o", tmp_path / "plan.json", "--read")
    x.write_text("01\n")
    assert str(meaning["problem"]["variables"]) in fails(*back, x)
    x.write_text("")
    fails(*back, x)
    x.write_text("0" * meaning["problem"]["variables"])
    assert "--sample" in fails(*back, x, "--sample", 2)
    assert "--meaning" in fails("qubo", "-o", tmp_path / "p", "--read", x)
    assert "--budget" in fails("qubo", MODEL, *FEW, "-o", tmp_path / "p.lp")
    assert "--format" in fails("qubo", MODEL, *FEW, "--budget", BUDGET, "-o", tmp_path / "p.xyz")
    path.write_text(path.read_text() + " ")
    assert "not the problem" in fails(*back, x)


def test_a_plan_must_fit_and_keep_a_budget_that_is_given(small, tmp_path):
    again = ("compress", MODEL, *FEW, "-o", tmp_path / "never.onnx", "--plan")
    run_json = small[0].parent / "run.json"
    message = fails(*again, run_json, "--budget", "file=90KB")
    assert f"file={small[1]['after']['file']}" in message
    document = json.loads(run_json.read_text())
    plan = tmp_path / "plan.json"
    changed = [("bits", 9, "one of 2, 3"), ("cut", [1000], "numbers from 0"), ("name", "nobody", "no layer nobody")]
    for member, found, expected in changed:
        broken = json.loads(run_json.read_text())
        broken["plan"][1][member] = found
        plan.write_text(json.dumps(broken))
        message = fails(*again, plan)
        assert str(plan) in message and expected in message
    # Options bind plans as they bind decisions.
    assert any(layer["bits"] not in (2, 8) for layer in document["plan"])
    assert "one of 2, 8" in fails(*again, run_json, "--bits", "2,8")
    assert not (tmp_path / "never.onnx").exists()
    document["model"]["sha256"] = "0" * 64
    plan.write_text(json.dumps(document))
    done = adiabat(*again, plan)
    assert done.returncode == 0 and "another model" in done.stderr
    assert "--budget" in fails("compress", MODEL, *FEW, "-o", tmp_path / "never.onnx")


def test_a_plan_written_by_hand(small, tmp_path):
    rows = [{"name": layer["name"], "bits": 8, "cut": []} for layer in small[1]["plan"]]
    rows[1].update(bits=4, cut=[0, 3])
    (tmp_path / "plan.json").write_text(json.dumps({"plan": rows}))
    document, _ = run("compress", MODEL, *FEW, "--plan", tmp_path / "plan.json", "-o", tmp_path / "small.onnx")
    assert document["plan"][1]["cut"] == [0, 3] and document["plan"][1]["bits"] == 4
    assert document["groups"]["cut"] == 2 and document["budgets"] == [] and document["problem"] is None
    assert compress(tmp_path / "again.onnx", "--images", 64, "--plan", tmp_path / "run.json", "--run",
                    tmp_path / "again.json", budget="file=500KB")["plan"] == document["plan"]
