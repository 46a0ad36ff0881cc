"""The walks of HACKING.md, on a copy of the sources: a new op, its importer row, and a new pass build, and their tests pass."""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MOTE_BUILD") or os.path.join(ROOT, "build/native")
LIBRARY = os.path.join(BUILD, "lib/libmote.a")
sys.path.insert(0, os.path.join(ROOT, "tests/cli"))
import onnx_files as onnx

NAME, FOLDER = "twice_as_much", "math"


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    return done.returncode, done.stdout.decode(errors="replace")


class Walk(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = folder.name
        for name in ("src/ops", "src/passes", "src/backends/reference", "src/formats/onnx", "tools/dev", "tests/ops", "tests/passes"):
            shutil.copytree(os.path.join(ROOT, name), self.path(name))

    def path(self, name):
        return os.path.join(self.copy, name)

    def append(self, name, text):
        with open(self.path(name), "a") as f:
            f.write(text)

    def new_op(self, *arguments):
        return run([sys.executable, self.path("tools/dev/new_op.py"), *arguments], env={**os.environ, "MOTE_ROOT": self.copy})

    def compile(self, source):
        # The copy's own files first; the rest is as it was.
        out = self.path(source.replace("/", "-") + ".o")
        code, output = run(["c++", "-std=c++20", "-O1", "-DMOTE_FILES=1", "-DMOTE_MEDIA=1", "-DMOTE_ONNX=1",
                            f'-DMOTE_OP_CASES="{self.path("tests/ops")}"', f'-DMOTE_PASS_CASES="{self.path("tests/passes")}"', "-I",
                            self.path("src"), "-I", os.path.join(ROOT, "src"), "-I", os.path.join(ROOT, "include"), "-c", self.path(source),
                            "-o", out])
        self.assertEqual(code, 0, output)
        return out

    def build(self, sources, more=(), libraries=()):
        """A program of changed sources, and of the built library for the rest."""
        if not os.path.exists(LIBRARY):
            self.skipTest(f"no {LIBRARY}")
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            objects = list(pool.map(self.compile, sources))
        program = self.path("program")
        code, output = run(["c++", "-o", program, *objects, *more, LIBRARY, *libraries, "-lpthread", "-ldl"])
        self.assertEqual(code, 0, output)
        return program


class Op(Walk):
    # What names every op, and the new one.
    SOURCES = ["src/ops/specs.cc", "src/ops/references.cc", "src/ops/decompositions.cc", f"src/ops/{FOLDER}/{NAME}.cc"]

    def test_builds_and_passes_its_test(self):
        code, output = self.new_op(NAME, FOLDER)
        self.assertEqual(code, 0, output)
        self.assertIn(f"src/ops/{FOLDER}/{NAME}.cc", output)
        program = self.build(self.SOURCES + ["src/ops/cases_test.cc"], libraries=["-lgtest_main", "-lgtest"])
        os.mkdir(self.path("only"))
        shutil.copy(self.path(f"tests/ops/{NAME}.case"), self.path("only"))
        environment = {**os.environ, "MOTE_OP_CASES": self.path("only")}
        code, output = run([program], env=environment)
        self.assertEqual(code, 0, output)
        # A wrong answer is found.
        self.append(f"only/{NAME}.case", f"\ncase wrong\nop {NAME}\nin f32[1] 1\nout f32[1] 2\n")
        code, output = run([program], env=environment)
        self.assertNotEqual(code, 0)
        self.assertIn("wrong", output)

    def test_a_row_imports_and_writes_it(self):
        objects = glob.glob(os.path.join(BUILD, "apps/cli/CMakeFiles/mote_program.dir/*.o"))
        if not objects:
            self.skipTest("the program was not built")
        self.assertEqual(self.new_op(NAME, FOLDER)[0], 0)
        self.append("src/formats/onnx/ops.inc", f"ONNX_SAME(kOnnx, TwiceAsMuch, 1, {NAME})\n")
        mote = self.build(self.SOURCES + ["src/backends/reference/kernels.cc", "src/formats/onnx/rows.cc"], objects, ["-ljpeg", "-lpng", "-lzip"])
        model, again, x, out = (self.path(n) for n in ("m.onnx", "again.onnx", "x.npy", "out.npz"))
        with open(model, "wb") as f:
            f.write(onnx.model([onnx.node("TwiceAsMuch", ["x"], ["y"], alpha=2.0)], [onnx.value("x", ["N"])], [onnx.value("y", ["N"])]))
        with open(x, "wb") as f:
            f.write(onnx.npy((2,), [1.5, -3]))
        code, output = run([mote, "convert", model, "-o", again])
        self.assertEqual(code, 0, output)
        code, output = run([mote, "run", again, "--input", f"x={x}", "--outputs", out])
        self.assertEqual(code, 0, output)
        self.assertEqual(onnx.read_npz(out)["y"], ((2,), [3, -6]))
        self.assertIn("alpha", run([mote, "ops", NAME])[1])

    def test_where_finds_it(self):
        self.assertEqual(self.new_op(NAME, FOLDER)[0], 0)
        code, output = run(["bash", self.path("tools/dev/where.sh"), NAME], cwd=self.copy)
        self.assertEqual(code, 0, output)
        for place in (f"src/ops/{FOLDER}/{NAME}.cc", "src/ops/ops.inc", f"tests/ops/{NAME}.case"):
            self.assertIn(place, output)
        self.assertEqual(run(["bash", self.path("tools/dev/where.sh"), "no_such_op_anywhere"], cwd=self.copy)[0], 1)

    def test_refuses(self):
        for arguments in ((), ("softmax", "nn"), ("Camel", "nn"), ("fine", "nowhere"), ("fine",)):
            code, output = self.new_op(*arguments)
            self.assertEqual(code, 2, output)
        self.assertFalse(os.path.exists(self.path("src/ops/nn/fine.cc")))


class Pass(Walk):
    def test_the_example_works(self):
        with open(os.path.join(ROOT, "HACKING.md")) as f:
            blocks = re.findall(r"```(\w*)\n// (\S+)\n(.*?)```", f.read(), re.S)
        files = {path: text for _, path, text in blocks}
        self.assertEqual(sorted(files), ["src/passes/drop_double_not.cc", "tests/passes/drop_double_not.ir"])
        for path, text in files.items():
            self.append(path, text)
        self.append("src/passes/passes.inc", 'MOTE_PASS(drop_double_not, "not(not(x)) becomes x")\n')
        program = self.build(["src/passes/passes.cc", "src/passes/drop_double_not.cc", "src/passes/cases_test.cc"],
                             libraries=["-lgtest_main", "-lgtest"])
        code, output = run([program])
        self.assertEqual(code, 0, output)
        function = "func @f(%x: boolean[2]) -> (%y) {\n  %a = not(%x)\n  %b = not(%a)\n  %y = not(%b)\n}\n"
        self.append("tests/passes/drop_double_not.ir", f"\ncase wrong\n{function}stays\n")
        code, output = run([program])
        self.assertNotEqual(code, 0, "a case that does not hold is found")


if __name__ == "__main__":
    unittest.main()
