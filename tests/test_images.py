# SPDX-License-Identifier: Apache-2.0
"""Folders of JPEG and PNG files: every pixel against Pillow, geometry as torchvision has it; class folders, broken
files, other files. `eval` says the SHA-256 of the pixels that it read: equal digests are equal pixels."""

import hashlib
import json
import struct
import zlib

import jsonschema
import numpy as np
import onnx
import pytest
from conftest import MODEL, PREPROCESS, ROOT, adiabat, fashion_images, runtime_outputs
from PIL import Image
from test_bad_input import refused


def picture(height, width, channels=3, seed=0):
    """Something with edges, slopes and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([127 + 120 * np.sin(x / (7 + c) + y / (11 - c) + seed) for c in range(channels)], -1)
    smooth[height // 3:height // 2, width // 4:] = rng.integers(0, 256, channels)
    smooth *= rng.uniform(0.1, 1, channels)
    return np.clip(smooth + rng.normal(0, 9, smooth.shape), 0, 255).astype(np.uint8)


def network(path, channels=3, height=None, width=None, classes=5):
    """Averages and a matrix, on images of any size unless one is given."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(8, channels, 3, 3)).astype(np.float32)
    matrix = rng.normal(size=(8, classes)).astype(np.float32)
    nodes = [onnx.helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
             onnx.helper.make_node("Relu", ["a"], ["b"]),
             onnx.helper.make_node("GlobalAveragePool", ["b"], ["c"]),
             onnx.helper.make_node("Flatten", ["c"], ["d"]),
             onnx.helper.make_node("Gemm", ["d", "m"], ["y"])]
    graph = onnx.helper.make_graph(
        nodes, "small", [onnx.helper.make_tensor_value_info("x", 1, ["N", channels, height, width])],
        [onnx.helper.make_tensor_value_info("y", 1, ["N", classes])],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(matrix, "m")])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def resized(image, size, filter=Image.Resampling.BILINEAR):
    """torchvision's Resize."""
    if isinstance(size, int):
        short, long = sorted(image.size)
        long = int(size * long / short)
        size = (long, size) if image.width <= image.height else (size, long)
    if filter == Image.Resampling.NEAREST:
        return image.resize(size[::-1], filter)
    # First the rows, as all versions of Pillow before 13 have it; from there on some begin with the columns.
    return image.resize((size[1], image.height), filter).resize(size[::-1], filter)


def cropped(image, height, width):
    """torchvision's CenterCrop."""
    pixels = np.asarray(image)
    more_y, more_x = max(height - pixels.shape[0], 0), max(width - pixels.shape[1], 0)
    pads = [(more_y // 2, (more_y + 1) // 2), (more_x // 2, (more_x + 1) // 2), (0, 0)][:pixels.ndim]
    pixels = np.pad(pixels, pads)
    top, left = round((pixels.shape[0] - height) / 2), round((pixels.shape[1] - width) / 2)
    return pixels[top:top + height, left:left + width]


def planes(images):
    """[N, C, H, W] of images, HWC or HW."""
    return np.stack([np.atleast_3d(np.asarray(image)).transpose(2, 0, 1) for image in images])


def evaluate(model, folder, *more):
    done = adiabat("eval", model, "--data", folder, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def digest(pixels, labels=()):
    return hashlib.sha256(pixels.tobytes() + np.array(labels, np.int32).tobytes()).hexdigest()


def expect(model, folder, images, *more, labels=()):
    """That the tool reads these images, to the bit."""
    assert evaluate(model, folder, *more)[0]["data"]["sha256"] == digest(planes(images), labels)


JPEGS = {
    "gray": lambda path: Image.fromarray(picture(33, 47, 1)[..., 0]).save(path, quality=90),
    "444": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=95, subsampling=0),
    "422": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=80, subsampling=1),
    "420": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=75),
    "progressive": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=85, progressive=True),
    "rgb": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=85, keep_rgb=True),
    "cmyk": lambda path: Image.fromarray(picture(33, 47, 4), "CMYK").save(path, quality=95),
    "restarts": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=75, restart_marker_rows=1),
    "turned": lambda path: Image.fromarray(picture(33, 47)).save(path, quality=75, exif=turned()),
}


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("channels", [3, 1])
def test_jpeg_is_as_pillow_has_it(kind, channels, tmp_path):
    (tmp_path / "set").mkdir()
    JPEGS[kind](tmp_path / "set" / "a.jpg")
    image = Image.open(tmp_path / "set" / "a.jpg").convert("RGB" if channels == 3 else "L")
    expect(network(tmp_path / "n.onnx", channels), tmp_path / "set", [image])


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def write_png(path, color, depth, interlaced, chunks=()):
    """A PNG of any kind, which Pillow does not write; samples are random."""
    height, width, rng = 13, 21, np.random.default_rng(color * 32 + depth)
    samples = rng.integers(0, 2**depth, (height, width, CHANNELS[color]))

    def rows(part):
        for row in part.reshape(part.shape[0], -1):
            bits = (row[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            yield b"\0" + np.packbits(bits.astype(np.uint8)).tobytes()
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    data = b"".join(line for part in parts if part.size for line in rows(part))
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    content = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in content))


PNGS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16),
        (6, 8), (6, 16)]


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [3, 1])
def test_png_is_as_pillow_has_it(interlaced, channels, tmp_path):
    (tmp_path / "set").mkdir()
    for color, depth in PNGS:
        palette = np.random.default_rng(1).integers(0, 256, 3 << depth if color == 3 else 0, np.uint8).tobytes()
        for clear in ([], [(b"tRNS", {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: b"\7\0"}.get(color))]):
            if clear and clear[0][1] is None:
                continue
            chunks = [(b"gAMA", struct.pack(">I", 45455))] + ([(b"PLTE", palette)] if color == 3 else []) + clear
            write_png(tmp_path / "set" / f"{color}-{depth:02}-{len(clear)}.png", color, depth, interlaced, chunks)
    images = [Image.open(path).convert("RGB" if channels == 3 else "L")
              for path in sorted((tmp_path / "set").iterdir())]
    assert len(images) > 20
    expect(network(tmp_path / "n.onnx", channels), tmp_path / "set", images)


SIZES = [(40, 61), (61, 40), (50, 50), (17, 300), (233, 19), (97, 128)]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Images of many sizes, one of them gray: (folder, images as Pillow opens them)."""
    folder = tmp_path_factory.mktemp("mixed")
    for k, (height, width) in enumerate(SIZES):
        channels = 1 if k == 2 else 3
        pixels = picture(height, width, channels, k)
        Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(folder / f"{k}.{'png' if k % 2 else 'JPEG'}",
                                                                         quality=85)
    (folder / ".hidden").write_text("not looked at")
    return folder, [Image.open(path) for path in sorted(folder.glob("[0-9]*"))]


@pytest.mark.parametrize("resize,crop,interpolation", [
    *((resize, crop, how) for how in ("bilinear", "bicubic", "nearest")
      for resize, crop in ((36, (27, 30)), ((31, 45), None), ((64, 20), (33, 33)), (90, (224, 224)))),
    (36, (28, 28), "bilinear"), (200, (64, 65), "bilinear"), (None, (40, 40), "bilinear")])
def test_geometry_is_torchvisions(mixed, resize, crop, interpolation, tmp_path):
    folder, images = mixed
    filter = Image.Resampling[interpolation.upper()]

    def sized(image):
        image = resized(image, resize, filter) if resize else image
        return cropped(image, *crop) if crop else image
    options = ["--interpolation", interpolation] if resize else []
    if resize:
        options += ["--resize", resize if isinstance(resize, int) else f"{resize[0]}x{resize[1]}"]
    if crop:
        options += ["--crop", crop[0] if crop[0] == crop[1] else f"{crop[0]}x{crop[1]}"]
    expect(network(tmp_path / "n.onnx"), folder, [sized(image.convert("RGB")) for image in images], *options)
    expect(network(tmp_path / "gray.onnx", 1), folder, [sized(image.convert("L")) for image in images], *options)


def test_geometry_is_within_a_level_of_any_pillow(mixed):
    for image in mixed[1]:
        image = image.convert("RGB")
        for size in ((36, 28), (90, 20), (20, 90)):
            here, there = np.asarray(resized(image, size), int), np.asarray(image.resize(size[::-1], 2), int)
            assert np.abs(here - there).max() <= 1


def test_arrays_are_resized_as_files_are(tmp_path):
    pixels = np.stack([picture(30, 41, 3, k) for k in range(4)])
    np.save(tmp_path / "images.npy", pixels)
    images = [cropped(resized(Image.fromarray(p), 24), 20, 22) for p in pixels]
    options = ["--layout", "NHWC", "--resize", 24, "--crop", "20x22"]
    expect(network(tmp_path / "n.onnx"), tmp_path / "images.npy", images, *options)
    np.save(tmp_path / "float.npy", pixels.astype(np.float32))
    refused(adiabat("eval", tmp_path / "n.onnx", "--data", tmp_path / "float.npy", *options), "float", "uint8")


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("document", [False, True])
def test_what_the_network_gets(mixed, channels, document, tmp_path):
    """Labels are what ONNX Runtime answers on images preprocessed here: all must be met."""
    folder, images = mixed
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    pixels = planes([cropped(resized(image.convert("RGB"), 40), 32, 32) for image in images])
    if channels == "bgr":
        pixels = pixels[:, ::-1]
    x = (pixels.astype(np.float32) / 255 - mean[:, None, None]) / std[:, None, None]
    model = network(tmp_path / "n.onnx", 3, 32, 32, classes=50)
    labels = runtime_outputs(model, x).argmax(1)
    assert len(set(labels)) > 1
    (tmp_path / "labels.txt").write_text("\n".join(
        f"{name} {label}" for name, label in zip(sorted(p.name for p in folder.glob("[0-9]*")), labels)) + "\nx.jpg 3\n")
    options = ["--resize", 40, "--crop", 32, "--channels", channels, "--mean", "0.485,0.456,0.406", "--std",
               "0.229,0.224,0.225", "--scale", "1/255"]
    if document:
        (tmp_path / "p.json").write_text(json.dumps({
            "resize": 40, "crop": [32, 32], "channels": channels, "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225], "scale": 1 / 255}))
        options = ["--preprocess", tmp_path / "p.json"]
    result, _ = evaluate(model, folder, "--labels", tmp_path / "labels.txt", *options)
    assert result["result"]["top1"] == 100
    other = evaluate(model, folder, "--labels", tmp_path / "labels.txt", "--resize", "40", "--crop", "32")[0]
    assert other["result"]["top1"] < 100


def class_folders(root, parts=("",), names=("b", "a", "c"), count=3):
    """Class folders of small PNGs; returns {part: [(image, label)]} in the order of reading."""
    made = {}
    for p, part in enumerate(parts):
        made[part] = []
        for label, name in enumerate(sorted(names)):
            folder = root / part / name
            folder.mkdir(parents=True)
            for k in range(count):
                image = Image.fromarray(picture(20, 20, 3, 100 * p + 10 * label + k))
                image.save(folder / f"{k}.png")
                made[part].append((image, label))
    return made


def test_class_folders_are_labels(tmp_path):
    made = class_folders(tmp_path / "set")[""]
    images, labels = zip(*made)
    model = network(tmp_path / "n.onnx", classes=3)
    expect(model, tmp_path / "set", images, labels=labels)
    expect(model, tmp_path / "set", images, "--classes", "none")
    # A subset of the classes: their names say which they are.
    many = network(tmp_path / "many.onnx", classes=5)
    refused(adiabat("eval", many, "--data", tmp_path / "set"), "3 class folders", "5 classes", "--classes")
    (tmp_path / "names").write_text("c\nx\ny\na\nb\n")
    expect(many, tmp_path / "set", images, "--classes", tmp_path / "names", labels=[[3, 4, 0][k] for k in labels])
    (tmp_path / "names").write_text("c\nx\ny\na\n")
    refused(adiabat("eval", many, "--data", tmp_path / "set", "--classes", tmp_path / "names"), "class folder", "/b")


def test_parts_of_a_divided_folder(tmp_path):
    made = class_folders(tmp_path / "set", ("train", "val"))
    model = network(tmp_path / "n.onnx", classes=3)
    for split, part in (("auto", "val"), ("test", "val"), ("train", "train")):
        images, labels = zip(*made[part])
        expect(model, tmp_path / "set", images, "--split", split, labels=labels)
    # ImageNet's test part has no labels.
    (tmp_path / "set" / "test").mkdir()
    Image.fromarray(picture(20, 20)).save(tmp_path / "set" / "test" / "1.jpg")
    images, labels = zip(*made["val"])
    expect(model, tmp_path / "set", images, labels=labels)


def test_folders_that_are_none(tmp_path):
    model = network(tmp_path / "n.onnx", 3, 20, 20, classes=3)

    def refuse(*words, options=()):
        refused(adiabat("eval", model, "--data", tmp_path / "set", *options), *words)
    (tmp_path / "set").mkdir()
    refuse("directory without a known data set", "JPEG or PNG")
    (tmp_path / "set" / "a").mkdir()
    refuse("no JPEG or PNG images")
    class_folders(tmp_path / "set", names="bcd")
    (tmp_path / "set" / "a").rmdir()
    refuse("its folders are its labels", options=["--labels", MODEL])
    (tmp_path / "set" / "b" / "deep").mkdir()
    refuse("b/deep", "in a class folder")
    (tmp_path / "set" / "b" / "deep").rmdir()
    Image.fromarray(picture(20, 20)).save(tmp_path / "set" / "x.png")
    refuse("x.png", "beside folders")
    (tmp_path / "set" / "x.png").rename(tmp_path / "set" / "b" / "x.txt")
    refuse("b/x.txt", "--skip-broken")
    assert "x.txt" in evaluate(model, tmp_path / "set", "--skip-broken")[0]["data"]["left_out"][0]


def test_sizes_that_do_not_fit_are_named(mixed, tmp_path):
    folder, _ = mixed
    model, free = network(tmp_path / "n.onnx", 3, 32, 32), network(tmp_path / "free.onnx")
    refused(adiabat("eval", model, "--data", folder), "0.JPEG", "[3, 40, 61]", "[?, 3, 32, 32]", "--resize 32x32")
    refused(adiabat("eval", model, "--data", folder, "--resize", "32"), "0.JPEG", "[3, 32, 48]")
    refused(adiabat("eval", free, "--data", folder), "1.png", "61 x 40", "0.JPEG", "40 x 61", "--resize")
    for value in ("0", "-3", "3x", "x3", "3x4x5", "70000", "a", "1e3"):
        refused(adiabat("eval", model, "--data", folder, "--resize", value), "--resize", value, "224x192")
    refused(adiabat("eval", model, "--data", folder, "--crop", "32", "--interpolation", "cubic"), "cubic", "bicubic")
    refused(adiabat("eval", model, "--data", folder, "--crop", "32", "--interpolation", "nearest"), "nothing is resized")
    refused(adiabat("eval", model, "--data", folder, "--crop", "32", "--channels", "gbr"), "gbr", "rgb or bgr")
    refused(adiabat("eval", model, "--data", folder, "--crop", "32", "--preprocess", "{}"), "not both")
    refused(adiabat("eval", network(tmp_path / "g.onnx", 1), "--data", folder, "--crop", "32", "--channels", "bgr"),
            "1 channels", "expected 3")
    for document in ({"resize": [1, 2, 3]}, {"resize": 2.5}, {"crop": [0, 4]}, {"crop": None}, {"channels": 3},
                     {"interpolation": "box"}, {"resized": 4}):
        refused(adiabat("eval", model, "--data", folder, "--preprocess", json.dumps(document)), *document, "expected")


def damaged_set(folder):
    """Twelve good images, and four that are broken in different ways."""
    folder.mkdir()
    for k in range(12):
        Image.fromarray(picture(20, 20, 3, k)).save(folder / f"{k:02}.png")
    Image.fromarray(picture(20, 20)).save(folder / "whole.jpg")
    (folder / "03cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-200])
    (folder / "whole.jpg").unlink()
    (folder / "05empty.jpg").write_bytes(b"")
    (folder / "07text.png").write_bytes(b"no image at all")
    raw = bytearray((folder / "09.png").read_bytes())
    raw[len(raw) // 2] ^= 0x55
    (folder / "09bit.png").write_bytes(raw)
    return ["03cut.jpg", "05empty.jpg", "07text.png", "09bit.png"]


def test_broken_files_are_named(tmp_path):
    broken = damaged_set(tmp_path / "set")
    model = network(tmp_path / "n.onnx", 3, 20, 20)
    refused(adiabat("eval", model, "--data", tmp_path / "set"), *broken[:3], "1 more", "4 of the 16", "--skip-broken")
    images = [Image.open(tmp_path / "set" / f"{k:02}.png") for k in range(12)]
    result, errors = evaluate(model, tmp_path / "set", "--skip-broken")
    assert result["data"]["sha256"] == digest(planes(images)) and result["data"]["images"] == 12
    assert [name for name in broken if any(name in line for line in result["data"]["left_out"])] == broken
    assert "left out 4" in errors and "03cut.jpg" in errors
    assert evaluate(model, tmp_path / "set", "--skip-broken", "--images", 7)[0]["data"]["sha256"] == digest(
        planes(images[:7]))
    for path in (tmp_path / "set").glob("??.png"):
        path.write_bytes(b"")
    refused(adiabat("eval", model, "--data", tmp_path / "set", "--skip-broken"), "is empty")


def test_the_draw_replaces_broken_files(tmp_path):
    """Those drawn that are broken are replaced; nothing else changes; threads do not matter."""
    folder, images = tmp_path / "set", fashion_images()[0]
    folder.mkdir()
    for k in range(60):
        pixels = np.clip(images[k, 0] * 90 + 70, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{k:02}.png")

    preprocess = json.dumps({**json.loads(PREPROCESS.read_text()), "resize": 32, "crop": [28, 28],
                             "interpolation": "bicubic"})

    def run(*options):
        done = adiabat("compress", MODEL, "--data", folder, "--preprocess", preprocess, "--budget", "file=100KB", "-o",
                       tmp_path / "small.onnx", "--images", 20, "--hamiltonian", "l1", "--candidates", 1,
                       "--certify", 0, "--json", *options)
        if done.returncode != 0:
            return done, None
        document = json.loads(done.stdout)
        jsonschema.validate(document, json.loads((ROOT / "doc" / "run.schema.json").read_text()))
        return done, document["data"]
    whole = run()[1]
    skipping = run("--skip-broken")[1]
    assert skipping.pop("left_out") == []
    assert whole == skipping
    assert whole["preprocess"] == {**json.loads(preprocess), "layout": "NCHW"}
    for k in range(0, 60, 4):
        (folder / f"{k:02}.png").write_bytes(b"broken")
    refused(run()[0], "neither JPEG nor PNG", "--skip-broken")
    done, one = run("--skip-broken", "--threads", 1)
    assert one["calibration_images"] + one["judging_images"] == 20
    assert 0 < len(one["left_out"]) < 15
    assert f"left out {len(one['left_out'])}" in done.stderr
    assert one == run("--skip-broken", "--threads", 2)[1]


def test_hostile_sizes_are_refused_at_once(tmp_path):
    model, folder = network(tmp_path / "n.onnx"), tmp_path / "set"
    folder.mkdir()
    for height, width in ((2**31 - 1, 2**31 - 1), (65535, 65535), (100_000, 1), (0, 5)):
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))))
        refused(adiabat("eval", model, "--data", folder, "--crop", 8), "a.png")
    (folder / "a.png").unlink()
    raw = bytearray((JPEGS["420"](folder / "a.jpg"), (folder / "a.jpg").read_bytes())[1])
    at = raw.index(b"\xff\xc0")
    raw[at + 5:at + 9] = b"\xf0\x00\xf0\x00"
    (folder / "a.jpg").write_bytes(raw)
    refused(adiabat("eval", model, "--data", folder, "--crop", 8), "a.jpg", "61440 x 61440", "at most")
    # A line of pixels whose longer side would be resized to billions.
    Image.fromarray(picture(1, 60000)).save(folder / "a.png")
    (folder / "a.jpg").unlink()
    refused(adiabat("eval", model, "--data", folder, "--resize", 256, "--crop", 8), "a.png", "resized", "at most")
