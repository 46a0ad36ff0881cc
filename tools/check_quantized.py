#!/usr/bin/env python3
"""Quantizes networks with `mote quantize` and holds what it writes against ONNX Runtime.

    tools/check_quantized.py [MODEL.onnx]... [--schemes static,dynamic,...] [--mote PROGRAM] [--bench] [-- ARGUMENT...]

Without MODEL, examples/digits/digits.onnx and the networks of ~/.cache/mote/zoo (tools/export_zoo.py) named in NETWORKS. Samples are
inputs.npz beside a model, and two noisier ones; for the digits, its ten scans. For every scheme that fits the network it prints the cosine
distance from the float answers, the size, with --bench the time of a run before and after, and the cosine distance between Mote's and ONNX
Runtime's answers to the written file, which may be 1e-3 at most. What follows -- goes to `mote quantize`. Exit code 1 if anything fails.

ONNX Runtime runs as tools/quantized_files.py says.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

import zoo_files

zoo_files.need_numpy()
import numpy as np  # noqa: E402
import quantized_files as files  # noqa: E402

NETWORKS = ["mobilenet_v2", "resnet18", "bert", "lstm"]
SCHEMES = ["static", "dynamic", "weight-only-8", "weight-only-4", "f16"]


def samples_of(model, work):
    """Writes calibration files; gives their paths and the inputs of one run."""
    if model.name == "digits.onnx":
        inputs, labels = files.digits_samples(model.parent)
        np.savez(os.path.join(work, "cal.npz"), **inputs, labels=labels)
        return [os.path.join(work, "cal.npz")], inputs
    with np.load(model.parent / "inputs.npz") as arrays:
        inputs = {k: arrays[k] for k in arrays.files}
    names = {i.name for i in files.onnxruntime_session(model).get_inputs()}
    inputs = {k: v for k, v in inputs.items() if k in names}
    rng, paths = np.random.default_rng(0), []
    for i in range(3):
        noisy = {k: (v * (1 + 0.2 * i) + rng.standard_normal(v.shape) * 0.05 * i).astype(v.dtype) if v.dtype == np.float32 else v
                 for k, v in inputs.items()}
        paths.append(os.path.join(work, f"cal{i}.npz"))
        np.savez(paths[-1], **noisy)
    return paths, inputs


def times(args, before, after, shapes):
    """Milliseconds of a run of each: the least of some in turns."""
    best = [1e9, 1e9]
    for _ in range(3):
        for i, path in enumerate((before, after)):
            r = json.loads(files.mote("--json", "bench", path, "--threads", 1, "--seconds", 0.3, "--warmup", 0.1, *shapes, program=args.mote))
            best[i] = min(best[i], r["min_ms"])
    return best


def check(args, model, scheme, work):
    calibration, inputs = samples_of(model, work)
    out = os.path.join(work, f"{scheme}.onnx")
    report = files.quantize(model, out, calibration, "--scheme", scheme, *args.rest, program=args.mote)
    apart = files.disagreement(out, inputs, work, args.mote)
    done = sum(l["quantized"] for l in report["layers"])
    line = (f"{done}/{len(report['layers'])} layers, error {report['error']:.2e}, {os.path.getsize(model) / 1e6:.2f} -> "
            f"{os.path.getsize(out) / 1e6:.2f} MB, ONNX Runtime {apart:.1e} apart")
    if args.bench:
        shapes = [f"--shape={k}={','.join(map(str, v.shape))}" for k, v in inputs.items()]
        before, after = times(args, str(model), out, shapes)
        line += f", {before:.3f} -> {after:.3f} ms"
    return apart <= files.LEAST_AGREEMENT, line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--schemes", default=",".join(SCHEMES))
    parser.add_argument("--mote", default=files.MOTE)
    parser.add_argument("--bench", action="store_true")
    given = sys.argv[1:]
    rest = given[given.index("--") + 1:] if "--" in given else []
    args = parser.parse_args(given[:given.index("--")] if "--" in given else given)
    args.rest = rest
    models = args.models or [zoo_files.ROOT / "examples/digits/digits.onnx", *(zoo_files.ZOO / n / "model.onnx" for n in NETWORKS)]
    failed = checked = 0
    for model in models:
        if not model.exists():
            print(f"skip {model}: not there", flush=True)
            continue
        for scheme in args.schemes.split(","):
            with tempfile.TemporaryDirectory() as work:
                try:
                    ok, what = check(args, model, scheme, work)
                    checked += 1
                except Exception as problem:  # reported per network
                    what = str(problem).strip().splitlines()[0][:300]
                    ok = "nothing to quantize" in what
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'} {model.parent.name} {scheme}: {what}", flush=True)
    if checked == 0:
        sys.exit("nothing was checked")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
