# SPDX-License-Identifier: Apache-2.0
"""Files of quadratic problems: what dimod writes is read, what we write dimod reads, and the energies are the same."""

import itertools
import json
import subprocess

import dimod
import numpy as np
import pytest
from conftest import SHARED, TOOL
from dimod.serialization import coo

PROGRAM = TOOL.parent / "adiabat_qubo_convert"
ASSIGNMENTS = 12


def convert(source, kind="auto", target="-", target_kind="auto", assignments=()):
    """Energies, whether the constraints are kept; or the message."""
    bits = ["".join(map(str, x)) for x in assignments]
    done = subprocess.run([PROGRAM, source, kind, target, target_kind, *bits], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        return done.stderr.strip()
    lines = [line.split() for line in done.stdout.splitlines()]
    return [float(energy) for energy, _ in lines], [kept == "1" for _, kept in lines]


def random_model(seed, vartype, labels=None, n=9, density=0.5):
    random = np.random.default_rng(seed)
    model = dimod.BinaryQuadraticModel({i: random.normal() for i in range(n)}, {}, random.normal(), vartype)
    for i, j in itertools.combinations(range(n), 2):
        if random.random() < density:
            model.add_quadratic(i, j, random.normal() * 10.0 ** random.integers(-8, 8))
    return model.relabel_variables(dict(enumerate(labels)), inplace=False) if labels else model


def draw(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (ASSIGNMENTS, n))


def energies(model, assignments, order):
    values = assignments if model.vartype is dimod.BINARY else 2 * assignments - 1
    return model.energies((values, order))


def agree(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-9 * max(1, np.abs(theirs).max()))


VARTYPES = pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
LABELS = pytest.mark.parametrize("labels", [None, list("abcdefgh") + ["\u00e9\"\\"], list(range(5, 14)),
                                            [("q", 0, k) for k in range(9)], [0.5, *"xyzuvwst"]])


@VARTYPES
@LABELS
def test_json_of_dimod(tmp_path, vartype, labels):
    model = random_model(1, vartype, labels)
    document = model.to_serializable()
    (tmp_path / "in.json").write_text(json.dumps(document))
    order = dimod.BinaryQuadraticModel.from_serializable(document).variables
    x = draw(9)
    agree(convert(tmp_path / "in.json", target=tmp_path / "out.json", target_kind="bqm-json", assignments=x)[0],
          energies(model, x, list(order)))
    back = dimod.BinaryQuadraticModel.from_serializable(json.loads((tmp_path / "out.json").read_text()))
    assert back.vartype is model.vartype
    if labels is None or isinstance(labels[0], (str, int)):
        assert list(back.variables) == list(order)
    agree(energies(back, x, list(back.variables)), energies(model, x, list(order)))


@VARTYPES
@LABELS
@pytest.mark.parametrize("version", [1, 2])
def test_binary_of_dimod(tmp_path, vartype, labels, version):
    model = random_model(2, vartype, labels)
    (tmp_path / "in.bqm").write_bytes(model.to_file(version=version).read())
    x = draw(9)
    expected = energies(model, x, list(model.variables))
    agree(convert(tmp_path / "in.bqm", target=tmp_path / "out.bqm", assignments=x)[0], expected)
    back = dimod.BinaryQuadraticModel.from_file((tmp_path / "out.bqm").read_bytes())
    assert back.vartype is model.vartype
    agree(energies(back, x, list(back.variables)), expected)


def test_binary_of_single_precision(tmp_path):
    model = dimod.Float32BQM(random_model(3, "SPIN"))
    (tmp_path / "in.bqm").write_bytes(model.to_file().read())
    x = draw(9)
    ours = convert(tmp_path / "in.bqm", assignments=x)[0]
    np.testing.assert_allclose(ours, energies(dimod.BinaryQuadraticModel(model, dtype=np.float64), x, range(9)), rtol=1e-6)


@pytest.mark.parametrize("version", [1, 2])
def test_binary_of_nothing(tmp_path, version):
    (tmp_path / "in.bqm").write_bytes(dimod.BinaryQuadraticModel("SPIN").to_file(version=version).read())
    assert convert(tmp_path / "in.bqm", target=tmp_path / "out.bqm") == ([], [])
    assert dimod.BinaryQuadraticModel.from_file((tmp_path / "out.bqm").read_bytes()).num_variables == 0


@VARTYPES
def test_coo_of_dimod(tmp_path, vartype):
    model = random_model(4, vartype)
    model.offset = 0  # dimod's file has none
    model = coo.loads(coo.dumps(model), vartype=vartype)  # and six digits
    (tmp_path / "in.coo").write_text(coo.dumps(model, vartype_header=True))
    x = draw(9)
    expected = energies(model, x, range(9))
    agree(convert(tmp_path / "in.coo", target=tmp_path / "out.coo", assignments=x)[0], expected)
    back = coo.loads((tmp_path / "out.coo").read_text())
    assert back.vartype is model.vartype and back.num_variables == 9
    agree(energies(back, x, range(9)), expected)


def test_coo_numbers_are_what_dimod_reads(tmp_path):
    """dimod skips numbers that have an exponent."""
    model = dimod.BinaryQuadraticModel({0: 1e-9, 1: 3e20}, {(0, 1): -1.25e-7}, 0, "BINARY")
    (tmp_path / "in.json").write_text(json.dumps(model.to_serializable()))
    assert convert(tmp_path / "in.json", target=tmp_path / "out.coo") == ([], [])
    assert coo.loads((tmp_path / "out.coo").read_text()) == model


def test_lp_of_dimod(tmp_path):
    random = np.random.default_rng(5)
    names = list("abcdxy")
    cqm = dimod.ConstrainedQuadraticModel()
    v = dict(zip(names, dimod.Binaries(names)))
    cqm.set_objective(sum(float(random.normal()) * v[i] * v[j] for i, j in itertools.combinations(names, 2)) -
                      2.5 * v["a"] + 1.25)
    cqm.add_constraint(v["a"] + v["b"] + v["x"] == 1, label="one")
    cqm.add_constraint(v["c"] + v["y"] <= 1, label="most")
    cqm.add_constraint(2 * v["a"] - v["b"] + 0.5 * v["d"] >= -0.5, label="low")
    (tmp_path / "in.lp").write_text(dimod.lp.dumps(cqm))
    x = np.array(list(itertools.product([0, 1], repeat=6)))
    ours, kept = convert(tmp_path / "in.lp", target=tmp_path / "out.lp", assignments=x)
    agree(ours, cqm.objective.energies((x, names)))
    expected = [cqm.check_feasible(dict(zip(names, map(int, row)))) for row in x]
    assert kept == expected and 0 < sum(expected) < 64
    back = dimod.lp.loads((tmp_path / "out.lp").read_text())
    assert sorted(back.variables) == names
    agree(back.objective.energies((x, names)), ours)
    assert [back.check_feasible(dict(zip(names, map(int, row)))) for row in x] == expected


def test_lp_of_fixed_variables_and_ranges(tmp_path):
    """Two-sided budgets become two constraints, fixed variables bounds: dimod understands both."""
    document = {"format": "adiabat-qubo", "version": 1, "form": "sparse", "variables": 4, "linear": [1, -2, 3, 0],
                "edges": [[0, 3, -1.5]], "fixed": [[2, 1]],
                "budgets": [{"name": "size", "terms": [[0, 2], [1, 1], [3, 2]], "lower": 1, "upper": 3}]}
    (tmp_path / "in.json").write_text(json.dumps(document))
    x = np.array(list(itertools.product([0, 1], repeat=4)))
    ours, kept = convert(tmp_path / "in.json", target=tmp_path / "out.lp", assignments=x)
    cqm = dimod.lp.loads((tmp_path / "out.lp").read_text())
    names = [f"x{k}" for k in range(4)]
    agree(ours, cqm.objective.energies((x, names)))
    size = x @ [2, 1, 0, 2]
    assert kept == list((x[:, 2] == 1) & (size >= 1) & (size <= 3))
    assert [cqm.check_feasible(dict(zip(names, map(int, row)))) for row in x[x[:, 2] == 1]] == \
        [k for k, row in zip(kept, x) if row[2] == 1]


def test_biqmac_is_the_symmetric_matrix(tmp_path):
    random = np.random.default_rng(6)
    half = np.triu(random.integers(-9, 10, (7, 7)))
    entries = [(i, j) for i, j in zip(*np.nonzero(half))]
    text = "\n".join([f"7 {len(entries)}", *(f"{i + 1} {j + 1} {half[i, j]}" for i, j in entries)])
    (tmp_path / "in.sparse").write_text(text)
    matrix = half + np.triu(half, 1).T
    x = draw(7)
    agree(convert(tmp_path / "in.sparse", assignments=x)[0], np.einsum("ki,ij,kj->k", x, matrix, x))


def test_rudy_means_the_cut_or_the_spins(tmp_path):
    (tmp_path / "in.rudy").write_text("4 4\n1 2 3\n2 3 -1\n3 4 2\n1 4 5\n")
    x = np.array(list(itertools.product([0, 1], repeat=4)))
    edges = [(0, 1, 3), (1, 2, -1), (2, 3, 2), (0, 3, 5)]
    cut = np.array([sum(w for i, j, w in edges if row[i] != row[j]) for row in x])
    agree(convert(tmp_path / "in.rudy", assignments=x)[0], -cut)
    s = 2 * x - 1
    agree(convert(tmp_path / "in.rudy", "rudy-ising", assignments=x)[0], [sum(w * r[i] * r[j] for i, j, w in edges) for r in s])


def test_qbsolv(tmp_path):
    model = random_model(7, "BINARY")
    nodes = [f"{i} {i} {float(model.linear[i])!r}" for i in range(9)]
    pairs = [f"{min(i, j)} {max(i, j)} {float(value)!r}" for (i, j), value in model.quadratic.items()]
    (tmp_path / "in.qubo").write_text("\n".join(["c a comment", f"p qubo 0 9 9 {len(pairs)}", *nodes, *pairs]))
    model.offset = 0
    x = draw(9)
    agree(convert(tmp_path / "in.qubo", assignments=x)[0], energies(model, x, range(9)))


@pytest.mark.parametrize("name, kind, n", [("mc2000.rudy", "rudy", 2000), ("p16.rudy", "rudy-ising", 5640)])
def test_known_instances(tmp_path, name, kind, n):
    path = SHARED / "instances" / name
    if not path.is_file():
        pytest.skip("the development data are not beside the checkout")
    lines = np.loadtxt(path, skiprows=1)
    x = draw(n, 3)[:2]
    i, j = (lines[:, k].astype(int) - 1 for k in (0, 1))
    s = 2 * x - 1
    products = s[:, i] * s[:, j]
    expected = -(lines[:, 2] * (1 - products) / 2).sum(1) if kind == "rudy" else (lines[:, 2] * products).sum(1)
    ours = convert(path, kind, tmp_path / "out.bqm", assignments=x)[0]
    agree(ours, expected)
    agree(energies(dimod.BinaryQuadraticModel.from_file((tmp_path / "out.bqm").read_bytes()), x, range(n)), expected)


def test_messages(tmp_path):
    (tmp_path / "bad.coo").write_text("0 0 1\n0 one 2\n")
    assert convert(tmp_path / "bad.coo") == \
        f"{tmp_path}/bad.coo:2: found 'one', expected a label, 0 to 9223372036854775807"
    (tmp_path / "counted").write_text("2 1\n1 2 1\n")
    assert convert(tmp_path / "counted").endswith("expected the format to be named")
    assert convert(tmp_path / "missing.coo").startswith(f"{tmp_path}/missing.coo: ")


# `adiabat solve` on a file of each format, where the tool has that verb.
@pytest.mark.parametrize("ending", ["coo", "json", "bqm", "qubo", "lp"])
def test_solve_reads_them(tmp_path, ending):
    if not TOOL.is_file() or subprocess.run([TOOL, "solve", "--help"], capture_output=True).returncode != 0:
        pytest.skip("the tool has no verb solve")
    model = random_model(8, "BINARY")
    (tmp_path / "in.json").write_text(json.dumps(model.to_serializable()))
    path = tmp_path / f"problem.{ending}"
    convert(tmp_path / "in.json", target=path)
    done = subprocess.run([TOOL, "solve", path, "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
