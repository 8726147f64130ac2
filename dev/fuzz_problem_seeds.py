# SPDX-License-Identifier: Apache-2.0
"""Writes the problems that dev/fuzz.sh problem begins with: small ones that hold everything a format knows.

    python3 dev/fuzz_problem_seeds.py FOLDER [FORMAT]

The first byte of each is the number of its format in the order of qubo/formats/formats.h. Where a FORMAT is named,
the files are of that format alone, without that byte. FOLDER.dict is the dictionary of the words that its readers
look for, as libFuzzer takes it.
"""

import json
import pathlib
import struct
import sys

COO = "# vartype=SPIN\n# offset=1.5\n0 0 -1.25\n0 1 1e-3\n7 1 -4\n1 1 0\n"
QBSOLV = "c a comment\nc offset=2\np qubo 0 4 3 2\n0 0 1.5\n1 1 -2\n3 3 0\n0 1 2.25\n1 3 -1\n"
RUDY = "# offset=-1\n4 4\n1 2 3\n2 3 -1\n3 4 2\n1 4 0.5\n"
BIQMAC = "# from somewhere\n3 4\n1 1 -7\n1 2 2\n3 2 -3\n3 3 1\n"
LP = r"""\ a comment
Maximize
 obj: 2 a - b + [ a * b - 3 c ^ 2 + 4 c * a ] / 2 + 5
Subject To
 pick: a + b + c = 1
 most: a + c <= 1
 weight: 2 a + 3.5 b >= 1
 -1 <= a - b <= 1
Bounds
 d = 1
 0 <= a <= inf
Binary
 c a b d
General
End
"""


NAMES = ["coo", "bqm-json", "bqm", "qbsolv", "rudy", "rudy-ising", "biqmac", "lp", "json"]
NUMBERS = ["0", "1", "-1", "1e60", "-1e61", "1e-300", "0.5", "4294967296", "2147483647", "+", "nan", "inf"]
JSON = ["{", "}", "[", "]", ",", ":", "\"", "\\u00e9", "\\ud800", "\\n", "null", "true", "false"]
WORDS = {
    "coo": ["# vartype=SPIN", "# vartype=BINARY", "# offset=", "\n", "\t"],
    "bqm-json": JSON + ["\"%s\"" % word for word in (
        "type", "BinaryQuadraticModel", "version", "bqm_schema", "3.0.0", "use_bytes", "index_type", "bias_type",
        "float64", "float32", "int32", "num_variables", "num_interactions", "variable_labels", "variable_type", "SPIN",
        "BINARY", "offset", "info", "linear_biases", "quadratic_biases", "quadratic_head", "quadratic_tail")],
    "bqm": JSON + ["DIMODBQM", "VARS", "\x01\x00", "\x02\x00"] + ["\"%s\"" % word for word in (
        "shape", "dtype", "float64", "float32", "itype", "ntype", "int32", "int64", "int16", "int8", "vartype", "SPIN",
        "BINARY", "type", "BinaryQuadraticModel", "variables")],
    "qbsolv": ["c ", "c offset=", "p qubo 0 ", "p qubo target ", "\n"],
    "rudy": ["# offset=", "#", "\n"],
    "rudy-ising": ["# offset=", "#", "\n"],
    "biqmac": ["# offset=", "#", "\n"],
    "lp": ["Minimize", "Maximize", "Subject To", "such that", "st", "s.t.", "Bounds", "Binary", "Binaries", "General",
           "Integer", "Semi", "End", "max", "min", "obj:", "[", "]", "/ 2", "/2", "^ 2", "^2", "*", "<=", ">=", "=", "=<", "<", ">", "free", "inf",
           "-inf", "infinity", "\\", "\n", ":"],
    "json": JSON + ["\"%s\"" % word for word in (
        "format", "adiabat-qubo", "version", "form", "sparse", "dense", "factored", "variables", "spins", "offset",
        "names", "linear", "edges", "couplings", "budgets", "groups", "fixed", "name", "terms", "lower", "upper",
        "members", "exactly_one", "blocks", "first", "size", "values", "low_rank", "u", "s", "squares", "weight",
        "constant", "weights", "constants", "columns")],
}


def quoted(word):
    """A word of a dictionary: all but plain characters as \\xAB."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in "\"\\" else f"\\x{b:02x}" for b in word.encode("latin-1"))
    return '"' + "".join(plain) + '"'


def bqm_json():
    return json.dumps({
        "type": "BinaryQuadraticModel", "version": {"bqm_schema": "3.0.0"}, "use_bytes": False, "index_type": "int32",
        "bias_type": "float64", "num_variables": 3, "num_interactions": 2, "variable_labels": ["a", 7, ["q", 0]],
        "variable_type": "SPIN", "offset": 0.25, "info": {}, "linear_biases": [1.5, 0.0, -2.0],
        "quadratic_biases": [-2.0, 1.0], "quadratic_head": [0, 1], "quadratic_tail": [1, 2]})


def bqm_binary(version):
    labels = json.dumps(["a", "b"])
    header = {"shape": [2, 1], "dtype": "float64", "itype": "int32", "ntype": "int32", "vartype": "BINARY",
              "type": "BinaryQuadraticModel", "variables": ["a", "b"] if version == 1 else True}
    text = json.dumps(header).encode() + b"\n"
    body = struct.pack("<d", 0.5) + struct.pack("<id", 0, 1.5) + struct.pack("<id", 1, -1.0)
    body += struct.pack("<id", 1, 2.0) + struct.pack("<id", 0, 2.0)
    if version == 2:
        body += b"VARS" + struct.pack("<I", len(labels)) + labels.encode()
    return b"DIMODBQM" + bytes([version, 0]) + struct.pack("<I", len(text)) + text + body


def own(form, **members):
    return json.dumps({"format": "adiabat-qubo", "version": 1, "form": form, "variables": 4, "spins": True,
                       "offset": 0.5, "names": ["a", "b\u00e9", "\"", "d"], "linear": [1, -2, 0.5, 0], **members})


def own_files():
    budgets = [{"name": "size", "terms": [[0, 1.5], [3, -2]], "lower": -1, "upper": 1}, {"terms": [[1, 1]], "upper": 3}]
    groups = [{"name": "one", "members": [0, 1], "exactly_one": True}, {"members": [2, 3], "exactly_one": False}]
    yield own("sparse", edges=[[0, 1, 2], [3, 1, -1.5]], budgets=budgets, groups=groups, fixed=[[2, 1]])
    yield own("dense", couplings=[[1, 2, 3], [4, -5], [0.25], []])
    yield own("factored", blocks=[{"first": 0, "size": 2, "values": [1, 2, 2, 3]}],
              low_rank=[{"u": [1, 0, 0, 1, 1, 1, 2, -1], "s": [2, 1, 1, 3]}],
              squares=[{"weight": 0.5, "constant": -1, "terms": [[0, 1], [2, 1]]}], weights=[1.5], constants=[2],
              columns=[1, 0, -1, 2])


def files():
    """Pairs of a format's number and a file."""
    texts = [(0, COO), (1, bqm_json()), (2, bqm_binary(1)), (2, bqm_binary(2)), (3, QBSOLV), (4, RUDY), (5, RUDY),
             (6, BIQMAC), (7, LP), *((8, text) for text in own_files())]
    return [(kind, text.encode() if isinstance(text, str) else text) for kind, text in texts]


def main():
    folder, only = pathlib.Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    if only and only not in NAMES:
        sys.exit(f"found format {only}, expected one of {', '.join(NAMES)}")
    folder.mkdir(parents=True, exist_ok=True)
    for number, (kind, content) in enumerate(files()):
        if only is None:
            (folder / f"{number:02}").write_bytes(bytes([kind]) + content)
            (folder / f"{number:02}-found").write_bytes(b"\xff" + content)
        elif NAMES[kind] == only:
            (folder / f"{number:02}").write_bytes(content)
    words = NUMBERS + (WORDS[only] if only else [word for name in NAMES for word in WORDS[name]])
    pathlib.Path(f"{folder}.dict").write_text("".join(quoted(word) + "\n" for word in dict.fromkeys(words)))


if __name__ == "__main__":
    main()
