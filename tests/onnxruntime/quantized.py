"""ONNX Runtime reads what `mote quantize` writes and gives the answers that Mote gives: every scheme, on networks of all kinds of layers."""
import os
import sys

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/cli"), os.path.join(ROOT, "tools")]
import onnx_files as onnx
import program
import quantized_files as files

# Options of `mote quantize`, the largest cosine distance from the float answers, and that between the two engines on one file: in
# integers a sum near the middle between two steps may round either way.
SCHEMES = {
    "static u8": (["--scheme", "static"], 5e-3, 1e-4),
    "static u8 symmetric": (["--scheme", "static", "--symmetric"], 2e-2, 1e-4),
    "static u8 per tensor": (["--scheme", "static", "--per-tensor"], 5e-3, 1e-4),
    "static u8 tightened": (["--scheme", "static", "--bias-correction", "--equalize", "--smooth", "0.5"], 5e-3, 1e-4),
    "static s8": (["--scheme", "static", "--activations", "s8"], 5e-3, 1e-4),
    "static s16": (["--scheme", "static", "--activations", "s16"], 2e-3, 1e-9),
    "dynamic": (["--scheme", "dynamic"], 5e-3, 1e-4),
    "weight-only-8": (["--scheme", "weight-only-8"], 2e-3, 1e-9),
    "weight-only-4": (["--scheme", "weight-only-4"], 3e-2, 1e-9),
    "weight-only-4 gptq": (["--scheme", "weight-only-4", "--block", "16", "--gptq"], 3e-2, 1e-9),
    "f16": (["--scheme", "f16"], 1e-5, 1e-9),
}


class Network:
    """Nodes and constants of one network; every call adds a node and gives the name of its output."""

    def __init__(self, seed):
        self.random, self.nodes, self.constants = np.random.default_rng(seed), [], []

    def weights(self, *shape, scale=None):
        return self.constant(self.random.standard_normal(shape) * (scale or np.prod(shape[1:]) ** -0.5), shape)

    def constant(self, values, shape, dtype=onnx.F32):
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.tensor(name, shape, np.asarray(values).ravel().tolist(), dtype))
        return name

    def add(self, op, *inputs, outputs=1, domain="", **attributes):
        names = [f"v{len(self.nodes)}"] + [f"v{len(self.nodes)}_{i}" for i in range(1, outputs)]
        self.nodes.append(onnx.node(op, inputs, names, domain=domain, **attributes))
        return names[0]

    def model(self, inputs, output, shape):
        self.nodes.append(onnx.node("Identity", [output], ["y"]))
        return onnx.model(self.nodes, inputs, [onnx.value("y", shape)], self.constants)


def convolutions():
    """An inverted residual with a gate, a branch joined by a concat, a transposed convolution, pools and a product."""
    n = Network(1)

    def conv(x, outputs, inputs, size, **more):
        return n.add("Conv", x, n.weights(outputs, inputs, size, size), n.weights(outputs, scale=0.1), pads=[size // 2] * 4, **more)

    stem = n.add("Relu", conv("x", 12, 3, 3, strides=[2, 2]))
    wide = n.add("HardSwish", conv(stem, 24, 12, 1))
    deep = n.add("Clip", conv(wide, 24, 1, 3, group=24), n.constant([0.0], []), n.constant([6.0], []))
    gate = n.add("HardSigmoid", conv(n.add("GlobalAveragePool", deep), 24, 24, 1))
    residual = n.add("Add", conv(n.add("Mul", deep, gate), 12, 24, 1), stem)
    branch = n.add("Sigmoid", conv(residual, 8, 12, 3))
    joined = n.add("Concat", n.add("AveragePool", residual, kernel_shape=[2, 2], strides=[2, 2]),
                   n.add("MaxPool", branch, kernel_shape=[2, 2], strides=[2, 2]), axis=1)
    up = n.add("LeakyRelu", n.add("ConvTranspose", joined, n.weights(20, 8, 2, 2, scale=0.2), strides=[2, 2]), alpha=0.1)
    flat = n.add("Flatten", n.add("GlobalAveragePool", conv(up, 32, 8, 3)))
    y = n.add("Gemm", flat, n.weights(10, 32), n.weights(10, scale=0.1), transB=1)
    return n.model([onnx.value("x", [4, 3, 16, 16])], y, [4, 10]), {"x": n.random.standard_normal((4, 3, 16, 16)).astype(np.float32)}


def transformer():
    """An embedding and a block of attention and two products with a GELU."""
    n, width, heads, length = Network(2), 32, 4, 12
    x = n.add("Gather", n.weights(50, width, scale=1.0), "ids")

    def norm(v):
        return n.add("LayerNormalization", v, n.constant(np.linspace(0.5, 2, width), [width]), n.weights(width, scale=0.1), axis=-1)

    def product(v, inputs, outputs):
        return n.add("Add", n.add("MatMul", v, n.weights(inputs, outputs, scale=inputs ** -0.5)), n.weights(outputs, scale=0.1))

    def split(v, perm):
        return n.add("Transpose", n.add("Reshape", v, n.constant([2, length, heads, width // heads], [4], onnx.I64)), perm=perm)

    normal = norm(x)
    q, v = (split(product(normal, width, width), [0, 2, 1, 3]) for _ in range(2))
    k = split(product(normal, width, width), [0, 2, 3, 1])
    scores = n.add("Mul", n.add("MatMul", q, k), n.constant([(width // heads) ** -0.5], []))
    mixed = n.add("Transpose", n.add("MatMul", n.add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    x = n.add("Add", x, product(n.add("Reshape", mixed, n.constant([2, length, width], [3], onnx.I64)), width, width))
    hidden = product(norm(x), width, 4 * width)
    half = n.add("Mul", n.add("Add", n.add("Erf", n.add("Div", hidden, n.constant([2 ** 0.5], []))), n.constant([1.0], [])), n.constant([0.5], []))
    x = n.add("Add", x, product(n.add("Mul", hidden, half), 4 * width, width))
    y = norm(x)
    return n.model([onnx.value("ids", [2, length], onnx.I64)], y, [2, length, width]), {"ids": n.random.integers(0, 50, (2, length))}


def recurrent(op, gates):
    """A bidirectional layer and a product."""
    n, width, inputs, length = Network(3), 32, 16, 10
    more = {"linear_before_reset": 1} if op == "GRU" else {}
    h = n.add(op, "x", n.weights(2, gates * width, inputs, scale=0.25), n.weights(2, gates * width, width, scale=0.2),
              n.weights(2, 2 * gates * width, scale=0.1), direction="bidirectional", hidden_size=width, **more)
    h = n.add("Reshape", n.add("Transpose", h, perm=[0, 2, 1, 3]), n.constant([length, 2, 2 * width], [3], onnx.I64))
    y = n.add("Add", n.add("MatMul", h, n.weights(2 * width, 20, scale=0.2)), n.weights(20, scale=0.1))
    return n.model([onnx.value("x", [length, 2, inputs])], y, [length, 2, 20]), {"x": n.random.standard_normal((length, 2, inputs)).astype(np.float32)}


class Agreement(program.Case):
    def check(self, name, model, inputs, counts):
        """`counts`: how many layers each scheme quantizes."""
        calibration = self.path("samples.npz")
        np.savez(calibration, **inputs)
        for scheme, (arguments, most, apart) in SCHEMES.items():
            with self.subTest(network=name, scheme=scheme):
                out = self.path("quantized.onnx")
                report = files.quantize(model, out, [calibration], *arguments)
                self.assertEqual(sum(l["quantized"] for l in report["layers"]), counts[scheme.split()[0]], report["layers"])
                self.assertLess(report["error"], most)
                theirs, ours = files.run_onnxruntime(out, inputs), files.run_mote(out, inputs, self.folder.name)
                self.assertLess(files.farthest(theirs, ours), apart)
                self.assertLess(files.farthest(files.run_onnxruntime(model, inputs), theirs), most * 1.5)

    def generated(self, name, made, counts):
        model, inputs = made
        self.check(name, self.write(name + ".onnx", model), inputs, counts)

    def test_digits(self):
        inputs, _ = files.digits_samples(os.path.dirname(program.DIGITS))
        self.check("digits", program.DIGITS, inputs, {"static": 10, "dynamic": 1, "weight-only-8": 10, "weight-only-4": 1, "f16": 10})

    def test_convolutions(self):
        self.generated("convolutions", convolutions(), {"static": 8, "dynamic": 1, "weight-only-8": 9, "weight-only-4": 1, "f16": 9})

    def test_transformer(self):
        self.generated("transformer", transformer(), {"static": 6, "dynamic": 6, "weight-only-8": 7, "weight-only-4": 6, "f16": 7})

    def test_lstm(self):
        self.generated("lstm", recurrent("LSTM", 4), {"static": 1, "dynamic": 1, "weight-only-8": 2, "weight-only-4": 1, "f16": 2})

    def test_gru(self):
        self.generated("gru", recurrent("GRU", 3), {"static": 1, "dynamic": 1, "weight-only-8": 2, "weight-only-4": 1, "f16": 2})


if __name__ == "__main__":
    program.main()
