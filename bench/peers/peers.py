#!/usr/bin/env python3
"""Measures Mote beside other engines on whole networks: ./dev bench peers [OPTION]...

Installs the pinned packages of tools/requirements-zoo.txt once (outside the repository), exports the networks (tools/export_zoo.py), quantizes and
converts them for the engines that need it, all kept in the cache; then measures. Each cell (network, precision, threads, engine, round) is a fresh
process pinned to its cores; within a round the engines take turns. The answer is checked before any time counts. What was measured is kept cell
by cell: after an interruption the same command continues where it stopped; when all is measured it starts anew. OUT gets peers.json, peers.md and plots.

    ./dev bench peers --precision f32,int8 --threads 1,2
    ./dev bench peers --engines mote --against docs/performance/peers.json     exit code 1 where Mote became slower, or takes more memory
"""
import argparse
import datetime
import hashlib
import json
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import against  # noqa: E402
import machine  # noqa: E402
import networks  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402
import schedule  # noqa: E402
import zoo_files  # noqa: E402

ENGINES = ("mote", "onnxruntime", "openvino", "openvino_default", "ncnn", "mnn", "litert", "tract")
PRECISIONS = ("f32", "int8", "bf16", "f16")


def find_engines(wanted, cpus):
    """{name: description} of those that are installed; says why for the others."""
    found = {}
    for name in wanted:
        about = machine.run_worker({"engine": name, "describe": True}, cpus, 120)
        if "failed" in about:
            print(f"{name}: left out: {about['failed']}")
        else:
            found[name] = about
            print(f"{name}: {about['version']}")
    return found


def fill_in(cell, network, engines, args):
    """What the worker needs besides, or the reason why there is nothing to measure."""
    about = engines[cell["engine"]]
    kind = about["files"][cell["precision"]]
    for needed in network.needs(kind, cell["precision"]):
        why = network.why_not(needed)
        if why is not None:
            return None, why or "not converted"
    return {**cell, **network.cell(kind), "seconds": args.seconds, "warmup": args.warmup}, None


def measure_group(group, network, engines, args, state, progress):
    for cell in group:
        own = cell["precision"] == "int8" and engines[cell["engine"]]["files"]["int8"] not in networks.SAME_FILE
        cell = {**cell, "own_file": True} if own else cell
        full, why = fill_in(cell, network, engines, args)
        result = {"failed": why, "unmade": True} if why else state.failure(cell)
        result = result or machine.run_worker(full, args.cpus[:cell["threads"]], args.timeout + args.seconds + args.warmup)
        state.add(cell, result)
        shown = f"fails: {result['failed']}" if "failed" in result else f"{result['p50_ms']:9.3f} ms"
        print(f"[{progress()}] {cell['model']:21s} {cell['precision']:5s} {cell['threads']} {cell['engine']:17s} {shown}", flush=True)


def document_of(cells, engines, args):
    return {"date": datetime.date.today().isoformat(), "machine": machine.describe(), "engines": engines,
            "settings": {"seconds": args.seconds, "warmup": args.warmup}, "cells": cells}


def draw(document):
    """{part: [(caption, file name)]} and {file name: SVG}."""
    captions, files = {}, {}
    engines = document["engines"]
    for part, models in report.summarize(document["cells"]).items():
        names = [e for e in engines if any(row.get(e, {}).get("median") for row in models.values())]
        name, title = f"{part[0]}-{part[1]}", f"{part[0]}, {part[1]} thread{'s' if part[1] > 1 else ''}"
        relative = {model: {e: row[e]["median"] / row["mote"]["median"] for e in names if row.get(e, {}).get("median")}
                    for model, row in models.items() if row.get("mote", {}).get("median")}
        pick = lambda field: {model: {e: row[e][field] for e in names if row.get(e, {}).get(field)} for model, row in models.items()}
        for what, unit, rows, line in (("latency", "latency by Mote's (right of the line: slower than Mote)", relative, 1.0),
                                       ("memory", "MB added by loading and running", pick("added"), None),
                                       ("load", "milliseconds from opening the file to being ready", pick("load"), None)):
            svg = plots.dots(f"{title}: {what}, {document['date']}", unit, names, rows, line)
            if svg:
                files[f"peers-{name}-{what}.svg"] = svg
                captions.setdefault(part, []).append((what, f"peers-{name}-{what}.svg"))
    return captions, files


def publish(folder, document):
    captions, files = draw(document)
    for name, svg in files.items():
        machine.save(folder / name, svg)
    machine.save(folder / "peers.json", json.dumps(document, indent=1) + "\n")
    machine.save(folder / "peers.md", report.markdown(document, captions))


def words(text):
    return [word for word in text.split(",") if word]


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=words, default=list(networks.RACED), help="names of zoo networks, by commas, or all; default: those of the race; TensorFlow Lite files by name or path, which are raced as they are; see --list")
    parser.add_argument("--engines", type=words, default=list(ENGINES), help=f"of {', '.join(ENGINES)}; default: all that are installed")
    parser.add_argument("--threads", type=lambda t: [int(n) for n in words(t)], default=[1], help="by commas; default: 1")
    parser.add_argument("--precision", type=words, default=["f32"], help=f"of {', '.join(PRECISIONS)}, by commas; default: f32")
    parser.add_argument("--seconds", type=float, default=0.5, help="measured per cell")
    parser.add_argument("--warmup", type=float, default=0.2, help="seconds before that")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=lambda t: [int(n) for n in words(t)], help="cores to pin to; default: the first ones allowed")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a cell may take besides measuring")
    parser.add_argument("--fresh", action="store_true", help="start anew instead of continuing an interrupted run")
    parser.add_argument("--convert", action="store_true", help="try conversions that failed again")
    parser.add_argument("--prepare", action="store_true", help="install, export and convert, then stop")
    parser.add_argument("--list", action="store_true", help="print the networks, the engines and what there is of them, then stop")
    parser.add_argument("--against", type=pathlib.Path, metavar="FILE", help="a peers.json to compare Mote with")
    parser.add_argument("--out", type=pathlib.Path, help="default: docs/performance; with --against nothing is written unless it is given")
    args = parser.parse_args(arguments)
    args.cpus = args.cpus or machine.allowed_cpus()
    args.models = zoo_files.names() if args.models == ["all"] else args.models
    for given, known in ((args.engines, ENGINES), (args.precision, PRECISIONS)):
        if unknown := set(given) - set(known):
            parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if max(args.threads) > len(args.cpus):
        parser.error(f"{max(args.threads)} threads on {len(args.cpus)} cores")
    args.out = args.out or (None if args.against else machine.ROOT / "docs" / "performance")
    return args


def state_path(args):
    """One state for each question: the same command finds what it left."""
    key = json.dumps([machine.describe(), sorted(args.engines), args.models, args.precision, args.threads, args.seconds, args.warmup])
    return zoo_files.CACHE / "peers" / "runs" / (hashlib.sha256(key.encode()).hexdigest()[:12] + ".jsonl")


def list_all(args):
    print("Networks:")
    for name, note in networks.RACED.items():
        there = (zoo_files.ZOO / name / "model.onnx").exists()
        made = [kind for kind in networks.FILES if there and networks.Network(name).path(kind).exists()]
        print(f"  {name:22s} {', '.join(made) or 'exported' if there else 'not exported yet':70s} {note}".rstrip())
    for name, path in networks.GIVEN.items():
        print(f"  {name:22s} {path}, as it is")
    print("  and, by name:", ", ".join(name for name in zoo_files.names() if name not in networks.RACED))
    print("Engines:")
    for name in ENGINES:
        about = machine.run_worker({"engine": name, "describe": True}, args.cpus, 120) if zoo_files.VENV_PYTHON.exists() else {"failed": "not installed yet"}
        print(f"  {name:18s} {about.get('failed') or about['version'] + ': ' + ', '.join(about['files'])}")
    runs = sorted((zoo_files.CACHE / "peers" / "runs").glob("*.jsonl"))
    print(f"Runs that were begun: {len(runs)}")
    return 0


def measure(args, engines, found, state):
    wanted = []
    for precisions in dict.fromkeys(tuple(n.precisions(args.precision)) for n in found):
        some = [(n.name, n.digest) for n in found if tuple(n.precisions(args.precision)) == precisions]
        wanted += schedule.groups(some, engines, args.threads, precisions, args.rounds)
    wanted.sort(key=lambda group: group[0]["round"])
    left = state.missing(wanted)
    if args.fresh or not left:
        state.forget()
        left = wanted
    cells, total, start = sum(map(len, left)), sum(map(len, wanted)), time.monotonic()
    print(f"{total} cells, {total - cells} of an interrupted run are there" if total > cells else f"{total} cells")
    done, by_name = 0, {network.name: network for network in found}

    def progress():
        nonlocal done
        done += 1
        return f"{done}/{cells}, {(time.monotonic() - start) / done * (cells - done) / 60:4.1f} min left"

    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for group in left:
            state.drop(group)
            measure_group(group, by_name[group[0]["model"]], engines, args, state, progress)
    except KeyboardInterrupt:
        interrupted = True
        print("interrupted: the same command continues here", file=sys.stderr)
    return state.of(wanted), interrupted


def main():
    args = parse_arguments()
    if args.list:
        return list_all(args)
    earlier = json.loads(args.against.read_text()) if args.against else None
    machine.make_environment()
    engines = find_engines(args.engines, args.cpus)
    if not engines:
        raise SystemExit("no engine to measure")
    found = networks.find(args.models)
    kinds = dict.fromkeys(about["files"][p] for p in args.precision for about in engines.values() if p in about["files"])
    networks.prepare(found, [*(["int8"] if "int8" in args.precision else []), "outputs", *kinds], args.convert)
    if args.prepare:
        return 0
    machine.warn_if_busy()
    cells, interrupted = measure(args, engines, found, schedule.State(state_path(args)))
    document = document_of(cells, engines, args)
    if args.out and cells:
        publish(args.out, document)
        print(f"{args.out / 'peers.md'}")
    failed = [cell for cell in cells if "failed" in cell["result"]]
    print(f"{len(cells) - len(failed)} measured, {len(failed)} without a time")
    if earlier:
        rows = against.compare(document, earlier)
        print(against.text(rows))
        worse = against.regressions(rows)
        print(f"{len(rows)} compared with {earlier['date']}, {len(worse)} worse")
        return 1 if worse else 0
    return 130 if interrupted else 1 if any(c["engine"] == "mote" and not c["result"].get("unmade") for c in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
