#!/usr/bin/env python3
"""Instructions of Mote's kernels and of whole networks on 64-bit Arm, counted under emulation: ./dev bench arm [OPTION]...

Single layers are run by their kernels alone (count_kernels), networks of tools/export_zoo.py by mote-run from a plan made here for each
instruction set; both are cross-built and run under qemu-aarch64 with a plugin that counts every instruction (count.c). What one run takes is the
difference between three runs and one. The least is what the multiply-adds take in the widest instruction of that CPU, and for the kernels of
register tiles also what a tile loads per step, 32 bytes an instruction; for depthwise layers of bytes see least_of. OUT gets arm.json and arm.md.
"""
import argparse
import collections
import datetime
import json
import math
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "peers"))

MOTE = ROOT / "build" / "native" / "bin" / "mote"
ARM = ROOT / "build" / "aarch64" / "bin"
CPUS = {"Cortex-A53": ("cortex-a53", "neon"), "Cortex-A72": ("cortex-a72", "neon"), "Cortex-A76": ("neoverse-n1", "neondot"), "i8mm": ("max,sve=off", "i8mm")}
# Multiply-adds of one instruction: fmla on four floats; smull, smlal2 and sadalp on 16 bytes; sdot; smmla.
PER_INSTRUCTION = {("neon", 32): 4, ("neondot", 32): 4, ("i8mm", 32): 4, ("neon", 8): 16 / 3, ("neondot", 8): 16, ("i8mm", 8): 32}
# Bytes that a register tile reads per multiply-add of it: rows and columns of one step by what they make.
TILE = {32: (5 + 16) * 4 / (5 * 16), 8: (6 + 16) / (6 * 16)}
# Of one byte of a result: conversion, factor, rounding of four, two narrowings and a store of sixteen. Of one byte of a depthwise layer's image: a load
# of sixteen, and two instructions that widen them or put them beside others.
REQUANTIZE, IMAGE = (3 * 4 + 4 + 2 + 1) / 16, 3 / 16
CONV1X1_CHANNELS = 128  # of count_kernels' layer
BOUNDS = {"gemm": 1.25, "1x1": 1.25, "3x3": 1.5, "5x5": 1.5}
MULTIPLY = ("fmla", "fmls", "fmul", "smlal", "smlal2", "smull", "smull2", "umlal", "umlal2", "umull", "umull2", "sdot", "udot", "usdot", "smmla", "ummla", "usmmla", "mla", "mul")


def call(command, timeout=600):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=timeout)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise RuntimeError(f"{pathlib.Path(command[0]).name} ended with code {done.returncode}: {lines[-1][:200]}")
    return done.stdout


def build_plugin(folder):
    plugin = folder / "count.so"
    call(["cc", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-o", plugin, HERE / "count.c"])
    return plugin


def counts(command, cpu, plugin, folder):
    """{(address, text, symbol): times} of a whole process."""
    out = folder / "counts.txt"
    call(["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-cpu", cpu, "-plugin", f"{plugin},out={out}", *command])
    total = collections.Counter()
    with open(out) as lines:
        for line in lines:
            times, address, text, symbol = line.rstrip("\n").split("\t")
            total[address, text, symbol] += int(times)
    return total


def one_run(command, cpu, plugin, folder):
    """What one run takes once everything is set up; command(n) runs n times."""
    one, three = (counts(command(n), cpu, plugin, folder) for n in (1, 3))
    return {key: (times - one[key]) / 2 for key, times in three.items() if times > one[key]}


def by_symbol(run):
    total = collections.Counter()
    for (_, _, symbol), times in run.items():
        total[symbol] += times
    return total


def demangled(symbol):
    return call(["c++filt", symbol]).strip() if symbol.startswith("_Z") else symbol


def inner_loop(run, symbol):
    """The straight piece of the symbol that costs most: instructions in a row that run equally often. (instructions, multiplying ones)."""
    here = sorted((int(address, 16), text, times) for (address, text, name), times in run.items() if name == symbol)
    best, piece = (0, 0, 0), []
    for entry in [*here, (0, "", -1)]:
        if piece and (entry[2] != piece[-1][2] or entry[0] != piece[-1][0] + 4):
            multiply = sum(text.split(" ")[0] in MULTIPLY for _, text, _ in piece)
            best = max(best, (sum(times for _, _, times in piece), len(piece), multiply))
            piece = []
        piece.append(entry)
    return best[1], best[2]


def measure(command, macs, least, cpu, plugin, folder):
    run = one_run(command, cpu, plugin, folder)
    symbols = by_symbol(run)
    total = sum(symbols.values())
    hot, hot_count = symbols.most_common(1)[0]
    length, multiply = inner_loop(run, hot)
    return {"instructions": total, "macs": macs, "per_mac": total / macs, "least": least, "by_least": total / least, "kernel": demangled(hot), "kernel_share": hot_count / total,
            "loop": length, "loop_multiply": multiply, "multiply": sum(times for (_, text, _), times in run.items() if text.split(" ")[0] in MULTIPLY)}


def least_of(name, macs, bits, isa):
    if "depthwise" in name and bits == 8:
        # Channels do not mix: words four at a time by smlal, or sdot, a quarter of whose register is one channel.
        taps = int(name[-1]) ** 2
        return macs / taps * ((taps / 4 if isa == "neon" else math.ceil(taps / 4) / 4) + REQUANTIZE + IMAGE)
    loads = 0 if "depthwise" in name else TILE[bits] / 32
    return macs / PER_INSTRUCTION[isa, bits] + macs * loads


def measure_layers(args, plugin, folder):
    results = {}
    for line in call(["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", ARM / "count_kernels"]).splitlines():
        name, macs, bits = line.split("\t")
        if args.only and not any(word in name for word in args.only):
            continue
        for label, (cpu, isa) in CPUS.items():
            if args.cpus and label not in args.cpus:
                continue
            try:
                row = measure(lambda n: [ARM / "count_kernels", name, isa, n], int(macs), least_of(name, int(macs), int(bits), isa), cpu, plugin, folder)
                if name == "int8 conv1x1":
                    row["by_least_of_bytes"] = row["instructions"] / (row["least"] + int(macs) / CONV1X1_CHANNELS * REQUANTIZE)
                row["bound"] = next((bound for word, bound in BOUNDS.items() if word in name), None)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                row = {"failed": str(problem)}
            results.setdefault(name, {})[label] = row
            print(name, label, row.get("failed") or f"{row['by_least']:.2f} of the least, loop {row['loop']} instructions, {row['loop_multiply']} of them multiply: {row['kernel'][:90]}", flush=True)
    return results


def measure_networks(args, plugin, folder):
    if not args.models:
        return {}
    import networks  # needs the networks that tools/export_zoo.py makes
    results = {}
    for network in networks.find(args.models):
        macs = int(json.loads(call([MOTE, "inspect", network.onnx, "--json"]))["macs"])
        for label, (cpu, isa) in CPUS.items():
            if args.cpus and label not in args.cpus:
                continue
            model = folder / "network.mote"
            try:
                call([MOTE, "convert", network.onnx, "-o", model, "--target", isa, "--plans-only"])
                row = measure(lambda n: [ARM / "mote-run", model, "--fill", "--threads", "1", "--repeat", n - 1], macs, macs / 4, cpu, plugin, folder)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                row = {"failed": str(problem)}
            results.setdefault(network.name, {})[label] = row
            print(network.name, label, row.get("failed") or f"{row['per_mac']:.3f} instructions per multiply-add", flush=True)
    return results


def cell(row, field):
    return "–" if row is None or "failed" in row else f"{row[field]:.2f}"


def markdown(document):
    labels = [label for label in CPUS if any(label in rows for rows in [*document["layers"].values(), *document["networks"].values()])]
    out = ["# Instructions on 64-bit Arm", "", f"{document['date']}. Counted under emulation by `./dev bench arm`, one thread: everything that one run executes, by the least that the layer's",
           "multiply-adds take in the widest instruction that the CPU has for them (four floats by `fmla`; 16 bytes by `smull`, `smlal2` and `sadalp`, or by one `sdot`, and 32 by",
           "`smmla`) and, but for depthwise layers, what a register tile of 5 x 16 floats or 6 x 16 bytes loads per step, 32 bytes an instruction. Winograd's algorithm takes",
           "less than the direct one, of which the least is. Times cannot be had from an emulator.", "",
           "In depthwise layers of bytes channels do not mix, so that no instruction multiplies 16 or 32 bytes for them: their least is four words by `smlal`, or by `sdot` the taps of",
           "four channels by fours (three for nine taps; `smmla` does no more), for every byte of the image a sixteenth of a load and of two instructions that widen 16 bytes or put them",
           f"beside others, and for every result the least that requantizing takes, {REQUANTIZE * 16:.0f} instructions for 16: conversion, factor and rounding of four, two narrowings, a store. The other",
           "layers' least has no requantizing; with 128 channels it is 24 % of the products' by `smmla`, and the row after \"int8 conv1x1\" counts it.", "", "## Layers", "",
           "| layer | " + " | ".join(labels) + " | bound |", "|---|" + "---:|" * (len(labels) + 1)]
    for name, rows in document["layers"].items():
        bound = next((row["bound"] for row in rows.values() if "bound" in row), None)
        out.append(f"| {name} | " + " | ".join(cell(rows.get(label), "by_least") for label in labels) + f" | {bound or '–'} |")
        if any("by_least_of_bytes" in row for row in rows.values()):
            out.append(f"| {name} and requantizing | " + " | ".join(cell(rows.get(label), "by_least_of_bytes") for label in labels) + f" | {bound or '–'} |")
    out += ["", "## Inner loops", "", "The piece of straight code that most instructions come from: its length, and how many of it multiply.", "", "| layer | CPU | kernel | loop | multiply | share of the run |",
            "|---|---|---|---:|---:|---:|"]
    for name, rows in document["layers"].items():
        for label in labels:
            row = rows.get(label)
            if row and "failed" not in row:
                kernel = row["kernel"].replace("(anonymous namespace)::", "").split("(")[0].replace("mote::kernels::", "").removeprefix("void ")
                out.append(f"| {name} | {label} | `{kernel}` | {row['loop']} | {row['loop_multiply']} | {row['kernel_share']:.0%} |")
    if document["networks"]:
        out += ["", "## Whole networks, f32", "", "Instructions per multiply-add (0.25 is the least).", "", "| network | " + " | ".join(labels) + " |", "|---|" + "---:|" * len(labels)]
        for name, rows in document["networks"].items():
            out.append(f"| {name} | " + " | ".join(cell(rows.get(label), "per_mac") for label in labels) + " |")
    failed = [f"- {name}, {label}: {row['failed']}" for part in ("layers", "networks") for name, rows in document[part].items() for label, row in rows.items() if "failed" in row]
    return "\n".join(out + (["", "## Without a figure", ""] + failed if failed else []) + [""])


def main():
    parser = argparse.ArgumentParser(prog="./dev bench arm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="WORD", help="layers whose name has it")
    parser.add_argument("--cpus", type=lambda t: t.split(","), help=", ".join(CPUS))
    parser.add_argument("--models", type=lambda t: t.split(",") if t else [], default=[], help="networks of tools/export_zoo.py to count as well")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "performance")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        plugin = build_plugin(folder)
        document = {"date": datetime.date.today().isoformat(), "layers": measure_layers(args, plugin, folder), "networks": measure_networks(args, plugin, folder)}
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in (("arm.json", json.dumps(document, indent=1) + "\n"), ("arm.md", markdown(document))):
        (args.out / (name + ".part")).write_text(text)
        (args.out / (name + ".part")).rename(args.out / name)
    print(args.out / "arm.md")
    return 1 if any("failed" in row for part in ("layers", "networks") for rows in document[part].values() for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
