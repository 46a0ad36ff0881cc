"""mote-run, the program that only runs prepared models: its answers are mote's, and nothing that prepares models is in it."""
import os
import re
import struct
import subprocess
import unittest

import onnx_files as onnx
import program

MOTE_RUN = os.path.join(os.path.dirname(program.MOTE), "mote-run")


def network():
    weights = [((7 * i) % 13 - 6) / 8 for i in range(64 * 64)]
    nodes = [onnx.node("MatMul", ["x", "w"], ["m"]), onnx.node("Softmax", ["m"], ["y"], axis=-1), onnx.node("Relu", ["m"], ["z"])]
    values = [onnx.value("y", [2, 64]), onnx.value("z", [2, 64])]
    return onnx.model(nodes, [onnx.value("x", [2, 64])], values, [onnx.tensor("w", (64, 64), weights)])


class Run(program.Case):
    def run_small(self, *arguments, env=None):
        done = subprocess.run([MOTE_RUN, *map(str, arguments)], capture_output=True, stdin=subprocess.DEVNULL, timeout=300, cwd=self.folder.name,
                              env={**os.environ, **(env or {})})
        return program.Result(done)

    def prepared(self, *arguments):
        model, saved = self.write("m.onnx", network()), self.path("m.mote")
        self.ok("convert", model, "-o", saved, *arguments)
        return saved

    def test_answers(self):
        saved = self.prepared()
        x = self.write("x.npy", onnx.npy((2, 64), [i / 64 for i in range(128)]))
        r = self.run_small(saved, "--input", x, "--output", f"z={self.path('z.npy')}", "--output", self.path("y.npy"), "--json")
        self.assertEqual(r.code, 0, r.err)
        self.assertEqual([(o["name"], o["dtype"], o["shape"]) for o in r.json["outputs"]], [("y", "f32", [2, 64]), ("z", "f32", [2, 64])])
        for name in "yz":
            with open(self.path(name + ".npy"), "rb") as f:
                got = f.read()[-512:]
            self.ok("run", saved, "--input", f"x={x}", "--outputs", self.path("out.npz"))
            with open(self.path("out.npz"), "rb") as f:
                self.assertIn(got, f.read())
            self.assertTrue(all(v == v for v in struct.unpack("<128f", got)))

    def test_filled_inputs_repeat(self):
        saved = self.prepared()
        answers = set()
        for seed in (1, 1, 2):
            r = self.run_small(saved, "--fill", "--seed", seed, "--repeat", 2, "--threads", 1, "--output", self.path("y.npy"))
            self.assertEqual(r.code, 0, r.err)
            self.assertIn("shortest of 2 more", r.out)
            with open(self.path("y.npy"), "rb") as f:
                answers.add(f.read())
        self.assertEqual(len(answers), 2)

    def refused_small(self, *arguments, says, env=None):
        plain, r = self.run_small(*arguments, env=env), self.run_small(*arguments, "--json", env=env)
        self.assertEqual((plain.code, r.code, plain.out), (2, 2, ""), plain.err)
        for text in says:
            self.assertIn(text, plain.err)
        return plain.err

    def test_what_it_refuses(self):
        saved = self.prepared()
        self.refused_small(saved, says=("'x'", "--input"))
        self.refused_small(saved, "--input", "q=x.npy", says=("'q'", "the model has: x"))
        self.refused_small(saved, "--input", "none.npy", says=("none.npy",))
        self.refused_small("none.mote", says=("none.mote",))
        self.refused_small(self.path("m.onnx"), says=("prepared models", "mote convert"))
        self.assertEqual(self.run_small().code, 2)
        self.assertEqual(self.run_small(saved, "--bogus").code, 2)
        self.assertIn("example", self.run_small("--help").out)

    def test_signatures_share_variables(self):
        saved = self.path("signatures.mote")
        self.ok("convert", os.path.join(program.ROOT, "fuzz/corpus/tflite/signatures.tflite"), "-o", saved)
        step, x = (self.write(name + ".npy", onnx.npy((2,), values)) for name, values in (("step", [10, 20]), ("x", [3, 4])))
        files = ["--input", f"step={step}", "--input", f"x={x}", "--output", self.path("y.npy")]
        for before, wanted in ((("train",), (33, 88)), (("train", "train"), (63, 168)), (("train", "reset"), (3, 8))):
            r = self.run_small(saved, "--signature", "infer", *(a for name in before for a in ("--before", name)), *files)
            self.assertEqual(r.code, 0, r.err)
            with open(self.path("y.npy"), "rb") as f:
                self.assertEqual(struct.unpack("<2f", f.read()[-8:]), wanted)
        self.refused_small(saved, "--before", "other", says=("'other'", "train"))
        self.refused_small(saved, "--before", "train", "--signature", "infer", "--input", f"x={x}", says=("signature 'train'", "'step'"))

    def test_another_cpu(self):
        for more in ((), ("--plans-only",)):
            saved = self.prepared("--target", "avx2", *more)
            error = self.refused_small(saved, "--fill", env={"MOTE_CPU": "generic"}, says=("avx2", "generic", "mote convert"))
            self.assertRegex(error, r"mote convert \S+ -o MODEL.mote --target generic")


@unittest.skipUnless(os.access(MOTE_RUN, os.X_OK), "no mote-run beside the program")
class Contents(unittest.TestCase):
    # What prepares models: importers and writers, passes, planning, decompositions, gradients, claims, the text forms of a module.
    FOREIGN = re.compile(r"mote::(onnx|tflite|passes|prepare|api::read_module)\b|\bdecompose_|\bgradient_|mote::cpu::\S*claim|mote::(parse|print|verify)\((mote::Module|std::)|protozero")

    def test_nothing_that_prepares(self):
        names = subprocess.run(["nm", "-C", MOTE_RUN], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertGreater(len([n for n in names if "mote::kernels::" in n]), 100, "a stripped program shows nothing")
        self.assertEqual([n for n in names if self.FOREIGN.search(n)], [])
        whole = subprocess.run(["nm", "-C", program.MOTE], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertGreater(len([n for n in whole if self.FOREIGN.search(n)]), 100, "what is looked for has other names now")


if __name__ == "__main__":
    program.main()
