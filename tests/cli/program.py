"""Runs the program under test, $MOTE or build/native/bin/mote."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOTE = os.environ.get("MOTE") or os.path.join(ROOT, "build/native/bin/mote")
DIGITS = os.path.join(ROOT, "examples/digits/digits.onnx")


def png(digit):
    return os.path.join(ROOT, f"examples/digits/digit_{digit}.png")


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()

    @property
    def json(self):
        return json.loads(self.out)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def mote(self, *arguments, env=None):
        done = subprocess.run([MOTE, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              timeout=300, env={**os.environ, **(env or {})}, cwd=self.folder.name)
        return Result(done)

    def on_terminal(self, *arguments, env=None):
        """What the program writes to a terminal."""
        master, slave = os.openpty()
        done = subprocess.Popen([MOTE, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=self.folder.name,
                                env={**os.environ, **(env or {})})
        os.close(slave)
        out = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the terminal is gone when the program is
                break
            if not part:
                break
            out += part
        os.close(master)
        self.assertEqual(done.wait(), 0, out)
        return out.decode()

    def ok(self, *arguments, env=None):
        r = self.mote(*arguments, env=env)
        self.assertEqual(r.code, 0, f"mote {' '.join(map(str, arguments))}\n{r.out}{r.err}")
        return r

    def refused(self, *arguments, code=2, says=()):
        """Fails with `code` and an error in both forms; gives the error object."""
        plain = self.mote(*arguments)
        self.assertEqual(plain.code, code, plain.out + plain.err)
        self.assertEqual(plain.out, "", "stdout carries results only")
        self.assertTrue(plain.err.startswith("error: "), plain.err)
        r = self.mote("--json", *arguments)
        self.assertEqual(r.code, code)
        error = r.json["error"]
        self.assertEqual(sorted(error), ["hint", "message", "where"])
        self.assertTrue(error["message"])
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, error["where"] + ": " + error["message"] + " " + error["hint"])
        return error


def main():
    if not os.access(MOTE, os.X_OK):
        print(f"{MOTE} is not there")
        sys.exit(77)
    unittest.main()
