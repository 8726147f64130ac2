# SPDX-License-Identifier: Apache-2.0
"""What is installed works by itself: the tool, its plug-in, and find_package(adiabat)."""

import json
import os
import subprocess

import pytest
from conftest import MODEL, PREPROCESS, TEST_IMAGES, TOOL

CMAKE = """cmake_minimum_required(VERSION 3.25)
project(consumer CXX)
find_package(adiabat REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer adiabat::adiabat_anneal adiabat::adiabat)
"""
MAIN = """#include <cstdio>
#include "adiabat/anneal/solve.h"
#include "adiabat/onnx/read.h"
#include "adiabat/qubo/random.h"
int main(int, char** argv) {
    const adiabat::qubo::Problem problem{adiabat::qubo::random_dense(20, 1)};
    const auto found = adiabat::anneal::solve(problem, {});
    std::printf("%zu %zu\\n", found.lowest.front().x.size(), adiabat::onnx::read_model(argv[1]).nodes.size());
}
"""


@pytest.mark.skipif("asan" in str(TOOL), reason="a consumer of the sanitized libraries would have to be sanitized too")
def test_install_and_find_package(tmp_path):
    def run(*command, **options):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    prefix, source = tmp_path / "prefix", tmp_path / "source"
    run("cmake", "--install", TOOL.parent, "--prefix", prefix)
    environment = {k: v for k, v in os.environ.items() if k != "ADIABAT_TORCH_PLUGIN"}
    result = json.loads(run(prefix / "bin" / "adiabat", "eval", MODEL, "--data", TEST_IMAGES, "--preprocess", PREPROCESS,
                            "--images", 200, "--json", env=environment))
    assert result["result"]["top1"] > 90
    assert not [path for pattern in ("*.test.h", "*-inl.h") for path in (prefix / "include").rglob(pattern)]
    source.mkdir()
    (source / "CMakeLists.txt").write_text(CMAKE)
    (source / "main.cpp").write_text(MAIN)
    run("cmake", "-G", "Ninja", "-S", source, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "build")
    variables, nodes = run(tmp_path / "build" / "consumer", MODEL).split()
    assert int(variables) == 20 and int(nodes) > 40
