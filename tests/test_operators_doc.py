# SPDX-License-Identifier: Apache-2.0
"""doc/operators.md says what the code's tables say. Renew it with `python tests/test_operators_doc.py --renew`."""

import os
import pathlib
import subprocess
import sys

import onnx.defs

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = pathlib.Path(os.environ.get("ADIABAT_TOOL", ROOT / "build" / "release" / "adiabat"))
DOCUMENT = ROOT / "doc" / "operators.md"

HEAD = """# Operators

Which operators of ONNX a network may hold, from opset 7 to the newest. Made from the tables in the code by
`python tests/test_operators_doc.py --renew`; a test compares.

- *opsets*: the versions of the operator, each holding until the next; from 7 on all of them are known.
- *shapes*: types and shapes of the outputs are inferred (`net/shape_rules_*.cpp`).
- *folded*: computed when the network is read, where all inputs are constants (`net/evaluate*.cpp`).
- *run*: the engine runs it (`torch/`).
- *channels*: what happens to channels that are cut on their way through it (`net/coupling*.cpp`); what meets an
  operator that says "frozen" is never cut, and still quantized.

Every element type but strings is known to the operators that ONNX gives it to, the float8, 4-bit and 2-bit types to those
that convert them. Half precision is computed in float and rounded where it is stored or cast. Control flow, sequences,
strings, training and recurrent operators are not known.

| operator | opsets | shapes | folded | run | channels | notes |
|---|---|---|---|---|---|---|
"""

NOTES = {
    "BatchNormalization": "inference only",
    "Cast": "out of range as ONNX Runtime on x86-64: low bits stay",
    "Constant": "becomes a constant when the network is read",
    "Det": "no gradient",
    "Dropout": "inference, or a ratio of 0",
    "Max": "folded with two inputs",
    "Min": "folded with two inputs",
    "Softmax": "before opset 13 over all dimensions from `axis` on",
    "LogSoftmax": "as Softmax",
    "Hardmax": "as Softmax",
    "GroupNormalization": "scales of groups (18) and of channels (21)",
    "QuantizeLinear": "one scale, one a channel, one a block",
    "DequantizeLinear": "one scale, one a channel, one a block; around a layer of bytes: exact integer arithmetic",
}


def tables():
    done = subprocess.run([TOOL.parent / "adiabat_node_tests", "--operators"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = {}
    for line in done.stdout.splitlines():
        known, _, channels = line.partition("\t")
        name, *what = known.split()
        rows[name] = set(what), channels
    return rows


def versions(name):
    """Of an operator of ai.onnx, comma-separated; nothing of other domains."""
    if "." in name:
        return ""
    found = {s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == name and not s.domain}
    return ", ".join(map(str, sorted(found)))


def document():
    rows = []
    for name, (what, channels) in sorted(tables().items(), key=lambda item: ("." in item[0], item[0])):
        marks = ["x" if column in what else "" for column in ("shape", "folded", "run")] 
        marks.append(channels or ("frozen" if "run" in what else ""))
        rows.append(f"| {name} | {versions(name)} | " + " | ".join(marks) + f" | {NOTES.get(name, '')} |")
    return HEAD + "\n".join(row.replace("  |", " |") for row in rows) + "\n"


def test_document_is_up_to_date():
    assert DOCUMENT.read_text() == document(), "run python tests/test_operators_doc.py --renew"


if __name__ == "__main__":
    if sys.argv[1:] != ["--renew"]:
        sys.exit(__doc__)
    DOCUMENT.write_text(document())
