#!/usr/bin/env python3
"""How soon Mote is ready, and what it holds: ./dev bench start [OPTION]...

For each network: opening the ONNX file in Mote (load and prepare, untuned) beside ONNX Runtime, opening the `.mote` file made of it, the first run
against the steady one, the peak of memory against its parts, and what a second session adds. Fresh processes that take turns; the median of the
rounds counts. OUT gets start.json, start.md and a plot.
"""
import argparse
import datetime
import json
import pathlib
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import machine  # noqa: E402
import networks  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402

FIELDS = ("onnx_ms", "ort_ms", "saved_ms", "process_ms", "first_ms", "steady_ms", "peak_mb", "bound_mb", "second_mb", "weights_mb")


def bound_mb(bench):
    """1.15 x weights as packed + arena + 10 MB."""
    return 1.15 * bench["weight_bytes"] / 1e6 + bench["arena_bytes"] / 1e6 + 10


def measure_once(network, saved, args):
    """One round of one network: {field: value}; ONNX Runtime's is missing where it is not installed or fails."""
    cpus, still = args.cpus[:1], ["--threads", "1", "--seconds", "0", "--warmup", "0"]
    bench = lambda path, *more: machine.run_mote(["bench", path, *more], cpus)
    onnx = bench(network.onnx, *still)
    start = bench(saved, *still)
    steady = bench(saved, "--threads", "1", "--seconds", str(args.seconds), "--warmup", "0.1")
    two = bench(network.onnx, *still, "--concurrency", "2")
    out = {"onnx_ms": onnx["load_ms"] + onnx["prepare_ms"], "saved_ms": start["load_ms"] + start["prepare_ms"], "first_ms": start["first_ms"],
           "steady_ms": steady["p50_ms"], "peak_mb": onnx["peak_rss_mb"], "bound_mb": bound_mb(onnx), "weights_mb": onnx["weight_bytes"] / 1e6,
           "second_mb": max(0.0, two["peak_rss_mb"] - onnx["peak_rss_mb"]), "process_ms": machine.process_ms(cpus)}
    other = machine.run_worker({"engine": "onnxruntime", "model": network.name, "file": str(network.onnx), "inputs": str(network.onnx.with_name("inputs.npz")),
                                "golden": str(network.onnx.with_name("golden.npz")), "precision": "f32", "threads": 1, "seconds": 0, "warmup": 0}, cpus, 120)
    return out if "failed" in other else {**out, "ort_ms": other["load_ms"]}


def summarize(rounds):
    """Medians over the rounds, and the ratios that count."""
    out = {field: statistics.median([r[field] for r in rounds if field in r]) for field in FIELDS if any(field in r for r in rounds)}
    if out.get("ort_ms"):
        out["by_ort"] = statistics.median([r["onnx_ms"] / r["ort_ms"] for r in rounds if r.get("ort_ms")])
    return {**out, "first_by_steady": out["first_ms"] / out["steady_ms"], "peak_by_bound": out["peak_mb"] / out["bound_mb"]}


def markdown(document):
    rows = document["networks"]
    shown = lambda row, field: report.digits(row.get(field))
    out = ["# Start and memory", "", f"{document['date']}, {machine.text(document['machine'])}, {document['version']}.", "",
           f"Made by `./dev bench start`: fresh processes, one thread, medians of {document['rounds']} rounds in turns. Loading is opening the file and",
           "preparing it, in milliseconds, the process itself (`mote --version`, as a shell would see it) beside it. The bound of the peak is 1.15 x weights",
           "as packed + arena + 10 MB. The second session's memory is what the peak grows by with two sessions that have run.", "", "## Loading", ""]
    out += report.table(["network", "ONNX", "by ONNX Runtime", "ratio", ".mote", "process", "first run of .mote", "steady", "first / steady"],
                        [[name, *(shown(row, f) for f in ("onnx_ms", "ort_ms", "by_ort", "saved_ms", "process_ms", "first_ms", "steady_ms", "first_by_steady"))]
                         for name, row in rows.items()])
    ratios = [row["by_ort"] for row in rows.values() if row.get("by_ort")]
    if ratios:
        out += ["", f"Loading ONNX by ONNX Runtime's time: geometric mean **{report.geometric_mean(ratios):.2f}** over {len(ratios)} networks, largest {max(ratios):.2f}."]
    out += ["", "![loading](start.svg)", "", "## Memory, MB", ""]
    out += report.table(["network", "weights", "peak", "bound", "peak / bound", "second session"],
                        [[name, *(shown(row, f) for f in ("weights_mb", "peak_mb", "bound_mb", "peak_by_bound", "second_mb"))] for name, row in rows.items()])
    if document["failed"]:
        out += ["", "## Without a figure", ""] + [f"- {name}: {why}" for name, why in document["failed"].items()]
    return "\n".join([*out, ""])


def publish(folder, document):
    rows = {name: {"ONNX": row["onnx_ms"], "ONNX by ONNX Runtime": row.get("ort_ms"), ".mote": row["saved_ms"]} for name, row in document["networks"].items()}
    svg = plots.dots(f"milliseconds until ready, {document['date']}", "ms", ["ONNX", "ONNX by ONNX Runtime", ".mote"], rows)
    if svg:
        machine.save(folder / "start.svg", svg)
    machine.save(folder / "start.json", json.dumps(document, indent=1) + "\n")
    machine.save(folder / "start.md", markdown(document))


def convert(network):
    """The .mote file of a network, made anew by the program that is measured."""
    saved = network.folder / "model.mote"
    saved.parent.mkdir(parents=True, exist_ok=True)
    machine.run_mote(["convert", network.onnx, "-o", saved], machine.allowed_cpus())
    return saved


def main():
    parser = argparse.ArgumentParser(prog="./dev bench start", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=lambda t: t.split(","), default=list(networks.RACED))
    parser.add_argument("--seconds", type=float, default=0.3, help="of steady runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=lambda t: [int(n) for n in t.split(",")], default=machine.allowed_cpus())
    parser.add_argument("--out", type=pathlib.Path, default=machine.ROOT / "docs" / "performance")
    args = parser.parse_args()
    found, rounds, failed, saved = networks.find(args.models), {}, {}, {}
    machine.warn_if_busy()
    for number in range(args.rounds):
        for network in found:
            if network.name in failed:
                continue
            try:
                saved.setdefault(network.name, None)
                saved[network.name] = saved[network.name] or convert(network)
                rounds.setdefault(network.name, []).append(measure_once(network, saved[network.name], args))
            except RuntimeError as problem:
                failed[network.name] = str(problem)
        print(f"round {number + 1} of {args.rounds} done", flush=True)
    document = {"date": datetime.date.today().isoformat(), "machine": machine.describe(), "version": machine.mote_version(), "rounds": args.rounds,
                "networks": {name: summarize(r) for name, r in rounds.items() if name not in failed}, "failed": failed}
    publish(args.out, document)
    print(args.out / "start.md")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
