"""ONNX Runtime, its CPU provider, all optimisations on, inputs and outputs bound."""
import onnxruntime

FILES = {"f32": "onnx", "int8": "int8"}
LACKS = {"bf16": "its CPU provider computes f32 files in f32", "f16": "its CPU provider computes f32 files in f32"}


def version():
    return f"ONNX Runtime {onnxruntime.__version__}"


class Session:
    def __init__(self, cell, inputs):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cell["threads"]
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(cell["file"], options, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]
        self.binding = self.session.io_binding()
        self.values = {i.name: onnxruntime.OrtValue.ortvalue_from_numpy(inputs[i.name]) for i in self.session.get_inputs()}
        for name, value in self.values.items():
            self.binding.bind_ortvalue_input(name, value)
        for name in self.names:
            self.binding.bind_output(name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return dict(zip(self.names, self.binding.copy_outputs_to_cpu()))
