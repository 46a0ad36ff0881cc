"""Makes the files that engines other than ONNX readers need: prepare.py NETWORK KIND FOLDER, under the interpreter of tools/zoo_venv.sh.

KIND is outputs, int8 (by ONNX Runtime's quantizer, with ONNX Runtime's answer beside it), torchscript, ncnn, mnn, mnn_int8, tflite or
tflite_int8; or tflite_answer, of a TensorFlow Lite file: random inputs with the answer of LiteRT's reference kernels.
FOLDER holds what was made before; a conversion that works appears as a whole. On failure the last line of stderr says why.
"""
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
sys.dont_write_bytecode = True
import zoo_files  # noqa: E402
from networks import FILES  # noqa: E402

# What a kind is made from.
NEEDS = {"ncnn": ("torchscript",), "tflite_int8": ("tflite",)}
# Networks that users quantize dynamically: their matrix products and recurrent cells.
DYNAMIC = ("bert", "vit_tiny", "whisper_tiny_encoder", "lstm", "gru")
CALIBRATION_SETS = 8
NOT_NCNN = ("aten::", "pnnx.", "prim::", "torch.", "F.", "nn.", "Tensor.")


def tool(name, *arguments):
    """Runs a converter that came with a package; raises with what it said last."""
    program = pathlib.Path(sys.executable).with_name(name)
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).strip().splitlines()
        raise RuntimeError(f"{name} ended with code {done.returncode}: {lines[-1] if lines else 'no message'}")
    return done.stdout + done.stderr


def arrays(path):
    import numpy as np
    with np.load(path) as file:
        return dict(file)


def calibration(name):
    """Inputs like the network's own: seeded normal floats; integers are shuffled along the last axis, masks stay."""
    import numpy as np
    rng = np.random.default_rng(1)
    given = arrays(zoo_files.ZOO / name / "inputs.npz")
    for _ in range(CALIBRATION_SETS):
        yield {key: rng.standard_normal(x.shape, dtype=np.float32) if x.dtype == np.float32 else
               x if x.max(initial=0) <= 1 else rng.permuted(x, axis=-1) for key, x in given.items()}


class Calibration:
    def __init__(self, name):
        self.sets = calibration(name)

    def get_next(self):
        return next(self.sets, None)


def make_outputs(name, out, work):
    """Names and shapes of the outputs in order, for engines that lose them."""
    golden = arrays(zoo_files.ZOO / name / "golden.npz")
    out.write_text(json.dumps([[key, list(x.shape)] for key, x in golden.items()]))


def make_int8(name, out, work):
    import numpy as np
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    ready, made = work / "ready.onnx", work / "int8.onnx"
    quant_pre_process(str(zoo_files.ZOO / name / "model.onnx"), str(ready), skip_symbolic_shape=True)
    if name in DYNAMIC:
        kinds = {node.op_type for node in onnx.load(ready).graph.node} & {"MatMul", "Gemm", "LSTM"}
        if not kinds:
            raise RuntimeError("ONNX Runtime's dynamic quantization has nothing for this network's operators")
        quantize_dynamic(str(ready), str(made), op_types_to_quantize=sorted(kinds), weight_type=QuantType.QInt8)
    else:
        quantize_static(str(ready), str(made), Calibration(name), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # no sums that saturate, as on CPUs without VNNI
    session = onnxruntime.InferenceSession(str(made), options, providers=["CPUExecutionProvider"])
    given, names = arrays(zoo_files.ZOO / name / "inputs.npz"), [o.name for o in session.get_outputs()]
    answer = session.run(names, {i.name: given[i.name] for i in session.get_inputs()})
    np.savez(work / "golden_int8.npz", **dict(zip(names, answer)))
    (work / "golden_int8.npz").replace(out.with_name("golden_int8.npz"))
    made.replace(out)


def torch_model(name):
    import torch
    import export_zoo
    torch.set_num_threads(1)
    model, sets = export_zoo.make_model(name)
    return model, sets[0]


def make_torchscript(name, out, work):
    import torch
    model, inputs = torch_model(name)
    with torch.no_grad():
        traced = torch.jit.trace(model, tuple(inputs.values()), check_trace=False)
    traced.save(str(work / out.name))
    (work / out.name).replace(out)


def make_ncnn(name, out, work):
    """From TorchScript, or else from the ONNX file: pnnx understands some networks in one form only."""
    types = {"float32": "", "int64": "i64", "int32": "i32"}
    shapes = ",".join(f"[{','.join(map(str, x.shape))}]{types[str(x.dtype)]}" for x in arrays(zoo_files.ZOO / name / "inputs.npz").values())
    problems = []
    for source in (out.with_name(FILES["torchscript"]), zoo_files.ZOO / name / "model.onnx"):
        shutil.copy(source, work / source.name)
        try:
            said = tool("pnnx", work / source.name, f"inputshape={shapes}", "fp16=0")
            if not (work / out.name).exists():
                raise RuntimeError("pnnx makes no ncnn files: " + said.strip().splitlines()[-1])
            unknown = sorted({line.split()[0] for line in open(work / out.name) if line.startswith(NOT_NCNN)})
            if not unknown:
                (work / "model.ncnn.bin").replace(out.with_name("model.ncnn.bin"))
                (work / out.name).replace(out)
                return
            raise RuntimeError("pnnx finds no ncnn layers for " + ", ".join(unknown))
        except RuntimeError as problem:
            problems.append(f"{str(problem)[:140]} ({source.suffix})")
    raise RuntimeError("; ".join(problems))


def mnn_convert(name, out, work, *options):
    source = zoo_files.ZOO / name / "model.onnx"
    said = tool("mnnconvert", "-f", "ONNX", "--modelFile", source, "--MNNModel", work / out.name, "--bizCode", "mote", *options)
    if not (work / out.name).exists():
        raise RuntimeError("mnnconvert made no file: " + said.strip().splitlines()[-1])
    (work / out.name).replace(out)


def make_mnn(name, out, work):
    mnn_convert(name, out, work)


def make_mnn_int8(name, out, work):
    mnn_convert(name, out, work, "--weightQuantBits", "8")


def make_tflite(name, out, work):
    import torch.export.graph_signature as signature
    if not hasattr(signature.ExportGraphSignature, "parameters_to_mutate"):  # newer than this PyTorch, whose exports mutate none
        signature.ExportGraphSignature.parameters_to_mutate = {}
    import litert_torch
    model, inputs = torch_model(name)
    litert_torch.convert(model, tuple(inputs.values())).export(str(work / out.name))
    (work / out.name).replace(out)


def make_tflite_int8(name, out, work):
    from ai_edge_quantizer import quantizer, recipe
    source = str(out.with_name(FILES["tflite"]))
    scheme = recipe.dynamic_wi8_afp32() if name in DYNAMIC else recipe.static_wi8_ai8()
    made = quantizer.Quantizer(source, scheme)
    statistics = None
    if made.need_calibration:
        sets = [{f"args_{i}": x for i, x in enumerate(inputs.values())} for inputs in calibration(name)]
        statistics = made.calibrate({"serving_default": sets})
    made.quantize(statistics).export_model(str(work / out.name))
    (work / out.name).replace(out)


def make_tflite_answer(name, out, work):
    """Of a given file: random inputs, and what LiteRT's reference kernels answer."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    net = Interpreter(name, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    net.allocate_tensors()
    rng, inputs = np.random.default_rng(1), {}
    for i, port in enumerate(net.get_input_details()):
        limits = np.iinfo(port["dtype"]) if np.issubdtype(port["dtype"], np.integer) else None
        x = rng.integers(limits.min, limits.max, port["shape"], endpoint=True) if limits else rng.standard_normal(port["shape"])
        inputs[f"in_{i}"] = np.asarray(x, port["dtype"])
        net.set_tensor(port["index"], inputs[f"in_{i}"])
    net.invoke()
    np.savez(work / "inputs.npz", **inputs)
    np.savez(work / out.name, **{f"out_{i}": net.get_tensor(port["index"]) for i, port in enumerate(net.get_output_details())})
    (work / "inputs.npz").replace(out.with_name("inputs.npz"))
    (work / out.name).replace(out)


def make(name, kind, folder):
    out = folder / FILES[kind]
    if out.exists():
        return
    for needed in NEEDS.get(kind, ()):
        make(name, needed, folder)
    work = folder / f".{kind}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        globals()[f"make_{kind}"](name, out, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    os.nice(10)
    name, kind, folder = sys.argv[1:]
    try:
        make(name, kind, pathlib.Path(folder))
    except Exception as problem:  # whatever a converter raises is the reason for the table
        lines = [line for line in str(problem).strip().splitlines() if line.strip()] or ["no message"]
        print(f"{'' if type(problem) is RuntimeError else type(problem).__name__ + ': '}{lines[0]}"[:300], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
