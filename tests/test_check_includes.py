# SPDX-License-Identifier: Apache-2.0
"""dev/check_includes.py sees each kind of breach, and sees none in a clean tree or in this one."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("check_includes", ROOT / "dev" / "check_includes.py")
check_includes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_includes)

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = {
    "src/main.cpp": SPDX + '#include "adiabat/cli/run.h"\n',
    "src/adiabat/base/errors.h": SPDX + "#pragma once\n",
    "src/adiabat/net/tensor.h": SPDX + '#pragma once\n#include "adiabat/base/errors.h"\n',
    "src/adiabat/data/idx.cpp": SPDX + '#include "adiabat/net/tensor.h"\n// #include "adiabat/cli/run.h"\n',
    "src/adiabat/onnx/read.cpp": SPDX + "#include <onnx/onnx_pb.h>\n#include <google/protobuf/arena.h>\n",
    "src/adiabat/torch/engine.h": SPDX + "#pragma once\n",
    "src/adiabat/torch/engine.cpp": SPDX + '#include <torch/torch.h>\n#include "adiabat/net/tensor.h"\n',
    "src/adiabat/cli/run.h": SPDX + "#pragma once\n",
    "src/adiabat/cli/run.cpp": SPDX + '#include "adiabat/cli/run.h"\nvoid f() { std::cout << 1; exit(2); }\n',
    "src/adiabat/base/text.cpp": SPDX + 'auto s = "std::cout printf("; /* exit(1) */ int n = 1\'000; // abort()\n'
                                        "int m = snprintf(b, 9, s); stop.exit(3); fwrite(b, 1, 2, file);\n",
    "src/adiabat/base/text.test.cpp": SPDX + '#include "adiabat/cli/run.h"\n#include <onnx/onnx_pb.h>\n'
                                             'void f() { printf("x"); }\n',
}


def breaches(tmp_path, **changes):
    """What is found in the clean tree with the given files (path -> text) added or replaced."""
    for path, text in {**CLEAN, **changes.get("files", {})}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return check_includes.check(tmp_path)


def test_clean_tree_has_no_breach(tmp_path):
    assert breaches(tmp_path) == []


def test_this_repository_has_no_breach():
    assert check_includes.check(ROOT) == []


@pytest.mark.parametrize("path, text, message", [
    ("src/adiabat/base/a.cpp", '#include "adiabat/net/tensor.h"\n', "base may not include net"),
    ("src/adiabat/net/a.cpp", '#include "adiabat/cli/run.h"\n', "net may not include cli"),
    ("src/adiabat/pipeline/a.cpp", '#include <adiabat/torch/engine.h>\n', "pipeline may not include torch"),
    ("src/adiabat/net/a.cpp", '#  include "adiabat/net/gone.h"\n', "does not exist"),
    ("src/adiabat/net/a.cpp", '#include "tensor.h"\n', "named from the root of the sources"),
    ("src/adiabat/novel/a.cpp", "\n", "'novel' is not in the table"),
    ("src/adiabat/net/a.cpp", "#include <ATen/ATen.h>\n", "LibTorch"),
    ("src/adiabat/plan/a.cpp", "#include <onnx/onnx_pb.h>\n", "protobuf"),
    ("src/adiabat/plan/a.cpp", "void f() { std::cerr << 1; }\n", "does not print"),
    ("src/adiabat/plan/a.cpp", 'void f() { std::printf("a"); }\n', "does not print"),
    ("src/adiabat/plan/a.cpp", 'void f() { fprintf(stderr, "a"); }\n', "does not print"),
    ("src/adiabat/plan/a.cpp", 'void f() { fmt::print("a"); }\n', "does not print"),
    ("src/adiabat/plan/a.cpp", "void f() { std::exit(1); }\n", "does not exit"),
    ("src/adiabat/plan/a.h", "int a;\n", "#pragma once"),
    ("src/adiabat/plan/a.cpp", "\n" * 500, "no file has more than 500"),
])
def test_breach_is_named_with_its_place(tmp_path, path, text, message):
    found = breaches(tmp_path, files={path: SPDX + text})
    assert len(found) == 1
    assert found[0].startswith(path + ":")
    assert message in found[0]


@pytest.mark.parametrize("path", ["src/adiabat/net/a.cpp", "dev/a.py", "cmake/a.cmake", "check"])
def test_licence_line_is_missed(tmp_path, path):
    found = breaches(tmp_path, files={path: "\n"})
    assert len(found) == 1
    assert found[0].startswith(path + ":1: ")


def test_eleven_units_with_libtorch_are_too_many(tmp_path):
    """Those that include it through a header of ours or only name its types count; tests do not."""
    files = {"src/adiabat/torch/all.h": SPDX + "#pragma once\n#include <torch/torch.h>\n",
             "src/adiabat/torch/b.cpp": SPDX + '#include "adiabat/torch/all.h"\n',
             "src/adiabat/torch/c.cpp": SPDX + "at::Tensor x;\n",
             "src/adiabat/torch/d.cpp": SPDX + "#include <ATen/ATen.h>\n",
             "src/adiabat/torch/e.test.cpp": SPDX + "#include <torch/torch.h>\n"}
    for k in range(6):
        files[f"src/adiabat/torch/f{k}.cpp"] = SPDX + "#include <ATen/ATen.h>\n"
    files["src/adiabat/torch/g.cpp"] = SPDX + "adiabat::torch::Session x; std::at::y z;\n"
    assert breaches(tmp_path, files=files) == []
    files["src/adiabat/torch/h.cpp"] = SPDX + '#include "adiabat/torch/all.h"\n'
    found = breaches(tmp_path, files=files)
    assert len(found) == 1
    assert "11 translation units include LibTorch" in found[0]
