"""Quantizes a network with `mote quantize` and runs what it wrote, with Mote and with ONNX Runtime. Needs numpy."""
import json
import os
import pathlib
import subprocess

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOTE = os.environ.get("MOTE") or str(ROOT / "build" / "native" / "bin" / "mote")
# Cosine distance between two engines' answers to one file. They compute the same formula, so that only roundings to the next step
# differ, which later layers carry on.
LEAST_AGREEMENT = 1e-3


class Failure(Exception):
    """The program's own message and hint."""


def distance(a, b):
    """Cosine distance of two arrays."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return 0.0 if np.array_equal(a, b) else 1 - float(a @ b) / length if length else 1.0


def farthest(expected, got):
    """The largest cosine distance of any output; infinite where one is missing or has another shape."""
    if any(k not in got or got[k].shape != v.shape for k, v in expected.items()):
        return float("inf")
    return max(distance(v, got[k]) for k, v in expected.items())


def onnxruntime_session(path):
    """One thread. Left alone it saturates products of u8 and s8 on CPUs without VNNI, and rounds what meets weights of 8 bits to 8 bits
    too; both options turn that off."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_onnxruntime(path, inputs):
    """Outputs by name."""
    session = onnxruntime_session(path)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))


def mote(*arguments, program=MOTE):
    """What the program printed. Raises Failure where its exit code is not 0."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode != 0 and done.stdout.startswith("{"):
        told = json.loads(done.stdout)
        raise Failure(told.get("verdict") or f"{told['error']['message']} ({told['error']['hint']})")
    if done.returncode != 0:
        raise Failure((done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["no message"])[0])
    return done.stdout


def run_mote(path, inputs, work, program=MOTE):
    """Outputs by name; `work` is a folder for what goes in and comes out."""
    source, target = os.path.join(work, "in.npz"), os.path.join(work, "out.npz")
    np.savez(source, **inputs)
    mote("-q", "run", path, "--inputs", source, "--outputs", target, program=program)
    with np.load(target) as arrays:
        return {k: arrays[k] for k in arrays.files}


def quantize(model, out, samples, *arguments, program=MOTE):
    """Writes `out`, calibrated on the .npz files `samples`; gives the program's report."""
    return json.loads(mote("--json", "quantize", model, "-o", out, *(["--inputs", *samples] if samples else []), *arguments, program=program))


def disagreement(path, inputs, work, program=MOTE):
    """The largest cosine distance between ONNX Runtime's and Mote's answers to a file."""
    return farthest(run_onnxruntime(path, inputs), run_mote(path, inputs, work, program))


def digits_samples(folder):
    """The ten scans of examples/digits as inputs of one run, with their labels."""
    from PIL import Image
    scans = [np.asarray(Image.open(pathlib.Path(folder) / f"digit_{d}.png").convert("L")) for d in range(10)]
    return {"image": ((np.stack(scans).astype(np.float32) / 255 - 0.305) / 0.37)[:, None]}, np.arange(10)
