# SPDX-License-Identifier: Apache-2.0
"""`adiabat solve`, end to end: answers, documents, limits, interrupts, measurements, refusals."""

import csv
import itertools
import json
import signal
import subprocess
import time

import jsonschema
import numpy as np
import pytest
from conftest import TOOL, adiabat

SLACK = 1.0  # seconds that a loaded machine may take beyond what is promised


def coo(path, matrix):
    """Upper triangle of `matrix`, E = x'Qx, as COO text."""
    rows = [f"{i} {j} {matrix[i, j]:.17f}" for i in range(len(matrix)) for j in range(i, len(matrix)) if matrix[i, j]]
    path.write_text("# vartype=BINARY\n" + "\n".join(rows) + "\n")
    return path


def random_matrix(n, seed):
    return np.triu(np.random.default_rng(seed).integers(-9, 10, (n, n)) / 4.0) + np.eye(n) / 8


def sparse_problem(path, n, degree=4, seed=0):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, n, (n * degree // 2, 2))
    lines = [f"{min(a, b)} {max(a, b)} {v}" for (a, b), v in zip(pairs, rng.choice([-1, 1], len(pairs))) if a != b]
    lines += [f"{i} {i} {v / 8}" for i, v in enumerate(rng.integers(1, 8, n))]
    path.write_text("# vartype=BINARY\n" + "\n".join(lines) + "\n")
    return path


def optimum(matrix):
    states = np.array(list(itertools.product([0, 1], repeat=len(matrix))))
    energies = np.einsum("si,ij,sj->s", states, matrix, states)
    return energies.min()


def solve(*arguments):
    """The document of a run that must succeed."""
    done = adiabat("solve", *arguments, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(done, *words):
    assert done.returncode == 2, (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("adiabat: "), done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def schema():
    return json.loads(adiabat("solve", "--describe", "schema").stdout)


def technique_names():
    return [one["properties"]["technique"]["const"] for one in schema()["oneOf"]]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """(path, matrix, optimum) of a problem of twelve variables."""
    matrix = random_matrix(12, 1)
    return coo(tmp_path_factory.mktemp("solve") / "small.coo", matrix), matrix, optimum(matrix)


def test_every_technique_finds_the_optimum(small):
    path, matrix, best = small
    for name in technique_names():
        found = solve(path, "--technique", name, "--reads", 32)
        assert found["energy"] == pytest.approx(best, abs=1e-9), name
        x = np.array(list(found["solutions"][0]["x"]), int)
        assert x @ matrix @ x == pytest.approx(found["energy"], abs=1e-9), name
        jsonschema.validate(found["options"], schema())


def test_gap_is_printed(small):
    path, _, best = small
    found = solve(path)
    assert found["certificate"]["bound"] <= best + 1e-9
    done = adiabat("solve", path, "--quiet")
    assert "bound" in done.stdout or "optimal, proven" in done.stdout
    assert f"{best:.10g}" in done.stdout
    assert solve(path, "--bound", "none")["certificate"] is None
    assert "no lower bound" in adiabat("solve", path, "--bound", "none", "--quiet").stdout


def test_schema_is_one(small):
    whole = schema()
    jsonschema.Draft202012Validator.check_schema(whole)
    used = solve(small[0])["options"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(used | {"technique": "none"}, whole)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(used | {"values": {"no-such-option": 1}}, whole)


def test_help_and_descriptions_name_all_techniques():
    texts = [adiabat("solve", "--help").stdout, adiabat("solve", "--describe", "text").stdout]
    for name in technique_names():
        assert all(name in text for text in texts), name
    assert "by penalty" in texts[0] and "natively" in texts[0]


def test_options_of_techniques(small):
    path = small[0]
    by_name = solve(path, "--sweeps", 37)
    assert by_name["options"]["values"]["sweeps"] == 37
    assert solve(path, "--set", "sweeps=37")["solutions"] == by_name["solutions"]
    refused(adiabat("solve", path, "--sweeps", "0"), "sweeps", "expected")
    refused(adiabat("solve", path, "--set", "sweep=3"), "sweep", "sweeps")
    refused(adiabat("solve", path, "--set", "sweeps"), "NAME=VALUE")


def test_same_samples_for_any_number_of_threads(tmp_path):
    path = coo(tmp_path / "p.coo", random_matrix(40, 3))
    for name in technique_names():
        if name == "exhaustive":
            continue
        runs = []
        for threads in (1, 2, 4):
            done = adiabat("solve", path, "--technique", name, "--reads", 7, "--samples", "last", "--json", "--quiet",
                           "--threads", threads, "--seed", 5)
            assert done.returncode == 0, (name, done.stderr)
            found = json.loads(done.stdout)
            runs.append((found["solutions"], found["samples"], found["work"]["flips"]))
        assert runs[0] == runs[1] == runs[2], name
    assert solve(path, "--seed", 1, "--samples", "last")["samples"] != \
        solve(path, "--seed", 2, "--samples", "last")["samples"]


def test_outputs(small, tmp_path):
    path, _, best = small
    document, table = tmp_path / "o.json", tmp_path / "o.csv"
    found = solve(path, "-o", document, "--csv", table, "--samples", "best", "--reads", 5)
    assert json.loads(document.read_text())["solutions"] == found["solutions"]
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 5 == len(found["samples"])
    assert float(min(rows, key=lambda row: float(row["energy"]))["energy"]) == best
    assert found["work"]["memory_bytes"] > 0
    assert "estimated for the run" in adiabat("solve", path, "--verbose", "--quiet").stdout


def test_warm_start_and_initial_states(small, tmp_path):
    path, matrix, best = small
    first = tmp_path / "first.json"
    solve(path, "-o", first)
    # One sweep at a temperature of almost zero stays where it starts.
    frozen = ("--sweeps", 1, "--beta-min", 1e6, "--beta-max", 1e6, "--reads", 1, "--no-polish")
    assert solve(path, "--warm", first, *frozen)["energy"] == best
    states = tmp_path / "states.txt"
    states.write_text("# where to start\n" + json.loads(first.read_text())["solutions"][0]["x"] + "\n")
    assert solve(path, "--initial", states, *frozen)["energy"] == best
    states.write_text("0101\n")
    refused(adiabat("solve", path, "--initial", states), "states.txt:1", "4 values", "12 variables")
    refused(adiabat("solve", path, "--warm", path), "not JSON")
    refused(adiabat("solve", path, "--warm", first, "--initial", states), "--initial", "--warm")


def test_formats(small, tmp_path):
    path, _, best = small
    for name in ("p.qubo", "p.bqm", "p.lp", "p.json", "p.coo"):
        done = adiabat("solve", path, "--convert", tmp_path / name)
        assert done.returncode == 0 and done.stdout == "", done.stderr
        assert solve(tmp_path / name)["energy"] == pytest.approx(best, abs=1e-9), name
    graph = tmp_path / "ring.txt"
    graph.write_text("4 4\n1 2 1\n2 3 1\n3 4 1\n4 1 1\n")
    assert solve(graph, "--format", "rudy")["energy"] == -4  # all four edges are cut
    assert solve(graph, "--format", "rudy-ising")["energy"] == -4  # and all products are -1
    graph.write_text("3 3\n1 2 1\n2 3 1\n1 3 1\n")
    assert solve(graph, "--format", "rudy")["energy"] == -2
    assert solve(graph, "--format", "rudy-ising")["energy"] == -1
    done = adiabat("solve", graph, "--format", "rudy-ising", "--quiet")
    assert "+" in done.stdout  # spins


@pytest.mark.parametrize("technique, size", [("annealing", 10_000), ("tabu", 10_000), ("branch-and-bound", 1000)])
def test_time_limit(tmp_path, technique, size):
    path = sparse_problem(tmp_path / "large.coo", size)
    began = time.monotonic()
    found = solve(path, "--technique", technique, "--restarts", 0, "--time-limit", 0.8)
    whole = time.monotonic() - began
    assert found["end"] == "time limit"
    print(f"{technique}: 0.8 s took {found['work']['seconds']:.3f} s, with reading and bound {whole:.3f} s")
    assert found["work"]["seconds"] < 0.8 + 0.05 + SLACK
    assert whole < 0.8 + 2 * SLACK


@pytest.mark.parametrize("more", [["--restarts", "0", "--target-energy=-1e9"], ["--compare", "annealing,descent",
                                  "--time-limit", "100"], ["--ladder", "--reads", "1000000"]])
def test_interrupt(tmp_path, more):
    path = sparse_problem(tmp_path / "large.coo", 10_000)
    output = tmp_path / "o.json"
    process = subprocess.Popen([TOOL, "solve", path, "-o", output, *more], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(2.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    took = time.monotonic() - began
    print(f"{more[0]}: interrupted within {took * 1000:.0f} ms")
    assert process.returncode == 3, stderr
    assert took < 0.05 + SLACK
    assert json.loads(output.read_text())["solutions"][0]["x"]
    assert stdout


def test_interrupt_while_reading(tmp_path):
    path = tmp_path / "large.json"
    n = 8000
    rows = ",\n".join("[" + ", ".join(["1"] * (n - 1 - i)) + "]" for i in range(n))
    path.write_text(f'{{"format": "adiabat-qubo", "version": 1, "form": "dense", "variables": {n}, "couplings": [{rows}]}}')
    process = subprocess.Popen([TOOL, "solve", path, "-o", tmp_path / "o.json"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    took = time.monotonic() - began
    print(f"reading: interrupted within {took * 1000:.0f} ms")
    assert process.returncode == 3 and not stdout, stderr
    assert stderr.strip().splitlines()[-1] == "adiabat: interrupted: nothing was written"
    assert took < 0.05 + SLACK
    assert not (tmp_path / "o.json").exists()


def test_target_energy(small):
    path, _, best = small
    found = solve(path, "--target-energy", best, "--restarts", 0)
    assert found["end"] == "target reached" and found["energy"] == best
    assert found["success"]["successes"] >= 1


def test_compare(small, tmp_path):
    path, _, best = small
    table = tmp_path / "c.csv"
    found = solve(path, "--compare", "annealing,tabu,descent", "--time-limit", 0.3, "--csv", table, "--reads", 4,
                  "--set", "annealing.sweeps=50")
    rows = {row["technique"]: row for row in found["rows"]}
    assert list(rows) == ["annealing", "tabu", "descent"]
    assert rows["annealing"]["values"]["sweeps"] == 50
    assert found["target"] == pytest.approx(best, abs=1e-9) and not found["target_given"]
    for row in found["rows"]:
        low, high = row["probability_interval"]
        assert low <= row["successes"] / row["reads"] <= high
        # A comparison lasts as long as the limit; an exact technique may end before.
        assert 0.1 < row["seconds"] < 0.3 + SLACK
    one = rows["annealing"]
    p, seconds = one["successes"] / one["reads"], one["processor_seconds_a_read"]
    expected = seconds * max(1, np.log(0.01) / np.log1p(-p)) if p < 0.99 else seconds
    assert one["time_to_target_seconds"] == pytest.approx(expected, rel=1e-9)
    assert [row["technique"] for row in csv.DictReader(table.open())] == list(rows)
    assert "time to target" in adiabat("solve", path, "--compare", "annealing,tabu", "--time-limit", 0.1).stdout
    refused(adiabat("solve", path, "--compare", "annealing,tabu"), "--time-limit")
    refused(adiabat("solve", path, "--compare", "annealing,annealing", "--time-limit", 1), "twice")
    refused(adiabat("solve", path, "--compare", "annealing,no", "--time-limit", 1), "no technique 'no'")
    refused(adiabat("solve", path, "--compare", "annealing", "--set", "tenur=1", "--time-limit", 1), "tenur")


def test_ladder(tmp_path):
    path = coo(tmp_path / "p.coo", random_matrix(60, 7))
    best = solve(path, "--sweeps", 3000, "--reads", 64)["energy"]
    found = solve(path, "--ladder", "--reads", 40, "--target-energy", best, "--longest", 4096)
    lengths = [rung["length"] for rung in found["rungs"]]
    assert lengths == [16 * 2**k for k in range(len(lengths))]
    times = [rung["time_to_target_seconds"] or np.inf for rung in found["rungs"]]
    assert found["time_to_target_seconds"] == min(times)
    assert found["best_length"] == lengths[int(np.argmin(times))]
    low, high = found["time_to_target_interval"]
    assert low <= found["time_to_target_seconds"] * 1.0001
    assert high is None or high >= found["time_to_target_seconds"] * 0.9999
    assert found["energy"] == pytest.approx(best, abs=1e-9)
    refused(adiabat("solve", path, "--ladder", "--technique", "exhaustive"), "exhaustive", "run length")
    refused(adiabat("solve", path, "--longest", 100), "--ladder")


def test_memory_is_refused_before_it_is_taken(small):
    refused(adiabat("solve", small[0], "--memory-limit", "100B"), "needs", "100 B")
    refused(adiabat("solve", small[0], "--memory-limit", "1KB"), "which needs", "1.00 KB at most")


def test_bad_input(small, tmp_path):
    path = small[0]
    refused(adiabat("solve"), "FILE")
    refused(adiabat("solve", tmp_path / "none.coo"), "none.coo")
    refused(adiabat("solve", path, "--technique", "anneal"), "anneal", "annealing")
    refused(adiabat("solve", path, "--format", "xls"), "xls", "coo")
    refused(adiabat("solve", path, "--reads", 0), "reads")
    refused(adiabat("solve", path, "--restarts", 0), "time limit")
    refused(adiabat("solve", path, "--time-limit=-1"), "--time-limit", "0 or more")
    refused(adiabat("solve", path, "--time-limit", "nan"), "--time-limit")
    for seed in ("-1", "18446744073709551616", "1.5"):
        refused(adiabat("solve", path, f"--seed={seed}"), "--seed", "0 to 18446744073709551615")
    refused(adiabat("solve", path, "--bound", "soon"), "--bound")
    refused(adiabat("solve", path, "--samples", "all"), "--samples", "lowest")
    refused(adiabat("solve", path, "--describe", "html"), "--describe", "markdown")
    refused(adiabat("solve", path, "-o", tmp_path / "no" / "o.json"), "no")
    refused(adiabat("solve", path, "-o", path), "is read")
    refused(adiabat("solve", path, "--memory-limit", "much"), "--memory-limit")
    broken = tmp_path / "broken.coo"
    broken.write_text("# vartype=BINARY\n0 1 2\n0 one 3\n")
    refused(adiabat("solve", broken), "broken.coo:3")
