"""Mote itself, by its command line. $MOTE names another program than build/native/bin/mote."""
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np

PROGRAM = os.environ.get("MOTE", str(pathlib.Path(__file__).resolve().parents[3] / "build" / "native" / "bin" / "mote"))
FILES = {"f32": "onnx", "int8": "int8", "bf16": "onnx", "f16": "onnx", "tflite": "given"}


def call(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        where = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise RuntimeError(f"mote {arguments[0]}: {where}: {message(done)}")
    return done.stdout


def message(done):
    for text in (done.stdout, done.stderr):
        try:
            return json.loads(text)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            pass
    return (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[0]


def version():
    if not os.access(PROGRAM, os.X_OK):
        raise FileNotFoundError(f"{PROGRAM} is not there: ./dev build makes it")
    digest = hashlib.sha256(pathlib.Path(PROGRAM).read_bytes()).hexdigest()[:10]
    return f"{call('--version').split(chr(10))[0].strip()} ({digest})"


def settings(cell):
    precision = "f32" if cell["precision"] in ("int8", "tflite") else cell["precision"]  # what is not quantized
    return ["--inputs", cell["inputs"], "--threads", str(cell["threads"]), "--precision", precision]


def answers(cell):
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "out.npz")
        call("run", cell["file"], *settings(cell), "--outputs", path)
        with np.load(path) as outputs:
            if cell["precision"] == "tflite":  # by position
                return {f"out_{i}": y for i, y in enumerate(outputs.values())}
            return dict(outputs)


def measure(cell):
    text = call("bench", cell["file"], *settings(cell), "--seconds", str(cell["seconds"]), "--warmup", str(cell["warmup"]), "--json")
    return {"base_rss_mb": 0.0, **json.loads(text)}
