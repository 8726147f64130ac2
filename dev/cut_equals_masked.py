# SPDX-License-Identifier: Apache-2.0
"""Cuts random channel groups out of networks and compares with the networks that ignore them.

    dev/cut_equals_masked.py [--subsets N] [--branches] [--share S] MODEL...

For every model and subset the cut network and the original whose readers see zeros in the same channels are
compared in adiabat's engine and, after being written, in ONNX Runtime: the largest difference relative to the
largest output. The parameters in the written file are counted and compared with what the cost model predicts.
Prints a line a model; exits 1 where a difference exceeds 1e-4 or a count is wrong. Needs a build
(`ninja -C build/release adiabat_cut_run`) and the environment of ./check (.venv).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCE = 1e-4


def runtime(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As written: the runtime's own fusions may add in another order.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def random_feeds(session, seed):
    rng = np.random.default_rng(seed)
    feeds = {}
    for value in session.get_inputs():
        shape = [d if isinstance(d, int) else 2 for d in value.shape]
        kind = {"tensor(float16)": np.float16, "tensor(double)": np.float64}.get(value.type, np.float32)
        feeds[value.name] = rng.uniform(-1, 1, shape).astype(kind)
    return feeds


def difference(masked, cut, seed):
    """Of two files in ONNX Runtime, relative to the largest output."""
    masked, cut = runtime(masked), runtime(cut)
    feeds = random_feeds(masked, seed)
    worst = 0.0
    for a, b in zip(masked.run(None, feeds), cut.run(None, feeds)):
        if a.shape != b.shape or not np.isfinite(a).all() or not np.isfinite(b).all():
            return float("inf")
        worst = max(worst, float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30)))
    return worst


def parameters_of(path):
    """Float numbers among the initializers of a file; scalars (bounds of Clip) and scales are no parameters."""
    graph = onnx.load(str(path)).graph
    scales = {name for node in graph.node if node.op_type in ("Resize", "Upsample") for name in node.input}
    return sum(int(np.prod(t.dims)) for t in graph.initializer if t.name not in scales
               and t.data_type == onnx.TensorProto.FLOAT and t.dims)


def judge(tool, model, arguments):
    """The worst differences in both engines, and the share of parameters left; raises where a count is wrong."""
    ours, theirs, left = 0.0, 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        command = [tool, model, str(arguments.subsets), "--write", folder]
        if arguments.branches:
            command.append("--branches")
        if arguments.share is not None:
            command += ["--share", str(arguments.share)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for k, text in enumerate(output.splitlines()):
            line = json.loads(text)
            cut = pathlib.Path(folder) / f"{k}-cut.onnx"
            ours = max(ours, line["difference"])
            theirs = max(theirs, difference(pathlib.Path(folder) / f"{k}-masked.onnx", cut, k))
            if "after" in line:
                counts = line["predicted"], line["after"], parameters_of(cut)
                if len(set(counts)) != 1:
                    raise ValueError(f"{model}, subset {k}: parameters predicted, counted, written: {counts}")
            left.append(line["predicted"] / line["before"])
    return ours, theirs, left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--subsets", type=int, default=50)
    parser.add_argument("--branches", action="store_true", help="drop residual branches as well")
    parser.add_argument("--share", type=float, help="share of groups that is cut; any, if not given")
    arguments = parser.parse_args()
    tool = os.environ.get("ADIABAT_CUT_RUN", str(ROOT / "build/release/adiabat_cut_run"))
    failed = False
    for model in arguments.models:
        try:
            ours, theirs, left = judge(tool, model, arguments)
        except (ValueError, subprocess.CalledProcessError) as error:
            print(f"{pathlib.Path(model).name:32} FAILED: {error}", flush=True)
            failed = True
            continue
        if min(left) == 1:
            print(f"{pathlib.Path(model).name:32} nothing can be cut", flush=True)
            continue
        wrong = not (ours <= TOLERANCE and theirs <= TOLERANCE)
        failed = failed or wrong
        print(f"{pathlib.Path(model).name:32} {arguments.subsets} subsets, {100 * min(left):.0f} to "
              f"{100 * max(left):.0f} % of the parameters left; largest difference {ours:.1e} here, "
              f"{theirs:.1e} in ONNX Runtime{'  FAILED' if wrong else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
