"""MNN, by its Python package, on files of mnnconvert; in int8 with its own 8-bit weights and activations quantized as it runs."""
import contextlib
import importlib
import os

import numpy as np

FILES = {"f32": "mnn", "int8": "mnn_int8"}
LACKS = {"bf16": "its x86 package has no 16-bit arithmetic", "f16": "its x86 package has no 16-bit arithmetic"}


@contextlib.contextmanager
def silence():
    """MNN writes to stdout from C++."""
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


with silence():
    MNN = importlib.import_module("MNN")
    nn = importlib.import_module("MNN.nn")
    expr = importlib.import_module("MNN.expr")


def version():
    return f"MNN {importlib.import_module('importlib.metadata').version('MNN')}"


class Session:
    def __init__(self, cell, inputs):
        self.names = [name for name, _ in cell["outputs"]]
        with silence():
            config = {"backend": "CPU", "numThread": cell["threads"], "precision": "high", "power": "normal",
                      "memory": "low" if cell["precision"] == "int8" else "normal"}
            self.manager = nn.create_runtime_manager((config,))
            self.module = nn.load_module_from_file(cell["file"], list(inputs), self.names, runtime_manager=self.manager)
        self.inputs = []
        for x in inputs.values():
            kind = expr.float if x.dtype == np.float32 else expr.int
            x = np.ascontiguousarray(x if x.dtype == np.float32 else x.astype(np.int32))
            self.inputs.append(expr.const(x, list(x.shape), expr.NCHW, kind))

    def run(self):
        self.results = self.module.forward(self.inputs)
        for result in self.results:
            result.read()  # what is not read might not be computed

    def outputs(self):
        return {name: expr.convert(result, expr.NCHW).read().copy() for name, result in zip(self.names, self.results)}
