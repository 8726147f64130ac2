# SPDX-License-Identifier: Apache-2.0
"""Sensing the bundled network, through the real binary: documents, the cache, runs that were killed."""

import json
import random
import signal
import subprocess
import time

import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, TOOL, adiabat

FEW = ("--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 256)


def sense(*more):
    done = adiabat("sense", MODEL, *FEW, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def effects(document):
    return [(layer["name"], layer["widths"], layer["cuts"]) for layer in document["layers"]]


@pytest.mark.long
def test_effects_fall_with_every_bit_and_both_methods_agree(tmp_path):
    document = sense("--compare", "--cache", tmp_path / "cache", "-o", tmp_path / "sense.json")
    assert json.loads((tmp_path / "sense.json").read_text()) == document
    for layer in document["layers"]:
        falling = [width["effect"] for width in layer["widths"]]
        assert [width["bits"] for width in layer["widths"]] == list(range(2, 9))
        assert falling == sorted(falling, reverse=True) and falling[-1] > 0
    assert any(layer["cuts"] for layer in document["layers"])
    assert document["comparison"]["method"] == "forward"
    assert document["comparison"]["log_correlation"] > 0.98
    assert document["sensing"]["agreement"] > 0.9 and document["sensing"]["product_agreement"] is not None


@pytest.mark.long
def test_the_cache_is_found_by_content(tmp_path):
    cache = tmp_path / "cache"
    first = sense("--cache", cache)
    folder = next(cache.iterdir())
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = sense("--cache", cache)
    assert effects(again) == effects(first)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    sense("--cache", cache, "--seed", 1)
    assert len(list(cache.iterdir())) == 2
    # A piece that was damaged is made again.
    victim = next(path for path in sorted(folder.iterdir()) if path.name.startswith("images-"))
    victim.write_bytes(victim.read_bytes()[:-1])
    assert effects(sense("--cache", cache)) == effects(first)
    assert effects(sense("--cache", "none")) == effects(first)


@pytest.mark.long
def test_a_run_that_was_killed_goes_on(tmp_path):
    cache = tmp_path / "cache"
    command = [TOOL, "sense", MODEL, *FEW, "--json", "--cache", cache]
    command = [str(part) for part in command]
    begin = time.monotonic()
    whole = sense("--cache", "none")
    seconds = time.monotonic() - begin
    kept = {}
    generator = random.Random(1)
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(generator.uniform(0.2, 0.8) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        pieces = [path for path in cache.glob("*/*") if not path.name.startswith(".") and "." not in path.name]
        now = {path.name: path.stat().st_mtime_ns for path in pieces}
        assert {name: kept[name] for name in kept} == {name: now[name] for name in kept}  # nothing done twice
        kept = now
    assert effects(sense("--cache", cache)) == effects(whole)


def test_what_was_not_compared_is_said(tmp_path):
    for images, single in ((2, False), (8, True)):  # half of them judges; too few for products
        done = adiabat("sense", MODEL, *FEW[:-1], images, "--cache", "none", "-o", tmp_path / "sense.json")
        assert done.returncode == 0, done.stderr
        sensing = json.loads((tmp_path / "sense.json").read_text())["sensing"]
        assert (sensing["agreement"] is not None) == single and sensing["product_agreement"] is None
        said = "two halves of 4 images correlate by 0." if single else "two halves of 1 images were not compared"
        assert said in done.stdout and said in done.stderr
        assert ("(products were not compared)" in done.stdout) == single


def test_the_help_has_what_counts_alone():
    search = ("--hamiltonian", "--kappa", "--tau", "--rho-cuts", "--beta", "--sweeps", "--replicas")
    for verb, has_search in (("sense", False), ("compress", True), ("pareto", True), ("qubo", True)):
        text = adiabat(verb, "--help").stdout
        assert all((option in text) == has_search for option in search), verb
        assert ("--rho-residual" in text) == (verb == "compress")
        assert all(option in text for option in ("--sense", "--cache", "--keep-branches", "--images", "--seed")), verb


@pytest.mark.parametrize("arguments, words", [
    (("--sense", "guess"), "it must be gradient or forward"),
    (("--images", 1), "--images"),
    (("--cache", "/proc/none"), "/proc/none"),
])
def test_bad_options_are_one_line(arguments, words):
    done = adiabat("sense", MODEL, *FEW, *arguments)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
