"""ONNX Runtime, its CPU provider, all optimisations on."""
import onnxruntime


def version():
    return f"ONNX Runtime {onnxruntime.__version__}"


class Session:
    def __init__(self, model, threads, precision):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.inputs = {i.name for i in self.session.get_inputs()}

    def run(self, inputs):
        return dict(zip(self.outputs, self.session.run(self.outputs, {n: x for n, x in inputs.items() if n in self.inputs})))
