"""Weights are in memory once, and limits hold before memory is taken."""
import os
import pathlib
import platform
import random
import struct
import unittest

import onnx_files as onnx
import program

MB = 1e6


def raw_tensor(name, shape, seed):
    """Random f32 elements without a list of them: noise in the low bits of numbers around 1/32."""
    count = 1
    for d in shape:
        count *= d
    words = bytearray(random.Random(seed).randbytes(4 * count))
    words[3::4] = b"\x3c" * count
    words[2::4] = b"\x20" * count
    return b"".join(onnx.field(1, d) for d in shape) + onnx.field(2, onnx.F32) + onnx.field(8, name) + onnx.field(9, bytes(words))


def network(layers, width=1024):
    """x [1, width] through `layers` products of 4 width^2 bytes each; every other weight is stored transposed, the first is tied to the last."""
    nodes, constants, last = [], [], "x"
    for i in range(layers):
        weight = f"w{i % (layers - 1)}"
        if i < layers - 1:
            constants.append(raw_tensor(weight, (width, width), i))
        if i % 2:
            nodes.append(onnx.node("Transpose", [weight], [f"t{i}"], perm=[1, 0]))
            weight = f"t{i}"
        nodes.append(onnx.node("MatMul", [last, weight], [f"m{i}"]))
        nodes.append(onnx.node("Tanh", [f"m{i}"], [f"y{i}"]))
        last = f"y{i}"
    return onnx.model(nodes, [onnx.value("x", [1, width])], [onnx.value(last, [1, width])], constants)


class Written(program.Case):
    def test_a_model_gives_the_same_file_every_time(self):
        """Models of every kind of step; an address that is left in a file differs from process to process."""
        models = sorted((pathlib.Path(program.ROOT) / "fuzz" / "models").glob("*.ir"))
        self.assertGreater(len(models), 10)
        for model in models:
            files = []
            for name in ("a.mote", "b.mote"):
                self.ok("convert", str(model), "-o", self.path(name))
                with open(self.path(name), "rb") as f:
                    files.append(f.read())
            self.assertEqual(files[0], files[1], model.name)


@unittest.skipIf(os.environ.get("MOTE_SANITIZED"), "a sanitizer's memory is not the model's")
class Memory(program.Case):
    def test_weights_are_held_once(self):
        model = self.write("m.onnx", network(17))
        prepared = self.path("m.mote")
        self.ok("convert", model, "-o", prepared)
        for path in (model, prepared):
            r = self.ok("bench", path, "--seconds", "0.05", "--warmup", "0", "--threads", "1", "--json").json
            self.assertGreater(r["weight_bytes"], 60 * MB)
            limit = 1.15 * max(os.path.getsize(model), r["weight_bytes"]) + r["arena_bytes"] + 10 * MB
            self.assertLess(r["peak_rss_mb"] * MB, limit, path)

    def assert_fits(self, model):
        r = self.ok("bench", model, "--seconds", "0", "--warmup", "0", "--threads", "1", "--json").json
        limit = 1.15 * max(os.path.getsize(model), r["weight_bytes"]) + r["arena_bytes"] + 10 * MB
        self.assertLess(r["peak_rss_mb"] * MB, limit)

    def test_kernels_of_convolutions_are_held_once(self):
        for shape, side in (((2048, 4096, 1, 1), 4), ((512, 512, 3, 3), 24), ((2048, 512, 3, 3), 6)):
            with self.subTest(shape):
                n, c = shape[:2]
                channel = [onnx.tensor(name, (n,), [1.5] * n) for name in ("scale", "shift", "mean", "variance")]
                nodes = [onnx.node("Conv", ["x", "w"], ["a"]),
                         onnx.node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["y"])]
                self.assert_fits(self.write("m.onnx", onnx.model(
                    nodes, [onnx.value("x", [1, c, side, side])], [onnx.value("y", None)], [raw_tensor("w", shape, 3), *channel])))

    def test_many_small_weights_are_held_once(self):
        nodes, constants = [], []
        for i in range(200):
            constants += [raw_tensor(f"w{i}", (128, 128, 1, 1), i), onnx.tensor(f"b{i}", (128,), [0.5] * 128)]
            nodes.append(onnx.node("Conv", [f"y{i - 1}" if i else "x", f"w{i}", f"b{i}"], [f"y{i}"]))
        self.assert_fits(self.write("m.onnx", onnx.model(nodes, [onnx.value("x", [1, 128, 4, 4])], [onnx.value("y199", None)], constants)))

    def test_the_program_itself_takes_little(self):
        self.assert_fits(self.write("m.onnx", onnx.model([onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", [1])], [onnx.value("y", None)])))

    def test_a_limit_is_kept_and_explained(self):
        model = self.write("m.onnx", network(5))
        # 16 MiB of weights do not fit; the answer comes before they are packed.
        error = self.refused("bench", model, "--max-ram", "8M")
        self.assertRegex(error["message"], r"\d.*\d")
        self.assertTrue(error["hint"])
        self.ok("bench", model, "--max-ram", "64M", "--seconds", "0.01", "--warmup", "0")


class Targets(program.Case):
    def test_one_file_for_several(self):
        model = self.write("m.onnx", network(3, 64))
        whole, one, plans = self.path("all.mote"), self.path("one.mote"), self.path("plans.mote")
        self.ok("convert", model, "-o", whole, "--target", "all")
        self.ok("convert", model, "-o", one)
        self.ok("convert", model, "-o", plans, "--plans-only", "--target", "avx2,aarch64")
        self.assertEqual(self.ok("inspect", whole, "--json").json["targets"], ["generic", "avx2", "avx512", "neon"])
        self.assertIn("module", self.ok("verify", whole).out)
        self.assertIn("no module", self.ok("verify", plans).out)
        x = self.write("x.npy", onnx.npy((1, 64), [i / 64 for i in range(64)]))
        out = {}
        for path in (model, whole, one):
            self.ok("run", path, "--input", f"x={x}", "--outputs", self.path("y.npz"))
            with open(self.path("y.npz"), "rb") as f:
                out[path] = f.read()
        self.assertEqual(out[whole], out[one])
        self.assertEqual(out[model], out[one])
        # A file for others only is prepared again from its module.
        other = self.path("other.mote")
        self.ok("convert", model, "-o", other, "--target", "aarch64")
        again = self.ok("run", other, "--input", f"x={x}", "--outputs", self.path("y.npz"))
        self.assertIn("prepared again", again.err)
        self.ok("convert", other, "-o", self.path("host.mote"))
        self.assertNotIn("prepared again", self.ok("run", self.path("host.mote"), "--input", f"x={x}").err)
        self.refused("convert", plans, "-o", self.path("x.mote"))

    def test_damage_is_found(self):
        model = self.write("m.onnx", network(3, 64))
        prepared = self.path("m.mote")
        self.ok("convert", model, "-o", prepared)
        with open(prepared, "rb") as f:
            data = bytearray(f.read())
        data[-5] ^= 1
        self.refused("verify", self.write("damaged.mote", bytes(data)))
        self.refused("run", self.write("short.mote", bytes(data[:-9])), "--input", "x=y.npy")

    def test_a_plan_for_another_cpu(self):
        model = self.write("m.onnx", network(3, 64))
        for target, name in (("avx2", "avx2"), ("avx512", "avx512"), ("aarch64", "neon")):
            r = self.ok("plan", model, "--target", target, "--json").json
            self.assertEqual(r["target"], name)
            self.assertIn("dot", [s["kernel"] for s in r["steps"]])
        # It can be looked at and saved, not run.
        x = self.write("x.npy", onnx.npy((1, 64), [0.0] * 64))
        other = "avx2" if platform.machine() == "aarch64" else "aarch64"
        self.refused("run", model, "--target", other, "--input", f"x={x}", says="does not run")


class States(program.Case):
    def test_a_cache_grows_over_steps(self):
        nodes = [onnx.node("Concat", ["past", "x"], ["present"], axis=1), onnx.node("ReduceSum", ["present"], ["sum"], keepdims=0)]
        model = self.write("m.onnx", onnx.model(nodes, [onnx.value("x", [1, 1, 4]), onnx.value("past", [1, "past", 4])],
                                                [onnx.value("sum", []), onnx.value("present", [1, "total", 4])], opset=12))
        x = self.write("x.npy", onnx.npy((1, 1, 4), [1.0, 2.0, 3.0, 4.0]))
        r = self.ok("run", model, "--state", "past=present", "--input", f"x={x}", "--steps", "7", "--json").json
        self.assertEqual([o["shape"] for o in r["outputs"]], [[], [1, 7, 4]])
        self.refused("run", model, "--state", "past=nothing", "--input", f"x={x}")
        prepared = self.path("m.mote")
        self.ok("convert", model, "--state", "past=present", "-o", prepared)
        r = self.ok("run", prepared, "--input", f"x={x}", "--steps", "40", "--state-capacity", "64", "--json").json
        self.assertEqual(r["outputs"][1]["shape"], [1, 40, 4])


if __name__ == "__main__":
    program.main()
