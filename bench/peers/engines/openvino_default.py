"""OpenVINO as it comes: it chooses the precision, and its answers are judged by what it chose. Shown, not ranked."""
import importlib

engine = importlib.import_module("engines.openvino")
FILES = {"f32": "onnx", "int8": "int8"}
LACKS = {"bf16": "asks for no precision", "f16": "asks for no precision"}
RANKED = False


def version():
    return f"{engine.version()} without a precision hint"


class Session(engine.Session):
    def __init__(self, cell, inputs):
        super().__init__(cell, inputs, hint=False)
