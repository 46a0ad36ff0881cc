"""OpenVINO on the CPU. It would compute f32 files in bf16 on machines with AMX: the precision asked for is what it is told."""
import importlib

openvino = importlib.import_module("openvino")
PRECISIONS = ("f32", "bf16", "f16")


def version():
    return f"OpenVINO {openvino.__version__.split('-')[0]}"


class Session:
    def __init__(self, model, threads, precision):
        core = openvino.Core()
        hint = {"f32": "f32", "bf16": "bf16", "f16": "f16"}[precision]
        settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(core.read_model(model), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.names = [next(iter(port.get_names()), f"out_{i}") for i, port in enumerate(compiled.outputs)]
        self.inputs = {name for port in compiled.inputs for name in port.get_names()}

    def run(self, inputs):
        results = self.request.infer({n: x for n, x in inputs.items() if n in self.inputs}, share_inputs=True)
        return dict(zip(self.names, results.to_tuple()))
