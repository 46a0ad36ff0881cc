"""tract, by its Python package. It computes in one thread."""
import importlib

import numpy as np

tract = importlib.import_module("tract")
FILES = {"f32": "onnx", "int8": "int8"}
LACKS = {"bf16": "it has none on this CPU", "f16": "it has none on this CPU"}
THREADS = (1,)


def version():
    return f"tract {importlib.import_module('importlib.metadata').version('tract')}"


class Session:
    def __init__(self, cell, inputs):
        model = tract.onnx().load(cell["file"])
        names = [model.input_name(i) for i in range(model.input_count())]
        for i, name in enumerate(names):
            kind = {"float32": "f32", "int64": "i64", "int32": "i32"}[str(inputs[name].dtype)]
            model.set_input_fact(i, ",".join([*map(str, inputs[name].shape), kind]))
        self.names = [name for name, _ in cell["outputs"]]  # its own names are those of nodes
        self.model = model.into_model().into_runnable()
        self.inputs = [tract.Tensor.from_numpy(np.ascontiguousarray(inputs[name])) for name in names]

    def run(self):
        self.results = self.model.run(self.inputs)

    def outputs(self):
        return {name: result.to_numpy() for name, result in zip(self.names, self.results)}
