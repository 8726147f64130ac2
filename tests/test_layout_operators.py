# SPDX-License-Identifier: Apache-2.0
"""Convolution, pooling, resampling and data movement against ONNX Runtime, attributes drawn at random, opset by opset.

The backend node tests show each operator as of the newest opset; exporters also write the older forms, and
combinations that no node test has. Cases that ONNX Runtime refuses are left out, ours must run all others.
"""

import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = pathlib.Path(os.environ.get("ADIABAT_TOOL", ROOT / "build" / "release" / "adiabat"))
RUNNER = TOOL.parent / "adiabat_node_tests"


class Cases:
    def __init__(self, folder, seed):
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.count = {}

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def integers(self, low, high, count):
        return [self.integer(low, high) for _ in range(count)]

    def one_of(self, choices):
        return choices[self.integer(0, len(choices) - 1)]

    def floats(self, shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def positive(self, shape):
        """For sums: they are compared relatively, and must not cancel."""
        return self.rng.uniform(0.5, 1.5, shape).astype(np.float32)

    def add(self, op, opset, fed, constants=(), outputs=1, **attributes):
        """Writes a case in the form of a backend node test; `constants` are inputs too, None where left out."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        constants = list(constants)
        names = [f"x{k}" for k in range(len(fed))]
        names += ["" if c is None else f"c{k}" for k, c in enumerate(constants)]
        out = [f"y{k}" for k in range(outputs)]
        node = helper.make_node(op, names, out, **{k: v for k, v in attributes.items() if v is not None})
        graph = helper.make_graph(
            [node], op,
            [helper.make_tensor_value_info(f"x{k}", helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for k, v in enumerate(fed)],
            [onnx.ValueInfoProto(name=n) for n in out],
            [numpy_helper.from_array(np.asarray(c), f"c{k}") for k, c in enumerate(constants) if c is not None])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), options)
            expected = session.run(None, {f"x{k}": v for k, v in enumerate(fed)})
        except Exception:  # its exceptions have no common type; what it refuses is no case
            return
        for info, value in zip(model.graph.output, expected):
            info.CopyFrom(helper.make_tensor_value_info(
                info.name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
        self.count[op] = self.count.get(op, 0) + 1
        case = self.folder / f"{op}_{opset}_{self.count[op]}"
        data = case / "test_data_set_0"
        data.mkdir(parents=True)
        (case / "model.onnx").write_bytes(model.SerializeToString())
        for stem, values in (("input", fed), ("output", expected)):
            for k, value in enumerate(values):
                (data / f"{stem}_{k}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())

    def window(self, rank, kernel, pads_below):
        """Strides, dilations and pads, or auto_pad.

        Where a stride is larger than its kernel the runtime reads SAME in a way of its own (pools skip the first
        elements, transposed convolutions give less than stride times the input); such windows are not drawn.
        """
        attributes = {"strides": self.integers(1, 3, rank), "dilations": self.integers(1, 2, rank)}
        if self.integer(0, 2):
            attributes["pads"] = [self.integer(0, min(2, pads_below(k) - 1)) for k in kernel * 2]
        else:
            attributes["auto_pad"] = self.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])
            attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel)]
            attributes["dilations"] = [1] * rank
        return attributes


def convolutions(cases):
    for _ in range(60):
        rank = cases.one_of([1, 2, 2, 3])
        group, kernel = cases.one_of([1, 2, 4]), cases.integers(1, 3, rank)
        x = cases.positive([cases.integer(1, 2), 4, *cases.integers(6, 9, rank)])
        window = cases.window(rank, kernel, lambda k: 3)
        bias = [cases.positive([8])] if cases.integer(0, 1) else []
        opset = cases.one_of([7, 11, 22])
        cases.add("Conv", opset, [x], [cases.positive([8, 4 // group, *kernel]), *bias], group=group, **window)
        window = cases.window(rank, kernel, lambda k: k)
        if cases.integer(0, 1):
            window["output_padding"] = [min(s, d) - 1 for s, d in zip(window["strides"], window["dilations"])]
        elif cases.integer(0, 2) == 0:
            window.pop("pads", None)
            window["output_shape"] = [
                (n - 1) * s + (k - 1) * d + 1 - cases.integer(0, 1)
                for n, s, k, d in zip(x.shape[2:], window["strides"], kernel, window["dilations"])]
        cases.add("ConvTranspose", opset, [x], [cases.positive([4, 8 // group, *kernel]), *bias], group=group, **window)


def pools(cases):
    for _ in range(80):
        rank = cases.one_of([1, 2, 2, 3])
        kernel = cases.integers(1, 4, rank)
        x = cases.floats([2, 3, *cases.integers(7, 10, rank)])
        window = {"kernel_shape": kernel, **cases.window(rank, kernel, lambda k: k)}
        ceil = cases.integer(0, 1) if "auto_pad" not in window else None
        plain = {k: v for k, v in window.items() if k != "dilations"}
        cases.add("MaxPool", 7, [x], **plain)
        cases.add("MaxPool", cases.one_of([10, 11, 12]), [x], outputs=2, ceil_mode=ceil,
                  storage_order=cases.integer(0, 1), **window)
        for kind in (np.uint8, np.int8):
            cases.add("MaxPool", 12, [(x * 40).astype(kind)], ceil_mode=ceil, **window)
        include = cases.integer(0, 1)
        cases.add("AveragePool", 7, [x], count_include_pad=include, **plain)
        cases.add("AveragePool", cases.one_of([19, 22]), [x], count_include_pad=include, **window)
        cases.add("LpPool", cases.one_of([7, 11]), [x], p=cases.integer(1, 3), **plain)
        cases.add("LpPool", 18, [x], p=cases.integer(1, 3), **window)
        cases.add("GlobalLpPool", 7, [x], p=cases.integer(1, 3))


def resampling(cases):
    modes = ["half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners"]
    rounding = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
    for _ in range(60):
        x = cases.positive([2, 3, *cases.integers(4, 7, 2)])
        factors = cases.one_of([[2, 2], [3, 2], [0.5, 0.5], [1.5, 2.5], [0.75, 3]])
        # Where a size does not come out whole, ONNX and its runtime disagree; they agree on these.
        whole = all(float(n * f).is_integer() for n, f in zip(x.shape[2:], factors))
        scales = np.array([1, 1, *factors], np.float32)
        sizes = np.array([*x.shape[:2], *cases.integers(3, 12, 2)], np.int64)
        none = np.zeros(0, np.float32)
        for mode in ("nearest", "linear"):
            if whole:
                cases.add("Upsample", 7, [x], mode=mode, scales=scales.tolist())
                cases.add("Upsample", 9, [x], [scales], mode=mode)
                cases.add("Resize", 10, [x], [scales], mode=mode)
        for mode in ("nearest", "linear", "cubic"):
            how = {"mode": mode, "coordinate_transformation_mode": cases.one_of(modes)}
            if mode == "nearest":
                how["nearest_mode"] = cases.one_of(rounding)
            if mode == "cubic":
                how["cubic_coeff_a"] = cases.one_of([-0.5, -0.75])
                how["exclude_outside"] = cases.integer(0, 1)
            opset = cases.one_of([11, 13, 18])
            if whole:
                cases.add("Resize", opset, [x], [none, scales], **how)
            cases.add("Resize", opset, [x], [none, none if opset < 13 else None, sizes], **how)
            if mode != "nearest" and how["coordinate_transformation_mode"] != "align_corners":
                how.pop("exclude_outside", None)
                cases.add("Resize", 18, [x], [None, None, sizes], antialias=1, **how)
            # ONNX aligns the corners of a size that is not rounded yet, its runtime of the rounded one.
            rounds = how["coordinate_transformation_mode"] != "align_corners"
            policy = cases.one_of(["stretch", "not_larger", "not_smaller"] if rounds else ["stretch"])
            cases.add("Resize", 18, [x], [None, None, sizes[2:]], axes=[2, 3], keep_aspect_ratio_policy=policy, **how)
        region = np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 1.2], np.float32)
        # The runtime does not crop an axis that keeps its size.
        other = np.where(sizes == x.shape, sizes + [0, 0, 1, 1], sizes)
        cases.add("Resize", 13, [x], [region, None, other], mode="linear", extrapolation_value=9.0,
                  coordinate_transformation_mode="tf_crop_and_resize")
        grid = cases.rng.uniform(-1.2, 1.2, [2, 3, 4, 2]).astype(np.float32)
        cases.add("GridSample", 16, [x, grid], align_corners=cases.integer(0, 1),
                  mode=cases.one_of(["bilinear", "nearest", "bicubic"]),
                  padding_mode=cases.one_of(["zeros", "border", "reflection"]))
        block = cases.one_of([2, 3])
        deep = cases.floats([2, 2 * block * block, 3, 2])
        cases.add("DepthToSpace", 7, [deep], blocksize=block)
        cases.add("DepthToSpace", 13, [deep], blocksize=block, mode=cases.one_of(["DCR", "CRD"]))
        cases.add("SpaceToDepth", 13, [cases.floats([2, 3, 2 * block, block])], blocksize=block)
        corners = np.sort(cases.rng.uniform(-1, 12, [3, 2, 2]), axis=1).reshape(3, 4).astype(np.float32)
        cases.add("RoiAlign", cases.one_of([10, 16]), [x, corners], [np.array([0, 1, 1], np.int64)],
                  output_height=2, output_width=3, spatial_scale=0.5, sampling_ratio=cases.integer(0, 2),
                  mode="avg")


def movement(cases):
    def int64(*values):
        return np.array(values, np.int64)

    for _ in range(40):
        x = cases.floats([3, 4, 5])
        pads = cases.integers(0, 2, 6)
        mode = cases.one_of(["constant", "reflect", "edge"])
        cases.add("Pad", 7, [x], mode=mode, pads=pads, value=1.5)
        cases.add("Pad", 11, [x], [int64(*pads), np.float32(2.5)], mode=mode)
        cases.add("Pad", 18, [x], [int64(*pads[:4]), None, int64(2, -3)], mode=mode)
        cases.add("Pad", 19, [x], [int64(*pads)], mode="wrap")
        cases.add("Pad", 13, [(x * 9).astype(np.int64)], [int64(*pads), np.int64(7)])
        cases.add("Pad", 13, [x > 0], [int64(*pads), np.bool_(True)])
        starts, ends = cases.integers(-6, 6, 2), cases.integers(-6, 6, 2)
        steps = [cases.one_of([-3, -2, -1, 1, 2, 3]) for _ in range(2)]
        cases.add("Slice", 7, [x], starts=starts, ends=ends, axes=[0, 2])
        cases.add("Slice", 13, [x], [int64(*starts), int64(*ends), int64(1, -1), int64(*steps)])
        axis = cases.integer(-3, 2)
        cases.add("Split", 7, [x], outputs=3, axis=2, split=[1, 3, 1])
        cases.add("Split", 13, [x], [int64(2, 0, 3)], outputs=3, axis=-1)
        cases.add("Split", 18, [x], outputs=3, axis=axis, num_outputs=3)
        cases.add("Gather", 7, [x], [cases.rng.integers(-3, 3, [2, 3])], axis=axis)
        cases.add("GatherElements", 13, [x], [cases.rng.integers(-3, 3, [2, 3, 4])], axis=axis)
        cases.add("GatherND", 13, [x], [cases.rng.integers(-3, 3, [3, 2, 2])], batch_dims=cases.integer(0, 1))
        where = np.argsort(cases.rng.random([3, 4, 5]), axis=axis)
        cases.add("ScatterElements", 11, [x], [where, cases.floats([3, 4, 5])], axis=axis)
        often = cases.rng.integers(-3, 3, [3, 4, 5])
        cases.add("ScatterElements", 18, [x], [often, cases.floats([3, 4, 5])], axis=axis,
                  reduction=cases.one_of(["add", "mul", "max", "min"]))
        cases.add("ScatterND", 16, [x], [int64([0, 1], [-1, 3]), cases.floats([2, 5])],
                  reduction=cases.one_of([None, "add", "mul"]))
        tied = np.round(x)
        cases.add("TopK", 7, [tied], outputs=2, axis=axis, k=2)
        cases.add("TopK", 11, [tied], [int64(3)], outputs=2, axis=axis, largest=cases.integer(0, 1))
        cases.add("OneHot", 11, [cases.rng.integers(-5, 5, [2, 3])], [np.int64(4), np.float32([0, 2])], axis=axis)
        cases.add("Flatten", 11, [x], axis=axis)
        cases.add("Squeeze", 7, [x[:, :1]], axes=[1])
        cases.add("Unsqueeze", 13, [x], [int64(-1, 1)])
        cases.add("Expand", 8, [x[:, :1]], [int64(2, 1, 4, 1)])
        cases.add("Tile", 7, [x], [int64(2, 1, 3)])
        cases.add("Transpose", 7, [x], perm=cases.rng.permutation(3).tolist())
        cases.add("Compress", 11, [x], [np.array([True, False, True])], axis=axis)
        cases.add("ReverseSequence", 10, [x], [int64(1, 3, 2)], batch_axis=0, time_axis=1)
        cases.add("Trilu", 14, [x], [np.int64(cases.integer(-5, 5))], upper=cases.integer(0, 1))
        cases.add("NonZero", 13, [tied])
        cases.add("Unique", 11, [tied[0]], outputs=4, axis=cases.one_of([None, 0, 1]), sorted=cases.integer(0, 1))


def check(tmp_path, fill, least):
    cases = Cases(tmp_path, seed=1)
    fill(cases)
    few = {op: count for op, count in cases.count.items() if count < 5}
    assert sum(cases.count.values()) >= least and not few, f"hardly any cases: {cases.count}"
    done = subprocess.run([RUNNER, tmp_path], capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == sum(cases.count.values()), done.stderr[-400:]
    failed = [line for line in lines if not line.startswith("pass ")]
    assert not failed, f"{len(failed)} of {len(lines)}:\n" + "\n".join(failed[:40])


def test_convolutions(tmp_path):
    check(tmp_path, convolutions, 90)


def test_pools(tmp_path):
    check(tmp_path, pools, 400)


def test_resampling(tmp_path):
    check(tmp_path, resampling, 600)


def test_movement(tmp_path):
    check(tmp_path, movement, 900)
