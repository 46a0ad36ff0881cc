#!/usr/bin/env python3
"""Measures Mote beside other engines on whole networks: ./dev bench peers [OPTION]...

Networks come from tools/export_zoo.py. Each cell (network, threads, engine, round) is a fresh process pinned to its cores; within a round the
engines take turns, so that a slow spell of the machine hits all of them. The answer is checked before any time counts. Results are kept cell by
cell in OUT/peers.json: run the same command again to continue (what failed is tried again), or with more --rounds to add some. OUT/peers.md is the table.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(HERE)]
sys.dont_write_bytecode = True
import report  # noqa: E402
import zoo_files  # noqa: E402

FLAGS = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX VNNI",
         "avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX", "asimd": "NEON", "asimddp": "dot product", "i8mm": "i8mm", "sve": "SVE"}


def describe_machine():
    info = {}
    for line in open("/proc/cpuinfo"):
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return {"cpu": info.get("model name") or info.get("Model") or platform.machine(), "cores": os.cpu_count(),
            "isa": [name for flag, name in FLAGS.items() if flag in flags], "system": f"{platform.system()} {platform.machine()}"}


def run_worker(cell, cpus, timeout):
    """Runs worker.py for one cell on these cores; a crash or a timeout is a result too."""
    python = str(zoo_files.VENV_PYTHON if zoo_files.VENV_PYTHON.exists() else sys.executable)
    environment = {**os.environ, "OMP_NUM_THREADS": str(cell.get("threads", 1)), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run([python, str(HERE / "worker.py"), json.dumps(cell)], capture_output=True, text=True, errors="replace",
                              timeout=timeout, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {timeout:g} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return {"failed": f"worker ended with code {done.returncode}: {(done.stderr.strip() or 'no message').splitlines()[-1]}"}
    return json.loads(lines[-1])


def find_engines(wanted, cpus):
    """{name: {"version", "precisions"}} of those that are installed; says why for the others."""
    found = {}
    for name in wanted:
        answer = run_worker({"engine": name, "version_only": True}, cpus, 120)
        if "failed" in answer:
            print(f"{name}: left out: {answer['failed']}")
        else:
            found[name] = answer
            print(f"{name}: {answer['version']}")
    return found


def find_models(wanted):
    """(name, path, inputs, digest): names of the zoo, or paths of .onnx files in a folder laid out as the zoo's."""
    models = []
    for name in wanted or zoo_files.names():
        path = pathlib.Path(name) if name.endswith(".onnx") else zoo_files.ZOO / name / "model.onnx"
        if not path.exists():
            raise SystemExit(f"{path} is not there: $(tools/zoo_venv.sh) tools/export_zoo.py makes the networks")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        models.append((path.parent.name, str(path), str(path.parent / "inputs.npz"), digest))
    return models


def plan_cells(args, engines, models):
    for number in range(args.rounds):
        for name, path, inputs, digest in models:
            for threads in args.threads:
                order = list(engines)
                turn = number % len(order)
                for engine in order[turn:] + order[:turn]:
                    if args.precision in engines[engine]["precisions"]:
                        yield {"engine": engine, "version": engines[engine]["version"], "model": name, "digest": digest, "path": path, "inputs": inputs,
                               "threads": threads, "precision": args.precision, "seconds": args.seconds, "warmup": args.warmup, "round": number}


def identity(cell):
    return tuple(cell[key] for key in ("engine", "version", "model", "digest", "threads", "precision", "seconds", "round"))


def load_document(path, machine, fresh):
    if path.exists() and not fresh:
        document = json.loads(path.read_text())
        if document["machine"] != machine:
            raise SystemExit(f"{path} was measured on another machine ({document['machine']['cpu']}): give --fresh, or another --out")
        return document
    return {"machine": machine, "cells": []}


def save(folder, document):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("peers.json", json.dumps(document, indent=1) + "\n"), ("peers.md", report.markdown(document))):
        part = folder / f".{name}.part"
        part.write_text(text)
        part.replace(folder / name)


def words(text):
    return [word for word in text.split(",") if word]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=words, default=[], help="names of zoo networks or paths, by commas; default: all")
    engines = sorted(p.stem for p in (HERE / "engines").glob("[!_]*.py"))
    parser.add_argument("--engines", type=words, default=engines, help=f"of {', '.join(engines)}; default: all that are installed")
    parser.add_argument("--threads", type=lambda t: [int(n) for n in words(t)], default=[1], help="by commas; default: 1")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16", "f16"])
    parser.add_argument("--seconds", type=float, default=1.0, help="measured per cell")
    parser.add_argument("--warmup", type=float, default=0.3, help="seconds before that")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=lambda t: [int(n) for n in words(t)], help="cores to pin to; default: the first ones allowed")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a cell may take besides measuring")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results in OUT")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "performance")
    args = parser.parse_args()
    args.cpus = args.cpus or sorted(os.sched_getaffinity(0))
    unknown = set(args.engines) - set(engines)
    if unknown:
        parser.error(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(engines)}")
    if max(args.threads) > len(args.cpus):
        parser.error(f"{max(args.threads)} threads on {len(args.cpus)} cores")
    return args


def main():
    args = parse_arguments()
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"the machine is busy (load {busy:.1f}): times will be too long and ratios unsteady")
    document = load_document(args.out / "peers.json", describe_machine(), args.fresh)
    engines = find_engines(args.engines, args.cpus)
    if not engines:
        raise SystemExit("no engine to measure")
    cells = list(plan_cells(args, engines, find_models(args.models)))
    document["engines"] = {**document.get("engines", {}), **{name: found["version"] for name, found in engines.items()}}
    current = lambda cell: cell["version"] == document["engines"][cell["engine"]] and "failed" not in cell["result"]
    document["cells"] = [cell for cell in document["cells"] if current(cell)]
    done = {identity(cell) for cell in document["cells"]}
    left = [cell for cell in cells if identity(cell) not in done]
    print(f"{len(cells)} cells, {len(cells) - len(left)} already measured")
    failed = 0
    for number, cell in enumerate(left, 1):
        result = run_worker(cell, args.cpus[:cell["threads"]], args.timeout + cell["seconds"] + cell["warmup"])
        failed += "failed" in result
        shown = result.get("failed") or f"{result['p50_ms']:9.3f} ms"
        print(f"[{number}/{len(left)}] {cell['model']:28s} {cell['engine']:12s} {cell['threads']} threads  {shown}", flush=True)
        kept = {key: value for key, value in cell.items() if key not in ("path", "inputs")}
        document["cells"].append({**kept, "result": result})
        document["date"] = datetime.date.today().isoformat()
        save(args.out, document)
    print(f"{len(left) - failed} measured, {failed} failed, {len(cells) - len(left)} kept; {args.out / 'peers.md'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
