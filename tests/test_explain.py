# SPDX-License-Identifier: Apache-2.0
"""Why a plan is what it is, on the bundled network, through the real binary."""

import copy
import json

import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, adiabat, compress

FEW = ("--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 64)


@pytest.fixture(scope="module", params=["measured", *(pytest.param(how, marks=pytest.mark.long)
                                                       for how in ("separable", "l1", "steps"))])
def decided(request, tmp_path_factory):
    """A run with deep cuts and few bits: (run.json, its document)."""
    folder = tmp_path_factory.mktemp("explain")
    how = ("--steps", 2) if request.param == "steps" else ("--hamiltonian", request.param)
    document = compress(folder / "small.onnx", "--images", 64, "--candidates", 1, *how, "--cache", folder / "cache",
                        budget="file=60KB,macs=70%")
    return folder / "run.json", document


def explain(path, *more):
    done = adiabat("explain", path, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def energy_of(path, plan, tmp_path):
    """The energy of another plan of the same run, by explaining it."""
    document = json.loads(path.read_text())
    document["plan"] = [{"name": row["name"], "bits": row["bits"], "cut": row["cut"]} for row in plan]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    return explain(other, "--alternatives", 0)


def costs(document):
    return {budget["quantity"]: budget["cost"] for budget in document["budgets"]}


def test_the_plan_and_its_layers(decided, tmp_path):
    path, run = decided
    d = explain(path)
    assert d["energy"] == pytest.approx(run["problem"]["energy"], rel=1e-6)
    assert [layer["bits"] for layer in d["layers"]] == [layer["bits"] for layer in run["plan"]]
    for budget in d["budgets"]:
        assert budget["cost"] == run["after"][budget["quantity"]] <= budget["limit"]
    # One width less, as it is said and as it is.
    k = next(k for k, layer in enumerate(d["layers"]) if layer["narrower"])
    plan = copy.deepcopy(run["plan"])
    plan[k]["bits"] = d["layers"][k]["narrower"]["bits"]
    other = energy_of(path, plan, tmp_path)
    assert other["energy"] - d["energy"] == pytest.approx(d["layers"][k]["narrower"]["energy"], rel=1e-6)
    assert {q: c - costs(d)[q] for q, c in costs(other).items()} == d["layers"][k]["narrower"]["costs"]


def test_alternatives_keep_the_budgets_and_are_what_they_say(decided, tmp_path):
    path, run = decided
    d = explain(path, "--alternatives", 2)
    assert {a["kind"] for a in d["alternatives"]} == {"swap", "step", "exchange"}
    limits = {budget["quantity"]: budget["limit"] for budget in d["budgets"]}
    energies = [a["energy"] for a in d["alternatives"]]
    assert energies == sorted(energies)
    # The search ended with a descent over these moves.
    assert energies[0] >= -1e-9 * d["energy"]
    for alternative in d["alternatives"][:3]:
        plan = {row["name"]: copy.deepcopy(row) for row in run["plan"]}
        for change in alternative["bits"]:
            plan[change["layer"]]["bits"] = change["to"]
        for name in ("cut", "revive"):
            for group in alternative[name]:
                for member in group:
                    cut = set(plan[member["layer"]]["cut"])
                    cut = cut | set(member["filters"]) if name == "cut" else cut - set(member["filters"])
                    plan[member["layer"]]["cut"] = sorted(cut)
        other = energy_of(path, list(plan.values()), tmp_path)
        assert other["energy"] - d["energy"] == pytest.approx(alternative["energy"], rel=1e-5, abs=1e-9 * d["energy"])
        for quantity, cost in costs(other).items():
            assert cost - costs(d)[quantity] == alternative["costs"][quantity]
            assert cost <= limits[quantity]


def test_one_filter_and_one_layer(decided, tmp_path):
    path, run = decided
    k, row = max(enumerate(run["plan"]), key=lambda item: len(item[1]["cut"]) * (item[1]["name"].count("conv1")))
    i = row["cut"][0]
    d = explain(path, "--filter", f"{row['name']}:{i}", "--layer", row["name"])
    f = d["filter"]
    assert d["in_steps"] == (run["path"] is not None)
    if d["in_steps"]:
        assert f["cut"] and f["single"] is None
    else:
        assert f["cut"] and f["marginal"] == pytest.approx(f["single"] + f["with_cuts"] + f["with_widths"], rel=1e-6)
    assert all(partner["energy"] > 0 for partner in f["partners"])
    assert f["best_swap"]["energy"] >= -1e-9 * d["energy"]
    plan = copy.deepcopy(run["plan"])
    for member in f["members"]:
        for other in plan:
            if other["name"] == member["layer"]:
                other["cut"] = [c for c in other["cut"] if c not in member["filters"]]
    revived = energy_of(path, plan, tmp_path)
    assert revived["energy"] - d["energy"] == pytest.approx(f["undo"]["energy"], rel=1e-6)
    assert f["undo"]["energy"] == pytest.approx(-f["marginal"], rel=1e-9)
    assert {q: c - costs(d)[q] for q, c in costs(revived).items()} == f["undo"]["costs"]
    (layer,) = d["details"]
    assert len(layer["groups"]) == row["filters_before"]
    assert sum(group["cut"] for group in layer["groups"]) == len(row["cut"])
    assert [width["energy"] for width in layer["widths"] if width["bits"] == row["bits"]] == [0]


def test_the_limit_that_was_found(decided, tmp_path):
    path, run = decided
    document = json.loads(path.read_text())
    file, macs = (budget["limit"] for budget in run["budgets"])
    other = tmp_path / "other.json"
    # As --max-kl leaves it: alone, beside another budget, and beside a looser one of the same quantity.
    for asked, limits in (({}, {"macs": macs}), ({"file": file}, {"file": file, "macs": macs}),
                          ({"macs": 2 * macs}, {"macs": macs})):
        document["budgets"] = [{"quantity": quantity, "limit": limit} for quantity, limit in asked.items()]
        document["smallest_within"] = {"quantity": "macs", "limit": macs}
        other.write_text(json.dumps(document))
        d = explain(other, "--alternatives", 2)
        assert {budget["quantity"]: budget["limit"] for budget in d["budgets"]} == limits
        assert d["alternatives"]
        for alternative in d["alternatives"]:
            assert all(costs(d)[q] + alternative["costs"][q] <= limit for q, limit in limits.items())


def test_tables(decided):
    path, run = decided
    row = max(run["plan"], key=lambda row: len(row["cut"]))
    done = adiabat("explain", path, "--filter", f"{row['name']}:{row['cut'][0]}", "--layer", "re:conv1")
    assert done.returncode == 0, done.stderr
    for text in ("the next width below", "dearest cut", "is cut", "reviving it", "nearest alternatives", row["name"]):
        assert text in done.stdout


def test_faults_in_one_line(decided, tmp_path):
    path, run = decided
    name = run["plan"][0]["name"]
    for more, expected in [(("--layer", "nobody"), "no layer"), (("--filter", "nobody:0"), "no layer"),
                           (("--filter", name), "LAYER:INDEX"), (("--filter", f"{name}:99"), "0 to 15"),
                           (("--model", path), "")]:
        done = adiabat("explain", path, "--quiet", *more)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
        assert expected in done.stderr
    other = tmp_path / "other.json"
    for change in ("plan", "options", "data", "model"):
        document = json.loads(path.read_text())
        del document[change]
        other.write_text(json.dumps(document))
        done = adiabat("explain", other, "--quiet")
        assert done.returncode == 2 and str(other) in done.stderr, done.stderr
    whole = path.read_text()
    for text, expected in (("", "no JSON from byte 1"), (whole[:1000], "no JSON from byte 1001"),
                           ('{"model": 1e999}', "no JSON that can be read"), ("[]", "expected a JSON object")):
        other.write_text(text)
        done = adiabat("explain", other, "--quiet")
        assert done.returncode == 2 and f"{other}: {expected}" in done.stderr, done.stderr
    if run["problem"]["hamiltonian"] != "l1":
        for member, value in (("scale", "x"), ("exponent", None)):
            document = json.loads(path.read_text())
            document["candidates"].update({"scale": 1.0, "exponent": 1.0})
            document["candidates"][member] = value
            other.write_text(json.dumps(document))
            done = adiabat("explain", other, "--quiet")
            assert done.returncode == 2 and "must be numbers" in done.stderr, done.stderr
        document = json.loads(path.read_text())
        document["options"]["seed"] = 1
        other.write_text(json.dumps(document))
        done = adiabat("explain", other, "--quiet")
        assert done.returncode == 2 and "not those of" in done.stderr
