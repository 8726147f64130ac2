# SPDX-License-Identifier: Apache-2.0
"""Instances for dev/perf_samplers.py: Ising problems in memory, seeded, and the files that samplers read.

A problem: h, couplings (i < j, v), offset, E(s) = offset + h.s + sum v s_i s_j; `dense` where most pairs interact.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Instance:
    name: str
    h: np.ndarray
    i: np.ndarray
    j: np.ndarray
    v: np.ndarray
    offset: float = 0.0
    dense: bool = True
    optimum: float = None  # where it is known
    factors: tuple = None  # (columns n x r, weights) of E = h'x + sum_k w_k (a_k.x)^2, and no couplings above

    @property
    def n(self):
        return len(self.h)

    def binary(self):
        """Linear terms and couplings of the same energies over x = (s + 1) / 2; the offset is left out."""
        linear = 2 * self.h.astype(float)
        np.subtract.at(linear, self.i, 2 * self.v)
        np.subtract.at(linear, self.j, 2 * self.v)
        return linear, 4 * self.v

    def binary_offset(self):
        return self.offset - self.h.sum() + self.v.sum()

    def write_ours(self, path):
        """The plain binary file of walkers.perf.cpp."""
        with open(path, "wb") as f:
            def put(kind, *arrays):
                for array in arrays:
                    f.write(np.ascontiguousarray(array, kind).tobytes())
            if self.factors:
                columns, weights = self.factors
                f.write(b"f")
                put("<i4", [self.n, len(weights)])
                put("<f8", self.h, weights, columns)
                return
            linear, couplings = self.binary()
            if self.dense:
                matrix = np.zeros((self.n, self.n))
                matrix[self.i, self.j] = matrix[self.j, self.i] = couplings
                f.write(b"d")
                put("<i4", [self.n])
                put("<f8", linear, matrix)
            else:
                f.write(b"s")
                put("<i4", [self.n, len(couplings)])
                put("<f8", linear)
                put("<i4", self.i, self.j)
                put("<f8", couplings)

    def write_peers(self, path):
        np.savez(path, h=self.h, i=self.i, j=self.j, v=self.v, offset=self.offset)

    def expanded(self):
        """A factored instance with all its couplings, for those who know no other form."""
        columns, weights = self.factors
        return from_matrix(self.name, (columns * weights) @ columns.T + np.diag(self.h))


def from_matrix(name, q):
    """E = x'Qx over x in {0, 1}."""
    q = np.asarray(q, float)
    i, j = np.triu_indices(len(q), 1)
    pair = q[i, j] + q[j, i]
    kept = pair != 0
    i, j, v = i[kept], j[kept], pair[kept] / 4
    h = np.diag(q) / 2
    offset = h.sum() + v.sum()
    h = h.copy()
    np.add.at(h, i, v)
    np.add.at(h, j, v)
    return Instance(name, h, i.astype(np.int32), j.astype(np.int32), v, float(offset))


def from_rudy(path, name):
    """E = sum of w s s."""
    rows = np.loadtxt(path, skiprows=1)
    with open(path) as f:
        n = int(f.readline().split()[0])
    a, b = rows[:, 0].astype(np.int32) - 1, rows[:, 1].astype(np.int32) - 1
    return Instance(name, np.zeros(n), np.minimum(a, b), np.maximum(a, b), rows[:, 2], dense=False)


def sk(n, seed):
    """Couplings -1 and 1 between all pairs."""
    rng = np.random.default_rng([1, seed])
    i, j = np.triu_indices(n, 1)
    return Instance(f"sk{n}-{seed}", np.zeros(n), i.astype(np.int32), j.astype(np.int32),
                    rng.choice([-1.0, 1.0], len(i)))


def factored(n, rank, seed):
    """As a measured compression problem is: effects of low rank, and a reward a variable."""
    rng = np.random.default_rng([2, seed])
    columns = rng.standard_normal((n, rank)) / np.sqrt(n)
    reward = -np.abs(rng.standard_normal(n)) * 0.5 * rank / n
    none = np.zeros(0, np.int32)
    return Instance(f"factored{n}", reward, none, none, np.zeros(0), factors=(columns, np.ones(rank)))


def compression(q, seed):
    """A run of 40 to 60 neighboring filters of a real problem, the others left alone."""
    rng = np.random.default_rng([3, seed])
    size = int(rng.integers(40, 61))
    first = int(rng.integers(0, len(q) - size + 1))
    return from_matrix(f"compression-{seed}", q[first:first + size, first:first + size])


def max_cut(n, edges, seed):
    """A random graph with weights -1 and 1: E = sum of w s s, least where the cut is largest."""
    rng = np.random.default_rng([4, seed])
    chosen = set()
    while len(chosen) < edges:
        a, b = sorted(rng.integers(0, n, 2).tolist())
        if a != b:
            chosen.add((a, b))
    i, j = np.array(sorted(chosen), np.int32).T
    return Instance(f"max-cut-{seed}", np.zeros(n), i, j, rng.choice([-1.0, 1.0], edges), dense=False)


def planted(graph, seed, density=0.7, shortest=6, most=3):
    """Frustrated loops on a graph: closed random walks, all edges satisfied by a planted state but one, summed; the
    planted state is optimal, as it is for each loop (I. Hen and others, 2015)."""
    rng = np.random.default_rng([5, seed])
    n = graph["nodes"]
    neighbors = [[] for _ in range(n)]
    for a, b in graph["edges"]:
        neighbors[a].append(b)
        neighbors[b].append(a)
    couplings, energy = {}, 0.0
    loops = 0
    while loops < density * n:
        loop = random_loop(neighbors, rng)
        edges = [tuple(sorted(pair)) for pair in zip(loop, loop[1:] + loop[:1])]
        if len(loop) < shortest or any(abs(couplings.get(e, 0)) >= most for e in edges):
            continue
        frustrated = int(rng.integers(len(edges)))
        for k, e in enumerate(edges):
            couplings[e] = couplings.get(e, 0) + (1 if k == frustrated else -1)
        energy -= len(edges) - 2
        loops += 1
    state = rng.choice([-1, 1], n)
    kept = sorted(e for e, v in couplings.items() if v != 0)
    i, j = np.array(kept, np.int32).T
    v = np.array([couplings[e] for e in kept], float) * state[i] * state[j]
    return Instance(f"planted-{seed}", np.zeros(n), i, j, v, dense=False, optimum=energy)


def random_loop(neighbors, rng):
    """The loop that a random walk closes first."""
    node = int(rng.integers(len(neighbors)))
    path, place = [node], {node: 0}
    while True:
        node = int(rng.choice(neighbors[node]))
        if node in place:
            if len(path) - place[node] < 3:  # back along the edge it came by
                for left in path[place[node] + 1:]:
                    del place[left]
                path = path[:place[node] + 1]
                continue
            return path[place[node]:]
        place[node] = len(path)
        path.append(node)
