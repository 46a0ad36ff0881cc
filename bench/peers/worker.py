"""Measures one cell, given as JSON on the command line, in this process, and prints the result as one line of JSON.

The answer is compared with PyTorch's before any time counts: a wrong one is an error, and has no time.
"""
import importlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import numpy as np
import zoo_files

# Of the standard deviation of PyTorch's output; what an f32 file is allowed otherwise is zoo_files.tolerance.
TOLERANCE = {"f16": 1e-1, "bf16": 3e-1}


def memory_mb(field):
    for line in open("/proc/self/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def check(cell, answer):
    golden = pathlib.Path(cell["inputs"]).with_name("golden.npz")
    if not golden.exists():
        raise RuntimeError(f"{golden} is not there: no answer to check with")
    with np.load(golden) as want:
        error, problem = zoo_files.largest_error(want, answer)
    if problem or not error <= TOLERANCE.get(cell["precision"], zoo_files.tolerance(cell["model"])):
        raise RuntimeError(f"wrong answer: {problem or f'differs by {error:.1e} standard deviations'}")
    return error


def measure_session(engine, cell):
    with np.load(cell["inputs"]) as arrays:
        inputs = dict(arrays)
    before = memory_mb("VmRSS")
    clock = time.perf_counter_ns
    start = clock()
    session = engine.Session(cell["path"], cell["threads"], cell["precision"])
    loaded = clock()
    answer = session.run(inputs)
    first = clock()
    error = check(cell, answer)
    end = clock() + int(cell["warmup"] * 1e9)
    while clock() < end:
        session.run(inputs)
    times = []
    end = clock() + int(cell["seconds"] * 1e9)
    while not times or clock() < end:
        begin = clock()
        session.run(inputs)
        times.append(clock() - begin)
    peak = memory_mb("VmHWM")
    times.sort()
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))] / 1e6
    return {"load_ms": (loaded - start) / 1e6, "prepare_ms": 0.0, "first_ms": (first - loaded) / 1e6, "min_ms": times[0] / 1e6,
            "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "runs": len(times), "peak_rss_mb": peak,
            "base_rss_mb": before, "error": error}


def main():
    cell = json.loads(sys.argv[1])
    try:
        engine = importlib.import_module(f"engines.{cell['engine']}")
        if cell.get("version_only"):
            result = {"version": engine.version(), "precisions": getattr(engine, "PRECISIONS", ("f32",))}
        elif hasattr(engine, "measure"):
            error = check(cell, engine.answers(cell))
            result = {**engine.measure(cell), "error": error}
        else:
            result = measure_session(engine, cell)
    except Exception as problem:
        result = {"failed": f"{problem}" if isinstance(problem, RuntimeError) else f"{type(problem).__name__}: {problem}"}
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()
