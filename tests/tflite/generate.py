#!/usr/bin/env python3
"""Makes one-operator .tflite models and what LiteRT's reference kernels answer.

generate.py OUT [--filter TEXT] [--jobs N]

Writes OUT/OPERATOR/NAME.tflite and NAME.npz, whose arrays are RUN/in/K and RUN/out/K (inputs and outputs in the graph's order; the runs of
a file follow each other, states kept), and OUT/refused.tsv: what LiteRT does not run, and why. Those cases have no file.
"""
import argparse
import importlib
import os
import pkgutil
import sys
import zipfile
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import cases as families
import golden


def all_cases(text):
    seen = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(families.__path__)):
        for c in getattr(importlib.import_module(f"cases.{module}"), "cases", list)():
            key = f"{c.op}/{c.name}"
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > 1:
                c.name += f"_{seen[key]}"
            if text in key:
                yield c


def state_shapes(case, results):
    """Gives the graph's outputs the shapes they turned out to have, as a converter would have written them."""
    for i, t in enumerate(case.graphs[0].outputs):
        shapes = [r[i].shape for r in results]
        if t.feeds is None and t.data is None:
            if len(set(shapes)) == 1:
                t.shape = shapes[0]
            else:
                t.signature = tuple(shapes[0][k] if all(s[k] == shapes[0][k] for s in shapes) else -1 for k in range(len(shapes[0])))
                t.shape = tuple(max(d, 1) for d in t.signature)


def as_npy(a):
    return a.astype("S") if a.dtype == object and a.size else a.astype("S1") if a.dtype == object else a


def write_arrays(path, runs, results):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for k, (arrays, outputs) in enumerate(zip(runs, results)):
            for kind, group in (("in", arrays), ("out", outputs)):
                for i, a in enumerate(group):
                    with z.open(zipfile.ZipInfo(f"{k}/{kind}/{i}.npy"), "w") as f:
                        np.lib.format.write_array(f, as_npy(np.asarray(a)))


def save(folder, case, results):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, case.name)
    with open(path + ".tflite", "wb") as f:
        f.write(case.write())
    write_arrays(path + ".npz", case.runs, results)


def make(part):
    """Cases `part` (filter, share, shares) of all: (written, [(key, reason)])."""
    text, share, shares, out = part
    mine = [c for i, c in enumerate(all_cases(text)) if i % shares == share]
    answers = golden.run_all([lambda c=c: golden.run(c.write(), c.runs, c.reference) for c in mine])
    refused = []
    for c, answer in zip(mine, answers):
        if isinstance(answer, str):
            refused.append((f"{c.op}/{c.name}", answer))
            continue
        state_shapes(c, answer)
        save(os.path.join(out, c.op), c, answer)
    return len(mine) - len(refused), refused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--filter", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    o = parser.parse_args()
    with ProcessPoolExecutor(o.jobs) as pool:
        results = list(pool.map(make, [(o.filter, i, o.jobs, o.out) for i in range(o.jobs)]))
    refused = sorted(r for _, group in results for r in group)
    os.makedirs(o.out, exist_ok=True)
    with open(os.path.join(o.out, "refused.tsv"), "w") as f:
        f.writelines(f"{key}\t{' '.join(reason.split())}\n" for key, reason in refused)
    print(f"{sum(n for n, _ in results)} cases written, {len(refused)} refused by LiteRT", file=sys.stderr)


if __name__ == "__main__":
    main()
