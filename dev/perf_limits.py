#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How late `adiabat solve` ends after SIGINT, process and all: while it reads, bounds, searches.

    dev/perf_limits.py build/release/adiabat [TECHNIQUE ..]

Dense and sparse (50,000 edges) problems of 10,000 variables; signals at several moments after the start, which fall into
reading, the bound and the search. Prints the worst milliseconds from signal to end, and the moment. For the library's
part, time limits too: the program adiabat_perf_limits (-DADIABAT_BUILD_PERF=ON).
"""

import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

VARIABLES, EDGES = 10_000, 50_000
MOMENTS = {"dense": [0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2.0, 2.5, 3.5, 5.0], "sparse": [0.05, 0.1, 0.2, 0.5, 1.5, 2.5]}
TECHNIQUES = ["annealing", "tempering", "population", "quantum-annealing", "bifurcation", "digital", "tabu", "memetic",
              "descent", "genetic"]


def write_dense(path):
    pool = [random.choice(["-1", "1"]) for _ in range(3 * VARIABLES)]
    with open(path, "w") as file:
        file.write(f'{{"format": "adiabat-qubo", "version": 1, "form": "dense", "variables": {VARIABLES},\n"couplings": [')
        for i in range(VARIABLES):
            first = random.randrange(VARIABLES)
            file.write((",\n[" if i else "[") + ", ".join(pool[first:first + VARIABLES - 1 - i]) + "]")
        file.write("]}\n")


def write_sparse(path):
    lines = (f"{a} {b} {random.choice([-1, 1])}\n" for a, b in
             (random.sample(range(VARIABLES), 2) for _ in range(EDGES)))
    path.write_text("# vartype=BINARY\n" + "".join(lines))


def lateness(command, seconds):
    """Milliseconds from the signal to the end; 0 where it came before the tool listens to it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(seconds)
    if process.poll() is not None:
        raise RuntimeError(process.stderr.read().decode())
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait()
    late = 1e3 * (time.monotonic() - asked)
    if process.returncode == -signal.SIGINT:
        return 0
    if process.returncode != 3:
        raise RuntimeError(f"exit code {process.returncode}: {process.stderr.read().decode()}")
    return late


def main():
    tool, techniques = sys.argv[1], sys.argv[2:] or TECHNIQUES
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        files = {"dense": pathlib.Path(folder, "dense.json"), "sparse": pathlib.Path(folder, "sparse.coo")}
        write_dense(files["dense"])
        write_sparse(files["sparse"])
        for form, path in files.items():
            for technique in techniques:
                command = [tool, "solve", path, "--technique", technique, "--restarts", "0", "--time-limit", "100",
                           "-o", pathlib.Path(folder, "out.json")]
                late, at = max((lateness(command, seconds), seconds) for seconds in MOMENTS[form])
                print(f"{form:7} {technique:18} {late:6.0f} ms late at worst (signal at {at} s)", flush=True)


if __name__ == "__main__":
    main()
