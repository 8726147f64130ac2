# SPDX-License-Identifier: Apache-2.0
"""Writes the models that dev/fuzz.sh begins with: tiny ones that hold every kind of thing a model can hold.

    python dev/fuzz_seeds.py FOLDER
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(0)


def tensor(name, shape, kind=np.float32):
    return numpy_helper.from_array((RANDOM.normal(size=shape) * 3).astype(kind), name)


def info(name, shape=None, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, outputs, constants=(), shape=("N", 2, 6, 6), opset=17, kind=TensorProto.FLOAT, **more):
    graph = helper.make_graph(nodes, "g", [info("x", list(shape) if shape is not None else None, kind)],
                              [info(name, kind=kind) for name in outputs], list(constants),
                              sparse_initializer=more.pop("sparse", None))
    imports = [helper.make_opsetid("", opset), *more.pop("imports", [])]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="p", **more)


def plain():
    """Convolutions, normalization, pooling, a head."""
    node = helper.make_node
    nodes = [node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], kernel_shape=[3, 3], name="c"),
             node("BatchNormalization", ["a", "s", "b", "m", "v"], ["n"]), node("Relu", ["n"], ["r"]),
             node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
             node("Conv", ["p", "d"], ["q"], group=3), node("Concat", ["p", "q"], ["k"], axis=1),
             node("GlobalAveragePool", ["k"], ["o"]), node("Flatten", ["o"], ["f"]),
             node("Gemm", ["f", "g", "h"], ["y"], transB=1)]
    constants = [tensor("w", (3, 2, 3, 3)), tensor("s", 3), tensor("b", 3), tensor("m", 3),
                 numpy_helper.from_array(np.ones(3, np.float32), "v"), tensor("d", (3, 1, 1, 1)),
                 tensor("g", (4, 6)), tensor("h", 4)]
    return model(nodes, ["y"], constants)


def coupled():
    """Channels that meet in every way: sums, gates, shuffles, slices, groups."""
    node = helper.make_node
    ints = {"shuffle": [-1, 2, 2, 6, 6], "back": [-1, 4, 6, 6], "0": [0], "1": [1], "2": [2], "3": [3], "four": [4],
            "pads": [0, 1, 0, 0, 0, 1, 0, 0], "order": [3, 1, 1, 0], "tiles": [1, 4, 1, 1], "wide": [1, 4, 6, 6],
            "grouped": [0, 2, -1], "sizes": [1, 3]}
    nodes = [node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]), node("Conv", ["a", "d"], ["b"], group=4),
             node("Add", ["a", "b"], ["c"]), node("Reshape", ["c", "shuffle"], ["c1"]),
             node("Transpose", ["c1"], ["c2"], perm=[0, 2, 1, 3, 4]), node("Reshape", ["c2", "back"], ["e"]),
             node("Split", ["e", "sizes"], ["e1", "e2"], axis=1), node("Concat", ["e2", "e1"], ["f"], axis=1),
             node("GlobalAveragePool", ["f"], ["p"]), node("Conv", ["p", "one"], ["q"]), node("Sigmoid", ["q"], ["g"]),
             node("Mul", ["f", "g"], ["h"]), node("Tile", ["m", "tiles"], ["m4"]), node("Add", ["h", "m4"], ["h1"]),
             node("Slice", ["h1", "1", "3", "1"], ["s"]), node("Pad", ["s", "pads"], ["s1"]),
             node("Gather", ["s1", "order"], ["s2"], axis=1), node("ConvTranspose", ["s2", "t"], ["u"], group=2),
             node("Reshape", ["u", "grouped"], ["u1"]), node("InstanceNormalization", ["u1", "i", "i"], ["u2"]),
             node("Reshape", ["u2", "back"], ["u3"]), node("DepthToSpace", ["u3"], ["z"], blocksize=2),
             node("Conv", ["z", "last"], ["y0"]), node("Flatten", ["y0"], ["y1"]), node("Gemm", ["y1", "k"], ["y"])]
    constants = [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in ints.items()]
    constants += [tensor("w", (4, 2, 3, 3)), tensor("d", (4, 1, 1, 1)), tensor("one", (4, 4, 1, 1)), tensor("t", (4, 2, 1, 1)),
                  tensor("m", (1, 1, 1, 1)), tensor("i", 2), tensor("last", (2, 1, 1, 1)), tensor("k", (288, 3))]
    return model(nodes, ["y"], constants)


def shapes():
    """Shapes computed at run time, and what changes nothing."""
    node = helper.make_node
    ints = [("i0", [0]), ("i1", [1]), ("end", [2 ** 63 - 1]), ("target", [0, -1]), ("wide", [3, 2, 6, 6])]
    nodes = [node("Identity", ["x"], ["a"]), node("Shape", ["a"], ["s"]), node("Gather", ["s", "i0"], ["n"]),
             node("Concat", ["n", "minus"], ["t"], axis=0), node("Reshape", ["a", "t"], ["r"]),
             node("Slice", ["a", "i0", "end", "i1"], ["l"]), node("Transpose", ["l"], ["tr"], perm=[0, 2, 3, 1]),
             node("Reshape", ["tr", "target"], ["u"]), node("ConstantOfShape", ["wide"], ["z"]),
             node("Expand", ["one", "wide"], ["e"]), node("Add", ["z", "e"], ["ze"]), node("Add", ["x", "ze"], ["v"]),
             node("Split", ["v"], ["v1", "v2"], axis=1), node("Pad", ["v1", "pads"], ["vp"]),
             node("Unsqueeze", ["n", "i0"], ["nn"]), node("Squeeze", ["nn", "i0"], ["nnn"]),
             node("Cast", ["nnn"], ["nc"], to=1), node("Mul", ["nc", "half"], ["nm"]), node("MatMul", ["mm", "mm"], ["m2"]),
             node("ReduceSum", ["m2", "i1"], ["m3"]), node("Dropout", ["r"], ["rd"])]
    constants = [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in ints]
    constants += [numpy_helper.from_array(np.array([-1], np.int64), "minus"), tensor("one", (1, 1, 1, 1)),
                  numpy_helper.from_array(np.zeros(8, np.int64), "pads"), tensor("half", ()), tensor("mm", (3, 3))]
    return model(nodes, ["rd", "u", "vp", "nm", "m3"], constants)


def control_flow():
    """An If whose branches read outer values, with an operator of another domain."""
    node = helper.make_node

    def branch(name, op):
        inner = [node(op, ["x"], [name + "1"]), node("Add", [name + "1", "w"], [name])]
        return helper.make_graph(inner, name, [], [info(name)])
    nodes = [node("ReduceSum", ["x"], ["total"], keepdims=0), node("Cast", ["total"], ["cond"], to=TensorProto.BOOL),
             node("If", ["cond"], ["b"], then_branch=branch("t", "Relu"), else_branch=branch("f", "Neg")),
             node("Wobble", ["b"], ["y"], domain="com.example", ints=[1, 2], text="x", doc_string="words",
                  weight=tensor("inner", (2, 2)))]
    return model(nodes, ["y"], [tensor("w", ())], imports=[helper.make_opsetid("com.example", 3)])


def functions():
    """A function with an attribute that has a default and one that is given, called twice."""
    body = [helper.make_node("LeakyRelu", ["a"], ["c"]), helper.make_node("Mul", ["c", "b"], ["d"])]
    body[0].attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    function = helper.make_function("local", "F", ["a", "b"], ["d"], body, [helper.make_opsetid("", 17)], ["slope"])
    nodes = [helper.make_node("F", ["x", "w"], ["m"], domain="local", slope=0.2, name="one"),
             helper.make_node("F", ["m", "w"], ["y"], domain="local")]
    return model(nodes, ["y"], [tensor("w", ())], functions=[function], imports=[helper.make_opsetid("local", 1)])


def stored():
    """Every way in which numbers can be stored."""
    kinds = [np.float16, np.float64, np.int8, np.uint8, np.int32, np.int64, np.bool_]
    constants = [tensor(f"c{k}", (2, 2), kind) for k, kind in enumerate(kinds)]
    typed = helper.make_tensor("typed", TensorProto.FLOAT, [2], [1.0, 2.0])
    nibbles = TensorProto(name="nibbles", data_type=22, dims=[3], raw_data=b"\x21\x0f")
    words = helper.make_tensor("words", TensorProto.STRING, [2], [b"a", b"b"])
    sparse = helper.make_sparse_tensor(helper.make_tensor("sparse", TensorProto.FLOAT, [2], [1.0, 2.0]),
                                       helper.make_tensor("at", TensorProto.INT64, [2], [1, 5]), [3, 2])
    names = [t.name for t in constants] + ["typed", "nibbles", "words", "sparse"]
    nodes = [helper.make_node("Take", ["x", *names], ["y"], domain="com.example"),
             helper.make_node("Constant", [], ["k"], value_floats=[1.0, 2.0]),
             helper.make_node("SequenceConstruct", ["x", "x"], ["q"]), helper.make_node("Both", ["y", "k", "q"], ["z"])]
    made = model(nodes, ["z"], [*constants, typed, nibbles, words], sparse=[sparse], doc_string="words")
    made.graph.value_info.append(helper.make_tensor_sequence_value_info("q", TensorProto.FLOAT, ["N", None]))
    helper.set_model_props(made, {"key": "value"})
    return made


def half():
    """A network in half precision."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model(nodes, ["y"], [tensor("w", (2, 2, 3, 3), np.float16)], kind=TensorProto.FLOAT16)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (plain, coupled, shapes, control_flow, functions, stored, half):
        (folder / f"{make.__name__}.onnx").write_bytes(make().SerializeToString())


if __name__ == "__main__":
    main()
