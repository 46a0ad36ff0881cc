"""The other verbs: what they print, and as JSON."""
import json
import os
import re
import shutil
import subprocess

import onnx_files as onnx
import program
from program import DIGITS, ROOT, png

# Runs unittest.main() through program.main().

VERBS = ("run", "inspect", "plan", "bench", "profile", "compare", "convert", "verify", "ops", "doctor")


class Help(program.Case):
    def test_every_verb_explains_itself_with_an_example(self):
        for verb in VERBS:
            r = self.ok(verb, "--help")
            self.assertIn("Example: mote " + verb, r.out)
            self.assertEqual(r.err, "")
        self.assertTrue(all(verb in self.ok("--help").out for verb in VERBS))
        self.assertRegex(self.ok("--version").out, r"^mote \d+\.\d+\.\d+\n$")


class Documents(program.Case):
    def test_name_every_key_of_the_results(self):
        """docs/program.md has a row for every verb, with all keys of its JSON."""
        with open(os.path.join(ROOT, "docs/program.md")) as f:
            table = f.read().split("## Results as JSON")[1].split("## ")[0]
        rows = {row.split("`")[1]: set(row.split("`")[3::2]) for row in table.splitlines() if row.startswith("| `")}
        wrong = self.write("wrong.npz", onnx.npz({"logits": onnx.npy((1, 1), [0])}))
        results = {"run": ["--image", png(1)], "inspect": ["--nodes"], "plan": [], "bench": ["--seconds", "0", "--batch", "2"], "profile": ["--seconds", "0"],
                   "compare": ["--image", png(1), "--target", "reference", "--layers"], "convert": ["-o", "m.mote"], "verify": []}
        for verb, options in results.items():
            self.assertEqual(set(self.ok(verb, DIGITS, *options, "--json").json) - rows[verb], set(), verb)
        row = self.mote("compare", DIGITS, "--image", png(1), "--golden", wrong, "--json").json["outputs"][0]
        self.assertEqual(set(row) - rows["compare"], set())
        top = self.ok("run", DIGITS, "--image", png(1), "--json").json["images"][0]
        self.assertEqual((set(top) | set(top["top"][0])) - rows["run"], set())
        self.assertEqual(set(VERBS) - {"ops", "doctor"} - set(rows), set())


    def test_name_every_option(self):
        with open(os.path.join(ROOT, "docs/program.md")) as f:
            text = f.read()
        for verb in VERBS:
            options = re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", self.ok(verb, "--help").out, re.M)
            self.assertEqual([o for o in options if o not in text and o not in ("--help", "--output")], [], verb)


class Terminal(program.Case):
    def test_colour_and_progress_on_a_terminal_only(self):
        run, bench = ("run", DIGITS, "--image", png(7)), ("bench", DIGITS, "--seconds", "0", "--warmup", "0")
        self.assertIn("\033[32m", self.on_terminal(*run))
        self.assertNotIn("\033[32m", self.on_terminal(*run, env={"NO_COLOR": "1"}))
        self.assertIn("measuring", self.on_terminal(*bench))
        self.assertNotIn("measuring", self.on_terminal("-q", *bench))
        self.assertNotIn("measuring", self.ok(*bench).err)


class CommonOptions(program.Case):
    """Every verb that loads a model takes them all."""
    LOADING = {"run": ["--image", png(1)], "inspect": [], "plan": [], "bench": ["--seconds", "0", "--warmup", "0"], "profile": ["--seconds", "0"],
               "compare": ["--image", png(1), "--target", "reference"], "convert": ["-o", "out.mote"], "verify": []}

    def test_are_taken(self):
        options = ["--threads", "1", "--shape", "image=1,1,32,32", "--signature", "main", "--precision", "f32", "--reproducible", "--max-ram", "1G",
                   "--deadline", "60s", "--seed", "7"]
        for verb, more in self.LOADING.items():
            with self.subTest(verb):
                self.ok(verb, DIGITS, *options, *more, "--json")
                self.ok(verb, DIGITS, "--dim", "N=1", *more, "--json")

    def test_precision_rounds_the_weights(self):
        scores = {p: self.ok("run", DIGITS, "--image", png(1), "--precision", p, "--json").json["images"][0]["top"][0] for p in ("f32", "bf16", "f16")}
        for precision, most in (("bf16", 0.1), ("f16", 0.01)):
            self.assertEqual(scores[precision]["label"], "1")
            self.assertNotEqual(scores[precision]["score"], scores["f32"]["score"])
            self.assertAlmostEqual(scores[precision]["score"], scores["f32"]["score"], delta=most)
            self.assertEqual(self.ok("bench", DIGITS, "--precision", precision, "--seconds", "0", "--json").json["precision"], precision)
            for saved in (self.path("m.mote"), self.path("m.ir")):
                self.ok("convert", DIGITS, "-o", saved, "--precision", precision)
                again = self.ok("run", saved, "--image", png(1), "--json").json["images"][0]["top"][0]
                self.assertAlmostEqual(again["score"], scores[precision]["score"], delta=0.01 if precision == "f16" else 0.05)
        self.refused("-q", "convert", DIGITS, "-o", self.path("m.onnx"), "--precision", "f16", says="ONNX")
        self.assertIn("rounded", self.ok("run", DIGITS, "--image", png(1), "--precision", "bf16").err)
        # x * w, with w = 1 + 2^-9 rounded to 1 in bf16 and kept in f16, and x exact in both.
        model = self.write("m.onnx", onnx.model([onnx.node("MatMul", ["x", "w"], ["y"])], [onnx.value("x", [1, 1])], [onnx.value("y", [1, 1])],
                                                [onnx.tensor("w", (1, 1), [1 + 2.0**-9])]))
        x, out = self.write("x.npy", onnx.npy((1, 1), [1.5])), self.path("o.npz")
        for precision, weight in (("f32", 1 + 2.0**-9), ("f16", 1 + 2.0**-9), ("bf16", 1)):
            self.ok("run", model, "--input", f"x={x}", "--precision", precision, "--outputs", out)
            self.assertAlmostEqual(onnx.read_npz(out)["y"][1][0], 1.5 * weight, delta=1e-7)

    def test_are_checked(self):
        for wrong, says in {"--signature": ("nonsense", "main"), "--dim": ("M=3", "'M'"), "--shape": ("picture=1,1,32,32", "'picture'"),
                            "--max-ram": ("much", "--max-ram"), "--threads": ("-2", "--threads"), "--precision": ("f8", "--precision"),
                            "--seed": ("x", "--seed")}.items():
            for verb, more in self.LOADING.items():
                with self.subTest(f"{verb} {wrong}"):
                    self.refused(verb, DIGITS, wrong, says[0], *more, says=says[1])
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_a_deadline_that_passes_is_exit_1(self):
        for verb in ("run", "bench", "profile", "compare"):
            self.refused(verb, DIGITS, "--deadline", "1ns", *self.LOADING[verb], code=1, says="deadline")

    def test_sizes_are_powers_of_two_or_of_ten(self):
        for size in ("64M", "64MB", "64MiB", "0.1G", "65536K", "67108864"):
            self.ok("plan", DIGITS, "--max-ram", size)


class Inspect(program.Case):
    def test_digits(self):
        r = self.ok("inspect", DIGITS, "--json").json
        self.assertEqual(r["format"], "ONNX")
        self.assertEqual(r["inputs"], [{"name": "image", "kind": "tensor", "dtype": "f32", "shape": ["N", 1, 32, 32], "state": False}])
        self.assertEqual(r["outputs"][0]["name"], "logits")
        self.assertEqual(r["opset"], 17)
        self.assertEqual([s["name"] for s in r["symbols"]], ["N"])
        self.assertTrue(r["runs"])
        self.assertEqual(r["missing"], [])
        self.assertIn("conv", r["ops"])
        self.assertGreater(r["parameters"], 30000)
        self.assertEqual(r["metadata"]["mote.image.channels"], "grey")
        self.assertIn("N", r["macs"])
        one, two = (self.ok("inspect", DIGITS, "--dim", f"N={n}", "--json").json["macs"] for n in (1, 2))
        self.assertEqual(two, 2 * one)

    def test_counts_multiply_adds(self):
        model = self.write("m.onnx", onnx.model([onnx.node("MatMul", ["x", "w"], ["y"])], [onnx.value("x", [5, 7])], [onnx.value("y", [5, 3])],
                                                [onnx.tensor("w", (7, 3), [0.5] * 21)]))
        r = self.ok("inspect", model, "--json").json
        self.assertEqual((r["macs"], r["parameters"], r["nodes"]), (5 * 7 * 3, 21, 1))

    def test_says_what_would_not_run(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Relu", ["x"], ["a"]), onnx.node("Rubbish", ["a"], ["y"], name="bad")],
                                                [onnx.value("x", [2])], [onnx.value("y", [2])]))
        r = self.ok("inspect", model, "--json").json
        self.assertFalse(r["runs"])
        self.assertEqual(len(r["missing"]), 1)
        self.assertIn("Rubbish", r["missing"][0])
        self.assertIn("bad", r["missing"][0])
        self.assertIn("DOES NOT RUN", self.ok("inspect", model).out)

    def test_states(self):
        model = self.write("s.onnx", onnx.model([onnx.node("Add", ["x", "past"], ["now"])], [onnx.value("x", [2]), onnx.value("past", [2])],
                                                [onnx.value("now", [2])]))
        r = self.ok("inspect", model, "--state", "past=now", "--json").json
        self.assertEqual(r["states"], [{"input": "past", "output": "now"}])


class Plan(program.Case):
    def test_steps_and_memory(self):
        r = self.ok("plan", DIGITS, "--dim", "N=1", "--json").json
        self.assertGreater(len(r["steps"]), 5)
        for step in r["steps"]:
            self.assertTrue(step["kernel"])
        self.assertGreater(r["arena_bytes"], 0)
        self.assertEqual(str(r["arena_bytes"]), r["arena"])
        for block in r["memory"]:
            self.assertGreaterEqual(block["offset"], 0)
            self.assertLessEqual(block["offset"] + block["bytes"], r["arena_bytes"])
            self.assertLessEqual(block["first"], block["last"])
        explained = self.ok("plan", DIGITS, "--explain").out
        self.assertIn("why", explained)
        self.assertIn("memory of the arena", explained)

    def test_symbolic_arena_is_a_formula(self):
        r = self.ok("plan", DIGITS, "--json").json
        self.assertIn("N", r["arena"])
        self.assertEqual(r["assumed"], {"N": 1})

    def test_picture(self):
        import xml.etree.ElementTree as tree
        svg = self.path("m.svg")
        self.ok("plan", DIGITS, "--svg", svg)
        root = tree.parse(svg).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        self.assertGreater(len(root.findall(".//{http://www.w3.org/2000/svg}rect")), 5)
        self.refused("plan", DIGITS, "--svg", self.path("no/such/m.svg"))

    def test_arena_is_what_is_allocated(self):
        planned = self.ok("plan", DIGITS, "--dim", "N=3", "--json").json["arena_bytes"]
        measured = self.ok("bench", DIGITS, "--dim", "N=3", "--seconds", "0", "--warmup", "0", "--json").json["arena_bytes"]
        self.assertEqual(planned, measured)


class Bench(program.Case):
    KEYS = ("load_ms prepare_ms first_ms min_ms p50_ms p90_ms p99_ms runs peak_rss_mb arena_bytes weight_bytes macs gflops threads "
            "precision cpu isa").split()

    def test_keys_and_order(self):
        r = self.ok("bench", DIGITS, "--seconds", "0.05", "--warmup", "0", "--threads", "1", "--json").json
        for key in self.KEYS:
            self.assertIn(key, r)
        self.assertLessEqual(r["min_ms"], r["p50_ms"])
        self.assertLessEqual(r["p50_ms"], r["p90_ms"])
        self.assertLessEqual(r["p90_ms"], r["p99_ms"])
        self.assertEqual(r["threads"], 1)
        self.assertGreater(r["macs"], 0)

    def test_batch_and_concurrency(self):
        one = self.ok("bench", DIGITS, "--seconds", "0", "--warmup", "0", "--json").json
        four = self.ok("bench", DIGITS, "--batch", "4", "--concurrency", "2", "--seconds", "0.05", "--warmup", "0", "--json").json
        self.assertEqual(four["macs"], 4 * one["macs"])
        self.assertEqual((four["batch"], four["concurrency"]), (4, 2))
        self.assertGreater(four["items_per_s"], 0)
        fixed = self.write("m.onnx", onnx.model([onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", [2])], [onnx.value("y", [2])]))
        self.refused("bench", fixed, "--batch", "4", says="'x'")


class Profile(program.Case):
    def test_table_and_shares(self):
        r = self.ok("profile", DIGITS, "--seconds", "0", "--json").json
        self.assertGreater(len(r["steps"]), 5)
        self.assertAlmostEqual(sum(o["share"] for o in r["ops"]), 1, places=3)
        times = [o["ms"] for o in r["ops"]]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertIn("share", self.ok("profile", DIGITS, "--seconds", "0").out)

    def test_roofline_counts_the_work_of_every_step(self):
        r = self.ok("profile", DIGITS, "--dim", "N=1", "--seconds", "0", "--roofline", "--json").json
        self.assertGreater(r["ceiling_gflops"], 0)
        self.assertGreater(r["ceiling_gbytes_per_s"], 0)
        macs = self.ok("bench", DIGITS, "--dim", "N=1", "--seconds", "0", "--warmup", "0", "--json").json["macs"]
        self.assertEqual(sum(s["macs"] for s in r["steps"]), macs)
        for step in r["steps"]:
            self.assertGreater(step["bytes"], 0)
            self.assertIn(step["bound"], ("memory", "compute"))
            self.assertLessEqual(step["least_ms"], step["ms"] + 1e-9)
        self.assertIn("ceilings:", self.ok("profile", DIGITS, "--seconds", "0", "--roofline").out)

    def test_trace_is_trace_event_json(self):
        path = self.path("t.json")
        self.ok("profile", DIGITS, "--seconds", "0", "--trace", path)
        with open(path) as f:
            trace = json.load(f)
        events = [e for e in trace["traceEvents"] if e["ph"] == "X"]
        self.assertGreater(len(events), 5)
        for e in events:
            self.assertIsInstance(e["name"], str)
            self.assertIsInstance(e["cat"], str)
            for key in ("ts", "dur"):
                self.assertIsInstance(e[key], (int, float))
                self.assertGreaterEqual(e[key], 0)
            for key in ("pid", "tid"):
                self.assertIsInstance(e[key], int)
        self.assertTrue(all(e["ph"] in "XM" for e in trace["traceEvents"]))
        ends = [e["ts"] + e["dur"] for e in events]
        self.assertTrue(all(b["ts"] >= end - 1 for end, b in zip(ends, events[1:])), "steps do not overlap")


class Compare(program.Case):
    GOLDEN = os.path.join(os.path.dirname(DIGITS), "logits.npz")

    def images(self):
        return ["--image", *[png(d) for d in range(10)]]

    def test_golden(self):
        r = self.ok("compare", DIGITS, *self.images(), "--golden", self.GOLDEN, "--json").json
        self.assertTrue(r["ok"])
        row = r["outputs"][0]
        self.assertEqual(sorted(row), ["cosine", "max_abs", "max_ulp", "mean_abs", "ok", "output"])
        self.assertLess(row["max_abs"], 1e-4)
        self.assertGreater(row["cosine"], 0.999999)

    def test_beyond_tolerance_is_exit_1_with_a_result(self):
        shape, values = onnx.read_npz(self.GOLDEN)["logits"]
        values[3] += 1
        wrong = self.write("wrong.npz", onnx.npz({"logits": onnx.npy(shape, values)}))
        r = self.mote("compare", DIGITS, *self.images(), "--golden", wrong, "--json")
        self.assertEqual(r.code, 1)
        self.assertFalse(r.json["ok"])
        self.assertAlmostEqual(r.json["outputs"][0]["max_abs"], 1, places=3)
        self.assertEqual(self.mote("compare", DIGITS, *self.images(), "--golden", wrong, "--atol", "2").code, 0)
        shorter = self.write("short.npz", onnx.npz({"logits": onnx.npy((1, 10), values[:10])}))
        r = self.mote("compare", DIGITS, *self.images(), "--golden", shorter, "--json")
        self.assertEqual(r.code, 1)
        self.assertIn("shape", r.json["outputs"][0]["reason"])

    def test_reference_and_layers(self):
        r = self.ok("compare", DIGITS, "--image", png(3), "--target", "reference", "--layers", "--json").json
        self.assertTrue(r["ok"])
        self.assertGreater(len(r["layers"]), 3)
        self.assertTrue(all(row["ok"] for row in r["layers"]), r["layers"])

    def test_two_models(self):
        other = self.path("copy.onnx")
        shutil.copy(DIGITS, other)
        r = self.ok("compare", DIGITS, other, "--image", png(3), "--json").json
        self.assertEqual(r["outputs"][0]["max_abs"], 0)

    def test_refuses(self):
        self.refused("compare", DIGITS, "--image", png(3), says="--golden")
        self.refused("compare", DIGITS, "--golden", self.GOLDEN, says="--inputs")
        unknown = self.write("x.npz", onnx.npz({"other": onnx.npy((1,), [0])}))
        self.refused("compare", DIGITS, "--image", png(3), "--golden", unknown, says="other")


class Convert(program.Case):
    def test_to_onnx_and_back(self):
        out = self.path("b.onnx")
        self.ok("convert", DIGITS, "-o", out)
        r = self.ok("compare", DIGITS, out, "--image", png(1), png(2), "--json").json
        self.assertEqual(r["outputs"][0]["max_abs"], 0)
        a, b = (self.ok("inspect", m, "--json").json for m in (DIGITS, out))
        for key in ("inputs", "outputs", "parameters", "macs"):
            self.assertEqual(a[key], b[key])
        for key in ("mote.labels", "mote.image.mean", "mote.image.channels"):
            self.assertEqual(a["metadata"][key], b["metadata"][key])

    def test_to_text_and_back(self):
        out = self.path("m.ir")
        self.ok("convert", DIGITS, "-o", out)
        with open(out) as f:
            self.assertTrue(f.read().startswith('module "'))
        self.assertEqual(self.ok("compare", DIGITS, out, "--image", png(1), png(2), "--json").json["outputs"][0]["max_abs"], 0)
        self.refused("run", self.write("broken.ir", 'module "x"\nnonsense'), says=("broken.ir", "line"))

    def test_to_mote(self):
        out = self.path("m.mote")
        self.ok("convert", DIGITS, "-o", out)
        self.assertIn("hashes", self.ok("verify", out).out)
        r = self.ok("run", out, "--image", png(6), "--json").json
        self.assertEqual(r["images"][0]["top"][0]["label"], "6")
        self.assertEqual(self.ok("compare", DIGITS, out, "--image", png(6), "--json").json["outputs"][0]["max_ulp"], 0)
        self.assertTrue(self.ok("inspect", out, "--json").json["targets"])
        for verb in ("run", "inspect", "verify", "plan"):
            self.refused(verb, out, "--dim", "N=1", says="convert")
        self.refused("run", out, "--image", png(6), "--reproducible", says="convert")
        self.refused("run", out, "--signature", "other", says="main")
        with open(out, "r+b") as f:
            f.seek(-200, os.SEEK_END)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
        self.refused("verify", out, says="m.mote")

    def test_for_several_targets(self):
        out = self.path("m.mote")
        self.ok("convert", DIGITS, "-o", out, "--target", "all", "--reproducible")
        targets = self.ok("inspect", out, "--json").json["targets"]
        self.assertTrue({"generic", "avx2", "avx512", "neon"} <= set(targets))
        mine = [t for t in self.ok("doctor", "--json").json["features_used"] if t in targets]
        scores = set()
        for target in mine:
            r = self.ok("run", out, "--image", png(6), "--target", target, "--reproducible", "--json").json
            scores.add(r["images"][0]["top"][0]["score"])
            self.assertEqual(self.ok("bench", out, "--target", target, "--seconds", "0", "--json").json["isa"], target)
        self.assertEqual(len(scores - {None}), 1, "the same bits on every target")
        self.refused("run", out, "--image", png(6), "--target", "z80", says=("z80", "generic"))
        self.ok("convert", DIGITS, "-o", out, "--target", "avx2,aarch64")
        self.assertEqual(self.ok("inspect", out, "--json").json["targets"], ["avx2", "neon"])

    def test_refuses(self):
        self.refused("convert", DIGITS, "-o", self.path("x.txt"), says="x.txt")
        self.refused("convert", DIGITS, "-o", self.path("no/such/x.onnx"))
        self.refused("convert", DIGITS, "-o", self.path("x.mote"), "--target", "z80", says="z80")
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_verify(self):
        self.assertIn("ok", self.ok("verify", DIGITS).out)
        self.assertTrue(self.ok("verify", DIGITS, "--json").json["ok"])


class Ops(program.Case):
    def test_documents_every_op(self):
        ops = self.ok("ops", "--json").json["ops"]
        self.assertGreater(len(ops), 80)
        for op in ops:
            self.assertTrue(op["doc"], op["name"])
            for a in op["attributes"]:
                self.assertTrue(a["kind"])
        conv = self.ok("ops", "conv", "--json").json
        self.assertEqual(conv["name"], "conv")
        self.assertIn("group", [a["name"] for a in conv["attributes"]])
        self.assertIn("group", self.ok("ops", "conv").out)
        self.refused("ops", "convo", says="conv")


class Doctor(program.Case):
    def test_facts(self):
        r = self.ok("doctor", "--json").json
        self.assertGreaterEqual(r["threads"], 1)
        self.assertGreaterEqual(r["page_bytes"], 4096)
        self.assertTrue(set(r["features_used"]) <= set(r["features_found"]))
        self.assertIn("generic", r["features_used"])
        capped = self.ok("doctor", "--json", env={"MOTE_CPU": "generic"}).json
        self.assertEqual(capped["features_used"], ["generic"])
        self.assertEqual(capped["cap"], "generic")
        self.assertIn("page size", self.ok("doctor").out)


class Plugin(program.Case):
    def setUp(self):
        super().setUp()
        compiler = shutil.which("cc")
        if not compiler:
            self.skipTest("there is no C compiler")
        self.plugin = self.path("ops.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-I", os.path.join(ROOT, "include"), os.path.join(ROOT, "examples/c/example_ops.c"), "-o",
                        self.plugin], check=True)
        self.model = self.write("m.onnx", onnx.custom())

    def test_runs_custom_ops(self):
        x = self.write("x.npy", onnx.npy((4,), [1, -2, 3, -4]))
        out = self.path("out.npz")
        self.ok("run", self.model, "--plugin", self.plugin, "--input", f"x={x}", "--outputs", out)
        self.assertEqual(onnx.read_npz(out)["y"], ((2,), [2, 6]))
        self.refused("run", self.model, "--input", f"x={x}", says=("Scale", "KeepPositive"))
        saved = self.path("m.mote")
        self.ok("convert", self.model, "--plugin", self.plugin, "-o", saved)
        self.ok("run", saved, "--plugin", self.plugin, "--input", f"x={x}")
        self.refused("run", saved, "--input", f"x={x}", says="com.example.Scale")

    def test_refuses(self):
        self.refused("run", self.model, "--plugin", self.path("none.so"), says="none.so")
        self.refused("run", self.model, "--plugin", self.write("text.so", "text"), says="text.so")
        self.refused("run", self.model, "--plugin", self.plugin, "--plugin", self.plugin, says="registered already")


if __name__ == "__main__":
    program.main()
