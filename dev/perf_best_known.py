# SPDX-License-Identifier: Apache-2.0
"""Energies that a technique reaches in a given time on the instances of network compression, seed by seed.

    dev/perf_best_known.py FOLDER [--tool build/release/adiabat] [--seconds 10] [--seeds 10] [OPTION..]

FOLDER holds g20.npz and g20b.npz (E = x'Qx). g20 is solved as it is. In g20b a budget is written as a square,
(c.x - b)^2 with b^2 the offset: the square is taken out again and kept as the constraint c.x = b, so that the energy
of a result is that of the file. Two reads on two threads; further options go to `adiabat solve`. Needs numpy.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np

BEST_KNOWN = {"g20": -0.00192277, "g20b": 0.003762}


def document(q, budgets):
    """Our JSON of E = x'Qx with budgets beside it."""
    n = len(q)
    return {"format": "adiabat-qubo", "version": 1, "form": "dense", "variables": n,
            "linear": np.diag(q).tolist(),
            "couplings": [(2 * q[i, i + 1:]).tolist() for i in range(n)], "budgets": budgets}


def without_square(q, offset, plain):
    """(matrix, coefficients, side): the square that q has beyond the couplings of `plain`, taken out."""
    square = q - plain
    np.fill_diagonal(square, 0)
    pivot = int(np.argmax(np.abs(square).sum(axis=1)))
    others = [i for i in np.argsort(-square[pivot]) if i != pivot]
    a, b = others[:2]
    c = square[pivot] / np.sqrt(square[pivot, a] * square[pivot, b] / square[a, b])
    c[pivot] = np.sqrt(square[pivot, a] * square[pivot, b] / square[a, b])
    side = np.sqrt(offset)
    rest = q - np.outer(c, c) + 2 * side * np.diag(c)
    unit = c.min() / 2  # the costs are multiples of half the smallest
    return rest, np.round(c / unit).astype(int), int(np.round(side / unit))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tool", default="build/release/adiabat")
    parser.add_argument("--technique", default="memetic")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=10)
    arguments, options = parser.parse_known_args()
    if arguments.technique == "memetic" and not options:
        options = ["--set", "generations=1000000"]

    plain = np.load(arguments.folder / "g20.npz")["Q"]
    budgeted = np.load(arguments.folder / "g20b.npz")
    rest, costs, side = without_square(budgeted["Q"], float(budgeted["offset"]), plain)
    budget = {"name": "cost", "terms": [[i, int(c)] for i, c in enumerate(costs)], "lower": side, "upper": side}
    problems = {"g20": document(plain, []), "g20b": document(rest, [budget])}
    q, offset = budgeted["Q"], float(budgeted["offset"])
    with tempfile.TemporaryDirectory() as folder:
        for name, problem in problems.items():
            path = pathlib.Path(folder, name + ".json")
            path.write_text(json.dumps(problem))
            reached = 0
            for seed in range(arguments.seeds):
                command = [arguments.tool, "solve", path, "--technique", arguments.technique, "--reads", "2",
                           "--threads", "2", "--restarts", "0", "--time-limit", arguments.seconds, "--seed", seed,
                           "--bound", "none", "--quiet", "--json", *options]
                done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
                result = json.loads(done.stdout)
                energy = result["energy"]
                if name == "g20b":  # by the file's own formula
                    x = np.array([int(bit) for bit in result["solutions"][0]["x"]])
                    energy = float(x @ q @ x) + offset
                reached += energy <= BEST_KNOWN[name]
                print(f"{name} seed {seed}: {energy:.8f} in {result['work']['seconds']:.2f} s", flush=True)
            print(f"{name}: at or below {BEST_KNOWN[name]} for {reached} of {arguments.seeds} seeds")


if __name__ == "__main__":
    main()
