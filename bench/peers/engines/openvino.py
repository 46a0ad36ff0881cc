"""OpenVINO on the CPU, told what to compute in: left alone it takes bf16 for f32 files where the machine is fast in it."""
import importlib

openvino = importlib.import_module("openvino")
FILES = {"f32": "onnx", "int8": "int8", "bf16": "onnx", "f16": "onnx"}
HINTS = {"f32": "f32", "int8": "f32", "bf16": "bf16", "f16": "f16"}


def version():
    return f"OpenVINO {openvino.__version__.split('-')[0]}"


class Session:
    def __init__(self, cell, inputs, hint=True):
        settings = {"INFERENCE_NUM_THREADS": cell["threads"], "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        if hint:
            settings["INFERENCE_PRECISION_HINT"] = HINTS[cell["precision"]]
        core = openvino.Core()
        self.compiled = core.compile_model(core.read_model(cell["file"]), "CPU", settings)
        self.computed_in = self.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.request = self.compiled.create_infer_request()
        self.tensors = []
        for port in self.compiled.inputs:
            name = next(name for name in port.get_names() if name in inputs)
            self.tensors.append(openvino.Tensor(inputs[name], shared_memory=True))
            self.request.set_tensor(port, self.tensors[-1])

    def run(self):
        self.request.infer(share_outputs=True)

    def outputs(self):
        names = [next(iter(port.get_names()), f"out_{i}") for i, port in enumerate(self.compiled.outputs)]
        return {name: self.request.get_tensor(port).data.copy() for name, port in zip(names, self.compiled.outputs)}
