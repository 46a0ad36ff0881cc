#!/usr/bin/env python3
"""Finds the first operator of a .tflite model whose result differs from LiteRT's reference kernels.

compare_tflite.py MODEL [--inputs FILE.npz] [--mote PROGRAM] [--all]

Needs LiteRT: run it with build/conformance/litert/venv/bin/python, which `./dev conformance --tflite` makes. Inputs are in_0, in_1, ... of the
.npz file, or made up. Every operator's results are compared in the order of the file; those that Mote's module does not name (it makes something
else of the operator) are left out. Prints a line per operator that differs, the first one only without --all. Exit code 1 if one does.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/tflite"))
import fixtures  # noqa: E402
import golden  # noqa: E402


def mote_result(program, model, inputs, name, folder):
    out = os.path.join(folder, "out.npz")
    command = [program, "run", model, "--inputs", inputs, "--dump", name, "--outputs", out]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return None
    with np.load(out) as z:
        return z[name] if name in z.files else None


def difference(expected, got):
    if expected.shape != got.shape or expected.size == 0:
        return None if expected.shape == got.shape else f"shape {list(got.shape)}, not {list(expected.shape)}"
    if not np.issubdtype(expected.dtype, np.number):
        return None if np.array_equal(expected, got.astype(expected.dtype)) else "other values"
    a, b = expected.astype(np.float64), got.astype(np.float64)
    apart = np.abs(a - b)
    allowed = 1e-5 * np.abs(a).max() if np.issubdtype(expected.dtype, np.floating) else 0
    bad = ~(apart <= allowed) & ~(np.isnan(a) & np.isnan(b))
    if not bad.any():
        return None
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {a.size} differ by up to {np.nanmax(apart):.6g}, first at {first}: {expected[first]}, Mote {got[first]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--inputs")
    parser.add_argument("--mote", default=os.path.join(HERE, "../build/native/bin/mote"))
    parser.add_argument("--all", action="store_true")
    o = parser.parse_args()
    with open(o.model, "rb") as f:
        engine = golden.interpreter(f.read(), experimental_preserve_all_tensors=True)
    engine.allocate_tensors()
    details = engine.get_input_details()
    given = dict(np.load(o.inputs)) if o.inputs else {}
    arrays = [given.get(f"in_{i}", None) if given else fixtures.made_up(d, 0) for i, d in enumerate(details)]
    for d, a in zip(details, arrays):
        engine.set_tensor(d["index"], a)
    engine.invoke()
    tensors = {d["index"]: d for d in engine.get_tensor_details()}
    differs, seen = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        inputs = os.path.join(folder, "in.npz")
        np.savez(inputs, **{f"in_{i}": a for i, a in enumerate(arrays)})
        for op in engine._get_ops_details():  # noqa: SLF001 - there is no other way to learn the operators
            for index in op["outputs"]:
                name = tensors[index]["name"]
                got = mote_result(o.mote, o.model, inputs, name, folder)
                if got is None:
                    continue
                seen += 1
                text = difference(np.array(engine.get_tensor(index)), got)
                if text:
                    differs += 1
                    print(f"operator {op['index']} {op['op_name']} {name!r}: {text}")
                    if not o.all:
                        return 1
    print(f"{seen} results compared, {differs} differ")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
