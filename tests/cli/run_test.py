"""mote run: images, arrays, outputs, and everything it has to refuse."""
import os

import onnx_files as onnx
import program
from program import DIGITS, png

# Runs unittest.main() through program.main().


def two_inputs():
    return onnx.model([onnx.node("Add", ["a", "b"], ["sum"]), onnx.node("Relu", ["sum"], ["y"])],
                      [onnx.value("a", ["N", 3]), onnx.value("b", [3])], [onnx.value("y", ["N", 3])])


def floats(shape, values):
    return onnx.npy(shape, values)


class Defaults(program.Case):
    def test_an_input_with_a_value_can_be_given(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Add", ["a", "b"], ["y"])], [onnx.value("a", [2]), onnx.value("b", [2])],
                                                [onnx.value("y", [2])], [onnx.tensor("b", (2,), [10.0, 20.0])]))
        a = self.write("a.npy", floats((2,), [1.0, 2.0]))
        b = self.write("b.npy", floats((2,), [5.0, 6.0]))
        out = self.path("out.npz")
        self.ok("run", model, "--input", f"a={a}", "--outputs", out)
        self.assertEqual(list(onnx.read_npz(out)["y"][1]), [11.0, 22.0])
        self.ok("run", model, "--input", f"a={a}", "--input", f"b={b}", "--outputs", out)
        self.assertEqual(list(onnx.read_npz(out)["y"][1]), [6.0, 8.0])
        self.ok("bench", model, "--input", f"a={a}", "--input", f"b={b}", "--seconds", "0", "--warmup", "0")


class Images(program.Case):
    def test_reads_every_digit(self):
        r = self.ok("run", DIGITS, "--image", *[png(d) for d in range(10)], "--json").json
        self.assertEqual([i["top"][0]["label"] for i in r["images"]], [str(d) for d in range(10)])
        self.assertEqual(r["images"][3]["file"], png(3))
        for key in ("load_ms", "prepare_ms", "run_ms"):
            self.assertGreaterEqual(r[key], 0)
        top = r["images"][0]["top"]
        self.assertEqual(len(top), 5)
        self.assertEqual(sorted(top[0]), ["index", "label", "prob", "score"])
        self.assertGreater(top[0]["score"], top[1]["score"])
        self.assertLessEqual(sum(t["prob"] for t in top), 1.0001)

    def test_logits_are_pytorchs(self):
        images = [png(d) for d in range(10)]
        out = self.path("out.npz")
        self.ok("run", DIGITS, "--image", *images, "--outputs", out)
        shape, got = onnx.read_npz(out)["logits"]
        _, want = onnx.read_npz(os.path.join(os.path.dirname(DIGITS), "logits.npz"))["logits"]
        self.assertEqual(shape, (10, 10))
        self.assertLess(max(abs(a - b) for a, b in zip(got, want)), 1e-4)

    def test_text_is_for_people_and_plain_in_a_pipe(self):
        r = self.ok("run", DIGITS, "--image", png(7), "--top", "2")
        self.assertIn("%", r.out)
        self.assertNotIn("\033", r.out + r.err)
        self.assertEqual(len(r.out.splitlines()), 3)
        self.assertEqual(self.ok("-q", "run", DIGITS, "--image", png(7)).err, "")
        self.assertRegex(self.ok("-v", "run", DIGITS, "--image", png(7)).err, r"planned memory [\d.]+ MB.*measured peak [\d.]+ MB in buffers, [\d.]+ MB")

    def test_labels(self):
        names = self.write("names.txt", "".join(f"digit {i}\n" for i in range(10)))
        r = self.ok("run", DIGITS, "--image", png(4), "--labels", names, "--json").json
        self.assertEqual(r["images"][0]["top"][0]["label"], "digit 4")
        self.refused("run", DIGITS, "--image", png(4), "--labels", "nonsense", says="nonsense")

    def test_a_fixed_batch_of_one_runs_images_one_by_one(self):
        fixed = self.path("out.npz")
        r = self.ok("run", DIGITS, "--dim", "N=1", "--image", png(1), png(2), png(3), "--outputs", fixed, "--json").json
        self.assertEqual([i["top"][0]["label"] for i in r["images"]], ["1", "2", "3"])
        self.assertEqual(onnx.read_npz(fixed)["logits"][0], (3, 10))
        self.refused("run", DIGITS, "--dim", "N=2", "--image", png(1), png(2), png(3), says="2 images at a time")

    def test_preparation_options(self):
        plain = self.ok("run", DIGITS, "--image", png(5), "--json").json
        shifted = self.ok("run", DIGITS, "--image", png(5), "--mean", "0.5", "--std", "0.25", "--json").json
        self.assertNotEqual(plain["images"][0]["top"][0]["score"], shifted["images"][0]["top"][0]["score"])
        self.refused("run", DIGITS, "--image", png(5), "--resize", "huge", says="resize")
        self.refused("run", DIGITS, "--image", png(5), "--rgb", "--bgr")

    def test_quantized_inputs_take_images_by_their_scale_and_zero_point(self):
        pixels = bytes([0, 51, 255] + [128, 10, 250])
        picture = self.write("two.ppm", b"P6 2 1 255\n" + pixels)
        for dtype, scale, zero in (("u8", 1 / 255, 0), ("i8", 1 / 128, -1), ("u8", 0.02, 100)):
            number = onnx.DTYPES[dtype]
            model = self.write("q.onnx", onnx.model([onnx.node("DequantizeLinear", ["x", "s", "z"], ["y"])], [onnx.value("x", [1, 1, 2, 3], number)],
                                                    [onnx.value("y", [1, 1, 2, 3])],
                                                    [onnx.tensor("s", (), [scale]), onnx.tensor("z", (), [zero], number)]))
            out = self.path("o.npz")
            self.ok("run", model, "--image", picture, "--mean", "0.5", "--std", "0.5", "--outputs", out)
            low, high = (-128, 127) if dtype == "i8" else (0, 255)
            for got, pixel in zip(onnx.read_npz(out)["y"][1], pixels):
                want = min(max((pixel / 255 - 0.5) / 0.5, (low - zero) * scale), (high - zero) * scale)
                self.assertLessEqual(abs(got - want), scale / 2 + 1e-6)

    def test_channel_order_and_layout(self):
        picture = self.write("two.ppm", b"P6 2 1 255\n" + bytes([10, 20, 30, 40, 50, 60]))
        nchw, nhwc = (self.write(f"{len(s)}{s[1]}.onnx", onnx.model([onnx.node("Identity", ["x"], ["y"])], [onnx.value("x", s)], [onnx.value("y", s)]))
                      for s in ([1, 3, 1, 2], [1, 1, 2, 3]))
        for model, options, want in ((nchw, [], [10, 40, 20, 50, 30, 60]), (nchw, ["--bgr"], [30, 60, 20, 50, 10, 40]),
                                     (nhwc, ["--rgb"], [10, 20, 30, 40, 50, 60]), (nhwc, ["--bgr", "--layout", "nhwc"], [30, 20, 10, 60, 50, 40])):
            out = self.path("o.npz")
            self.ok("run", model, "--image", picture, "--scale", "1", "--outputs", out, *options)
            self.assertEqual(onnx.read_npz(out)["y"][1], want)

    def test_says_what_is_done_by_default(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Identity", ["x"], ["y"])], [onnx.value("x", [1, 3, 4, 5])], [onnx.value("y", [1, 3, 4, 5])]))
        self.assertIn("resized 32x32 to 5x4", self.ok("run", model, "--image", png(1)).err)
        self.assertNotIn("resized", self.ok("run", model, "--image", png(1), "--resize", "5x4").err)

    def test_probabilities_stay_what_they_are(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Flatten", ["x"], ["f"]), onnx.node("MatMul", ["f", "w"], ["l"]),
                                                 onnx.node("Softmax", ["l"], ["y"], axis=1)], [onnx.value("x", [1, 1, 1, 1])],
                                                [onnx.value("y", [1, 3])], [onnx.tensor("w", (1, 3), [1, 2, 3])]))
        for top in self.ok("run", model, "--image", png(1), "--json").json["images"][0]["top"]:
            self.assertEqual(top["score"], top["prob"])

    def test_labels_need_images(self):
        r = self.mote("run", DIGITS, "--input", "image=" + self.write("x.npy", onnx.npy((1, 1, 32, 32), [0] * 1024)), "--labels", "digits")
        self.assertEqual(r.code, 0)
        self.assertIn("--labels", r.err)

    def test_broken_images(self):
        with open(png(0), "rb") as f:
            whole = f.read()
        self.refused("run", DIGITS, "--image", self.write("cut.png", whole[:60]), says="cut.png")
        self.refused("run", DIGITS, "--image", self.write("text.png", "hello"), says="text.png")
        self.refused("run", DIGITS, "--image", self.path("none.png"), says="none.png")

    def test_until_stops_there(self):
        nodes = self.ok("inspect", DIGITS, "--nodes", "--json").json["graph"]
        out = self.path("out.npz")
        r = self.ok("run", DIGITS, "--image", png(5), "--until", nodes[1]["name"], "--dump", nodes[0]["name"], "--outputs", out, "--json").json
        self.assertEqual(sorted(onnx.read_npz(out)), sorted(nodes[0]["outputs"] + nodes[1]["outputs"]))
        self.assertNotIn("images", r)
        self.refused("run", DIGITS, "--image", png(5), "--until", "nothing", says="nothing")

    def test_dump_adds(self):
        node = self.ok("inspect", DIGITS, "--nodes", "--json").json["graph"][0]
        out = self.path("out.npz")
        r = self.ok("run", DIGITS, "--image", png(5), "--dump", node["name"], "--outputs", out, "--json").json
        self.assertEqual(list(onnx.read_npz(out)), ["logits"] + node["outputs"])
        self.assertEqual(r["images"][0]["top"][0]["label"], "5")

    def test_deadline(self):
        self.refused("run", DIGITS, "--image", png(5), "--deadline", "1ns", code=1, says="deadline")
        self.refused("run", DIGITS, "--image", png(5), "--deadline", "soon", says="--deadline")

    def test_memory_limit(self):
        self.refused("run", DIGITS, "--image", png(5), "--max-ram", "1K")
        self.ok("run", DIGITS, "--image", png(5), "--max-ram", "64M")
        self.refused("run", DIGITS, "--image", png(5), "--max-ram", "lots", says="--max-ram")

    def test_memory_limit_counts_weights_and_arena(self):
        weights = self.write("w.onnx", onnx.model([onnx.node("MatMul", ["x", "w"], ["y"])], [onnx.value("x", [1, 1024])], [onnx.value("y", [1, 4096])],
                                                  [onnx.tensor("w", (1024, 4096), [0.5] * (1024 * 4096))]))
        arena = self.write("a.onnx", onnx.model([onnx.node("Expand", ["x", "s"], ["wide"]), onnx.node("Exp", ["wide"], ["big"]),
                                                 onnx.node("Exp", ["big"], ["large"]), onnx.node("ReduceSum", ["large"], ["y"])],
                                                [onnx.value("x", [1, 1])], [onnx.value("y", [1, 1])],
                                                [onnx.tensor("s", (2,), [4096, 65536], onnx.I64)]))
        for verb in ("bench", "profile", "plan"):
            self.refused(verb, weights, "--max-ram", "24M", says="'w'")
            self.ok(verb, weights, "--max-ram", "64M", *(["--seconds", "0"] if verb != "plan" else []))
        self.refused("convert", weights, "-o", self.path("w.mote"), "--max-ram", "24M", says="'w'")
        self.assertFalse(os.path.exists(self.path("w.mote")))
        self.ok("convert", weights, "-o", self.path("w.mote"))
        self.refused("bench", self.path("w.mote"), "--max-ram", "24M", says="weights")
        x = self.write("x.npy", floats((1, 1), [1]))
        self.refused("run", arena, "--input", f"x={x}", "--max-ram", "64M", says="arena")
        hint = self.refused("plan", arena, "--max-ram", "64M", says="least")["hint"]
        self.ok("plan", arena, "--max-ram", hint.split()[-1])

    def test_memory_limit_chooses_strips_of_rows(self):
        # A map of 512 channels between 1x1 convolutions: too many for strips to be faster.
        model = self.write("m.onnx", onnx.model(
            [onnx.node("Conv", ["x", "e"], ["a"]), onnx.node("Relu", ["a"], ["b"]),
             onnx.node("Conv", ["b", "d"], ["c"], group=512, pads=[1, 1, 1, 1]), onnx.node("Conv", ["c", "p"], ["y"])],
            [onnx.value("x", [1, 32, 96, 96])], [onnx.value("y", None)],
            [onnx.tensor("e", (512, 32, 1, 1), [0.01 * (i % 7) for i in range(512 * 32)]),
             onnx.tensor("d", (512, 1, 3, 3), [0.1 * (i % 5 - 2) for i in range(512 * 9)]),
             onnx.tensor("p", (32, 512, 1, 1), [0.01 * (i % 11 - 5) for i in range(512 * 32)])]))
        plain = self.ok("plan", model, "--json").json
        self.assertGreater(plain["arena_bytes"], 30 << 20)
        tight = self.ok("plan", model, "--max-ram", "40M", "--json")
        self.assertLess(tight.json["arena_bytes"], 8 << 20)
        self.assertIn("strips", [s["kernel"] for s in tight.json["steps"]])
        self.assertRegex(tight.err, r"arena of .* instead of .* multiply-adds")
        x, one, two = (self.path(n) for n in ("x.npy", "one.npz", "two.npz"))
        self.write("x.npy", floats((1, 32, 96, 96), [0.01 * (i % 13) for i in range(32 * 96 * 96)]))
        self.ok("run", model, "--input", f"x={x}", "--outputs", one)
        self.ok("run", model, "--input", f"x={x}", "--max-ram", "40M", "--threads", "2", "--outputs", two)
        self.assertEqual(onnx.read_npz(one)["y"], onnx.read_npz(two)["y"])


class Arrays(program.Case):
    def setUp(self):
        super().setUp()
        self.model = self.write("m.onnx", two_inputs())
        self.a = floats((2, 3), [1, -2, 3, -4, 5, -6])
        self.b = floats((3,), [1, 1, 1])

    def answer(self, *arguments):
        out = self.path("out.npz")
        self.ok("run", self.model, *arguments, "--outputs", out)
        return onnx.read_npz(out)["y"]

    def test_by_name_by_position_and_one_by_one(self):
        want = ((2, 3), [2, 0, 4, 0, 6, 0])
        self.assertEqual(self.answer("--inputs", self.write("n.npz", onnx.npz({"b": self.b, "a": self.a}))), want)
        self.assertEqual(self.answer("--inputs", self.write("p.npz", onnx.npz({"in_0": self.a, "in_1": self.b}))), want)
        a, b = self.write("a.npy", self.a), self.write("b.npy", self.b)
        self.assertEqual(self.answer("--input", f"a={a}", "--input", f"b={b}"), want)
        self.assertEqual(self.answer("--inputs", self.write("h.npz", onnx.npz({"a": self.a})), "--input", f"b={b}"), want)

    def test_describes_outputs(self):
        npz = self.write("n.npz", onnx.npz({"a": self.a, "b": self.b}))
        r = self.ok("run", self.model, "--inputs", npz, "--json").json
        self.assertEqual(r["outputs"], [{"name": "y", "dtype": "f32", "shape": [2, 3]}])
        self.assertIn("[2,3]", self.ok("run", self.model, "--inputs", npz).out)

    def test_what_does_not_fit(self):
        def with_arrays(**arrays):
            return ("run", self.model, "--inputs", self.write("x.npz", onnx.npz(arrays)))
        self.refused(*with_arrays(a=self.a), says="'b'")
        self.refused(*with_arrays(a=self.a, b=self.b, c=self.b), says="'c'")
        self.refused(*with_arrays(a=self.a, b=floats((4,), [1] * 4)), says="'b'")
        self.refused(*with_arrays(a=self.a, b=onnx.npy((3,), [1, 1, 1], "<i8")), says="i64")
        self.refused(*with_arrays(a=floats((3,), [1] * 3), b=self.b), says="rank")
        self.refused(*with_arrays(a=self.a, b=self.b, in_1=self.b), says="twice")
        self.refused("run", self.model, "--inputs", self.write("t.npz", "text"), says="t.npz")
        self.refused("run", self.model, "--inputs", self.path("none.npz"), says="none.npz")
        self.refused("run", self.model, "--input", "a", says="NAME=VALUE")
        self.refused("run", self.model, says="'a'")

    def test_nothing_is_left_half_written(self):
        out = self.path("out.npz")
        self.refused("run", self.model, "--inputs", self.write("x.npz", onnx.npz({"a": self.a})), "--outputs", out)
        self.assertFalse(os.path.exists(out))
        before = sorted(os.listdir(self.folder.name))
        npz = self.write("n.npz", onnx.npz({"a": self.a, "b": self.b}))
        self.refused("run", self.model, "--inputs", npz, "--outputs", self.path("no/such/out.npz"), says="out.npz")
        self.assertEqual(sorted(os.listdir(self.folder.name)), sorted(before + ["n.npz"]))

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        npz = self.write("n.npz", onnx.npz({"a": self.a, "b": self.b}))
        self.refused("run", self.model, "--inputs", npz, "--outputs", "/dev/full", says="/dev/full")

    def test_shapes_and_dimensions(self):
        npz = self.write("n.npz", onnx.npz({"a": self.a, "b": self.b}))
        self.ok("run", self.model, "--inputs", npz, "--dim", "N=2")
        self.ok("run", self.model, "--inputs", npz, "--shape", "a=2,3")
        self.refused("run", self.model, "--inputs", npz, "--dim", "N=3", says="'a'")
        self.refused("run", self.model, "--inputs", npz, "--dim", "M=3", says="'M'")
        self.refused("run", self.model, "--inputs", npz, "--dim", "N=x", says="--dim")
        self.refused("run", self.model, "--inputs", npz, "--shape", "c=1", says="'c'")
        self.refused("run", self.model, "--inputs", npz, "--shape", "a=1", says="'a'")
        self.refused("run", self.model, "--inputs", npz, "--shape", "a=2,-1", says="--shape")
        self.refused("run", self.model, "--inputs", npz, "--signature", "other", says="other")

    def test_a_state_is_not_an_input(self):
        model = self.write("s.onnx", onnx.model([onnx.node("Add", ["x", "past"], ["now"])], [onnx.value("x", [2]), onnx.value("past", [2])],
                                                [onnx.value("now", [2])]))
        x = self.write("x.npy", floats((2,), [1, 2]))
        out = self.path("out.npz")
        self.ok("run", model, "--state", "past=now", "--input", f"x={x}", "--outputs", out)
        self.assertEqual(onnx.read_npz(out)["now"], ((2,), [1, 2]))
        self.refused("run", model, "--state", "past=now", "--input", f"x={x}", "--input", f"past={x}", says="state")
        self.refused("run", model, "--state", "past=nothing", "--input", f"x={x}", says="nothing")


class Models(program.Case):
    def test_broken_files(self):
        with open(DIGITS, "rb") as f:
            whole = f.read()
        for name, data in {"cut.onnx": whole[:5000], "empty.onnx": b"", "text.onnx": "not a model\n", "cut.mote": b"MOTEPLAN\x01"}.items():
            path = self.write(name, data)
            for verb in ("run", "inspect", "plan", "bench", "profile", "verify"):
                self.refused(verb, path, says=name)
        self.refused("run", self.path("none.onnx"), says="none.onnx")
        self.refused("run", self.folder.name)

    def test_missing_operators_are_listed_together(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Nonsense", ["x"], ["a"], name="first"), onnx.node("Rubbish", ["a"], ["y"])],
                                                [onnx.value("x", [2])], [onnx.value("y", [2])]))
        self.refused("run", model, says=("Nonsense", "Rubbish", "first"))

    def test_content_decides_not_the_name(self):
        with open(DIGITS, "rb") as f:
            path = self.write("digits.mote", f.read())
        self.ok("run", path, "--image", png(1))

    def test_usage(self):
        self.refused("run", says="MODEL")
        self.refused(says="subcommand")
        self.refused("walk")
        self.refused("run", DIGITS, "--nonsense", says="--nonsense")
        self.refused("run", DIGITS, "--precision", "f8")
        self.refused("run", DIGITS, "--threads", "-1")
        self.refused("run", DIGITS, "--image", png(1), "--target", "z80", says="z80")


if __name__ == "__main__":
    program.main()
