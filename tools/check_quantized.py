#!/usr/bin/env python3
"""Quantizes networks with `mote quantize` and holds what it writes against ONNX Runtime.

    tools/check_quantized.py [MODEL.onnx]... [--schemes static,dynamic,...] [--mote PROGRAM] [--bench] [-- ARGUMENT...]

Without MODEL, examples/digits/digits.onnx and the networks of ~/.cache/mote/zoo (tools/export_zoo.py) named in NETWORKS. Samples are
inputs.npz beside a model, and two noisier ones; for the digits, 100 scans. For every scheme that fits the network it prints the cosine
distance from the float answers, the size, with --bench the time of a run before and after, and the cosine distance between Mote's and ONNX
Runtime's answers to the written file, which may be 1e-3 at most. What follows -- goes to `mote quantize`. Exit code 1 if anything fails.

ONNX Runtime runs as tools/quantized_files.py says.
"""
import argparse
import json
import os
import pathlib
import sys
import tarfile
import tempfile

import zoo_files

zoo_files.need_numpy()
import numpy as np  # noqa: E402
import quantized_files as files  # noqa: E402

NETWORKS = ["mobilenet_v2", "resnet18", "bert", "lstm"]
# Names of rows, and the options that make them.
SCHEMES = {
    "static": ["--scheme", "static"],
    "static s8": ["--scheme", "static", "--activations", "s8"],
    "static s16": ["--scheme", "static", "--activations", "s16"],
    "static measured": ["--scheme", "static", "--measure"],
    "dynamic": ["--scheme", "dynamic"],
    "weight-only-8": ["--scheme", "weight-only-8"],
    "weight-only-4": ["--scheme", "weight-only-4"],
    "weight-only-4 gptq": ["--scheme", "weight-only-4", "--gptq"],
    "f16": ["--scheme", "f16"],
}


def models_of(args):
    return args.models or [zoo_files.ROOT / "examples/digits/digits.onnx", *(zoo_files.ZOO / n / "model.onnx" for n in NETWORKS)]


AS_TRAINED = ["--resize", "32x32", "--filter", "bicubic"]  # the digits network


def samples_of(model, work):
    """Writes samples to calibrate with; gives the options that name them, and the inputs of one run."""
    if model.name == "digits.onnx":
        with tarfile.open(model.parent / "scans.tar.gz") as scans:
            scans.extractall(work, filter="data")
        return ["--images", os.path.join(work, "calibration"), *AS_TRAINED], files.digits_samples(model.parent)[0]
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
    return ["--inputs", *paths], inputs


def right_answers(args, path, work):
    """Of the held-out scans of the digits: how many are told rightly, and how many there are."""
    scans = sorted(pathlib.Path(work, "held_out").glob("*/*.png"))
    told = json.loads(files.mote("-q", "--json", "run", path, "--image", *scans, *AS_TRAINED, "--top", 1, program=args.mote))
    return sum(i["top"][0]["label"] == scan.parent.name for i, scan in zip(told["images"], scans)), len(scans)


def times(args, before, after, shapes):
    """Milliseconds of a run of each: the least of some in turns."""
    best = [1e9, 1e9]
    for _ in range(args.rounds):
        for i, path in enumerate((before, after)):
            r = json.loads(files.mote("--json", "bench", path, "--threads", 1, "--seconds", 0.3, "--warmup", 0.1, *shapes, program=args.mote))
            best[i] = min(best[i], r["min_ms"])
    return best


def check(args, model, scheme, work):
    """What a scheme does to a network, by name; `why` where it does nothing."""
    calibration, inputs = samples_of(model, work)
    out = os.path.join(work, "quantized.onnx")
    row = {"network": model.parent.name, "scheme": scheme}
    try:
        report = files.quantize(model, out, [], *calibration, "--threads", 1, *SCHEMES[scheme], *args.rest, program=args.mote)
    except files.Failure as refused:
        if not any(text in str(refused) for text in ("nothing to quantize", "nothing was written")):
            raise
        return {**row, "why": str(refused)}
    row |= {"quantized": sum(l["quantized"] for l in report["layers"]), "layers": len(report["layers"]), "error": report["error"],
            "mb_before": os.path.getsize(model) / 1e6, "mb_after": os.path.getsize(out) / 1e6,
            "apart": files.disagreement(out, inputs, work, args.mote)}
    if os.path.isdir(os.path.join(work, "held_out")):
        row["right_before"], row["scored"] = right_answers(args, model, work)
        row["right_after"], _ = right_answers(args, out, work)
    if args.rounds:
        shapes = [f"--shape={k}={','.join(map(str, v.shape))}" for k, v in inputs.items()]
        row["ms_before"], row["ms_after"] = times(args, str(model), out, shapes)
    return row


def say(row):
    if "why" in row:
        return row["why"]
    text = (f"{row['quantized']}/{row['layers']} layers, error {row['error']:.2e}, {row['mb_before']:.2f} -> {row['mb_after']:.2f} MB, "
            f"ONNX Runtime {row['apart']:.1e} apart")
    text += f", {row['right_before']} and {row['right_after']} of {row['scored']} right" if "scored" in row else ""
    return text + (f", {row['ms_before']:.3f} -> {row['ms_after']:.3f} ms" if "ms_after" in row else "")


def check_all(args):
    """Prints a line for every network and scheme; gives the rows, and how many are wrong."""
    rows, failed = [], 0
    for model in models_of(args):
        if not model.exists():
            print(f"skip {model}: not there", flush=True)
            continue
        for scheme in args.schemes.split(","):
            with tempfile.TemporaryDirectory() as work:
                try:
                    row = check(args, model, scheme, work)
                    rows.append(row)
                    what, ok = say(row), row.get("apart", 0) <= files.LEAST_AGREEMENT
                except Exception as problem:  # reported per network
                    what, ok = str(problem).strip().splitlines()[0][:300], False
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'} {model.parent.name} {scheme}: {what}", flush=True)
    return rows, failed


def parser_of(text):
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--schemes", default=",".join(SCHEMES))
    parser.add_argument("--mote", default=files.MOTE)
    return parser


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--bench", action="store_true")
    given = sys.argv[1:]
    rest = given[given.index("--") + 1:] if "--" in given else []
    args = parser.parse_args(given[:given.index("--")] if "--" in given else given)
    args.rest, args.rounds = rest, 3 if args.bench else 0
    rows, failed = check_all(args)
    if not any("apart" in row for row in rows):
        sys.exit("nothing was checked")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
