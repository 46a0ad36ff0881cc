"""The checks and the test runner of ./dev find what they are for."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools/dev"))
os.chdir(ROOT)
import check_layers
import check_names
import check_symbols
import test as runner

GTEST = """[ RUN      ] A.good
[       OK ] A.good (0 ms)
[ RUN      ] A.bad
src/a_test.cc:3: Failure
[  FAILED  ] A.bad (0 ms)
[ RUN      ] A.skipped
src/a_test.cc:9: Skipped
no data
[  SKIPPED ] A.skipped (0 ms)
"""


class Runner(unittest.TestCase):
    def test_counts_what_gtest_prints(self):
        tally = runner.read_gtest("t", 1, GTEST + "[  FAILED  ] A.bad\n")
        self.assertEqual((tally.passed, [name for name, _ in tally.failed]), (1, ["t A.bad"]))
        self.assertEqual(tally.skipped, ["t A.skipped: no data"])
        self.assertIn("Failure", tally.failed[0][1])

    def test_a_crash_fails_the_test_that_ran(self):
        tally = runner.read_gtest("t", -11, "[ RUN      ] A.good\n[       OK ] A.good (0 ms)\n[ RUN      ] A.crash\nboom\n")
        self.assertEqual((tally.passed, [name for name, _ in tally.failed]), (1, ["t A.crash"]))

    def test_an_exit_code_alone_is_a_failure(self):
        tally = runner.read_gtest("t", 66, "[ RUN      ] A.good\n[       OK ] A.good (0 ms)\nWARNING: data race\n")
        self.assertEqual(len(tally.failed), 1)

    def test_reads_scripts(self):
        output = "test_a (x.T.test_a) ... ok\ntest_b (x.T.test_b) ... skipped 'no data'\nFAIL: test_c (x)\nRan 3 tests in 0.1s\n"
        tally = runner.read_script("s", 1, output)
        self.assertEqual((tally.passed, len(tally.failed), tally.skipped), (1, 1, ["s test_b: no data"]))
        self.assertEqual(runner.read_script("s", 77, "x\nno tool\n").skipped, ["s: no tool"])
        self.assertEqual(runner.read_script("s", 0, "").passed, 1)


class Layers(unittest.TestCase):
    def problem(self, path, header, quoted=True):
        return check_layers.check_source(check_layers.Rules(), path, quoted, header)

    def test_lower_folders_and_the_own_folder_may_be_included(self):
        self.assertIsNone(self.problem("src/ir/a.h", "tensor/dim.h"))
        self.assertIsNone(self.problem("src/ir/a.h", "ir/type.h"))
        self.assertIsNone(self.problem("src/base/a.h", "mote/status.h"))
        self.assertIsNone(self.problem("src/base/a.h", "vector", quoted=False))

    def test_siblings_higher_folders_and_foreign_headers_may_not(self):
        self.assertIn("may not include ir", self.problem("src/kernels/a.h", "ir/type.h"))
        self.assertIn("may not include plan", self.problem("src/ops/a.cc", "plan/plan.h"))
        self.assertIn("layers.toml", self.problem("src/ir/a.cc", "fmt/core.h", quoted=False))
        self.assertIn("path from src", self.problem("src/ir/a.cc", "type.h"))


class Symbols(unittest.TestCase):
    def test_finds_a_template_that_an_isa_file_would_share(self):
        code = {"shared": "template <class T> [[gnu::noinline]] T twice(T x) { return x + x; }\nfloat mote_avx2_f(float x) { return twice(x); }",
                "named": "namespace avx2 { template <class T> [[gnu::noinline]] T twice(T x) { return x + x; } }\n"
                         "float mote_avx2_f(float x) { return avx2::twice(x); }"}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in code.items():
                path = f"{folder}/{name}/x86_avx2.cc"
                os.makedirs(os.path.dirname(path))
                with open(path, "w") as f:
                    f.write(text)
                subprocess.run(["c++", "-std=c++20", "-O2", "-c", path, "-o", path + ".o"], check=True)
            self.assertEqual(len(check_symbols.check_object(f"{folder}/shared/x86_avx2.cc.o")), 1)
            self.assertEqual(check_symbols.check_object(f"{folder}/named/x86_avx2.cc.o"), [])


class Weigh(unittest.TestCase):
    def test_limit_and_what_is_listed_out(self):
        with tempfile.TemporaryDirectory() as folder:
            program = f"{folder}/program"
            with open(program + ".cc", "w") as f:
                f.write("namespace a { [[gnu::noinline]] int decompose_x(int i) { return i + 1; } }\nint main(int n, char**) { return a::decompose_x(n); }")
            subprocess.run(["c++", "-g", program + ".cc", "-o", program], check=True)

            def weigh(*more):
                done = subprocess.run(["tools/dev/weigh.sh", program, *more], capture_output=True, text=True)
                return done.returncode, done.stdout.splitlines()

            code, lines = weigh()
            size = int(lines[0].split()[0])
            self.assertEqual((code, lines[-1]), (0, f"program: {size} bytes"))
            self.assertLess(size, os.path.getsize(program))
            self.assertTrue(any("/libc.so" in line for line in lines[1:-1]))
            self.assertEqual(weigh(str(size + 1))[0], 0)
            code, lines = weigh(str(size))
            self.assertEqual((code, lines[-1]), (1, f"program: {size} bytes, over its limit of {size}"))
            self.assertEqual(weigh("", "::compose_[a-z]*")[0], 0)
            code, lines = weigh("", "::decompose_[a-z]*")
            self.assertEqual(code, 1)
            self.assertTrue(any("a::decompose_x(int)" in line for line in lines))


class Names(unittest.TestCase):
    def test_rules(self):
        def hits(line):
            return sum(1 for rule, _ in check_names.RULES if rule.search(line))
        self.assertEqual(hits("see /ho" + "me/someone/file"), 1)
        self.assertEqual(hits("TO" + "DO later"), 1)
        self.assertEqual(hits("src/work/file and $HOME/root"), 0)


if __name__ == "__main__":
    unittest.main()
