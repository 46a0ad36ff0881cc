#!/usr/bin/env python3
"""Compares Mote with ONNX Runtime on quantized networks.

    tools/check_int8.py [MODEL.onnx]... [--ops] [--mote PROGRAM] [--make] [-- ARGUMENT...]

Without MODEL, all of ~/.cache/mote/zoo-int8/NAME/model.onnx, which --make makes from the zoo's networks
(tools/export_zoo.py) with ONNX Runtime's quantizer. Inputs are inputs.npz beside the model. A network passes if the
cosine between both programs' answers is at least 0.999 for every output. --ops compares op by op: every part of the
network between quantized tensors is run alone on the tensors that ONNX Runtime has there, and must give its result to
within one step. What follows -- goes to `mote run`. Exit code 1 if anything fails.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import zoo_files

zoo_files.need_numpy()
import numpy as np  # noqa: E402

INT8 = zoo_files.ZOO.parent / "zoo-int8"
STATIC = ["mobilenet_v2", "resnet18", "resnet50", "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1", "ds_cnn",
          "bert", "efficientnet_lite0", "shufflenet_v2_x1_0", "unet", "yolo_nano", "vit_tiny", "densenet121"]
JOBS = ([(name, "qdq_u8s8") for name in STATIC] +
        [(name, kind) for name in ("mobilenet_v2", "resnet18", "bert", "squeezenet1_1") for kind in ("qdq_s8s8", "qop")] +
        [(name, "dynamic") for name in ("bert", "lstm", "resnet18", "vit_tiny", "whisper_tiny_encoder")] +
        [("mobilenet_v2", "qdq_u16"), ("resnet18", "qdq_tensor_u8u8"), ("mobilenet_v3_small", "qop")])


def make():
    import onnx
    from onnxruntime import quantization as q
    types = {"qdq_u8s8": (q.QuantType.QUInt8, q.QuantType.QInt8, True, q.QuantFormat.QDQ),
             "qdq_s8s8": (q.QuantType.QInt8, q.QuantType.QInt8, True, q.QuantFormat.QDQ),
             "qdq_u16": (q.QuantType.QUInt16, q.QuantType.QInt8, True, q.QuantFormat.QDQ),
             "qdq_tensor_u8u8": (q.QuantType.QUInt8, q.QuantType.QUInt8, False, q.QuantFormat.QDQ),
             "qop": (q.QuantType.QUInt8, q.QuantType.QInt8, True, q.QuantFormat.QOperator)}

    class Reader(q.CalibrationDataReader):
        """The golden inputs, and two noisier ones."""

        def __init__(self, inputs):
            random = np.random.default_rng(0)
            self.sets = []
            for i in range(3):
                self.sets.append({k: (v * (1 + 0.2 * i) + random.standard_normal(v.shape) * 0.05 * i).astype(v.dtype)
                                  if v.dtype == np.float32 else v for k, v in inputs.items()})

        def get_next(self):
            return self.sets.pop() if self.sets else None

    for name, kind in JOBS:
        source, folder = zoo_files.ZOO / name, INT8 / f"{name}-{kind}"
        if (folder / "model.onnx").exists() or not (source / "model.onnx").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        simple = str(folder / "simple.onnx")
        q.quant_pre_process(str(source / "model.onnx"), simple)
        names = {i.name for i in onnx.load(str(source / "model.onnx"), load_external_data=False).graph.input}
        with np.load(source / "inputs.npz") as arrays:
            inputs = {k: arrays[k] for k in arrays.files if k in names}
        if kind == "dynamic":
            q.quantize_dynamic(simple, str(folder / "model.onnx"), weight_type=q.QuantType.QInt8)
        else:
            activation, weight, per_channel, form = types[kind]
            q.quantize_static(simple, str(folder / "model.onnx"), Reader(inputs), quant_format=form,
                              per_channel=per_channel, activation_type=activation, weight_type=weight)
        os.remove(simple)
        np.savez(folder / "inputs.npz", **inputs)
        print(f"made {folder.name}", flush=True)


def run_onnxruntime(model, inputs, outputs):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")  # no sums that saturate, as on CPUs without VNNI
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = outputs or [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {i.name: inputs[i.name] for i in session.get_inputs()})))


def run_mote(args, model, inputs, work):
    source, target = os.path.join(work, "inputs.npz"), os.path.join(work, "outputs.npz")
    np.savez(source, **inputs)
    done = subprocess.run([args.mote, "run", model, "--inputs", source, "--outputs", target, *args.rest], capture_output=True,
                          text=True, errors="replace")
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[0])
    with np.load(target) as arrays:
        return {k: arrays[k] for k in arrays.files}


def cosine(a, b):
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return 1.0 if length == 0 and np.array_equal(a, b) else float(a @ b / length) if length else 0.0


def check_whole(args, model, inputs, work):
    expected, got = run_onnxruntime(str(model), inputs, None), run_mote(args, str(model), inputs, work)
    least = min(cosine(expected[name], got[name]) for name in expected)
    return least >= 0.999, f"cosine {least:.6f}"


QUANTIZED = (2, 3)  # TensorProto's u8 and i8


def parts_of(graph, types):
    """Yields (nodes, inputs, output): what lies between quantized activations and each quantized activation."""
    producer = {name: node for node in graph.node for name in node.output}
    constants = {c.name for c in graph.initializer}
    depends = {}

    def runs(name):
        """Whether a value depends on the inputs of the network."""
        if name not in depends:
            node = producer.get(name)
            depends[name] = name not in constants and (node is None or any(runs(i) for i in node.input if i))
        return depends[name]

    def activation(name):
        return types.get(name) in QUANTIZED and runs(name)

    for last in graph.node:
        for output in last.output:
            if not activation(output):
                continue
            nodes, inputs, open_nodes, float_input = [], [], [last], False
            while open_nodes:
                node = open_nodes.pop()
                if any(node is n for n in nodes):
                    continue
                nodes.append(node)
                for name in filter(None, node.input):
                    if activation(name):
                        inputs.append(name)
                    elif name in producer:
                        open_nodes.append(producer[name])
                    elif name not in constants:
                        float_input = True
            if not float_input:
                order = {id(n): i for i, n in enumerate(graph.node)}
                yield sorted(nodes, key=lambda n: order[id(n)]), sorted(set(inputs)), output


def check_ops(args, model, inputs, work):
    import onnx
    whole = onnx.load(str(model))
    graph = onnx.shape_inference.infer_shapes(whole).graph
    types = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.input, *graph.output]}
    for node in graph.node:  # operators that shape inference does not know
        if node.op_type.startswith("QLinear") or node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear"):
            types.setdefault(node.output[0], QUANTIZED[0])
    parts = list(parts_of(graph, types))
    wanted = sorted({name for _, names, output in parts for name in [*names, output]})
    exposed = onnx.ModelProto()
    exposed.CopyFrom(whole)
    known = {o.name for o in exposed.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in known)
    path = os.path.join(work, "exposed.onnx")
    onnx.save(exposed, path)
    values = run_onnxruntime(path, inputs, wanted) if wanted else {}
    initializers = {c.name: c for c in graph.initializer}
    worst, bad = 0, []
    for nodes, names, output in parts:
        part = onnx.helper.make_graph(
            nodes, "part",
            [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(values[n].dtype), values[n].shape)
             for n in names],
            [onnx.helper.make_tensor_value_info(output,
                                                onnx.helper.np_dtype_to_tensor_dtype(values[output].dtype), None)],
            [initializers[n] for n in sorted({i for node in nodes for i in node.input}) if n in initializers])
        single = onnx.helper.make_model(part, opset_imports=whole.opset_import, ir_version=whole.ir_version)
        path = os.path.join(work, "part.onnx")
        onnx.save(single, path)
        got = run_mote(args, path, {n: values[n] for n in names}, work)[output]
        steps = int(np.abs(got.astype(np.int32) - values[output].astype(np.int32)).max(initial=0))
        worst = max(worst, steps)
        if steps > 1:
            bad.append(f"{'+'.join(n.op_type for n in nodes if 'quantize' not in n.op_type.lower())} -> {output}: {steps}")
    for line in bad[:10]:
        print("    " + line)
    return not bad, f"{len(parts)} parts, at most {worst} steps"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--mote", default=str(zoo_files.ROOT / "build" / "native" / "bin" / "mote"))
    parser.add_argument("--ops", action="store_true")
    parser.add_argument("--make", action="store_true")
    given = sys.argv[1:]
    rest = given[given.index("--") + 1:] if "--" in given else []
    args = parser.parse_args(given[:given.index("--")] if "--" in given else given)
    args.rest = rest
    if args.make:
        make()
    failed = 0
    for model in args.models or sorted(INT8.glob("*/model.onnx")):
        with np.load(model.parent / "inputs.npz") as arrays:
            inputs = {k: arrays[k] for k in arrays.files}
        with tempfile.TemporaryDirectory() as work:
            try:
                ok, what = (check_ops if args.ops else check_whole)(args, model, inputs, work)
            except Exception as problem:  # reported per network
                ok, what = False, str(problem).strip().splitlines()[0][:300]
        failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {model.parent.name}: {what}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
