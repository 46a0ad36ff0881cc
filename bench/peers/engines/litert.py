"""LiteRT with XNNPACK, on files that litert-torch makes of the PyTorch model; in int8 on files of its own quantizer."""
import importlib
import re

from ai_edge_litert.interpreter import Interpreter

FILES = {"f32": "tflite", "int8": "tflite_int8"}
LACKS = {"bf16": "it has none on this CPU", "f16": "it has none on this CPU"}


def version():
    return f"LiteRT {importlib.import_module('importlib.metadata').version('ai-edge-litert')}"


def order(details):
    """Exporters number inputs and outputs in their names and list them in any order."""
    return [d["index"] for d in sorted(details, key=lambda d: int((re.findall(r"(?:args|output)_(\d+)", d["name"]) or [0])[0]))]


class Session:
    def __init__(self, cell, inputs):
        self.wanted = cell["outputs"]
        self.net = Interpreter(cell["file"], num_threads=cell["threads"])
        self.net.allocate_tensors()
        details = self.net.get_input_details()
        types = {d["index"]: d["dtype"] for d in details}
        self.inputs = [(index, x.astype(types[index], copy=False)) for index, x in zip(order(details), inputs.values())]
        self.places = order(self.net.get_output_details())

    def run(self):
        for index, x in self.inputs:  # its arena may reuse their place
            self.net.set_tensor(index, x)
        self.net.invoke()

    def outputs(self):
        return {name: self.net.get_tensor(place) for (name, _), place in zip(self.wanted, self.places)}
