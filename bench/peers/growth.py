#!/usr/bin/env python3
"""How Mote's time grows with the work: ./dev bench growth [OPTION]...

Batch 1 to 64 (milliseconds per item), sequences of 16 to 1,024 (milliseconds), 1 to 16 sessions at once (runs per second in total), and what a run of
a small model spends outside of its kernels. Every point is a fresh process; the points of a round come one after the other, and the best of the
rounds counts, since other work only ever slows down. OUT gets growth.json, growth.md and a plot for each.
"""
import argparse
import collections
import datetime
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import machine  # noqa: E402
import networks  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402

BATCHES, LENGTHS, SESSIONS = (1, 2, 4, 8, 16, 32, 64), (16, 32, 64, 128, 256, 512, 1024), (1, 2, 4, 8, 16)
text_inputs = lambda n, t: {name: (n, t) for name in ("input_ids", "attention_mask", "token_type_ids")}
# network: shapes of its inputs for a batch, or for a length
BATCHED = {"mobilenet_v2_dynamic": lambda n: {"image": (n, 3, 224, 224)}, "bert_dynamic": lambda n: text_inputs(n, 32),
           "lstm_bidirectional": lambda n: {"x": (n, 50, 64)}, "ds_cnn_batch": lambda n: {"mfcc": (n, 1, 49, 10)}, "mlp": lambda n: {"x": (n, 64)}}
SEQUENCES = {"bert_long": lambda t: text_inputs(1, t), "lstm_bidirectional": lambda t: {"x": (1, t, 64)}}
CONCURRENT = ("mobilenet_v2", "ds_cnn", "lstm")
SMALL = ("ds_cnn", "mlp", "digits")
GROWTH_ALLOWED, OVERHEAD_US = 1.05, 2.0  # what time per item may grow by; microseconds outside of kernels


def shapes(spec):
    return [word for name, shape in spec.items() for word in ("--shape", f"{name}={','.join(map(str, shape))}")]


def points(args):
    """(kind, network, x, threads of the pinned process, arguments of mote) in the order of measuring."""
    timed = ["--seconds", str(args.seconds), "--warmup", str(args.warmup)]
    for name, spec in BATCHED.items():
        for n in args.batches:
            yield "batch", name, n, 1, ["bench", name, *shapes(spec(n)), "--threads", "1", *timed]
    for name, spec in SEQUENCES.items():
        for t in args.lengths:
            yield "sequence", name, t, 1, ["bench", name, *shapes(spec(t)), "--threads", "1", *timed]
    for name in CONCURRENT:
        for c in args.sessions:
            yield "sessions", name, c, len(args.cpus), ["bench", name, "--concurrency", str(c), "--threads", "1", *timed]
    for name in SMALL:
        yield "overhead", name, 1, 1, ["profile", name, "--threads", "1", "--seconds", str(args.seconds)]


def figure(kind, x, result):
    """What a point shows: ms per item, ms, runs per second, or microseconds outside of kernels."""
    if kind == "overhead":
        return 1e3 * (result["run_ms"] - sum(step["ms"] for step in result["steps"]))
    return result["runs_per_s"] if kind == "sessions" else result["p50_ms"] / (x if kind == "batch" else 1)


def measure(args, found):
    best, failed = {}, {}
    for number in range(args.rounds):
        for kind, name, x, threads, command in points(args):
            command[1] = str(found[name].onnx)
            try:
                value = figure(kind, x, machine.run_mote(command, args.cpus[:threads]))
            except RuntimeError as problem:
                failed[kind, name, x] = str(problem)
                continue
            key = (kind, name, x)
            best[key] = max(best.get(key, 0), value) if kind == "sessions" else min(best.get(key, value), value)
        print(f"round {number + 1} of {args.rounds} done", flush=True)
    return ([{"kind": k, "network": n, "x": x, "value": v} for (k, n, x), v in best.items()],
            [{"kind": k, "network": n, "x": x, "why": why} for (k, n, x), why in failed.items()])


def lines_of(document, kind):
    """{network: [(x, value)]}"""
    lines = collections.defaultdict(list)
    for point in document["points"]:
        if point["kind"] == kind:
            lines[point["network"]].append((point["x"], point["value"]))
    return {name: sorted(line) for name, line in lines.items()}


def worst_growth(line):
    """The largest factor by which the value is above the least one at a smaller x."""
    worst, least = 1.0, float("inf")
    for _, value in line:
        worst = max(worst, value / least)
        least = min(least, value)
    return worst


def verdicts(document):
    """[(what, good, text)] of every line."""
    out = []
    for name, line in lines_of(document, "batch").items():
        growth = worst_growth(line)
        out.append((f"batch, {name}", growth <= GROWTH_ALLOWED, f"time per item grows by {growth - 1:.0%} at most; at batch {line[-1][0]} it is {line[-1][1] / line[0][1]:.2f} of that at {line[0][0]}"))
    for name, line in lines_of(document, "sequence").items():
        steps = [f"{b[1] / a[1]:.2f}" for a, b in zip(line, line[1:])]
        out.append((f"sequence, {name}", True, f"each doubling takes {', '.join(steps)} times as long"))
    for name, line in lines_of(document, "sessions").items():
        most, last = max(value for _, value in line), line[-1]
        out.append((f"sessions, {name}", last[1] >= 0.95 * most, f"{last[0]} sessions have {last[1] / most:.0%} of the best total throughput"))
    for name, line in lines_of(document, "overhead").items():
        out.append((f"small, {name}", line[0][1] <= OVERHEAD_US, f"{line[0][1]:.2f} us of a run outside of its kernels"))
    return out


def markdown(document):
    out = ["# How time grows", "", f"{document['date']}, {machine.text(document['machine'])}, {document['version']}.", "",
           f"Made by `./dev bench growth`: fresh processes, one thread each, the best of {document['rounds']} rounds.", ""]
    for kind, title, x_name in (("batch", "Milliseconds per item by batch", "batch"), ("sequence", "Milliseconds by length of the sequence", "length"),
                                ("sessions", f"Runs per second of all sessions together, on {document['cores']} cores", "sessions")):
        lines = lines_of(document, kind)
        xs = sorted({x for line in lines.values() for x, _ in line})
        rows = [[name, *(report.digits(dict(line).get(x)) for x in xs)] for name, line in lines.items()]
        out += [f"## {title}", "", *report.table(["network", *map(str, xs)], rows), "", f"![{title}](growth-{kind}.svg)", ""]
    out += ["## Findings", ""] + [f"- {'' if good else '**'}{what}{'' if good else '**'}: {text}" for what, good, text in verdicts(document)]
    if document["failed"]:
        out += ["", "## Without a figure", ""] + [f"- {p['kind']}, {p['network']}, {p['x']}: {p['why']}" for p in document["failed"]]
    return "\n".join([*out, ""])


def publish(folder, document):
    for kind, x_name, y_name in (("batch", "batch", "ms per item"), ("sequence", "length", "ms"), ("sessions", "sessions", "runs per second")):
        svg = plots.curves(f"{y_name} by {x_name}, {document['date']}", x_name, y_name, lines_of(document, kind))
        if svg:
            machine.save(folder / f"growth-{kind}.svg", svg)
    machine.save(folder / "growth.json", json.dumps(document, indent=1) + "\n")
    machine.save(folder / "growth.md", markdown(document))


def parse_arguments(arguments=None):
    numbers = lambda t: [int(n) for n in t.split(",")]
    parser = argparse.ArgumentParser(prog="./dev bench growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=numbers, default=list(BATCHES))
    parser.add_argument("--lengths", type=numbers, default=list(LENGTHS))
    parser.add_argument("--sessions", type=numbers, default=list(SESSIONS))
    parser.add_argument("--seconds", type=float, default=0.5, help="measured per point")
    parser.add_argument("--warmup", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=numbers, help="cores to pin to; default: all allowed")
    parser.add_argument("--out", type=pathlib.Path, default=machine.ROOT / "docs" / "performance")
    args = parser.parse_args(arguments)
    args.cpus = args.cpus or machine.allowed_cpus()
    return args


def main():
    args = parse_arguments()
    found = {n.name: n for n in networks.find(list(dict.fromkeys([*BATCHED, *SEQUENCES, *CONCURRENT, *SMALL])))}
    machine.warn_if_busy()
    measured, failed = measure(args, found)
    document = {"date": datetime.date.today().isoformat(), "machine": machine.describe(), "version": machine.mote_version(), "rounds": args.rounds,
                "cores": len(args.cpus), "points": measured, "failed": failed}
    publish(args.out, document)
    for what, good, text in verdicts(document):
        print(f"{'ok  ' if good else 'BAD '} {what}: {text}")
    print(args.out / "growth.md")
    return 1 if failed or not all(good for _, good, _ in verdicts(document)) else 0


if __name__ == "__main__":
    sys.exit(main())
