# SPDX-License-Identifier: Apache-2.0
"""Runs other simulated annealers for dev/perf_samplers.py: one JSON request a line in, one answer a line out.

Runs under a Python that has dwave-samplers, openjij, dimod, dwave-networkx and numpy. Problems are Ising: arrays h, i, j,
v and offset of an .npz. Seconds are of processor time, of the call that samples alone: models, graphs and start states
are made before. OpenJij is called through its core (openjij.cxxjij), which its SASampler wraps: a Dense graph where
"dense", else CSRSparse.
"""

import json
import sys
import time

import numpy as np

PROBLEMS = {}


class Problem:
    def __init__(self, path, dense):
        with np.load(path) as z:
            self.h, self.i, self.j, self.v, self.offset = z["h"], z["i"], z["j"], z["v"], float(z["offset"])
        self.dense, self.n = dense, len(self.h)
        self.bqm = self.system = None

    def energies(self, spins):
        """In double, of rows of -1 and 1."""
        s = np.asarray(spins, float)
        pairs = np.array([(row[self.i] * row[self.j]) @ self.v for row in s])
        return (self.offset + s @ self.h + pairs).tolist()

    def dwave(self, request, starts):
        import dimod
        from dwave.samplers import SimulatedAnnealingSampler
        if self.bqm is None:
            self.bqm = dimod.BQM.from_numpy_vectors(self.h, (self.i, self.j, self.v), self.offset, "SPIN")
        order = list(range(self.n))
        began = time.process_time()
        found = SimulatedAnnealingSampler().sample(
            self.bqm, beta_range=request["beta"], num_reads=len(starts), num_sweeps=request["sweeps"],
            seed=request["seed"] % 2**31, initial_states=(starts, order), randomize_order=False)
        seconds = time.process_time() - began
        columns = np.argsort(np.array(list(found.variables)))
        return seconds, found.record.sample[:, columns]

    def openjij(self, request, starts):
        import openjij.cxxjij as core
        if self.system is None:
            self.system = core.system.make_classical_ising(starts[0].tolist(),
                                                           self.graph(core))
        betas = np.geomspace(*request["beta"], request["sweeps"])
        schedule = []
        for beta in betas:
            step = core.utility.ClassicalSchedule()
            step.one_mc_step = 1
            step.updater_parameter.beta = float(beta)
            schedule.append(step)
        lists, spins, seconds = [row.tolist() for row in starts], [], 0.0
        for read, start in enumerate(lists):
            began = time.process_time()
            self.system.reset_spins(start)
            core.algorithm.Algorithm_SingleSpinFlip_run(self.system, request["seed"] + read, schedule)
            seconds += time.process_time() - began
            spins.append(np.array(self.system.spin)[:self.n])
        return seconds, np.array(spins)

    def graph(self, core):
        if self.dense:
            matrix = np.zeros((self.n + 1, self.n + 1))
            matrix[self.i, self.j] = matrix[self.j, self.i] = self.v
            matrix[:-1, -1] = matrix[-1, :-1] = self.h
            matrix[-1, -1] = 1
            graph = core.graph.Dense(self.n)
            graph.set_interaction_matrix(matrix)
            return graph
        import scipy.sparse
        # Upper triangle; fields stand in the last column, whose spin is always 1.
        has_field = np.flatnonzero(self.h)
        rows = np.concatenate([np.minimum(self.i, self.j), has_field, [self.n]])
        columns = np.concatenate([np.maximum(self.i, self.j), np.full(len(has_field), self.n), [self.n]])
        values = np.concatenate([self.v, self.h[has_field], [1.0]])
        matrix = scipy.sparse.csr_matrix((values, (rows, columns)), (self.n + 1, self.n + 1))
        return core.graph.CSRSparse(matrix)


def pegasus(size):
    """Edges of the Pegasus graph, nodes numbered from 0."""
    import dwave_networkx
    graph = dwave_networkx.pegasus_graph(size)
    number = {node: k for k, node in enumerate(sorted(graph.nodes))}
    return {"nodes": len(number), "edges": [[number[a], number[b]] for a, b in graph.edges]}


def versions():
    import importlib.metadata
    return {name: importlib.metadata.version(name) for name in ("dwave-samplers", "openjij", "dimod", "numpy")}


def answer(request):
    what = request["op"]
    if what == "versions":
        return versions()
    if what == "pegasus":
        return pegasus(request["size"])
    if what == "load":
        PROBLEMS.clear()  # one at a time: dense ones are large
        PROBLEMS[request["name"]] = Problem(request["path"], request["dense"])
        return {}
    problem = PROBLEMS[request["name"]]
    starts = np.load(request["starts"])
    seconds, spins = getattr(problem, request["sampler"])(request, starts)
    return {"seconds": seconds, "energies": problem.energies(spins)}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
