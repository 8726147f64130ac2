# SPDX-License-Identifier: Apache-2.0
"""Checks what the compiler does not: who includes whom, and a few rules that hold for every file.

    python3 dev/check_includes.py [ROOT]

Prints one line per breach (file:line: what, and what would be right); the exit code is 1 if there is any.
Tests, benchmarks and fuzzers may include anything and print what they like.
"""

import pathlib
import re
import sys

# Who may include whom, by folder of src/adiabat; a folder may always include itself and base. Nobody
# includes upward. `*` stands for the folders that lead the others along.
MAY_INCLUDE = {
    "base": [],
    "qubo": [],
    "net": [],
    "recon": [],
    "report": [],
    "data": ["net"],
    "anneal": ["qubo"],
    "quantum": ["qubo"],
    "onnx": ["net"],
    "pack": ["net", "onnx"],
    "torch": ["net"],
    "sense": ["net", "data", "recon"],
    "plan": ["qubo", "anneal", "net", "sense"],
    "apply": ["qubo", "anneal", "net", "data", "recon", "sense", "plan", "onnx"],
    "tune": ["net", "data", "onnx", "sense"],
    "study": ["plan", "apply", "quantum"],
    "pipeline": ["qubo", "anneal", "quantum", "net", "onnx", "pack", "data", "recon", "sense", "plan",
                 "apply", "tune", "study", "report"],
    "cli": ["pipeline", "report", "qubo", "anneal", "study"],
    "main.cpp": ["cli"],
}

# Headers of parts that stay inside one folder.
CONFINED = [
    (re.compile(r"<(torch|ATen|c10|caffe2)/"), "torch", "LibTorch"),
    (re.compile(r"<zstd"), "pack", "zstd"),
    (re.compile(r"<(google/protobuf/|onnx/.*pb\.h)|\"[^\"]*\.pb\.h\""), "onnx", "protobuf"),
]
MOST_TORCH_UNITS = 10  # one a family of operators, coding where gradients are recorded, and the session
MOST_LINES = 500

INCLUDE = re.compile(r"^\s*#\s*include\s*([<\"][^>\"]*[>\"])")
USES_TORCH = re.compile(r"(?<![\w:])(?:at|c10)::|(?<!\w)::(?:torch|at|c10)::")  # adiabat::torch is ours
# The library neither prints nor exits.
FORBIDDEN = [
    (re.compile(r"\bstd::(cout|cerr|clog)\b"), "the library does not print"),
    (re.compile(r"(?<![\w.>])(?:std::)?(?:printf|puts|putchar|perror)\s*\("), "the library does not print"),
    (re.compile(r"(?<![\w.>])(?:std::)?(?:fprintf|fputs|fputc|fwrite|vfprintf)\s*\([^;]*\bstd(?:out|err)\b"),
     "the library does not print"),
    (re.compile(r"\bfmt::print(?:ln)?\s*\((?!\s*(?:out|file)\b)"), "the library does not print"),
    (re.compile(r"(?<![\w.>])(?:std::)?(?:exit|_exit|_Exit|quick_exit|abort|terminate)\s*\("),
     "the library does not exit: throw InputError, or use ADIABAT_CHECK"),
]
# Comments, string and character literals; what is left is code.
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def is_test(path):
    return bool(re.search(r"\.(test|perf|fuzz)\.(cpp|h)$", path.name))


def code_of(text):
    """The text with comments and literals blanked out, lines kept."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def includes_of(text):
    """Yields (line, name with its quotes or brackets) for each #include that is no comment."""
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1)


def folder_of(path, source):
    """The key in MAY_INCLUDE of a source file: its folder under src/adiabat, or main.cpp."""
    parts = path.relative_to(source).parts
    return parts[1] if parts[0] == "adiabat" and len(parts) > 2 else parts[-1]


def check_layers(path, source, text):
    """Breaches of MAY_INCLUDE and CONFINED in one file."""
    folder = folder_of(path, source)
    if folder not in MAY_INCLUDE:
        yield 1, f"'{folder}' is not in the table of dev/check_includes.py"
        return
    for line, name in includes_of(text):
        for pattern, home, part in CONFINED:
            if pattern.match(name) and folder != home:
                yield line, f"{part} ({name}) stays inside {home}/"
        target = re.match(r"[\"<]adiabat/([^/]+)/", name)
        if target:
            other = target.group(1)
            if other not in (folder, "base", *MAY_INCLUDE[folder]):
                allowed = ", ".join(sorted({"base", *MAY_INCLUDE[folder]}))
                yield line, f"{folder} may not include {other} (it may include {allowed})"
            if not (source / name[1:-1]).exists():
                yield line, f"{name} does not exist"
        elif name.startswith('"') and not name.endswith('.pb.h"'):
            yield line, f'{name} is named from the root of the sources: "adiabat/folder/file.h"'


def check_silence(text):
    """Places where library code prints or exits."""
    code = code_of(text)
    for pattern, message in FORBIDDEN:
        for found in pattern.finditer(code):
            yield code.count("\n", 0, found.start()) + 1, message


def check_form(path, text):
    """The licence line, #pragma once, the length."""
    lines = text.splitlines()
    if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:2]):
        yield 1, "the first line is the licence: SPDX-License-Identifier: Apache-2.0"
    # Highway's per-target headers (-inl.h) have guards that toggle instead.
    if path.suffix == ".h" and not path.name.endswith("-inl.h") and not any(line.strip() == "#pragma once" for line in lines[:5]):
        yield 1, "#pragma once follows the licence line"
    if len(lines) > MOST_LINES:
        yield len(lines), f"{len(lines)} lines: no file has more than {MOST_LINES}"


def reaches_torch(path, source, texts, seen=None):
    """Whether a file includes LibTorch, itself or through headers of ours, or names what LibTorch declares."""
    seen = set() if seen is None else seen
    if path in seen or path not in texts:
        return False
    seen.add(path)
    if USES_TORCH.search(code_of(texts[path])):
        return True
    return any(CONFINED[0][0].match(name) or reaches_torch(source / name[1:-1], source, texts, seen)
               for _, name in includes_of(texts[path]))


def check(root):
    """All breaches below root, as lines `file:line: message`."""
    root = pathlib.Path(root)
    source = root / "src"
    found = []

    def report(path, breaches):
        found.extend(f"{path.relative_to(root)}:{line}: {message}" for line, message in breaches)

    texts = {path: path.read_text(errors="replace") for path in sorted(source.rglob("*"))
             if path.suffix in (".h", ".cpp")}
    for path, text in texts.items():
        report(path, check_form(path, text))
        if is_test(path):
            continue
        report(path, check_layers(path, source, text))
        if folder_of(path, source) not in ("cli", "main.cpp"):
            report(path, check_silence(text))

    units = [path for path, text in texts.items()
             if path.suffix == ".cpp" and not is_test(path) and reaches_torch(path, source, texts)]
    if len(units) > MOST_TORCH_UNITS:
        report(units[-1], [(1, f"{len(units)} translation units include LibTorch, at most {MOST_TORCH_UNITS} do: "
                               + ", ".join(path.name for path in units))])

    scripts = [root / name for name in ("CMakeLists.txt", "demo", "check", ".ci/run")]
    for folder in ("cmake", "dev", "tests", "python"):
        scripts += sorted((root / folder).rglob("*"))
    for path in scripts:
        if "node_tests" in path.parts:  # lists of names
            continue
        if path.is_file() and path.suffix in ("", ".py", ".sh", ".cmake", ".txt", ".supp"):
            report(path, check_form(path, path.read_text(errors="replace")))
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found = check(root)
    for line in found:
        print(line)
    print(f"{len(found)} breaches" if found else "everyone includes whom they may")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
