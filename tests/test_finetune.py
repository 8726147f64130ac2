# SPDX-License-Identifier: Apache-2.0
"""Distillation on the bundled network, through the real binary; what was written is opened in ONNX Runtime."""

import json
import signal
import subprocess
import time

import jsonschema
import numpy as np
import onnx
import pytest
from conftest import (CALIBRATION, MODEL, PREPROCESS, ROOT, TEST_IMAGES, TOOL, adiabat, compress, fashion_images,
                      runtime_outputs, session)

DATA = ("--data", CALIBRATION, "--preprocess", PREPROCESS)


def finetune(model, output, *more):
    """Runs `adiabat finetune`, which must succeed; returns its document and what it said."""
    done = adiabat("finetune", model, "--teacher", MODEL, *DATA, "-o", output, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def divergence(path, images):
    """Mean KL(teacher || path) in ONNX Runtime, in nats."""
    def logs(model):
        z = runtime_outputs(model, images).astype(np.float64)
        z -= z.max(1, keepdims=True)
        return z - np.log(np.exp(z).sum(1, keepdims=True))
    teacher, student = logs(MODEL), logs(path)
    return (np.exp(teacher) * (teacher - student)).sum(1).mean()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The bundled network with 30 % of its MACs at 4 bits and fewer: (path, document).

    What is nearer to its teacher gains little from these few images, and may gain nothing.
    """
    path = tmp_path_factory.mktemp("start") / "start.onnx"
    return path, compress(path, "--images", 128, "--bits", "3,4", budget="macs=30%,file=40KB")


@pytest.fixture(scope="module")
def tuned(start, tmp_path_factory):
    path = tmp_path_factory.mktemp("tuned") / "tuned.onnx"
    return path, *finetune(start[0], path, "--epochs", 6, "--batch", 16)


def test_it_comes_nearer_to_its_teacher(start, tuned):
    path, document, _ = tuned
    training = document["training"]
    assert training["ending"] == "done" and training["kept"] > 0 and len(training["epochs"]) == 6
    losses = [training["start"]["loss"]] + [e["held_out"]["loss"] for e in training["epochs"]]
    assert training["after"]["loss"] == min(losses) < losses[0]
    assert training["images"] + training["held_out_images"] == 512
    images, _ = fashion_images()
    assert divergence(path, images) < divergence(start[0], images)


def test_the_file_keeps_its_structure(start, tuned):
    before, after = onnx.load(start[0]), onnx.load(tuned[0])
    assert start[0].stat().st_size == tuned[0].stat().st_size == tuned[1]["output"]["bytes"]
    assert [n.SerializeToString() for n in before.graph.node] == [n.SerializeToString() for n in after.graph.node]
    assert [(i.name, i.data_type, list(i.dims)) for i in before.graph.initializer] == \
           [(i.name, i.data_type, list(i.dims)) for i in after.graph.initializer]
    changed = {i.name[0] for i, j in zip(before.graph.initializer, after.graph.initializer) if i != j}
    # Planes of codes, scales of weights, biases, scales of activations; zero points stay.
    assert changed == {"p", "s", "i", "S"}
    onnx.checker.check_model(after, full_check=True)
    ran = [n.op_type for n in onnx.load(dumped(tuned[0])).graph.node]
    assert ran.count("QLinearConv") == 15 and "Conv" not in ran


def dumped(path):
    """What ONNX Runtime makes of a file."""
    dump = path.with_suffix(".optimized.onnx")
    session(path, dump)
    return dump


def test_our_engine_and_the_runtime_agree(tuned):
    images, labels = fashion_images()
    theirs = (runtime_outputs(tuned[0], images).argmax(1) == labels).mean()
    done = adiabat("eval", tuned[0], "--data", TEST_IMAGES, "--preprocess", PREPROCESS, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["top1"] == pytest.approx(100 * theirs, abs=0.3)


def test_a_killed_run_goes_on_to_the_same_bytes(start, tuned, tmp_path):
    path = tmp_path / "tuned.onnx"
    command = [TOOL, "finetune", start[0], "--teacher", MODEL, *DATA, "-o", path, "--epochs", "6", "--batch", "16",
               "--quiet"]
    seconds = sum(e["seconds"] for e in tuned[1]["training"]["epochs"])
    for share in (0.5, 0.6):
        process = subprocess.Popen(command)
        time.sleep(share * seconds + 0.5)
        process.kill()
        process.wait()
    assert not path.exists() or process.returncode == 0
    document, said = finetune(start[0], path, "--epochs", 6, "--batch", 16)
    assert path.read_bytes() == tuned[0].read_bytes()
    # Another output has its own checkpoint, and none is left.
    assert not list(tmp_path.glob("*.checkpoint"))


def test_an_interrupted_run_leaves_the_best_and_goes_on(start, tuned, tmp_path):
    path = tmp_path / "tuned.onnx"
    command = [TOOL, "finetune", start[0], "--teacher", MODEL, *DATA, "-o", path, "--epochs", "6", "--batch", "16"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch 1: loss"):
            process.send_signal(signal.SIGINT)
            break
    said = process.stderr.read()
    assert process.wait() == 3, said
    assert "interrupted in epoch 2" in said
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["training"]["ending"] == "interrupted" and len(document["training"]["epochs"]) == 1
    assert path.stat().st_size == start[0].stat().st_size
    runtime_outputs(path, fashion_images()[0][:8])
    assert len(list(tmp_path.glob("*.checkpoint"))) == 1
    again, said = finetune(start[0], path, "--epochs", 6, "--batch", 16)
    assert "goes on after epoch 1" in said and again["training"]["resumed_at"] == 1
    assert path.read_bytes() == tuned[0].read_bytes()


def test_a_rate_that_diverges_gives_the_start(start, tmp_path):
    path = tmp_path / "tuned.onnx"
    document, said = finetune(start[0], path, "--epochs", 2, "--rate", 1e5, "--warm-up", 0, "--images", 128)
    assert document["training"]["ending"] == "diverged" and document["training"]["kept"] == 0
    assert path.read_bytes() == start[0].read_bytes()
    assert "diverged" in said and "the start is kept" in said


def test_the_document_of_compress_is_not_overwritten(start, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(start[1]))
    document, _ = finetune(start[0], tmp_path / "tuned.onnx", "--epochs", 1, "--images", 64)
    assert document["run"] == str(tmp_path / "tuned.run.json")
    assert json.loads((tmp_path / "run.json").read_text()) == start[1]


def test_compress_does_it_too(tmp_path):
    path = tmp_path / "small.onnx"
    d = compress(path, "--images", 128, "--bits", "3,4", "--finetune", 1, budget="macs=50%,file=60KB")
    jsonschema.validate(d, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    training = d["training"]
    # The judging images are held out, all others train.
    assert training["held_out_images"] == d["data"]["judging_images"] == 64 and training["images"] == 448
    assert training["after"]["loss"] <= training["start"]["loss"]
    assert d["measured"]["divergence"] == pytest.approx(training["after"]["divergence"], abs=1e-6)
    assert path.stat().st_size == d["predicted"]["file"]
    # Without it the document says so, and the same start comes out.
    plain = compress(tmp_path / "plain.onnx", "--images", 128, "--bits", "3,4", budget="macs=50%,file=60KB")
    assert plain["training"] is None
    assert plain["measured"]["divergence"] == pytest.approx(training["start"]["divergence"], abs=1e-6)


@pytest.mark.parametrize("arguments,words", [
    (("--teacher", "nothing.onnx"), "no such file"),
    (("--held-out", "0"), "share"),
    (("--rate", "0"), "--rate"),
    (("--epochs", "0"), "--epochs"),
    (("--label-weight", "0.5", "--data", "unlabeled"), "labels"),
])
def test_bad_input_is_said_in_a_line(start, tmp_path, arguments, words):
    images, _ = fashion_images(CALIBRATION)
    np.save(tmp_path / "unlabeled.npy", images[:32])
    arguments = [tmp_path / "unlabeled.npy" if a == "unlabeled" else a for a in arguments]
    given = {"--teacher": MODEL, "--data": CALIBRATION, "--preprocess": PREPROCESS, "-o": tmp_path / "tuned.onnx"}
    given |= dict(zip(arguments[::2], arguments[1::2]))
    done = adiabat("finetune", start[0], *[x for pair in given.items() for x in pair])
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "tuned.onnx").exists()


def test_only_what_compress_wrote_is_trained(tmp_path):
    # Batch norm stands apart in the bundled network: its weights are not those that run.
    done = adiabat("finetune", MODEL, "--teacher", MODEL, *DATA, "-o", tmp_path / "tuned.onnx")
    assert done.returncode == 2 and "adiabat compress wrote" in done.stderr
