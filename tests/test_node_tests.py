# SPDX-License-Identifier: Apache-2.0
"""ONNX's backend node tests: those of opset 17 (Debian's libonnx-testdata) and those of the newest release (PyPI).

node_tests/pass-*.txt list the tests that pass, node_tests/not-*.txt the others, each with a reason; all four must be
true. Renew them with `python tests/test_node_tests.py --renew`: reasons that are there stay.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from onnx.backend.test.case.node import collect_testcases

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = pathlib.Path(os.environ.get("ADIABAT_TOOL", ROOT / "build" / "release" / "adiabat"))
RUNNER = TOOL.parent / "adiabat_node_tests"
LISTS = pathlib.Path(__file__).resolve().parent / "node_tests"
DEBIAN = pathlib.Path("/usr/share/libonnx-testdata/data/node")

# Why a test does not pass, by the start of its name; the first that fits. For new entries of not-*.txt.
REASONS = [
    ("training", "adagrad|adam|momentum|nesterov|gradient|batchnorm_.*training|training_dropout|nllloss|sce_"),
    ("strings", "string|regex|strnorm|tfidf|label_encoder|equal_string|identity_string|cast.*STRING|.*_string"),
    ("sequences and optional values", "sequence|optional|identity_opt|identity_sequence|split_to_sequence|loop1[36]"),
    ("control flow", "if|loop|scan|range_.*_expanded"),
    ("recurrent networks", "gru|lstm|rnn|simple_rnn"),
    ("attention with intermediate halves rounded", "attention_.*16_expanded"),
    ("language models", "attention|rotary|flexattention|tensorscatter|linear_attention|causal_conv|swiglu"),
    ("random numbers", "bernoulli|random"),
    ("signal processing", "dft|stft|melweight|blackman|hamming|hann"),
    ("decodes image files", "image_decoder"),
    ("classical machine learning", "ai_onnx_ml"),
    ("the values contradict the model", "castlike_.*BFLOAT16"),
    ("the values are truncated, the specification rounds", "cast_FLOAT_to_BFLOAT16"),
]


def reason_of(name, said):
    for reason, pattern in REASONS:
        if re.match(pattern, name.removeprefix("test_")):
            return reason
    unknown = re.search(r"cannot run these operators: (\S+)", said)
    if "holds a graph of its own" in said:
        return "control flow"
    return f"no CNN exporter writes it: {unknown.group(1)}" if unknown else said


def write_tensor(path, value, info):
    if not isinstance(value, onnx.TensorProto):
        kind = info.type.WhichOneof("value")
        if kind == "sequence_type":
            value = onnx.numpy_helper.from_list(value, info.name)
        elif kind == "optional_type":
            value = onnx.numpy_helper.from_optional(value, info.name)
        else:
            value = onnx.numpy_helper.from_array(np.asarray(value), info.name)
    path.write_bytes(value.SerializeToString())


def write_newest(root):
    """The node tests of the installed onnx package, as folders. Their values are drawn, here from a fixed seed."""
    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        folder = root / case.name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for k, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{k}"
            data.mkdir()
            for stem, values, infos in (("input", inputs, case.model.graph.input),
                                        ("output", outputs, case.model.graph.output)):
                for n, (value, info) in enumerate(zip(values, infos)):
                    write_tensor(data / f"{stem}_{n}.pb", value, info)


def run(root):
    """{name: "" where it passes, otherwise why not}"""
    done = subprocess.run([RUNNER, root], capture_output=True, text=True, timeout=600, errors="replace")
    results = {}
    for line in done.stdout.splitlines():
        verdict, rest = line.split(" ", 1)
        name, _, why = rest.partition(": ")
        results[name] = "" if verdict == "pass" else why or "?"
    after = max(results) if results else "nothing"
    assert done.returncode == 0, f"adiabat_node_tests ended with {done.returncode} after {after}: {done.stderr[-400:]}"
    assert done.stderr == ""  # the library is silent, and what it stands on
    return results


def read_lists(which):
    passing = set((LISTS / f"pass-{which}.txt").read_text().split())
    lines = (LISTS / f"not-{which}.txt").read_text().splitlines()
    return passing, dict(line.split(None, 1) for line in lines)


def judge(which, results):
    passing, failing = read_lists(which)
    share = sum(not why for why in results.values())
    print(f"{which}: {share} of {len(results)} node tests pass, {100 * share / len(results):.1f} %")
    wrong = [f"{name} is listed and does not pass: {why}" for name, why in results.items() if why and name in passing]
    wrong += [f"{name} passes and is listed as not passing" for name, why in results.items()
              if not why and name in failing]
    wrong += [f"{name} is in no list" for name in results if name not in passing and name not in failing]
    wrong += [f"{name} is listed, but there is no such test" for name in passing | failing.keys()
              if name not in results]
    assert not wrong, f"{len(wrong)} entries of tests/node_tests/*-{which}.txt are wrong:\n" + "\n".join(wrong[:40])


def opset_of(root):
    return max(i.version for path in root.glob("*/model.onnx") for i in onnx.load(path).opset_import if not i.domain)


def test_newest(tmp_path):
    write_newest(tmp_path)
    judge("newest", run(tmp_path))


def test_debian():
    if not DEBIAN.is_dir():
        pytest.skip("the package libonnx-testdata is not installed")
    results = run(DEBIAN)
    if opset_of(DEBIAN) == 17:
        judge("17", results)
        return
    # A later Debian has later tests: what passes in both lists must pass there too.
    known = [read_lists(which)[0] for which in ("17", "newest")]
    share = sum(not why for why in results.values())
    print(f"opset {opset_of(DEBIAN)}: {share} of {len(results)} node tests pass")
    wrong = [f"{name}: {why}" for name, why in results.items() if why and all(name in passing for passing in known)]
    assert not wrong, "\n".join(wrong[:40])


def renew(which, results):
    LISTS.mkdir(exist_ok=True)
    path = LISTS / f"not-{which}.txt"
    old = dict(line.split(None, 1) for line in path.read_text().splitlines()) if path.exists() else {}
    names = sorted(results)
    (LISTS / f"pass-{which}.txt").write_text("".join(f"{n}\n" for n in names if not results[n]))
    path.write_text("".join(f"{n}  {old.get(n) or reason_of(n, results[n])}\n" for n in names if results[n]))
    share = sum(not why for why in results.values())
    print(f"{which}: {share} of {len(names)} node tests pass")


if __name__ == "__main__":
    if sys.argv[1:] != ["--renew"]:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        write_newest(pathlib.Path(scratch))
        renew("newest", run(pathlib.Path(scratch)))
    if DEBIAN.is_dir() and opset_of(DEBIAN) == 17:
        renew("17", run(DEBIAN))
