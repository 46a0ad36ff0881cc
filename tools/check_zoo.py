#!/usr/bin/env python3
"""Runs the networks of the zoo (tools/export_zoo.py) with `mote run` and compares with PyTorch's answers.

    tools/check_zoo.py [--only NAME]... [--via onnx|mote] [--onnxruntime] [--memory] [--mote PROGRAM] [-- ARGUMENT...]

A network passes if, for each of its input sets, no output differs by more than 1e-4 of the output's standard deviation (5e-3 for
networks in f16, 1e-1 in bf16). --via mote converts to .mote first and runs that; --via onnx writes the model out as ONNX first. What follows
-- goes to `mote run`. Exit code 1 if any network fails. --memory holds each to the memory that a network may take instead: every weight
once, 1.15 x max(file, packed weights) + arena + 10 MB.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import zoo_files

zoo_files.need_numpy()
import numpy as np  # noqa: E402


def call(command, seconds):
    """Returns None, or what went wrong in one line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not done after {seconds} s"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    why = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return f"{why}: {lines[0] if lines else 'no message'}"


def call_onnxruntime(model, inputs, outputs):
    """Runs a written model where another program reads it. Returns None, or what went wrong."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        with np.load(inputs) as arrays:
            answers = session.run(names, {i.name: arrays[i.name] for i in session.get_inputs()})
    except Exception as problem:
        return "ONNX Runtime: " + str(problem).strip().splitlines()[0]
    np.savez(outputs, **dict(zip(names, answers)))
    return None


def check(args, name, work):
    """Returns (ok, largest error, seconds, reason)."""
    folder = zoo_files.ZOO / name
    model = str(folder / "model.onnx")
    start = time.monotonic()
    if args.via:
        converted = os.path.join(work, f"model.{args.via}")
        problem = call([args.mote, "convert", model, "-o", converted], args.timeout)
        if problem:
            return False, None, time.monotonic() - start, f"convert: {problem}"
        model = converted
    worst = 0.0
    for inputs, golden in zoo_files.input_sets(folder):
        outputs = os.path.join(work, "out.npz")
        if os.path.exists(outputs):
            os.remove(outputs)
        if args.onnxruntime:
            problem = call_onnxruntime(model, inputs, outputs)
        else:
            problem = call([args.mote, "run", model, "--inputs", str(inputs), "--outputs", outputs, *args.arguments], args.timeout)
        if not problem and not os.path.exists(outputs):
            problem = "wrote no outputs"
        if problem:
            return False, None, time.monotonic() - start, f"{inputs.name}: {problem}"
        with np.load(golden) as want, np.load(outputs) as got:
            error, problem = zoo_files.largest_error(want, got)
        if problem or not error <= (args.tolerance or zoo_files.tolerance(name)):
            return False, error, time.monotonic() - start, f"{inputs.name}: {problem or 'differs'}"
        worst = max(worst, error)
    return True, worst, time.monotonic() - start, ""


def check_memory(args, name):
    """Returns (ok, MB that the process took, MB allowed, reason)."""
    folder = zoo_files.ZOO / name
    command = [args.mote, "bench", str(folder / "model.onnx"), "--seconds", "0", "--warmup", "0", "--json", *args.arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=args.timeout)
    if done.returncode != 0:
        return False, 0, 0, done.stdout.strip()
    r = json.loads(done.stdout)
    size = sum(f.stat().st_size for f in folder.iterdir() if f.suffix != ".npz")
    allowed = 1.15e-6 * max(size, r["weight_bytes"]) + 1e-6 * r["arena_bytes"] + 10
    return r["peak_rss_mb"] <= allowed, r["peak_rss_mb"], allowed, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--via", choices=["onnx", "mote"])
    parser.add_argument("--onnxruntime", action="store_true", help="run with ONNX Runtime, which shows with --via onnx whether others read what is written")
    parser.add_argument("--memory", action="store_true", help="check the memory that mote bench takes instead of results")
    parser.add_argument("--mote", default=str(zoo_files.ROOT / "build" / "native" / "bin" / "mote"))
    parser.add_argument("--tolerance", type=float, help="in standard deviations, instead of each network's own")
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("arguments", nargs="*", help="after --: further arguments of mote run")
    args = parser.parse_args()
    there = zoo_files.names()
    wanted = args.only or there
    passed = failed = skipped = 0
    if not os.access(args.mote, os.X_OK):
        print(f"{args.mote} is not there: ./dev build makes it")
        skipped, wanted = len(wanted), []
    elif not there:
        print(f"no networks in {zoo_files.ZOO}: $(tools/zoo_venv.sh) tools/export_zoo.py makes them")
    if wanted and args.memory:
        print(f"{'network':30s} {'':5s} {'peak MB':>9s} {'allowed':>8s}")
    elif wanted:
        print(f"{'network':30s} {'':5s} {'error/std':>9s} {'seconds':>8s}")
    for name in wanted:
        if name not in there:
            print(f"{name:30s} skip  not in {zoo_files.ZOO}")
            skipped += 1
            continue
        if args.onnxruntime and "_bf16" in name:
            print(f"{name:30s} skip  ONNX Runtime does not run bf16")
            skipped += 1
            continue
        if args.memory:
            ok, peak, allowed, reason = check_memory(args, name)
            passed, failed = passed + ok, failed + (not ok)
            print(f"{name:30s} {'pass' if ok else 'FAIL':5s} {peak:9.1f} {allowed:8.1f}  {reason}".rstrip(), flush=True)
            continue
        with tempfile.TemporaryDirectory() as work:
            ok, error, seconds, reason = check(args, name, work)
        passed, failed = passed + ok, failed + (not ok)
        shown = "-" if error is None else f"{error:.1e}"
        print(f"{name:30s} {'pass' if ok else 'FAIL':5s} {shown:>9s} {seconds:8.2f}  {reason}".rstrip(), flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
