# SPDX-License-Identifier: Apache-2.0
"""libadiabat_recon is there twice: for AVX2 and FMA, which the loader takes where it can, and for every processor."""

import json
import os
import pathlib
import platform
import subprocess

import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, TOOL

LOADER = pathlib.Path("/lib64/ld-linux-x86-64.so.2")
PLUGIN = TOOL.parent / "lib" / "libadiabat_torch.so"


def loaded(*options):
    """The path of the library that the loader takes."""
    done = subprocess.run([LOADER, "--list", *options, TOOL], capture_output=True, text=True, check=True, timeout=60)
    return next(line.split("=>")[1].split()[0] for line in done.stdout.splitlines() if "libadiabat_recon" in line)


def sensed(output, *options):
    environment = os.environ | {"ADIABAT_TORCH_PLUGIN": str(PLUGIN)}
    done = subprocess.run([str(x) for x in [LOADER, *options, TOOL, "sense", MODEL, "--data", CALIBRATION, "--preprocess",
                                            PREPROCESS, "--images", 64, "--cache", "none", "--quiet", "-o", output]],
                          capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text())


def numbers(json_value):
    if isinstance(json_value, dict):
        json_value = [v for k, v in sorted(json_value.items()) if "seconds" not in k and k != "command"]
    if isinstance(json_value, list):
        return [x for v in json_value for x in numbers(v)]
    return [json_value] if isinstance(json_value, float) else []


@pytest.mark.skipif(platform.machine() != "x86_64" or not LOADER.exists(), reason="the loader of another machine")
@pytest.mark.skipif("asan" in str(TOOL), reason="sanitized libraries are built once")
def test_both_libraries_sense_the_same(tmp_path):
    everywhere = loaded("--glibc-hwcaps-mask", "x86-64-v2")
    assert "glibc-hwcaps" not in everywhere
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX2")
    assert "glibc-hwcaps/x86-64-v3" in loaded()
    wide = numbers(sensed(tmp_path / "wide.json"))
    narrow = numbers(sensed(tmp_path / "narrow.json", "--glibc-hwcaps-mask", "x86-64-v2"))
    assert len(wide) == len(narrow) > 100
    assert wide == pytest.approx(narrow, rel=2e-2, abs=1e-6)
