"""Runs docs/raspberry-pi.md line by line: what stands in its blocks of sh, in one shell, in the root of the checkout."""
import os
import re
import shutil
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENT = os.path.join(ROOT, "docs/raspberry-pi.md")
OUT = os.path.join(ROOT, "build/pi")


def lines():
    with open(DOCUMENT) as f:
        text = f.read()
    return [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in block.splitlines() if line.strip()]


def read(name):
    with open(os.path.join(OUT, name)) as f:
        return f.read()


class RaspberryPi(unittest.TestCase):
    def test_the_walk(self):
        for tool in ("qemu-aarch64", "aarch64-linux-gnu-g++"):
            if not shutil.which(tool):
                self.skipTest(f"no {tool}")
        shutil.rmtree(OUT, ignore_errors=True)
        todo = lines()
        self.assertGreater(len(todo), 12)
        for needed in ("mote quantize", "mote compare", "build aarch64", "mote convert", "mote run", "mote bench"):
            self.assertTrue(any(needed in line for line in todo), needed)
        # Every line is printed before it runs, so that a failure says which.
        script = "set -euo pipefail\n" + "".join(f"echo '+ '{i}\n{line}\n" for i, line in enumerate(todo))
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=800)
        output = done.stdout.decode(errors="replace")
        steps = re.findall(r"^\+ (\d+)$", output, re.M)
        self.assertEqual(done.returncode, 0, f"{todo[int(steps[-1])] if steps else ''}\n{output[-3000:]}")
        self.assertEqual(len(steps), len(todo))

        for name in ("top-f32.txt", "top-int8.txt"):
            rows = re.findall(r"^ +([\d.]+) %.* (\d)$", read(name), re.M)
            self.assertEqual(len(rows), 5, read(name))
            self.assertEqual(rows[0][1], "7", read(name))
        self.assertLess(os.path.getsize(os.path.join(OUT, "digits-int8.onnx")), os.path.getsize(os.path.join(ROOT, "examples/digits/digits.onnx")))
        for name in ("bench-f32.txt", "bench-int8.txt"):
            for key in ("p50_ms", "peak_rss_mb", "weight_bytes", "power"):
                self.assertRegex(read(name), rf"(?m)^{key} ")
        weights = [int(re.search(r"weight_bytes +([\d,]+)", read(f"bench-{k}.txt"))[1].replace(",", "")) for k in ("f32", "int8")]
        self.assertLess(weights[1], weights[0])


if __name__ == "__main__":
    sys.exit(unittest.main())
