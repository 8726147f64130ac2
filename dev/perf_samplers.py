#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our samplers beside dwave-samplers' and OpenJij's simulated annealing, in one run: proposals a second, time to target.

    python3 -m venv peers && peers/bin/pip install dwave-samplers==1.8.0 openjij==0.12.2 dimod dwave-networkx numpy
    cmake --preset release -DADIABAT_BUILD_PERF=ON && cmake --build build/release --target adiabat_perf_walkers
    peers/bin/python dev/perf_samplers.py --peers peers/bin/python speed|target|all [--quick] [--out FILE.json]

speed: the same start states, range of temperatures (geometric, from our natural_range) and sweeps for all; processor
seconds of one thread, samplers taking turns, medians of repeats. Peers: those of all sweeps less those of one, which
leaves their preparation out; it is printed beside. Two threads of ours: by the clock, against one.

target: time to target with 99 % (processor seconds of whole calls), median over the instances of a family with a
bootstrap interval. Every sampler is tuned on as many other instances over the same grid: range times run length, the
setting with the least median is taken. Targets: proven by branch and bound (compression), planted, else the lowest that
anything found in this run. The ratio is that of the better peer's median to ours, resampled together.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import perf_instances

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHANCE = 0.99
GIVES_UP_AT = 4  # a ladder ends where the median is so many times the least


class Ours:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def call(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{self.program} {' '.join(map(str, arguments))}: {done.stderr}")
        return json.loads(done.stdout)

    def file(self, instance):
        path = self.folder / f"{instance.name}.bin"
        if not path.exists():
            instance.write_ours(path)
        return path

    def range(self, instance):
        found = self.call("range", self.file(instance))
        return found["min"], found["max"]

    def solve(self, instance, technique, reads, seed, *more):
        """(processor seconds, energies of the reads, the answer)."""
        found = self.call("solve", self.file(instance), technique, reads, seed, *more)
        offset = instance.binary_offset()
        return found["seconds"], [e + offset for e in found["energies"]], found


class Peers:
    def __init__(self, python, folder):
        self.folder, self.loaded = folder, None
        self.worker = subprocess.Popen([python, pathlib.Path(__file__).with_name("perf_peers.py")],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.worker.stdin.write(json.dumps(request) + "\n")
        self.worker.stdin.flush()
        line = self.worker.stdout.readline()
        if not line:
            raise SystemExit("the peers' process ended: see above")
        return json.loads(line)

    def run(self, sampler, instance, beta, sweeps, starts, seed):
        """(processor seconds, energies of the reads)."""
        if self.loaded != instance.name:
            path = self.folder / "peers.npz"
            (instance.expanded() if instance.factors else instance).write_peers(path)
            self.ask(op="load", name=instance.name, path=str(path), dense=instance.dense)
            self.loaded = instance.name
        np.save(self.folder / "starts.npy", starts)
        found = self.ask(op="run", sampler=sampler, name=instance.name, beta=list(beta), sweeps=sweeps,
                         starts=str(self.folder / "starts.npy"), seed=seed)
        return found["seconds"], found["energies"]


def random_starts(n, reads, seed):
    return np.random.default_rng([9, seed]).choice(np.array([-1, 1], np.int8), (reads, n))


# ---- speed

def stored(folder, name):
    with np.load(folder / f"{name}.npz") as z:
        return z["Q"]


def speed_instances(folder, quick):
    """(instance, reads, sweeps, reads of the peers; none: they cannot hold it)."""
    proposals = 4e6 if quick else 6e7
    found = []
    if folder.is_dir():
        found += [perf_instances.from_matrix(name, stored(folder, name)) for name in ("g20", "g56p")]
        found += [perf_instances.from_rudy(folder / f"{name}.rudy", name) for name in ("mc2000", "p16")]
    found.append(perf_instances.sk(1000, 0))
    rows = [(instance, 64, max(2, int(proposals / 64 / instance.n)), 64) for instance in found]
    for n in (4096,) if quick else (4096, 16384):
        sweeps = 20 if quick else 200
        rows.append((perf_instances.factored(n, 128, 0), 16, sweeps, 2 if n == 4096 and not quick else None))
    return rows


def one_speed(ours, peers, instance, reads, sweeps, peer_reads, repeats):
    beta = ours.range(instance)
    starts = random_starts(instance.n, reads, 0)
    path = ours.folder / "starts.bin"
    path.write_bytes(((starts + 1) // 2).astype(np.uint8).tobytes())
    rates, prepared, two, megabytes = {}, {}, [], 0
    for _ in range(repeats):
        def walk(threads):
            return ours.call("speed", ours.file(instance), path, reads, sweeps, *beta, threads)
        one = walk(1)
        rates.setdefault("adiabat", []).append(one["proposals"] / one["seconds"])
        prepared.setdefault("adiabat", []).append(one["prepare_seconds"])
        two.append(one["wall_seconds"] / walk(2)["wall_seconds"])
        megabytes = max(megabytes, one["bytes"] / 1e6)
        for sampler in ("dwave", "openjij") if peer_reads else ():
            few = starts[:peer_reads]
            base, _ = peers.run(sampler, instance, beta, 1, few, 1)
            whole, _ = peers.run(sampler, instance, beta, sweeps, few, 1)
            rates.setdefault(sampler, []).append(peer_reads * (sweeps - 1) * instance.n / (whole - base))
            prepared.setdefault(sampler, []).append(base)
    return {"instance": instance.name, "variables": instance.n, "reads": reads, "sweeps": sweeps, "beta": beta,
            "rates": {k: statistics.median(v) for k, v in rates.items()}, "all_rates": rates,
            "prepare_seconds": {k: statistics.median(v) for k, v in prepared.items()},
            "two_threads": statistics.median(two), "megabytes": megabytes}


def speed(ours, peers, folder, quick):
    print(f"{'proposals a second':<18} {'adiabat':>9} {'dwave':>9} {'openjij':>9} {'x dwave':>8} {'x openjij':>9} "
          f"{'2 threads':>9} {'MB':>7}   preparation, s")
    rows = []
    for instance, reads, sweeps, peer_reads in speed_instances(folder, quick):
        row = one_speed(ours, peers, instance, reads, sweeps, peer_reads, 3 if quick else 5)
        rows.append(row)
        rate = row["rates"]
        cells = [f"{rate[k]:9.2e}" if k in rate else f"{'-':>9}" for k in ("adiabat", "dwave", "openjij")]
        ratios = [f"{rate['adiabat'] / rate[k]:{w}.1f}" if k in rate else f"{'-':>{w}}"
                  for k, w in (("dwave", 8), ("openjij", 9))]
        prepared = ", ".join(f"{k} {v:.2g}" for k, v in row["prepare_seconds"].items())
        print(f"{row['instance']:<18} {' '.join(cells)} {' '.join(ratios)} {row['two_threads']:9.2f} "
              f"{row['megabytes']:7.1f}   {prepared}", flush=True)
    return rows


# ---- time to target

def families(peers, folder, count, tuning, quick):
    """name -> instances: first those for tuning, then as many to judge."""
    numbers = range(tuning + count)
    found = {}
    if folder.is_dir():
        q = stored(folder, "g20")
        found["compression"] = [perf_instances.compression(q, k) for k in numbers]
    found["sk"] = [perf_instances.sk(40 if quick else 150, k) for k in numbers]
    n, edges = (80, 240) if quick else (800, 2400)
    found["max-cut"] = [perf_instances.max_cut(n, edges, k) for k in numbers]
    graph = peers.ask(op="pegasus", size=3 if quick else 8)
    found["planted"] = [perf_instances.planted(graph, k) for k in numbers]
    return found


def runs_to_target(p):
    if p == 0:
        return math.inf
    return 1.0 if p >= CHANCE else math.log1p(-CHANCE) / math.log1p(-p)


class Judge:
    """Targets of instances; energies are judged when all are known."""

    def __init__(self):
        self.targets = {}

    def saw(self, instance, energies):
        lowest = min(energies)
        known = self.targets.get(instance.name, math.inf)
        if instance.optimum is not None and lowest < instance.optimum - self.tolerance(instance.optimum):
            raise SystemExit(f"{instance.name}: {lowest} is below the optimum {instance.optimum}")
        self.targets[instance.name] = min(known, lowest if instance.optimum is None else instance.optimum)

    @staticmethod
    def tolerance(target):
        return 1e-9 * max(abs(target), 1e-6)

    def times(self, runs):
        """Of [(instance, seconds, energies)]: (seconds a read, success probability, reads) each."""
        found = []
        for instance, seconds, energies in runs:
            target = self.targets[instance.name]
            hits = sum(e <= target + self.tolerance(target) for e in energies)
            found.append((seconds / len(energies), hits / len(energies), len(energies)))
        return found

    def median(self, runs):
        return statistics.median(t * runs_to_target(p) if p else math.inf for t, p, _ in self.times(runs))


class Contest:
    def __init__(self, ours, peers, judge, effort):
        self.ours, self.peers, self.judge = ours, peers, judge
        quick = effort.quick
        self.reads = 40 if quick else effort.reads
        self.lengths = [2**k for k in range(3, 9 if quick else 19)]
        # Multiples of natural_range's hot and cold ends.
        self.ranges = [(1, 1), (3, 0.3)] if quick else [(a, b) for a in (1, 3, 10) for b in (0.3, 1)]
        self.seconds_a_step = 3 if quick else effort.step_seconds  # of a family at one setting
        self.natural = {}

    def beta(self, instance, factors):
        if instance.name not in self.natural:
            self.natural[instance.name] = self.ours.range(instance)
        low, high = self.natural[instance.name]
        low *= factors[0]
        return low, max(low, high * factors[1])

    def run(self, sampler, instance, factors, length, seed):
        if sampler in ("dwave", "openjij"):
            starts = random_starts(instance.n, self.reads, seed)
            seconds, energies = self.peers.run(sampler, instance, self.beta(instance, factors), length, starts, seed)
        else:
            technique, option = sampler
            more = [f"{option}={length}"]
            if factors:
                low, high = self.beta(instance, factors)
                more += [f"beta-min={low!r}", f"beta-max={high!r}"]
            seconds, energies, _ = self.ours.solve(instance, technique, self.reads, seed, *more)
        self.judge.saw(instance, energies)
        return instance, seconds, energies

    def tune(self, sampler, instances, ranges):
        """The setting with the least median: (factors, length)."""
        tried = []
        for factors in ranges:
            least = math.inf
            for length in self.lengths:
                runs = [self.run(sampler, instance, factors, length, 1) for instance in instances]
                tried.append((factors, length, runs))
                time = self.judge.median(runs)
                least = min(least, time)
                if time > GIVES_UP_AT * least or sum(seconds for _, seconds, _ in runs) > self.seconds_a_step:
                    break
        best = min(tried, key=lambda item: self.judge.median(item[2]))
        return best[:2]


def bootstrap(tables, rng, resamples=2000):
    """Medians of several samplers over the same resampled instances: an array [sampler, resample]."""
    count = len(tables[0])
    medians = np.empty((len(tables), resamples))
    for k in range(resamples):
        chosen = rng.integers(0, count, count)
        for s, table in enumerate(tables):
            times = []
            for c in chosen:
                seconds, p, reads = table[c]
                drawn = rng.binomial(reads, p) / reads
                times.append(seconds * runs_to_target(drawn) if drawn else math.inf)
            medians[s, k] = statistics.median(times)
    return medians


def find_targets(ours, judge, instances, quick):
    """Proves optima where it can; elsewhere a long run of ours sets a target that others may lower."""
    for instance in instances:
        if instance.optimum is not None:
            judge.targets[instance.name] = instance.optimum
            continue
        if instance.name.startswith("compression"):
            _, energies, found = ours.solve(instance, "branch-and-bound", 1, 0, 60)
            if found["bound"] is not None and found["end"] == "finished":
                instance.optimum = min(energies)
                judge.targets[instance.name] = instance.optimum
                continue
            print(f"{instance.name}: no proof within 60 s", file=sys.stderr)
        _, energies, _ = ours.solve(instance, "annealing", 32, 12345, f"sweeps={2000 if quick else 50000}")
        judge.saw(instance, energies)


def one_family(ours, peers, name, instances, others, effort):
    judge = Judge()
    contest = Contest(ours, peers, judge, effort)
    find_targets(ours, judge, instances, effort.quick)
    half = effort.tuning
    settings, runs = {}, {}
    contestants = [("annealing", "sweeps"), "dwave", "openjij", *others]
    for sampler in contestants:
        ranges = [None] if sampler in others else contest.ranges
        settings[sampler] = contest.tune(sampler, instances[:half], ranges)
    for instance in instances[half:]:  # taking turns
        for sampler in contestants:
            runs.setdefault(sampler, []).append(contest.run(sampler, instance, *settings[sampler], 2))
    tables = [judge.times(runs[sampler]) for sampler in contestants]
    medians = bootstrap(tables, np.random.default_rng(0))
    rows = []
    for k, sampler in enumerate(contestants):
        rows.append({"family": name, "sampler": sampler if isinstance(sampler, str) else f"adiabat {sampler[0]}",
                     "setting": settings[sampler], "median": judge.median(runs[sampler]),
                     "interval": np.quantile(medians[k], [0.025, 0.975], method="nearest").tolist(),
                     "instances": tables[k]})
    ratio = np.minimum(medians[1], medians[2]) / medians[0]
    point = min(rows[1]["median"], rows[2]["median"]) / rows[0]["median"]
    return rows, {"family": name, "ratio": point,
                  "interval": np.quantile(ratio, [0.025, 0.975], method="nearest").tolist()}


def target(ours, peers, folder, effort):
    lengths = {row["name"]: row["length"] for row in ours.call("techniques")}
    others = [(name, option) for name, option in lengths.items() if option and name != "annealing"
              and (not effort.techniques or name in effort.techniques.split(","))]
    all_rows, ratios = [], []
    for name, instances in families(peers, folder, effort.count, effort.tuning, effort.quick).items():
        rows, ratio = one_family(ours, peers, name, instances, others, effort)
        for row in rows:
            low, high = row["interval"]
            factors, length = row["setting"]
            print(f"{name:<12} {row['sampler']:<24} {row['median'] * 1e3:10.4g} ms  [{low * 1e3:.4g}, {high * 1e3:.4g}]"
                  f"  length {length}" + (f", range x {factors}" if factors else ""), flush=True)
        low, high = ratio["interval"]
        print(f"{name:<12} better peer / adiabat annealing: {ratio['ratio']:.1f}  [{low:.1f}, {high:.1f}]\n", flush=True)
        all_rows += rows
        ratios.append(ratio)
    return {"rows": all_rows, "ratios": ratios}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "target", "all"])
    parser.add_argument("--peers", required=True, help="a Python that has the peers")
    parser.add_argument("--program", default=ROOT / "build" / "release" / "adiabat_perf_walkers")
    parser.add_argument("--instances", type=pathlib.Path, default=ROOT.parent / "shared" / "instances",
                        help="a folder with g20.npz, g56p.npz, mc2000.rudy, p16.rudy; left out where it is not there")
    parser.add_argument("--count", type=int, default=0, help="instances of a family to judge by (20)")
    parser.add_argument("--tuning", type=int, default=0, help="other instances to tune on (as many)")
    parser.add_argument("--reads", type=int, default=200, help="reads of each setting and instance")
    parser.add_argument("--step-seconds", type=float, default=60,
                        help="longer run lengths are not tried once a setting took so long")
    parser.add_argument("--techniques", help="ours to run beside annealing, with commas (all)")
    parser.add_argument("--quick", action="store_true", help="small instances, few of them: does it run at all")
    parser.add_argument("--out", type=pathlib.Path, help="write all figures here (JSON)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ours, peers = Ours(arguments.program, pathlib.Path(name)), Peers(arguments.peers, pathlib.Path(name))
        versions = peers.ask(op="versions")
        print(", ".join(f"{k} {v}" for k, v in versions.items()))
        document = {"versions": versions}
        if arguments.what != "target":
            document["speed"] = speed(ours, peers, arguments.instances, arguments.quick)
        if arguments.what != "speed":
            arguments.count = arguments.count or (2 if arguments.quick else 20)
            arguments.tuning = arguments.tuning or arguments.count
            document["target"] = target(ours, peers, arguments.instances, arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
