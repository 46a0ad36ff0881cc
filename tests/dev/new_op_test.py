"""./dev new-op, on a copy of the sources: what it makes builds, and its test passes; ./dev where finds it."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MOTE_BUILD") or os.path.join(ROOT, "build/native")
LIBRARY = os.path.join(BUILD, "lib/libmote.a")
NAME, FOLDER = "twice_as_much", "math"
# What names every op, the new op, and the program that runs cases.
SOURCES = ["src/ops/specs.cc", "src/ops/references.cc", "src/ops/decompositions.cc", f"src/ops/{FOLDER}/{NAME}.cc", "src/ops/cases_test.cc"]


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    return done.returncode, done.stdout.decode(errors="replace")


class NewOp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = folder.name
        for name in ("src/ops", "tools/dev", "tests/ops"):
            shutil.copytree(os.path.join(ROOT, name), self.path(name))
        shutil.copy(os.path.join(ROOT, "dev"), self.copy)

    def path(self, name):
        return os.path.join(self.copy, name)

    def new_op(self, *arguments):
        return run([sys.executable, self.path("tools/dev/new_op.py"), *arguments], env={**os.environ, "MOTE_ROOT": self.copy})

    def compile(self, source):
        # The copy's own files first; the rest is as it was.
        return run(["c++", "-std=c++20", "-O1", "-fno-rtti", "-DMOTE_FILES=1", "-DMOTE_MEDIA=1", "-DMOTE_ONNX=1",
                    f'-DMOTE_OP_CASES="{self.path("tests/ops")}"', "-I", self.path("src"), "-I", os.path.join(ROOT, "src"), "-I",
                    os.path.join(ROOT, "include"), "-c", self.path(source), "-o", self.path(os.path.basename(source) + ".o")])

    def test_builds_and_passes_its_test(self):
        if not os.path.exists(LIBRARY):
            self.skipTest(f"no {LIBRARY}")
        code, output = self.new_op(NAME, FOLDER)
        self.assertEqual(code, 0, output)
        self.assertIn(f"src/ops/{FOLDER}/{NAME}.cc", output)
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for code, output in pool.map(self.compile, SOURCES):
                self.assertEqual(code, 0, output)
        program = self.path("cases")
        code, output = run(["c++", "-o", program, *[self.path(os.path.basename(s) + ".o") for s in SOURCES], LIBRARY, "-lgtest_main", "-lgtest",
                            "-lpthread", "-ldl"])
        self.assertEqual(code, 0, output)
        cases = self.path("cases_of_it")
        os.mkdir(cases)
        shutil.copy(self.path(f"tests/ops/{NAME}.case"), cases)
        code, output = run([program], env={**os.environ, "MOTE_OP_CASES": cases})
        self.assertEqual(code, 0, output)
        # A wrong answer is found.
        with open(os.path.join(cases, f"{NAME}.case"), "a") as f:
            f.write(f"\ncase wrong\nop {NAME}\nin f32[1] 1\nout f32[1] 2\n")
        code, output = run([program], env={**os.environ, "MOTE_OP_CASES": cases})
        self.assertNotEqual(code, 0)
        self.assertIn("wrong", output)

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


if __name__ == "__main__":
    unittest.main()
