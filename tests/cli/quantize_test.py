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
                if scheme != "dynamic":  # weights are widened once, not in every run
                    self.assertEqual(self.kernels(model), self.kernels(self.model))
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


class Tighten(program.Case):
    """Each flag lowers the error of a network that needs it."""

    def error(self, model, arrays, *more):
        npz = self.write("in.npz", onnx.npz(arrays))
        return self.ok("--json", "quantize", model, "-o", "q.onnx", "--inputs", npz, *more).json["error"]

    def test_equalize(self):
        # Channels of very different size, which the next layer makes even again.
        factors = [10.0 ** (c % 4 - 2) for c in range(8)]
        w1 = [v * factors[i // 27] for i, v in enumerate(numbers(216, 1, 0.3))]
        w2 = [v / factors[i // 9 % 8] for i, v in enumerate(numbers(576, 2, 0.3))]
        model = self.write("m.onnx", onnx.model(
            [onnx.node("Conv", ["x", "w1"], ["c"]), onnx.node("Relu", ["c"], ["r"]), onnx.node("Conv", ["r", "w2"], ["y"])],
            [onnx.value("x", [4, 3, 8, 8])], [onnx.value("y", [4, 8, 4, 4])],
            [onnx.tensor("w1", [8, 3, 3, 3], w1), onnx.tensor("w2", [8, 8, 3, 3], w2)]))
        x = {"x": onnx.npy((4, 3, 8, 8), numbers(768, 3))}
        plain = self.error(model, x, "--per-tensor")
        self.assertLess(self.error(model, x, "--per-tensor", "--equalize"), plain / 10)

    def products(self, scale):
        """A normalization before a product."""
        return self.write("m.onnx", onnx.model(
            [onnx.node("LayerNormalization", ["x", "scale"], ["n"]), onnx.node("MatMul", ["n", "w"], ["y"])],
            [onnx.value("x", [1, 64, 64])], [onnx.value("y", [1, 64, 32])],
            [onnx.tensor("scale", [64], scale), onnx.tensor("w", [64, 32], numbers(2048, 2, 0.2))]))

    def test_smooth(self):
        # A few channels of activations are far larger than the others, as in transformers.
        model = self.products([40.0 if c % 16 == 3 else 1.0 for c in range(64)])
        x = {"x": onnx.npy((1, 64, 64), numbers(4096, 3))}
        plain, smooth = self.error(model, x), self.error(model, x, "--smooth", "0.5")
        self.assertLess(smooth, plain)

    def test_gptq(self):
        model = self.products([1.0] * 64)
        # Channels that depend on each other, so that one can make up for another.
        base, mix = numbers(64 * 8, 4), numbers(8 * 64, 5)
        values = [sum(base[r * 8 + k] * mix[k * 64 + c] for k in range(8)) for r in range(64) for c in range(64)]
        x = {"x": onnx.npy((1, 64, 64), values)}
        plain = self.error(model, x, "--scheme", "weight-only-4")
        self.assertLess(self.error(model, x, "--scheme", "weight-only-4", "--gptq"), plain / 2)


class Targets(program.Case):
    def setUp(self):
        super().setUp()
        self.model = self.write("net.onnx", network())
        self.npz = self.write("in.npz", samples(4))

    def quantize(self, *more):
        return self.ok("--json", "quantize", self.model, "-o", "q.onnx", "--inputs", self.npz, *more).json

    def test_a_model_of_another_cpu_decides(self):
        slow = self.write("slow.toml", 'name = "slow"  # in 8 bits\nlike = "cortex-a72"\nint8_macs_per_cycle = 0.001\n')
        r = self.mote("--json", "quantize", self.model, "-o", "never.onnx", "--inputs", self.npz, "--target", slow)
        self.assertEqual((r.code, r.json["met"]), (1, False))
        self.assertTrue(all("by the model of slow" in l["why"] for l in r.json["layers"]))
        fast = self.write("fast.toml", "int8_macs_per_cycle = 1000\nf32_macs_per_cycle = 0.1\nstep_us = 0\n")
        self.assertTrue(all(l["quantized"] for l in self.quantize("--target", fast)["layers"]))
        self.assertTrue(all(l["us_before"] > 0 for l in self.quantize("--target", "cortex-a53", "--exclude", "gemm")["layers"][:2]))

    def test_what_a_description_may_not_say(self):
        for text, says in (("ghz = fast\n", "ghz"), ("speed = 1\n", "no such key"), ("[cpu]\n", "line 1"), ('like = "z80"\n', "z80")):
            target = self.write("t.toml", text)
            self.refused("quantize", self.model, "-o", "q.onnx", "--inputs", self.npz, "--target", target, says=says)
        self.refused("quantize", self.model, "-o", "q.onnx", "--inputs", self.npz, "--target", "cortex-a72", "--measure",
                     says="this CPU")

    def test_reports(self):
        self.quantize("--target", "cortex-a72", "--exclude", "c2", "--report", "r.html")
        with open(self.path("r.html"), encoding="utf-8") as f:
            page = f.read()
        self.assertIn("<svg", page)
        self.assertIn("--exclude names it", page)
        self.assertNotIn("http://", page.replace("http://www.w3.org/2000/svg", ""))
        report = self.quantize("--report", "r.json")
        self.assertTrue(all("error" in l for l in report["layers"]))
        self.assertTrue(os.path.exists(self.path("r.json")))


class Fastest(program.Case):
    """Layers that AVX2 is slower at in integers: depthwise convolutions with many taps."""

    def setUp(self):
        super().setUp()
        nodes, constants = [], []
        for i, (kernel, inputs, outputs, group) in enumerate(((1, 16, 64, 1), (7, 64, 64, 64), (7, 64, 64, 64), (1, 64, 16, 1))):
            taps = inputs // group * kernel ** 2
            constants += [onnx.tensor(f"w{i}", [outputs, inputs // group, kernel, kernel], numbers(outputs * taps, i, taps ** -0.5)),
                          onnx.tensor(f"b{i}", [outputs], numbers(outputs, 9 + i, 0.2))]
            nodes += [onnx.node("Conv", [f"r{i - 1}" if i else "x", f"w{i}", f"b{i}"], [f"c{i}"], pads=[kernel // 2] * 4, group=group),
                      onnx.node("Relu", [f"c{i}"], [f"r{i}"])]
        model = self.write("net.onnx", onnx.model(nodes, [onnx.value("x", [1, 16, 48, 48])], [onnx.value("r3", [1, 16, 48, 48])], constants))
        self.npz = self.write("in.npz", onnx.npz({"x": onnx.npy((1, 16, 48, 48), numbers(16 * 48 * 48, 3))}))
        self.model = self.path("q.onnx")
        self.ok("quantize", model, "-o", self.model, "--inputs", self.npz)
        if self.mote("plan", self.model, "--target", "avx2").code != 0:
            self.skipTest("needs a CPU with AVX2")

    def steps(self, *more):
        return [s for s in self.ok("plan", self.model, "--target", "avx2", "--json", *more).json["steps"] if "conv" in s["op"]]

    def test_plan_says_which_layers_are_slower_in_integers(self):
        slow = [" slower in integers than in f32" in s["why"] for s in self.steps()]
        self.assertEqual(slow, [False, True, True, False])
        self.assertIn("slower in integers than in f32", self.ok("plan", self.model, "--target", "avx2", "--explain").out)

    def test_fastest_floats_them(self):
        self.assertEqual([s["op"] for s in self.steps()], ["qlinear_conv"] * 4)
        self.assertEqual([s["op"] for s in self.steps("--precision", "fastest")], ["qlinear_conv", "conv", "conv", "qlinear_conv"])
        answers = []
        for precision in ("f32", "fastest"):
            self.ok("run", self.model, "--target", "avx2", "--precision", precision, "--inputs", self.npz, "--outputs", "out.npz")
            answers.append(onnx.read_npz(self.path("out.npz"))["r3"][1])
        a, b = answers
        self.assertNotEqual(a, b)
        product = sum(x * y for x, y in zip(a, b))
        self.assertGreater(product / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5, 0.999)
        self.ok("convert", self.model, "-o", "fast.mote", "--target", "avx2", "--precision", "fastest")
        self.ok("run", "fast.mote", "--inputs", self.npz, "--outputs", "out.npz")
        self.assertEqual(onnx.read_npz(self.path("out.npz"))["r3"][1], b)

    def test_what_is_refused(self):
        self.refused("run", self.model, "--inputs", self.npz, "--precision", "fastest", "--reproducible", says="--reproducible")
        self.refused("convert", self.model, "-o", "o.onnx", "--precision", "fastest", says=".mote")


class Prune(program.Case):
    def network(self):
        """Two convolutions with a residual, a depthwise one between, a pool and a product; every second channel gives nothing."""
        def rows(count, per, seed):
            values = numbers(count * per, seed, 0.3)
            return [0.0 if i // per % 2 else v for i, v in enumerate(values)]

        nodes = [onnx.node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]), onnx.node("Relu", ["c1"], ["r1"]),
                 onnx.node("Conv", ["r1", "wd"], ["cd"], pads=[1, 1, 1, 1], group=16), onnx.node("Relu", ["cd"], ["rd"]),
                 onnx.node("Conv", ["rd", "w2"], ["c2"]), onnx.node("Add", ["c2", "rd"], ["sum"]),
                 onnx.node("MaxPool", ["sum"], ["pool"], kernel_shape=[4, 4], strides=[4, 4]),
                 onnx.node("Flatten", ["pool"], ["flat"]), onnx.node("Gemm", ["flat", "w3", "b3"], ["y"], transB=1)]
        constants = [onnx.tensor("w1", [16, 3, 3, 3], rows(16, 27, 1)), onnx.tensor("b1", [16], rows(16, 1, 2)),
                     onnx.tensor("wd", [16, 1, 3, 3], rows(16, 9, 3)), onnx.tensor("w2", [16, 16, 1, 1], rows(16, 16, 4)),
                     onnx.tensor("w3", [10, 64], numbers(640, 5, 0.2)), onnx.tensor("b3", [10], numbers(10, 6))]
        return onnx.model(nodes, [onnx.value("x", ["N", 3, 8, 8])], [onnx.value("y", ["N", 10])], constants)

    def setUp(self):
        super().setUp()
        self.model = self.write("net.onnx", self.network())
        self.npz = self.write("in.npz", samples(4))

    def test_channels_that_give_nothing_go_first(self):
        r = self.ok("--json", "prune", self.model, "-o", "p.onnx", "--ratio", "0.5")
        self.assertEqual([l["channels_after"] for l in r.json["layers"]], [8, 8, 8, 10])
        self.assertLess(r.json["macs_after"], r.json["macs_before"] * 0.6)
        self.ok("compare", self.model, "p.onnx", "--inputs", self.npz)
        self.assertLess(os.path.getsize(self.path("p.onnx")), os.path.getsize(self.model) * 0.7)

    def test_bounds(self):
        r = self.ok("--json", "prune", self.model, "-o", "p.onnx", "--inputs", self.npz, "--max-error", "1e-6")
        self.assertEqual([l["channels_after"] for l in r.json["layers"]], [8, 8, 8, 10])
        self.assertLess(r.json["error"], 1e-6)
        less = self.ok("--json", "prune", self.model, "-o", "p.onnx", "--inputs", self.npz, "--max-error", "0.2").json
        self.assertGreater(less["ratio"], r.json["ratio"])
        self.assertLessEqual(less["error"], 0.2)

    def test_what_it_refuses(self):
        for pattern in ("2:4", "unstructured"):
            self.refused("prune", self.model, "-o", "p.onnx", "--pattern", pattern, says="no kernel")
        self.refused("prune", self.model, "-o", "p.onnx", "--max-error", "0.1", says="samples")
        self.assertFalse(os.path.exists(self.path("p.onnx")))


if __name__ == "__main__":
    program.main()
