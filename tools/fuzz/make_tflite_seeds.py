"""Regenerates the seeds of the TensorFlow Lite fuzzer in fuzz/corpus/tflite: small models, one per feature of the format.

    python3 tools/fuzz/make_tflite_seeds.py      # needs flatc (flatbuffers-compiler)

A seed that a crash left is named crash-* and stays.
"""

import io
import json
import pathlib
import struct
import subprocess
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "fuzz/corpus/tflite"
SCHEMA = ROOT / "src/formats/tflite/schema.fbs"


def floats(*values):
    return list(struct.pack(f"<{len(values)}f", *values))


def ints(*values):
    return list(struct.pack(f"<{len(values)}i", *values))


class Model:
    def __init__(self):
        self.codes, self.buffers, self.graphs, self.more, self.archive = [], [{}], [], {}, {}
        self.method = zipfile.ZIP_STORED

    def graph(self):
        self.graphs.append({"tensors": [], "inputs": [], "outputs": [], "operators": [], "name": f"g{len(self.graphs)}"})
        return Graph(self, self.graphs[-1])

    def code(self, op, custom=None, version=1):
        code = {"builtin_code": op, "deprecated_builtin_code": 0, "version": version}
        if custom:
            code["custom_code"] = custom
        if code not in self.codes:
            self.codes.append(code)
        return self.codes.index(code)

    def json(self):
        return {"version": 3, "operator_codes": self.codes, "subgraphs": self.graphs, "buffers": self.buffers, **self.more}


class Graph:
    def __init__(self, model, graph):
        self.model, self.g = model, graph

    def tensor(self, shape, kind="FLOAT32", data=None, **more):
        t = {"shape": shape, "type": kind, "name": f"t{len(self.g['tensors'])}", **more}
        if data is not None:
            t["buffer"] = len(self.model.buffers)
            self.model.buffers.append({"data": data})
        self.g["tensors"].append(t)
        return len(self.g["tensors"]) - 1

    def input(self, shape, kind="FLOAT32", **more):
        t = self.tensor(shape, kind, **more)
        self.g["inputs"].append(t)
        return t

    def op(self, name, inputs, outputs, options=None, custom=None, custom_options=None, version=1):
        o = {"opcode_index": self.model.code(name, custom, version), "inputs": inputs, "outputs": outputs}
        if options:
            o["builtin_options_type"], o["builtin_options"] = options
        if custom_options:
            o["custom_options"] = custom_options
        self.g["operators"].append(o)

    def output(self, *tensors):
        self.g["outputs"] += tensors


def conv():
    m = Model()
    g = m.graph()
    x = g.input([1, 4, 4, 2], shape_signature=[-1, 4, 4, 2])
    w = g.tensor([2, 3, 3, 2], data=floats(*range(36)))
    b = g.tensor([2], data=floats(1, 2))
    d = g.tensor([1, 3, 3, 2], data=floats(*range(18)))
    y, z, p = g.tensor([1, 4, 4, 2]), g.tensor([1, 2, 2, 2]), g.tensor([1, 1, 1, 2])
    g.op("CONV_2D", [x, w, b], [y], ("Conv2D", {"padding": "SAME", "stride_w": 1, "stride_h": 1, "activation": "RELU6"}))
    g.op("DEPTHWISE_CONV_2D", [y, d, -1], [z], ("DepthwiseConv2D", {"padding": "VALID", "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}))
    g.op("AVERAGE_POOL_2D", [z], [p], ("Pool2D", {"padding": "VALID", "stride_w": 2, "stride_h": 2, "filter_w": 2, "filter_h": 2}))
    g.output(p)
    m.more["signature_defs"] = [{"signature_key": "serve", "subgraph_index": 0, "inputs": [{"name": "in", "tensor_index": x}],
                                 "outputs": [{"name": "out", "tensor_index": p}]}]
    return m


def hybrid():
    m = Model()
    g = m.graph()
    x = g.input([1, 4])
    w = g.tensor([3, 4], "INT8", list(range(12)), quantization={"scale": [0.5, 1, 2], "zero_point": [0, 0, 0], "quantized_dimension": 0})
    w4 = g.tensor([2, 3], "INT4", [0x12, 0x34, 0x56], quantization={"scale": [0.5], "zero_point": [0]})
    y, z = g.tensor([1, 3]), g.tensor([1, 2])
    g.op("FULLY_CONNECTED", [x, w, -1], [y], ("FullyConnected", {"asymmetric_quantize_inputs": True}))
    g.op("FULLY_CONNECTED", [y, w4, -1], [z], ("FullyConnected", {}))
    g.output(z)
    return m


def quantized():
    m = Model()
    g = m.graph()
    q = {"scale": [0.5], "zero_point": [3]}
    x, y, z = g.input([1, 4], "INT8", quantization=q), g.tensor([1, 4], "INT8", quantization=q), g.tensor([1, 4])
    g.op("ADD", [x, x], [y], ("Add", {}))
    g.op("DEQUANTIZE", [y], [z])
    g.output(z)
    return m


def control():
    m = Model()
    g, small, step = m.graph(), m.graph(), m.graph()
    i, x = g.input([], "INT32"), g.input([2])
    j, y = g.tensor([], "INT32"), g.tensor([2])
    g.op("WHILE", [i, x], [j, y], ("While", {"cond_subgraph": 1, "body_subgraph": 2}))
    g.output(j, y)
    a, _ = small.input([], "INT32"), small.input([2])
    ten, less = small.tensor([], "INT32", ints(10)), small.tensor([], "BOOL")
    small.op("LESS", [a, ten], [less])
    small.output(less)
    a, b = step.input([], "INT32"), step.input([2])
    one, c, d = step.tensor([], "INT32", ints(1)), step.tensor([], "INT32"), step.tensor([2])
    step.op("ADD", [a, one], [c], ("Add", {}))
    step.op("MUL", [b, b], [d], ("Mul", {"activation": "TANH"}))
    step.output(c, d)
    return m


def variables():
    m = Model()
    g, once = m.graph(), m.graph()
    x = g.input([2])
    h, v, s = g.tensor([], "RESOURCE"), g.tensor([2]), g.tensor([2])
    g.op("CALL_ONCE", [], [], ("CallOnce", {"init_subgraph": 1}))
    g.op("VAR_HANDLE", [], [h], ("VarHandle", {"shared_name": "v"}))
    g.op("READ_VARIABLE", [h], [v])
    g.op("ADD", [v, x], [s], ("Add", {}))
    g.op("ASSIGN_VARIABLE", [h, s], [])
    g.output(s)
    h, c = once.tensor([], "RESOURCE"), once.tensor([2], data=floats(1, 2))
    once.op("VAR_HANDLE", [], [h], ("VarHandle", {"shared_name": "v"}))
    once.op("ASSIGN_VARIABLE", [h, c], [])
    return m


def branches():
    m = Model()
    g, yes, no = m.graph(), m.graph(), m.graph()
    c, x, y = g.input([], "BOOL"), g.input([2]), g.tensor([2])
    g.op("IF", [c, x], [y], ("If", {"then_subgraph": 1, "else_subgraph": 2}))
    g.output(y)
    for branch, op in ((yes, "RELU"), (no, "TANH")):
        a, b = branch.input([2]), branch.tensor([2])
        branch.op(op, [a], [b])
        branch.output(b)
    return m


def svdf():
    m = Model()
    g = m.graph()
    x = g.input([1, 2])
    w, t, b = g.tensor([2, 2], data=floats(1, 2, 3, 4)), g.tensor([2, 3], data=floats(*range(6))), g.tensor([1], data=floats(1))
    s, y = g.tensor([1, 6], is_variable=True), g.tensor([1, 1])
    g.op("SVDF", [x, w, t, b, s], [y], ("SVDF", {"rank": 2, "activation": "RELU"}))
    g.output(y)
    return m


def lstm():
    m = Model()
    g = m.graph()
    x = g.input([1, 3, 2])
    w = [g.tensor([2, 2], data=floats(1, 2, 3, 4)) for _ in range(8)]
    b = [g.tensor([2], data=floats(1, 2)) for _ in range(4)]
    h, c, y = g.tensor([1, 2], is_variable=True), g.tensor([1, 2], is_variable=True), g.tensor([1, 3, 2])
    g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *w, -1, -1, -1, *b, -1, -1, h, c], [y],
         ("UnidirectionalSequenceLSTM", {"activation": "TANH", "cell_clip": 1.0}))
    g.output(y)
    return m


def wide_lstm():
    """States of 16 bits, as TensorFlow Lite Micro has them."""
    m = Model()
    g = m.graph()
    q = lambda scale: {"scale": [scale], "zero_point": [0]}  # noqa: E731
    x = g.input([1, 3, 2], "INT16", quantization=q(1 / 20000))
    weights = lambda k: g.tensor([2, 2], "INT8", [(37 * (k + i) + 11) % 256 for i in range(4)], quantization=q(1 / 64))  # noqa: E731
    w = [weights(5 * k) for k in range(8)]
    b = [g.tensor([2], "INT64", list(struct.pack("<2q", 90000 * k, -40000 * k)), quantization=q(1 / 1280000)) for k in range(4)]
    h = g.tensor([1, 2], "INT16", is_variable=True, quantization=q(1 / 32768))
    c, y = g.tensor([1, 2], "INT16", is_variable=True, quantization=q(2.0**-11)), g.tensor([1, 3, 2], "INT16", quantization=q(1 / 32768))
    g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *w, -1, -1, -1, *b, -1, -1, h, c, -1, -1, -1, -1], [y], ("UnidirectionalSequenceLSTM", {"activation": "TANH"}))
    g.output(y)
    return m


def strings():
    m = Model()
    g = m.graph()
    g.input([1])
    g.output(g.tensor([2], "STRING", ints(2, 16, 18, 21) + list(b"abcde")))
    return m


def signal():
    m = Model()
    g = m.graph()
    x, w, y, z = g.input([8], "INT16"), g.tensor([8], "INT16", [1, 0] * 8), g.tensor([8], "INT16"), g.tensor([10], "INT16")
    g.op("CUSTOM", [x, w], [y], custom="SignalWindow", custom_options=list(b"shift\x00\x01\x07\x01\x01\x01\x0c\x04\x02$\x01"))
    g.op("CUSTOM", [y], [z], custom="SignalRfft", custom_options=list(b"fft_length\x00\x01\x0c\x01\x01\x01\x08\x04\x02$\x01"))
    g.output(z)
    return m


def frames():
    m = Model()
    g = m.graph()
    x = g.input([4], "INT16")
    y, valid, late = g.tensor([2, 5], "INT16"), g.tensor([], "BOOL"), g.tensor([4], "INT16")
    full, always, added = g.tensor([2, 4], "INT16"), g.tensor([], "BOOL"), g.tensor([4], "INT16")
    stacked, complete = g.tensor([12], "INT16"), g.tensor([], "BOOL")
    g.op("CUSTOM", [x], [y, valid], custom="SignalFramer",
         custom_options=list(b"frame_size\x00frame_step\x00prefill\x00\x03\x1f\x15\x0b\x03\x01\x03\x05\x02\x00\x04\x04h\x06$\x01"))
    g.op("CUSTOM", [x], [full, always], custom="SignalFramer",
         custom_options=list(b"frame_size\x00frame_step\x00prefill\x00\x03\x1f\x15\x0b\x03\x01\x03\x04\x02\x01\x04\x04h\x06$\x01"))
    g.op("CUSTOM", [full], [added], custom="SignalOverlapAdd", custom_options=list(b"T\x00frame_step\x00\x02\x0e\r\x02\x01\x02\x07\x02\x04\x04\x04$\x01"))
    g.op("CUSTOM", [x], [late], custom="SignalDelay", custom_options=list(b"delay_length\x00\x01\x0e\x01\x01\x01\x03\x04\x02$\x01"))
    g.op("CUSTOM", [x], [stacked, complete], custom="SignalStacker",
         custom_options=list(b"num_channels\x00stacker_left_context\x00stacker_right_context\x00stacker_step\x00\x04F:&\x11\x04\x01\x04\x04\x01\x01\x02\x04\x04\x04\x04\x08$\x01"))
    g.output(y, valid, late, full, always, added, stacked, complete)
    return m


def sparse():
    m = Model()
    g = m.graph()
    x = g.input([1, 2])
    w = g.tensor([2, 2], data=floats(5, 6), sparsity={
        "traversal_order": [0, 1],
        "levels": [{"format": "DENSE", "dense_size": 2},
                   {"format": "SPARSE_CSR", "segments_type": "I32", "segments": {"values": [0, 1, 2]}, "indices_type": "U8",
                    "indices": {"values": [1, 0]}}]})
    y = g.tensor([1, 2])
    g.op("FULLY_CONNECTED", [x, w, -1], [y], ("FullyConnected", {}))
    g.output(y)
    return m


def external():
    m = conv()
    m.graphs[0]["tensors"][2].update(buffer=0, external_buffer=7)
    m.more["external_buffer_groups"] = [{"name": "weights.bin"}]
    m.more["external_buffers"] = [{"id": 7, "group": 0, "offset": 8, "length": 8}]
    return m


def compiled(schema, text):
    """The flatbuffer that the JSON text is."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "seed.json"
        path.write_text(json.dumps(text))
        subprocess.run(["flatc", "--binary", "-o", folder, str(schema), str(path)], check=True)
        (made,) = [p for p in pathlib.Path(folder).iterdir() if p.suffix != ".json"]
        return made.read_bytes()


def signatures():
    """A weight that "train" changes, "infer" uses and "reset" takes back to where it began."""
    m = Model()
    train, infer, reset, once = m.graph(), m.graph(), m.graph(), m.graph()

    def handle(g):
        h = g.tensor([], "RESOURCE")
        g.op("VAR_HANDLE", [], [h], ("VarHandle", {"shared_name": "w"}))
        return h

    def start(g):
        g.op("CALL_ONCE", [], [], ("CallOnce", {"init_subgraph": 3}))
        return handle(g)
    x, h = train.input([2]), start(train)
    old, new = train.tensor([2]), train.tensor([2])
    train.op("READ_VARIABLE", [h], [old])
    train.op("ADD", [old, x], [new], ("Add", {}))
    train.op("ASSIGN_VARIABLE", [h, new], [])
    train.output(new)
    x, h = infer.input([2]), start(infer)
    w, y = infer.tensor([2]), infer.tensor([2])
    infer.op("READ_VARIABLE", [h], [w])
    infer.op("MUL", [w, x], [y], ("Mul", {}))
    infer.output(y)
    for g in (reset, once):
        g.op("ASSIGN_VARIABLE", [handle(g), g.tensor([2], data=floats(1, 2))], [])
    y = reset.tensor([2])
    reset.op("NEG", [1], [y], ("Neg", {}))
    reset.output(y)
    maps = {"train": ("step", "now"), "infer": ("x", "y"), "reset": (None, "done")}
    m.more["signature_defs"] = [
        {"signature_key": key, "subgraph_index": k, "inputs": [{"name": i, "tensor_index": t} for t in g["inputs"]],
         "outputs": [{"name": o, "tensor_index": t} for t in g["outputs"]]} for k, (g, (key, (i, o))) in enumerate(zip(m.graphs, maps.items()))]
    return m


def metadata():
    m = conv()
    about = {"name": "two kinds", "author": "somebody", "subgraph_metadata": [{
        "input_tensor_metadata": [{"content": {"content_properties_type": "Image", "content_properties": {"color_space": "RGB"}},
                                   "process_units": [{"options_type": "Normalization", "options": {"mean": [127.5], "std": [127.5]}}]}],
        "output_tensor_metadata": [{"associated_files": [{"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"}]}]}]}
    m.more["metadata"] = [{"name": "TFLITE_METADATA", "buffer": len(m.buffers)}, {"name": "min_runtime_version", "buffer": len(m.buffers) + 1}]
    m.buffers += [{"data": list(compiled(SCHEMA.with_name("metadata.fbs"), about))}, {"data": list(b"1.5.0\0\0")}]
    m.archive = {"labels.txt": "one\ntwo\n"}
    return m


def compressed_labels():
    m = metadata()
    m.archive, m.method = {"labels.txt": "".join(f"class {i}\n" for i in range(60))}, zipfile.ZIP_DEFLATED
    return m


def tables():
    m = Model()
    g, once = m.graph(), m.graph()
    x = g.input([3], "STRING")
    h, other, y = g.tensor([1], "RESOURCE"), g.tensor([1], "INT64", [255] * 8), g.tensor([3], "INT64")
    options = ("Hashtable", {"table_id": 4, "key_type": "STRING", "value_type": "INT64"})
    g.op("CALL_ONCE", [], [], ("CallOnce", {"init_subgraph": 1}))
    g.op("HASHTABLE", [], [h], options)
    g.op("HASHTABLE_FIND", [h, x, other], [y])
    g.output(y)
    h, keys = once.tensor([1], "RESOURCE"), once.tensor([2], "STRING", ints(2, 16, 17, 19) + list(b"abb"))
    values = once.tensor([2], "INT64", list(struct.pack("<2q", 5, 6)))
    once.op("HASHTABLE", [], [h], options)
    once.op("HASHTABLE_IMPORT", [h, keys, values], [])
    return m


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for old in CORPUS.glob("*"):
        if not old.name.startswith("crash-"):
            old.unlink()
    for make in (conv, hybrid, quantized, control, variables, signatures, branches, svdf, lstm, wide_lstm, strings, signal, frames, sparse, external, metadata, compressed_labels, tables):
        model = make()
        data = io.BytesIO(compiled(SCHEMA, model.json()))
        if model.archive:
            with zipfile.ZipFile(data, "a") as z:
                for name, text in model.archive.items():
                    z.writestr(zipfile.ZipInfo(name), text, model.method)
        (CORPUS / f"{make.__name__}.tflite").write_bytes(data.getvalue())


if __name__ == "__main__":
    main()
