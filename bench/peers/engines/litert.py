"""LiteRT with XNNPACK, on files that litert-torch makes of the PyTorch model, in int8 on files of its own quantizer; and on given files."""
import importlib
import re

import numpy as np
from ai_edge_litert.interpreter import Interpreter

FILES = {"f32": "tflite", "int8": "tflite_int8", "tflite": "given"}
LACKS = {"bf16": "it has none on this CPU", "f16": "it has none on this CPU"}


def version():
    return f"LiteRT {importlib.import_module('importlib.metadata').version('ai-edge-litert')}"


def in_order(details):
    """Exporters number inputs and outputs in their names and list them in any order."""
    return sorted(details, key=lambda d: int((re.findall(r"(?:args|output)_(\d+)", d["name"]) or [0])[0]))


def stored(x, port):
    """As the file wants it: its quantizer gives inputs and outputs of 8 bits."""
    scale, zero = port["quantization"]
    if scale == 0 or x.dtype != np.float32:
        return x.astype(port["dtype"], copy=False)
    limits = np.iinfo(port["dtype"])
    return np.clip(np.rint(x / scale) + zero, limits.min, limits.max).astype(port["dtype"])


def plain(x, port):
    scale, zero = port["quantization"]
    return x if scale == 0 else (x.astype(np.float32) - zero) * np.float32(scale)


class Session:
    def __init__(self, cell, inputs):
        self.given = cell["precision"] == "tflite"
        self.net = Interpreter(cell["file"], num_threads=cell["threads"])
        self.net.allocate_tensors()
        if self.given:
            self.inputs = [(port["index"], x) for port, x in zip(self.net.get_input_details(), inputs.values())]
            self.ports = self.net.get_output_details()
            return
        self.wanted = cell["outputs"]
        ports = in_order(self.net.get_input_details())
        self.inputs = [(port["index"], stored(x, port)) for port, x in zip(ports, inputs.values())]
        self.ports = in_order(self.net.get_output_details())

    def run(self):
        for index, x in self.inputs:  # its arena may reuse their place
            self.net.set_tensor(index, x)
        self.net.invoke()

    def outputs(self):
        if self.given:
            return {f"out_{i}": self.net.get_tensor(port["index"]) for i, port in enumerate(self.ports)}
        return {name: plain(self.net.get_tensor(port["index"]), port) for (name, _), port in zip(self.wanted, self.ports)}
