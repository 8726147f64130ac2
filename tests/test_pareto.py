# SPDX-License-Identifier: Apache-2.0
"""Sweeps of budgets on the bundled network, through the real binary."""

import csv
import json
import signal
import subprocess
import time
import xml.etree.ElementTree

import pytest
from conftest import CALIBRATION, MODEL, PREPROCESS, TOOL, adiabat, compress, fashion_images, runtime_outputs

FEW = ("--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 128)
SWEEP = ("--quantity", "macs", "--from", "95%", "--to", "50%", "--points", 4)


def pareto(folder, *more):
    done = adiabat("pareto", MODEL, *FEW, "-o", folder, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_points_are_what_compress_gives(tmp_path):
    d = pareto(tmp_path / "sweep", *SWEEP)
    assert json.loads((tmp_path / "sweep" / "pareto.json").read_text()) == d
    assert [point["budget"] for point in d["points"]] == ["macs=95%", "macs=80%", "macs=65%", "macs=50%"]
    losses = [point["measured"]["divergence"] for point in d["points"]]
    assert losses == sorted(losses)
    for point in d["points"]:
        assert point["after"]["macs"] <= point["budgets"][0]["limit"]
        path = tmp_path / "sweep" / point["file"]
        assert path.stat().st_size == point["after"]["file"]
    runtime_outputs(tmp_path / "sweep" / d["points"][-1]["file"], fashion_images()[0][:4])
    one = compress(tmp_path / "one.onnx", "--images", 128, budget="macs=65%")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "sweep" / "point-02.onnx").read_bytes()
    assert one["measured"]["divergence"] == losses[2]

    with open(tmp_path / "sweep" / "pareto.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["macs"]) for row in rows] == [point["after"]["macs"] for point in d["points"]]
    svg = xml.etree.ElementTree.parse(tmp_path / "sweep" / "pareto.svg").getroot()
    assert len(svg.findall("{http://www.w3.org/2000/svg}circle")) == 4
    assert d["knee"] is None or 0 <= d["knee"] < 4


@pytest.mark.long
def test_a_sweep_that_was_killed_goes_on(tmp_path):
    whole = pareto(tmp_path / "whole", *SWEEP)
    folder = tmp_path / "killed"
    command = [str(part) for part in (TOOL, "pareto", MODEL, *FEW, "-o", folder, *SWEEP)]
    for k in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (folder / f"point-{k:02}.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    written = {path.name: path.stat().st_mtime_ns for path in folder.glob("point-0[012]*")}
    d = pareto(folder, *SWEEP)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("point-0[012]*")} == written
    assert d["points"] == whole["points"]
    # Another seed is another sweep.
    other = pareto(folder, *SWEEP, "--seed", 1)
    assert other["points"][0]["key"] != d["points"][0]["key"]


def test_a_sweep_that_is_interrupted_says_that_it_goes_on(tmp_path):
    command = [str(part) for part in (TOOL, "pareto", MODEL, *FEW, "-o", tmp_path / "sweep", *SWEEP)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("calibration data"):
            process.send_signal(signal.SIGINT)
            break
    said = process.stderr.read()
    assert process.wait() == 3
    assert said.splitlines()[-1] == "adiabat: interrupted: what is finished is kept, and the same command goes on"


def test_points_of_another_sweep_are_said(tmp_path):
    def sweep(*budgets):
        done = adiabat("pareto", MODEL, *FEW, "--hamiltonian", "l1", "-o", tmp_path, "--budgets", *budgets)
        assert done.returncode == 0, done.stderr
        return done.stderr, {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    said, _ = sweep("macs=90%", "macs=80%")
    assert "another sweep" not in said
    for name in ("point-007.json", "point-12.json", "point-x.json", "other.json"):
        (tmp_path / name).write_text('{"key": "k"}' if name != "point-12.json" else "no point")
    said, before = sweep("file=100KB")
    assert f"{tmp_path}: point-01 is of another sweep, not in the table: " in said
    (tmp_path / "point-100.json").write_text('{"key": "k"}')
    said, after = sweep("file=100KB")
    assert "2 points, point-01 to point-100, are of another sweep, not in the table: " in said
    # Nothing but the document of the sweep, which has times, is another.
    assert {name for name in before if before[name] != after[name]} == {"pareto.json"}
    # A point that is there is not made again, and one that is damaged is.
    assert "1 of 1 points are there already" in said
    (tmp_path / "point-00.json").write_text('{"key": 1}')
    assert "there already" not in sweep("file=100KB")[0]


def test_what_cannot_be_kept_is_said_before_anything_is_done(tmp_path):
    for arguments, words in ((("--budgets", "macs=50%", "file=10"), "cannot be reached"),
                             (("--quantity", "macs", "--from", "90%"), "--to"),
                             (("--quantity", "macs", "--from", "90%", "--to", "1M"), "different units"),
                             (("--quantity", "mac", "--from", "90%", "--to", "80%"), "--quantity: unknown quantity `mac`"),
                             ((), "no budgets")):
        done = adiabat("pareto", MODEL, *FEW, "-o", tmp_path / "never", *arguments)
        assert done.returncode == 2, arguments
        assert words in done.stderr and "Traceback" not in done.stderr
        assert not (tmp_path / "never").exists()
