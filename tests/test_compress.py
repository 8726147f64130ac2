# SPDX-License-Identifier: Apache-2.0
"""The main job on the bundled network, through the real binary; what was written is opened in ONNX Runtime."""

import collections
import hashlib
import json
import re
import signal
import subprocess
import time

import jsonschema
import numpy as np
import onnx
import pytest
from conftest import (CALIBRATION, CIFAR_DATA, CIFAR_MODEL, CIFAR_PREPROCESS, MODEL, PREPROCESS, ROOT, TEST_IMAGES,
                      TOOL, adiabat, cifar_test, compress, fashion_images, read_idx, runtime_outputs, session)


def kernels(path, tmp_path):
    """How often each operator runs in ONNX Runtime, after its optimizations."""
    dump = tmp_path / "optimized.onnx"
    session(path, dump)
    return collections.Counter(node.op_type for node in onnx.load(dump).graph.node)


def test_the_budget_is_kept_and_the_size_predicted_to_the_byte(small):
    path, document = small
    size = path.stat().st_size
    assert size <= 100_000
    assert document["predicted"]["file"] == document["measured"]["file"] == document["output"]["bytes"] == size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == document["output"]["sha256"]


def test_the_decision_is_bounded(small, tmp_path):
    proof, problem = small[1]["certificate"], small[1]["problem"]
    assert proof["energy"] <= problem["energy"] * (1 + 1e-9)
    assert proof["root_bound"] <= proof["bound"] <= proof["energy"]
    assert proof["gap"] == pytest.approx(1 - proof["bound"] / proof["energy"], abs=1e-6)
    # Bits alone: proven the best there is, which the separable program finds too.
    d = compress(tmp_path / "bits.onnx", "--images", 64, "--keep", "*", "--certify", 10, "--integer-program", 20,
                 budget="file=100KB")
    assert d["groups"]["cut"] == 0 and d["certificate"]["is_optimal"]
    assert d["integer_program"]["is_optimal"]
    assert d["integer_program"]["energy"] == pytest.approx(d["problem"]["energy"], rel=1e-6)


def test_every_layer_runs_on_integers(small, tmp_path):
    ran = kernels(small[0], tmp_path)
    assert ran["QLinearConv"] == 15 and ran["QGemm"] == 1
    assert ran["Conv"] == ran["FusedConv"] == ran["Gemm"] == ran["MatMul"] == 0
    # The decoders are gone: they were folded when the session was made.
    assert ran["BitShift"] == ran["MatMul"] == ran["Cast"] == 0


def test_accuracy_in_onnx_runtime(small):
    images, labels = fashion_images()
    before = (runtime_outputs(MODEL, images).argmax(1) == labels).mean()
    after = (runtime_outputs(small[0], images).argmax(1) == labels).mean()
    assert before >= 0.92
    assert after >= before - 0.01


@pytest.mark.parametrize("weights,budget", [
    ("planes", "file=60%"), ("int4", "file=60%"), ("int8", "file=60%"),
    pytest.param("planes", "file=45KB", marks=pytest.mark.long),
    pytest.param("int4", "file=105KB", marks=pytest.mark.long),
    pytest.param("int8", "file=150KB", marks=pytest.mark.long)])
def test_every_storage_loads_and_agrees_with_our_interpreter(weights, budget, tmp_path):
    path = tmp_path / "small.onnx"
    document = compress(path, "--weights", weights, "--images", 256, budget=budget)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    images, _ = fashion_images()
    np.save(tmp_path / "images.npy", images)
    run = subprocess.run([TOOL.parent / "adiabat_engine_run", path, "--feed", f"input={tmp_path}/images.npy",
                          "--fetch", f"logits={tmp_path}/logits.npy"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    ours, theirs = np.load(tmp_path / "logits.npy"), runtime_outputs(path, images)
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.998
    assert document["after"]["file"] == path.stat().st_size
    assert kernels(path, tmp_path)["QLinearConv"] == 15


def each_operator_against_the_runtime(path, images, tmp_path):
    """Largest difference in codes between our engine and ONNX Runtime of each operator, given equal inputs."""
    model = onnx.load(path)
    coded = {name for node in model.graph.node for name in node.output if re.fullmatch(r"x\d+", name)}
    assert len(coded) > 20
    for name in sorted(coded):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None))
    s = session(model.SerializeToString())
    names = [o.name for o in s.get_outputs()]
    values = dict(zip(names, s.run(None, {s.get_inputs()[0].name: images})))
    feeds = []
    for name, value in {**values, s.get_inputs()[0].name: images}.items():
        np.save(tmp_path / f"{name}.npy", value)
        feeds += ["--feed", f"{name}={tmp_path}/{name}.npy"]
    (tmp_path / "each").mkdir()
    run = subprocess.run([TOOL.parent / "adiabat_engine_run", path, *feeds, "--each", tmp_path / "each"],
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return {name: int(np.abs(np.load(tmp_path / "each" / f"{name}.npy").astype(int) - values[name].astype(int)).max())
            for name in coded}


def test_each_operator_is_one_code_from_the_runtimes_at_most(small, tmp_path):
    differences = each_operator_against_the_runtime(small[0], fashion_images()[0][:64], tmp_path)
    assert max(differences.values()) <= 1, differences


@pytest.mark.long
def test_cifar_network_end_to_end(tmp_path):
    images, labels = cifar_test()
    path = tmp_path / "small.onnx"
    compress(path, model=CIFAR_MODEL, data=CIFAR_DATA, preprocess=CIFAR_PREPROCESS, budget="file=175KB")
    assert path.stat().st_size <= 175_000
    assert kernels(path, tmp_path)["QLinearConv"] == 19
    theirs = runtime_outputs(path, images)
    assert (theirs.argmax(1) == labels).mean() >= 0.90
    differences = each_operator_against_the_runtime(path, images[:32], tmp_path)
    assert max(differences.values()) <= 1, differences
    evaluated = adiabat("eval", path, "--data", CIFAR_DATA, "--preprocess", CIFAR_PREPROCESS, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    ours = json.loads(evaluated.stdout)["result"]["top1"]
    assert abs(ours - 100 * (theirs.argmax(1) == labels).mean()) <= 0.2


@pytest.mark.long
def test_reconstruction_keeps_the_accuracy_of_few_bits(tmp_path):
    # Rounded filter by filter this network has 38 % left.
    images, labels = cifar_test()
    path = tmp_path / "small.onnx"
    compress(path, model=CIFAR_MODEL, data=CIFAR_DATA, preprocess=CIFAR_PREPROCESS, budget="file=95KB")
    assert path.stat().st_size <= 95_000
    assert (runtime_outputs(path, images).argmax(1) == labels).mean() >= 0.89


@pytest.mark.long
def test_same_seed_same_bytes_for_any_number_of_threads(small, tmp_path):
    files = []
    for threads in (1, 2):
        path = tmp_path / f"{threads}.onnx"
        compress(path, "--threads", threads)
        files.append(path.read_bytes())
    assert files[0] == files[1] == small[0].read_bytes()
    compress(tmp_path / "other.onnx", "--seed", 5)
    assert (tmp_path / "other.onnx").read_bytes() != files[0]


@pytest.mark.long
def test_a_fixed_batch_stays_fixed(tmp_path):
    model = onnx.load(MODEL)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    fixed, path = tmp_path / "fixed.onnx", tmp_path / "small.onnx"
    onnx.save(model, fixed)
    document = compress(path, model=fixed)
    assert document["predicted"]["file"] == path.stat().st_size
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in dims] == [1, 1, 28, 28]
    assert document["measured"]["agreement"] > 97
    runtime_outputs(path, fashion_images()[0][:3], batch=1)


@pytest.mark.long
def test_an_output_that_is_read_as_well(tmp_path):
    model = onnx.load(MODEL)
    feature = next(n for n in model.graph.node if n.op_type == "Gemm").input[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(feature, 1, ["N", 64]))
    two, path = tmp_path / "two.onnx", tmp_path / "small.onnx"
    onnx.save(model, two)
    compress(path, model=two, budget="file=180KB")
    logits, features = session(path).run(None, {"input": fashion_images()[0][:50]})
    expected = session(two).run(None, {"input": fashion_images()[0][:50]})[1]
    assert features.shape == (50, 64)
    assert np.abs(features - expected).max() < 0.2 * np.abs(expected).max()
    assert kernels(path, tmp_path)["QLinearConv"] == 15


@pytest.mark.long
def test_names_that_are_not_text(tmp_path):
    path = bytes(tmp_path) + b"/small\xff.onnx"
    done = subprocess.run([bytes(TOOL), b"compress", bytes(MODEL), b"--data", bytes(CALIBRATION), b"--preprocess",
                           bytes(PREPROCESS), b"--budget", b"file=100KB", b"-o", path, b"--json"], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"]["bytes"] <= 100_000


@pytest.mark.long
def test_what_is_left_alone_is_said(tmp_path):
    model = onnx.load(MODEL)
    gemm = next(n for n in model.graph.node if n.op_type == "Gemm")
    gemm.attribute.append(onnx.helper.make_attribute("alpha", 0.5))
    changed = tmp_path / "changed.onnx"
    onnx.save(model, changed)
    inspected = adiabat("inspect", changed)
    assert "left as it is: Gemm /fc/Gemm" in inspected.stdout and "alpha" in inspected.stdout
    compress(tmp_path / "small.onnx", model=changed)
    assert kernels(tmp_path / "small.onnx", tmp_path)["QLinearConv"] == 15


@pytest.mark.long
def test_budgets_from_the_smallest_to_the_largest(tmp_path):
    inspected = adiabat("inspect", MODEL, "--json")
    reachable = json.loads(inspected.stdout)["reachable"]
    path = tmp_path / "small.onnx"
    for quantity in ("file", "bytes"):
        smallest, largest = reachable[quantity]["smallest"], reachable[quantity]["largest"]
        for limit in (smallest, smallest + 137, (smallest + largest) // 2, largest):
            document = compress(path, "--images", 64, budget=f"{quantity}={limit}")
            assert document["after"][quantity] <= limit
            assert document["predicted"]["file"] == path.stat().st_size
            runtime_outputs(path, fashion_images()[0][:4])
        done = adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--budget",
                       f"{quantity}={smallest - 1}", "-o", tmp_path / "never.onnx")
        assert done.returncode == 2
        assert str(smallest) in done.stderr
        assert not (tmp_path / "never.onnx").exists()


# A budget's name in run.json's `before` and `after`.
MEMBER = {"params": "parameters"}


@pytest.mark.parametrize("budget", [
    "macs=60%", "params=90k", "bops=60x", "activations=15%", pytest.param("file=60KB,macs=70%", marks=pytest.mark.long),
    "file=12%,bytes=70KB,params=150K,macs=15M,bops=0.5G,activations=36KiB"])
def test_budgets_of_every_kind(budget, tmp_path):
    path = tmp_path / "small.onnx"
    document = compress(path, "--images", 64, budget=budget)
    jsonschema.validate(document, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    assert [item["quantity"] for item in document["budgets"]] == [item.split("=")[0] for item in budget.split(",")]
    for item in document["budgets"]:
        name = MEMBER.get(item["quantity"], item["quantity"])
        assert item["smallest"] <= document["after"][name] <= item["limit"] < document["before"][name]
    by_name = {item["quantity"]: item["limit"] for item in document["budgets"]}
    if budget == "macs=60%":
        assert by_name["macs"] == document["before"]["macs"] * 6 // 10
        # Nothing asks for fewer bits.
        assert {layer["bits"] for layer in document["plan"]} == {8}
    if budget == "bops=60x":
        assert by_name["bops"] == document["before"]["bops"] // 60
    assert document["predicted"]["file"] == path.stat().st_size
    runtime_outputs(path, fashion_images()[0][:4])


def test_budgets_that_cannot_be_kept_together_name_the_nearest(tmp_path):
    reachable = json.loads(adiabat("inspect", MODEL, "--json").stdout)["reachable"]
    assert list(reachable) == ["file", "bytes", "params", "macs", "bops", "activations"]
    wanted = {name: reachable[name]["smallest"] for name in ("file", "bytes")}
    text = ",".join(f"{name}={limit}" for name, limit in wanted.items())
    done = adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--budget", text, "-o",
                   tmp_path / "never.onnx")
    assert done.returncode == 2
    found = re.search(r"the nearest reachable is file=(\d+),bytes=(\d+) \((file|bytes)=(\d+) at least\)", done.stderr)
    assert found, done.stderr
    nearest = {"file": int(found[1]), "bytes": int(found[2])}
    assert [name for name in nearest if nearest[name] > wanted[name]] == [found[3]]
    assert nearest[found[3]] == int(found[4])
    document = compress(tmp_path / "small.onnx", "--images", 64, budget=f"file={found[1]},bytes={found[2]}")
    assert all(document["after"][name] <= nearest[name] for name in nearest)


def test_what_the_user_wants_to_stay_stays(tmp_path):
    document = compress(tmp_path / "small.onnx", "--images", 64, "--bits", "6,2,4", "--first-last", 7, "--least-kept",
                        0.75, "--keep", "re:stage2.*conv1", budget="file=60KB,macs=90%")
    assert document["options"]["bits"] == [2, 4, 6] and document["options"]["first_last"] == 7
    jsonschema.validate(document, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    layers = document["plan"]
    assert layers[0]["bits"] == layers[-1]["bits"] == 7
    assert {layer["bits"] for layer in layers[1:-1]} <= {2, 4, 6}
    assert all(layer["filters"] >= 0.75 * layer["filters_before"] for layer in layers)
    kept = [layer for layer in layers if re.search("stage2.*conv1", layer["name"])]
    assert len(kept) == 2 and all(layer["cut"] == [] for layer in kept)
    assert any(layer["cut"] for layer in layers)


def test_each_way_of_rounding_loses_less_than_the_one_before(tmp_path):
    """Of one plan, 2 bits everywhere; a plan that is carried out again keeps the way that it is told."""
    path, losses, schema = tmp_path / "small.onnx", [], json.loads((ROOT / "doc" / "run.schema.json").read_text())
    for rounding in ("nearest", "ordered", "qubo"):
        d = compress(path, "--images", 512, "--bits", 2, "--hamiltonian", "l1", "--keep", "*", "--rounding", rounding,
                     budget="file=100%")
        jsonschema.validate(d, schema)
        assert d["options"]["rounding"] == rounding and {layer["bits"] for layer in d["plan"]} == {2}
        losses.append(d["measured"]["divergence"])
    assert losses[2] < losses[1] < losses[0]
    whole = path.read_bytes()
    compress(path, "--images", 512, "--bits", 2, "--hamiltonian", "l1", "--keep", "*", budget="file=100%")
    assert path.read_bytes() == whole
    d = compress(tmp_path / "again.onnx", "--images", 512, "--bits", 2, "--plan", tmp_path / "run.json", "--rounding",
                 "ordered", "--run", tmp_path / "again.json", budget="file=100%")
    assert d["measured"]["divergence"] == pytest.approx(losses[1], rel=1e-9)


def test_only_these_layers_change(tmp_path):
    document = compress(tmp_path / "small.onnx", "--images", 64, "--only", "re:stage3.*conv", budget="file=120KB")
    named = {layer["name"] for layer in document["plan"] if re.search("stage3.*conv", layer["name"])}
    assert len(named) == 4
    for layer in document["plan"]:
        if layer["name"] not in named:
            assert layer["bits"] == 8 and layer["cut"] == []
    assert any(layer["bits"] < 8 for layer in document["plan"])


def test_run_json_is_as_documented(small):
    path, document = small
    written = json.loads((path.parent / "run.json").read_text())
    assert written == document
    jsonschema.validate(written, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    assert written["model"]["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert written["data"]["calibration_images"] + written["data"]["judging_images"] == 512
    assert {stage["name"] for stage in written["stages"]} >= {"read", "sense", "decide and apply", "write"}


def test_a_killed_run_leaves_no_broken_file(tmp_path):
    for delay in (0.05, 0.4, 0.9, 1.5):
        path = tmp_path / "small.onnx"
        process = subprocess.Popen([TOOL, "compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS,
                                    "--budget", "file=100KB", "-o", path, "--quiet"], stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        if path.exists():
            runtime_outputs(path, fashion_images()[0][:2])
            path.unlink()
        assert not (tmp_path / "run.json").exists() or json.loads((tmp_path / "run.json").read_text())


def test_an_interrupt_ends_with_3_and_leaves_nothing(tmp_path):
    path = tmp_path / "small.onnx"
    process = subprocess.Popen([TOOL, "compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS,
                                "--budget", "file=100KB", "-o", path, "--sweeps", "2000000"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 3, errors
    assert "interrupted" in errors
    assert list(tmp_path.iterdir()) == []


def test_eval_agrees_with_the_runtime(small):
    done = adiabat("eval", small[0], "--reference", MODEL, "--data", TEST_IMAGES, "--preprocess", PREPROCESS, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    images, labels = fashion_images()
    original = runtime_outputs(MODEL, images).argmax(1)
    expected = runtime_outputs(small[0], images).argmax(1)
    assert abs(result["reference"]["result"]["top1"] - 100 * (original == labels).mean()) < 0.06
    assert abs(result["result"]["top1"] - 100 * (expected == labels).mean()) <= 0.2
    assert abs(result["reference"]["agreement"] - 100 * (expected == original).mean()) <= 0.2
    assert 0 < result["reference"]["divergence"] < 0.2


def test_divergence_is_that_of_the_scores_behind_a_final_softmax(small, tmp_path):
    def with_softmax(source, name):
        model = onnx.load(source)
        scores = model.graph.output[0].name
        model.graph.node.append(onnx.helper.make_node("Softmax", [scores], ["probabilities"], axis=1))
        model.graph.output[0].name = "probabilities"
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    def judged(network, reference):
        done = adiabat("eval", network, "--reference", reference, "--data", TEST_IMAGES, "--preprocess", PREPROCESS,
                       "--json")
        assert done.returncode == 0, done.stderr
        d = json.loads(done.stdout)
        return d["result"]["top1"], d["reference"]["agreement"], d["reference"]["divergence"]

    plain = judged(small[0], MODEL)
    assert plain[2] > 1e-4
    both = judged(with_softmax(small[0], "small.onnx"), with_softmax(MODEL, "model.onnx"))
    assert both == pytest.approx(plain, rel=1e-5)
    compress(tmp_path / "again.onnx", "--images", 64, "--hamiltonian", "l1", model=tmp_path / "model.onnx")


@pytest.mark.long
def test_the_smallest_network_within_a_loss(tmp_path):
    path = tmp_path / "small.onnx"
    done = adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 128, "--max-kl",
                   0.02, "--minimize", "macs", "--certify", 0, "-o", path, "--json")
    assert done.returncode == 0, done.stderr
    d = json.loads(done.stdout)
    jsonschema.validate(d, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    found = d["smallest_within"]
    assert d["measured"]["divergence"] <= 0.02 and d["after"]["macs"] <= found["limit"] < d["before"]["macs"]
    # What was tried below it loses more; and the bisection came near.
    below = [t for t in found["tried"] if t["limit"] < found["limit"]]
    assert below and all(t["divergence"] > 0.02 for t in below)
    assert max(t["limit"] for t in below) > 0.95 * found["limit"]
    done = adiabat("explain", tmp_path / "run.json", "--alternatives", 1, "--json")
    assert json.loads(done.stdout)["budgets"][0]["limit"] == found["limit"]
    # The same as deciding for that limit.
    compress(tmp_path / "again.onnx", "--images", 128, budget=f"macs={found['limit']}")
    assert (tmp_path / "again.onnx").read_bytes() == path.read_bytes()


def test_steps_to_a_deep_budget(tmp_path):
    path = tmp_path / "small.onnx"
    options = ("--images", 256, "--steps", 3, "--equalize", "off", "--cache", tmp_path / "cache")
    d = compress(path, *options, budget="macs=50%,file=60KB")
    jsonschema.validate(d, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    steps = d["path"]["steps"]
    assert len(steps) == 3
    for k, budget in enumerate(d["budgets"]):
        limits = [step["budgets"][k]["limit"] for step in steps]
        assert limits == sorted(limits, reverse=True) and limits[-1] == budget["limit"]
        assert d["after"][budget["quantity"]] <= budget["limit"]
    assert steps[-1]["divergence"] == pytest.approx(d["measured"]["divergence"], rel=1e-9)
    assert d["predicted"]["file"] == path.stat().st_size
    runtime_outputs(path, fashion_images()[0][:4])
    # What was predicted is what came, and all growth adds up.
    for step in steps:
        assert 1 / 3 < step["true_growth"] / step["predicted_growth"] < 3
    assert sum(step["true_growth"] for step in steps) == pytest.approx(steps[-1]["tempered"], rel=0.1)
    # Around each plan but the last effects were sensed; the same again is the same file.
    assert len(list((tmp_path / "cache").iterdir())) == 3
    compress(tmp_path / "again.onnx", *options, budget="macs=50%,file=60KB")
    assert (tmp_path / "again.onnx").read_bytes() == path.read_bytes()


@pytest.mark.long
def test_as_many_steps_as_predictions_need(tmp_path):
    path = tmp_path / "small.onnx"
    options = ("--images", 256, "--cache", tmp_path / "cache")
    shallow = compress(path, *options, "--steps", 0, budget="macs=90%")
    assert shallow["path"] is None
    compress(tmp_path / "one.onnx", *options, "--keep-branches", budget="macs=90%")
    assert path.read_bytes() == (tmp_path / "one.onnx").read_bytes()
    deep = compress(path, *options, "--steps", 0, budget="macs=20%")
    one = compress(tmp_path / "one.onnx", *options, budget="macs=20%")
    jsonschema.validate(deep, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
    assert deep["measured"]["divergence"] <= one["measured"]["divergence"]
    if deep["path"]:
        assert len(deep["path"]["steps"]) > 1
        ratio = deep["path"]["one_step"]["found"] / deep["path"]["one_step"]["predicted"]
        assert not 1 / 1.5 < ratio < 1.5


@pytest.mark.parametrize("arguments, words", [
    (("--max-kl", 0.1, "--steps", 2), "--steps leads to a budget: expected it without --max-kl"),
    (("--max-drop", 1, "--steps", 2), "expected it without --max-drop"),
    (("--max-kl", 0.1, "--candidates", 4), "expected it without --candidates"),
    (("--budget", "file=60KB", "--steps", 2, "--fit"), "--fit is for plans of one step"),
    (("--budget", "file=60KB", "--hamiltonian", "separable", "--fit"), "separable has no interactions"),
    (("--budget", ""), "nothing is asked for"),
    (("--budget", "file=60KB", "--kappa=-1"), "--kappa"),
    (("--budget", "file=60KB", "--hamiltonian", "separable", "--tau", 0.5), "--tau: separable does not have it"),
    (("--budget", "file=60KB", "--hamiltonian", "l1", "--rho-cuts", 0), "expected it with --hamiltonian measured alone"),
    (("--budget", "file=60KB", "--beta", 2), "--beta: measured does not have it"),
    (("--plan", MODEL, "--steps", 2), "--plan leaves nothing to decide: expected it without --steps"),
    (("--plan", MODEL, "--certify", 1), "--plan leaves nothing to decide: expected it without --certify"),
    (("--budget", "file=60KB", "--minimize", "macs"), "nothing is minimized: expected it without --minimize"),
    (("--budget", "file=60KB", "--rho-residual", 0.5), "expected it without --rho-residual"),
    (("--budget", "file=60KB", "--steps", 2, "--hamiltonian", "l1"), "l1 senses nothing"),
    (("--max-kl", 1e-12), "the largest plan already loses more than is allowed, a divergence of"),
    (("--budget", "file=1KB, bops=1k"), "file=1000,bops=1000 cannot be reached: the smallest reachable are, each alone, file="),
    (("--budget", "file=1KB"), "file=1000 cannot be reached: the smallest reachable is file="),
    (("--budget", "file=60KB", "--rho-mixed", 0.2), "--rho-mixed: pairs with widths do not count where candidates"),
    (("--budget", "file=60KB", "--rho-mixed", 0.2, "--rho-widths", 1), "(288): expected 0, or more --images"),
    (("--max-kl", 0.1, "--minimize", "size"), "--minimize: unknown quantity `size`"),
    (("--max-kl", -1), "--max-kl"),
    ((), "--budget is required"),
])
def test_losses_that_cannot_be_kept_are_said(arguments, words, tmp_path):
    done = adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 64, "-o",
                   tmp_path / "never.onnx", *arguments)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert not (tmp_path / "never.onnx").exists()


def test_a_document_of_another_network_is_not_replaced_in_silence(tmp_path):
    def said(name, *more):
        done = adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 16,
                       "--hamiltonian", "l1", "--candidates", 1, "--budget", "file=100KB", "-o", tmp_path / name, *more)
        assert done.returncode == 0, done.stderr
        return f"is the document of {tmp_path / 'a.onnx'}, and will be replaced" in done.stderr

    assert [said("a.onnx"), said("a.onnx"), said("b.onnx"), said("b.onnx", "--run", tmp_path / "b.json")] == [
        False, False, True, False]
    # Of a network that is not there any more nothing is lost.
    assert said("a.onnx", "--run", tmp_path / "b.json") is False
    (tmp_path / "a.onnx").unlink()
    assert not said("b.onnx")


@pytest.mark.long
def test_a_drop_needs_labels(tmp_path):
    np.save(tmp_path / "images.npy", read_idx(CALIBRATION)[:64])
    done = adiabat("compress", MODEL, "--data", tmp_path / "images.npy", "--preprocess", PREPROCESS, "--images", 64,
                   "--max-drop", 1, "-o", tmp_path / "never.onnx")
    assert done.returncode == 2
    assert "no labels" in done.stderr.splitlines()[-1]
    d = json.loads(adiabat("compress", MODEL, "--data", CALIBRATION, "--preprocess", PREPROCESS, "--images", 128,
                           "--max-drop", 5, "--certify", 0, "-o", tmp_path / "small.onnx", "--json").stdout)
    assert d["measured"]["top1_before"] - d["measured"]["top1_after"] <= 5
    assert d["after"]["file"] <= d["smallest_within"]["limit"]
