"""mote quantize: what it writes computes in integers and answers as the float model does; what it refuses, and how."""
import os
import random
import shutil
import sys

import onnx_files as onnx
import program


def numbers(count, seed=1, scale=1.0):
    draw = random.Random(seed)
    return [draw.gauss(0, scale) for _ in range(count)]


def network():
    """A convolution with relu, a residual, a pool and a product."""
    nodes = [onnx.node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]), onnx.node("Relu", ["c1"], ["r1"]),
             onnx.node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1]), onnx.node("Add", ["c2", "r1"], ["sum"]),
             onnx.node("MaxPool", ["sum"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
             onnx.node("Flatten", ["pool"], ["flat"]), onnx.node("Gemm", ["flat", "w3", "b3"], ["y"], transB=1)]
    constants = [onnx.tensor("w1", [8, 3, 3, 3], numbers(216, 1, 0.3)), onnx.tensor("b1", [8], numbers(8, 2)),
                 onnx.tensor("w2", [8, 8, 3, 3], numbers(576, 3, 0.2)), onnx.tensor("w3", [10, 128], numbers(1280, 4, 0.2)),
                 onnx.tensor("b3", [10], numbers(10, 5))]
    return onnx.model(nodes, [onnx.value("x", ["N", 3, 8, 8])], [onnx.value("y", ["N", 10])], constants)


def samples(count, labels=None, seed=7):
    arrays = {"x": onnx.npy((count, 3, 8, 8), numbers(count * 192, seed))}
    if labels is not None:
        arrays["labels"] = onnx.npy((count,), labels, "<i8")
    return onnx.npz(arrays)


class Quantize(program.Case):
    def setUp(self):
        super().setUp()
        self.model = self.write("net.onnx", network())
        self.npz = self.write("in.npz", samples(8))

    def kernels(self, model):
        return [step["kernel"] for step in self.ok("plan", model, "--json").json["steps"]]

    def quantized(self, *more, out="q.onnx"):
        r = self.ok("--json", "quantize", self.model, "-o", out, "--inputs", self.npz, *more)
        return self.path(out), r.json

    def test_static_stays_in_integers(self):
        model, report = self.quantized()
        self.assertEqual([l["op"] for l in report["layers"] if l["quantized"]], ["conv", "conv", "gemm"])
        self.assertLess(report["error"], 2e-3)
        self.assertGreater(report["error"], 0)
        self.assertLess(report["bytes_after"], report["bytes_before"] / 2)
        kernels = self.kernels(model)
        self.assertFalse([k for k in kernels if k.startswith(("conv", "dot", "reference."))], kernels)
        self.assertEqual(sum(k.startswith("scale") for k in kernels), 1, kernels)
        # A .mote file says the same.
        mote, _ = self.quantized(out="q.mote")
        self.ok("compare", model, mote, "--inputs", self.npz, "--rtol", "0", "--atol", "1e-6")

    def test_every_way_to_calibrate(self):
        for method in ("minmax", "percentile", "entropy", "mse"):
            for activations in ("u8", "s8", "s16"):
                with self.subTest(method, activations=activations):
                    _, report = self.quantized("--calibration", method, "--activations", activations)
                    self.assertLess(report["error"], 2e-2)

    def test_schemes(self):
        errors = {}
        for scheme, least in (("dynamic", 1e-9), ("weight-only-8", 1e-9), ("f16", 1e-12), ("weight-only-4", 1e-9)):
            with self.subTest(scheme):
                model, report = self.quantized("--scheme", scheme)
                errors[scheme] = report["error"]
                self.assertGreater(report["error"], 0 * least)
                self.assertLess(report["error"], 3e-2)
                self.assertLess(report["bytes_after"], report["bytes_before"])
                self.ok("run", model, "--inputs", self.npz)
        self.assertLess(errors["f16"], errors["weight-only-8"])
        self.assertLess(errors["weight-only-8"], errors["weight-only-4"])

    def test_include_and_exclude(self):
        _, report = self.quantized("--exclude", "gemm")
        self.assertEqual([l["quantized"] for l in report["layers"]], [True, True, False])
        self.assertIn("--exclude", report["layers"][2]["why"])
        _, report = self.quantized("--include", "c2")
        self.assertEqual([l["quantized"] for l in report["layers"]], [False, True, False])
        self.refused("quantize", self.model, "-o", "o.onnx", "--inputs", self.npz, "--exclude", "nothing", says="'nothing'")

    def test_a_generator_and_files_say_the_same(self):
        _, by_file = self.quantized()
        shutil.copy(self.npz, self.path("b.npz"))
        command = f"{sys.executable} -c \"import sys; b = open('{self.npz}', 'rb').read(); sys.stdout.buffer.write(b + b)\""
        r = self.ok("--json", "quantize", self.model, "-o", "g.onnx", "--generator", command)
        self.assertEqual(r.json["samples"], 2 * by_file["samples"])
        self.assertAlmostEqual(r.json["error"], by_file["error"], 9)
        self.refused("quantize", self.model, "-o", "o.onnx", "--generator", "exit 3", says="failed")
        self.refused("quantize", self.model, "-o", "o.onnx", "--generator", "echo text", says=".npz")

    def test_bounds(self):
        rows = self.ok("run", self.model, "--inputs", self.npz, "--outputs", "out.npz")
        self.assertTrue(rows)
        shape, values, _ = onnx.read_npz_types(self.path("out.npz"))["y"]
        labels = [max(range(10), key=lambda c: values[i * 10 + c]) for i in range(shape[0])]
        self.npz = self.write("labelled.npz", samples(8, labels))
        _, report = self.quantized("--max-drop", "0.5%")
        self.assertEqual((report["labelled"], report["accuracy_before"]), (8, 1.0))
        self.assertEqual(report["accuracy_after"], 1.0)
        whole = report["error"]
        _, report = self.quantized("--max-error", str(whole / 2))
        self.assertLessEqual(report["error"], whole / 2)
        left = [l for l in report["layers"] if not l["quantized"]]
        self.assertTrue(left)
        self.assertTrue(all("sensitive" in l["why"] for l in left))
        r = self.mote("--json", "quantize", self.model, "-o", "never.onnx", "--inputs", self.npz, "--max-error", "1e-12")
        self.assertEqual(r.code, 1)
        self.assertFalse(r.json["met"])
        self.assertIn("cannot be met", r.json["verdict"])
        self.assertFalse(os.path.exists(self.path("never.onnx")))
        unlabelled = self.write("unlabelled.npz", samples(2))
        self.refused("quantize", self.model, "-o", "o.onnx", "--inputs", unlabelled, "--max-drop", "1%", says="labels")

    def test_bias_correction_lowers_the_error(self):
        # Weights of 4 bits round coarsely enough for the mean to matter.
        _, plain = self.quantized("--weight-bits", "4")
        _, corrected = self.quantized("--weight-bits", "4", "--bias-correction")
        self.assertLess(corrected["error"], plain["error"])

    def test_refusals(self):
        model, _ = self.quantized()
        self.refused("quantize", model, "-o", "again.onnx", "--inputs", self.npz, says="quantized already")
        self.refused("quantize", self.model, "-o", "o.onnx", says="samples")
        self.refused("quantize", self.model, "-o", "o.txt", "--inputs", self.npz, says=".onnx")
        relu = self.write("relu.onnx", onnx.model([onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", [3])], [onnx.value("y", [3])]))
        self.refused("quantize", relu, "-o", "o.onnx", "--scheme", "dynamic", says="nothing to quantize")
        other = self.write("other.npz", onnx.npz({"z": onnx.npy((1,), [1])}))
        self.refused("quantize", self.model, "-o", "o.onnx", "--inputs", other, says="'z'")
        self.assertFalse(os.path.exists(self.path("o.onnx")))

    def test_images_in_folders_are_labelled(self):
        for digit in range(10):
            os.makedirs(self.path(f"scans/{digit}"))
            shutil.copy(program.png(digit), self.path(f"scans/{digit}/a.png"))
        r = self.ok("--json", "quantize", program.DIGITS, "-o", "d.onnx", "--images", "scans")
        self.assertEqual((r.json["samples"], r.json["labelled"]), (10, 10))
        self.assertEqual((r.json["accuracy_before"], r.json["accuracy_after"]), (1.0, 1.0))
        self.assertTrue(all(l["quantized"] for l in r.json["layers"]))
        kernels = self.kernels(self.path("d.onnx"))
        self.assertFalse([k for k in kernels if k.startswith(("conv", "dot", "reference."))], kernels)
        top = self.ok("run", "d.onnx", "--image", program.png(7), "--json").json["images"][0]["top"][0]
        self.assertEqual(top["label"], "7")


if __name__ == "__main__":
    program.main()
