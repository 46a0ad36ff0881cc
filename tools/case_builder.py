"""Small ONNX test cases in the layout of the ONNX suite: NAME/model.onnx and NAME/test_data_set_N/{input,output}_K.pb."""
import pathlib
import zlib

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Data:
    """Arrays of values that are multiples of 1/16, so that sums of products are exact in float32 and pack well. Seeded by the case's name."""

    def __init__(self, name):
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def grid(self, *shape, low=-16, high=16, dtype=np.float32):
        return (self.rng.integers(low, high + 1, shape) / 16).astype(dtype)

    def positive(self, *shape, dtype=np.float32):
        return self.grid(*shape, low=1, high=32, dtype=dtype)

    def weights(self, *shape):
        """Of one sign within an output channel (the first dimension): no cancellation, so that any order of summation agrees."""
        signs = np.where(np.arange(shape[0]) % 3 == 1, -1, 1).reshape(-1, *[1] * (len(shape) - 1))
        return (self.grid(*shape, low=4, high=16) * signs).astype(np.float32)

    def integers(self, low, high, *shape, dtype=np.int64):
        return self.rng.integers(low, high, shape).astype(dtype)


class Const:
    """An operand stored in the model."""

    def __init__(self, array, dtype=None):
        self.array = np.asarray(array, dtype=dtype)


class Case:
    def __init__(self, name, nodes, operands, outputs=("y",), opset=17, symbols=None, more=()):
        """nodes: (op, input names, output names, attributes); operands: name -> array (a graph input) or Const; symbols: input name -> its
        dimensions as names or numbers; more: further input sets."""
        self.name, self.opset, self.outputs = name, opset, list(outputs)
        self.inputs = {n: np.asarray(x) for n, x in operands.items() if not isinstance(x, Const)}
        self.constants = {n: x.array for n, x in operands.items() if isinstance(x, Const)}
        self.sets = [self.inputs, *more]
        self.symbols = symbols or {}
        self.nodes = [helper.make_node(op, list(ins), list(outs), **attributes) for op, ins, outs, attributes in nodes]

    def model(self, answers=None):
        """Outputs have their type and shape from the answers, or only their rank where dimensions are symbolic."""
        kind = lambda x: helper.np_dtype_to_tensor_dtype(x.dtype)
        inputs = [helper.make_tensor_value_info(n, kind(x), self.symbols.get(n, x.shape)) for n, x in self.inputs.items()]
        outputs = [helper.make_empty_tensor_value_info(n) if answers is None else
                   helper.make_tensor_value_info(n, kind(answers[n]), [None] * answers[n].ndim if self.symbols else answers[n].shape) for n in self.outputs]
        constants = [numpy_helper.from_array(x, n) for n, x in self.constants.items()]
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, constants)
        opsets = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1) for d in sorted({n.domain for n in self.nodes} - {""})]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="mote cases")

    def answers(self):
        """What ONNX Runtime answers for each input set."""
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self.model().SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [dict(zip(self.outputs, session.run(self.outputs, inputs))) for inputs in self.sets]

    def disagreement(self, answers):
        """The first output on which ONNX's own reference disagrees by the ONNX runner's tolerance, "" if none, None if it cannot run the model."""
        from onnx.reference import ReferenceEvaluator
        try:
            evaluator = ReferenceEvaluator(self.model(answers[0]))
            for inputs, wanted in zip(self.sets, answers):
                for name, got in zip(self.outputs, evaluator.run(self.outputs, inputs)):
                    if np.shape(got) != wanted[name].shape or not np.allclose(got, wanted[name], rtol=1e-3, atol=1e-6, equal_nan=True):
                        return name
        except Exception:
            return None
        return ""

    def write(self, folder, answers):
        folder = pathlib.Path(folder) / self.name
        folder.mkdir(parents=True)
        model = self.model(answers[0])
        onnx.checker.check_model(model)
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        for index, (inputs, outputs) in enumerate(zip(self.sets, answers)):
            data = folder / f"test_data_set_{index}"
            data.mkdir()
            for kind, arrays in (("input", inputs), ("output", outputs)):
                for number, (name, array) in enumerate(arrays.items()):
                    (data / f"{kind}_{number}.pb").write_bytes(numpy_helper.from_array(np.asarray(array), name).SerializeToString())


def one_op(name, op, operands, outputs=1, opset=17, symbols=None, more=(), **attributes):
    """A case of one node. operands: arrays, Consts or None (absent), by position; they are called a, b, c ..."""
    names = ["" if x is None else chr(ord("a") + i) for i, x in enumerate(operands)]
    made = ["y"] if outputs == 1 else [f"y{i}" for i in range(outputs)]
    return Case(name, [(op, names, made, attributes)], {n: x for n, x in zip(names, operands) if n}, made, opset, symbols, more)
