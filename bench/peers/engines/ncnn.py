"""ncnn, by its Python package, on files of pnnx with weights in f32."""
import importlib

import numpy as np

ncnn = importlib.import_module("ncnn")
FILES = {"f32": "ncnn", "bf16": "ncnn"}
LACKS = {"int8": "it reads no QDQ files, and its package has no quantizer", "f16": "it has none on this CPU"}


def version():
    return f"ncnn {ncnn.__version__}"


class Session:
    def __init__(self, cell, inputs):
        self.wanted = cell["outputs"]
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = cell["threads"]
        options.use_vulkan_compute = False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = cell["precision"] == "bf16"
        if self.net.load_param(cell["file"]) != 0 or self.net.load_model(cell["file"].replace(".param", ".bin")) != 0:
            raise RuntimeError("ncnn does not load the file of pnnx")
        # ncnn has no batch axis.
        self.arrays = [np.ascontiguousarray(x[0] if x.ndim > 1 and x.shape[0] == 1 else x) for x in inputs.values()]
        self.arrays = [x if x.dtype == np.float32 else x.astype(np.int32) for x in self.arrays]
        self.inputs = [ncnn.Mat(x) for x in self.arrays]

    def run(self):
        extractor = self.net.create_extractor()
        for i, mat in enumerate(self.inputs):
            extractor.input(f"in{i}", mat)
        self.results = []
        for i in range(len(self.wanted)):
            code, mat = extractor.extract(f"out{i}")
            if code != 0:
                raise RuntimeError(f"ncnn gives no output {i}: code {code}")
            self.results.append(mat)

    def outputs(self):
        answer = {}
        for (name, shape), mat in zip(self.wanted, self.results):
            x = np.array(mat)
            if x.size != np.prod(shape):
                raise RuntimeError(f"output '{name}' has shape {list(x.shape)}, not {shape}")
            answer[name] = x.reshape(shape)
        return answer
