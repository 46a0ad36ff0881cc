"""Regenerates the seeds of the ONNX fuzzer in fuzz/corpus/onnx: small models, one per feature of the format.

    pip install onnx
    python3 tools/fuzz/make_onnx_seeds.py

A seed that a crash left is named crash-* and stays.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

CORPUS = pathlib.Path(__file__).resolve().parents[2] / "fuzz/corpus/onnx"


def info(name, kind=T.FLOAT, shape=(2, 3)):
    return h.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, initializers=(), opset=18, functions=(), ir=8, **more):
    graph = h.make_graph(nodes, "g", inputs, outputs, list(initializers), **more)
    opsets = [h.make_opsetid("", opset), h.make_opsetid("local", 1), h.make_opsetid("com.microsoft", 1)]
    return h.make_model(graph, opset_imports=opsets, functions=functions, ir_version=ir)


def weights(name, *shape):
    return nh.from_array(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), name)


def ints(name, *values):
    return nh.from_array(np.array(values, np.int64), name)


def layers():
    yield "conv", model(
        [h.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2),
         h.make_node("Clip", ["c", "low", "high"], ["r"]), h.make_node("GlobalAveragePool", ["r"], ["p"]),
         h.make_node("Flatten", ["p"], ["f"]), h.make_node("Gemm", ["f", "k"], ["y"], transB=1)],
        [info("x", shape=["N", 4, 8, 8])], [info("y", shape=["N", 3])],
        [weights("w", 4, 2, 3, 3), weights("b", 4), weights("k", 3, 4), nh.from_array(np.float32(0), "low"),
         nh.from_array(np.float32(6), "high")])
    yield "attention", model(
        [h.make_node("MatMul", ["q", "k"], ["s"]), h.make_node("Softmax", ["s"], ["p"], axis=-1), h.make_node("MatMul", ["p", "v"], ["a"]),
         h.make_node("Shape", ["q"], ["sh"]), h.make_node("Gather", ["sh", "i"], ["d"]), h.make_node("Unsqueeze", ["d", "zero"], ["d1"]),
         h.make_node("Concat", ["d1", "minus"], ["to"], axis=0), h.make_node("Reshape", ["a", "to"], ["y"])],
        [info("q", shape=["B", "S", 4]), info("k", shape=["B", 4, "S"]), info("v", shape=["B", "S", 4])],
        [info("y", shape=["B", None])], [nh.from_array(np.int64(0), "i"), ints("zero", 0), ints("minus", -1)])
    yield "old", model(
        [h.make_node("Add", ["x", "b"], ["s"], axis=1, broadcast=1), h.make_node("Softmax", ["s"], ["t"], axis=1),
         h.make_node("Dropout", ["t"], ["u"], ratio=0.5), h.make_node("Pad", ["u"], ["p"], pads=[0, 0, 1, 0, 0, 1], value=2.0),
         h.make_node("Upsample", ["p"], ["v"], scales=[1.0, 2.0, 2.0]), h.make_node("Slice", ["v"], ["y"], starts=[0], ends=[1])],
        [info("x", shape=[2, 3, 4]), info("b", shape=[3])], [info("y", shape=None)], opset=6)
    yield "lstm", model(
        [h.make_node("LSTM", ["x", "w", "r", "b", "", "", ""], ["y", "", "c"], hidden_size=2, direction="bidirectional")],
        [info("x", shape=["T", 1, 3])], [info("y", shape=None), info("c", shape=None)],
        [weights("w", 2, 8, 3), weights("r", 2, 8, 2), weights("b", 2, 16)])
    yield "quantized", model(
        [h.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), h.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
         h.make_node("Cast", ["d"], ["y"], to=T.FLOAT16)],
        [info("x")], [info("y", T.FLOAT16)], [nh.from_array(np.float32(0.1), "s"), nh.from_array(np.uint8(3), "z")])


def control():
    then = h.make_graph([h.make_node("Add", ["x", "w"], ["t"])], "then", [], [info("t")])
    other = h.make_graph([h.make_node("Constant", [], ["e"], value=weights("", 2, 3))], "else", [], [info("e")])
    yield "if", model([h.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
                      [info("x"), info("c", T.BOOL, [])], [info("y")], [weights("w", 2, 3)])
    body = h.make_graph(
        [h.make_node("Add", ["s", "x"], ["s2"]), h.make_node("ReduceSum", ["s2"], ["n"], keepdims=0),
         h.make_node("Less", ["n", "limit"], ["go"])], "body",
        [info("i", T.INT64, []), info("c", T.BOOL, []), info("s")], [info("go", T.BOOL, []), info("s2"), info("n", shape=[])])
    yield "loop", model([h.make_node("Loop", ["m", "", "x"], ["y", "all"], body=body)], [info("x"), info("m", T.INT64, [])],
                        [info("y"), info("all", shape=[None])], [nh.from_array(np.float32(9), "limit")])
    step = h.make_graph([h.make_node("Add", ["a", "e"], ["a2"]), h.make_node("Identity", ["a2"], ["o"])], "step",
                        [info("a", shape=[3]), info("e", shape=[3])], [info("a2", shape=[3]), info("o", shape=[3])])
    yield "scan", model([h.make_node("Scan", ["a", "x"], ["y", "z"], num_scan_inputs=1, scan_input_axes=[0], body=step,
                                     scan_input_directions=[1], scan_output_directions=[1])],
                        [info("a", shape=[3]), info("x", shape=["T", 3])], [info("y", shape=[3]), info("z", shape=["T", 3])])
    one = h.make_graph([h.make_node("Neg", ["e"], ["o"])], "map", [info("e", shape=None)], [info("o", shape=None)])
    yield "sequence", model(
        [h.make_node("SplitToSequence", ["x"], ["s"], axis=0), h.make_node("SequenceMap", ["s"], ["t"], body=one),
         h.make_node("SequenceInsert", ["t", "x"], ["u"]), h.make_node("SequenceAt", ["u", "i"], ["y"])],
        [info("x")], [info("y", shape=None)], [nh.from_array(np.int64(0), "i")])


def format_features():
    inner = h.make_function("local", "Scale", ["a"], ["b"],
                            [node_with_reference(), h.make_node("Mul", ["a", "k"], ["b"])], [h.make_opsetid("", 18)], ["k"])
    outer = h.make_function("local", "Twice", ["a"], ["b"],
                            [h.make_node("Scale", ["a"], ["t"], domain="local", k=2.0),
                             h.make_node("Scale", ["t"], ["b"], domain="local", k=3.0)],
                            [h.make_opsetid("", 18), h.make_opsetid("local", 1)])
    yield "functions", model([h.make_node("Twice", ["x"], ["y"], domain="local")], [info("x")], [info("y")],
                             functions=[inner, outer])
    typed = [h.make_tensor(f"t{t}", t, [2], [1, 2]) for t in (T.FLOAT, T.INT8, T.INT64, T.DOUBLE, T.UINT64, T.FLOAT16, T.BFLOAT16, T.BOOL)]
    typed += [h.make_tensor("i4", T.INT4, [3], [1, -2, 3]), h.make_tensor("f8", T.FLOAT8E4M3FN, [2], [1, 2]),
              h.make_tensor("text", T.STRING, [2], [b"a", b"bc"])]
    nodes = [h.make_node("Identity", [t.name], [t.name + "_out"]) for t in typed]
    yield "types", model(nodes, [], [info(t.name + "_out", t.data_type, None) for t in typed], typed, opset=21)
    outside = T(name="w", data_type=T.FLOAT, dims=[2, 3], data_location=T.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", "8"), ("length", "24")):
        outside.external_data.add(key=key, value=value)
    yield "external", model([h.make_node("Add", ["x", "w"], ["y"])], [info("x")], [info("y")], [outside])
    sparse = h.make_sparse_tensor(nh.from_array(np.float32([1, 2]), "w"), ints("", 0, 5), [2, 3])
    yield "sparse", model([h.make_node("Add", ["x", "w"], ["y"])], [info("x")], [info("y")], sparse_initializer=[sparse])
    unsorted = model([h.make_node("Neg", ["a"], ["y"]), h.make_node("Abs", ["x"], ["a"])], [info("x"), info("w")], [info("y")],
                     [weights("w", 2, 3)], ir=3)
    unsorted.metadata_props.add(key="labels", value="a,b")
    yield "unsorted", unsorted


def node_with_reference():
    node = h.make_node("Constant", [], ["k"])
    node.attribute.add(name="value_float", ref_attr_name="k", type=onnx.AttributeProto.FLOAT)
    return node


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for old in CORPUS.iterdir():
        if not old.name.startswith("crash-"):
            old.unlink()
    for group in (layers, control, format_features):
        for name, m in group():
            (CORPUS / f"{name}.onnx").write_bytes(m.SerializeToString())


main()
