"""Measures one cell, given as JSON on the command line, in this process, and prints the result as one line of JSON.

The answer is compared before any time counts: a wrong one is an error, and has no time. In f32 it is held against PyTorch's, in units of the
output's standard deviation; in bf16 and f16 against the same by the cosine; in int8 against ONNX Runtime's on the same file, by the cosine. An
engine that quantized for itself is held against PyTorch, and may be as far from it as ONNX Runtime's file is. Of a TensorFlow Lite file in integers
Mote's answer has every bit of LiteRT's reference kernels; what others answer is held to them by the cosine, and how far they are off is told.
"""
import importlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import numpy as np
import zoo_files

COSINE = 0.999
OWN_SLACK = 0.01  # of the cosine, for files that an engine quantized itself
GIVEN_COSINE = 0.99  # of engines that do not claim the bits of the reference kernels


def memory_mb(field):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def forget_peak():
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # then the peak is that of the whole process


def load(path):
    if not pathlib.Path(path).exists():
        raise RuntimeError(f"{path} is not there: no answer to check with")
    with np.load(path) as arrays:
        return dict(arrays)


def least_cosine(want, got):
    """The least cosine over the outputs; raises where one is missing or has another shape."""
    least = 1.0
    for name, a in want.items():
        if name not in got:
            raise RuntimeError(f"wrong answer: output '{name}' is missing")
        a, b = a.astype(np.float64).ravel(), np.asarray(got[name]).astype(np.float64).ravel()
        if a.size != b.size:
            raise RuntimeError(f"wrong answer: output '{name}' has {b.size} elements, not {a.size}")
        norms = float(np.linalg.norm(a) * np.linalg.norm(b))
        cosine = float(a @ b) / norms if norms > 0 else float(np.array_equal(a, b))
        least = cosine if not cosine >= least else least
    return least


def check_given(want, answer, exactly):
    """How far an answer is from the reference kernels' one: {"cosine"}, and of integers {"differ", "steps"}."""
    result = {"cosine": least_cosine(want, answer)}
    pairs = [(a, np.asarray(answer[name]).reshape(a.shape)) for name, a in want.items() if np.issubdtype(a.dtype, np.integer)]
    if pairs:
        apart = [np.abs(a.astype(np.int64) - b.astype(np.int64)) for a, b in pairs]
        result |= {"differ": sum(int(np.count_nonzero(d)) for d in apart), "steps": max(int(d.max(initial=0)) for d in apart)}
    if exactly and result.get("differ", 0) > 0:
        raise RuntimeError(f"wrong answer: {result['differ']} elements differ, by up to {result['steps']} steps")
    if not result["cosine"] >= GIVEN_COSINE:
        raise RuntimeError(f"wrong answer: cosine {result['cosine']:.5f}, not {GIVEN_COSINE:.5f}")
    return result


def check(cell, answer, computed_in=None):
    """{"error"} or {"cosine"} of an answer that passes; raises otherwise."""
    golden = load(cell["golden"])
    if cell["precision"] == "tflite":
        return check_given(golden, answer, cell["engine"] == "mote")
    if cell["precision"] == "int8" and cell["same_file"]:
        want, least = load(cell["golden_int8"]), COSINE
    elif cell["precision"] == "int8":
        want, least = golden, least_cosine(golden, load(cell["golden_int8"])) - OWN_SLACK
    elif cell["precision"] != "f32" or computed_in not in (None, "f32"):
        want, least = golden, COSINE
    else:
        error, problem = zoo_files.largest_error(golden, answer)
        if problem or not error <= zoo_files.tolerance(cell["model"]):
            raise RuntimeError(f"wrong answer: {problem or f'differs by {error:.1e} standard deviations'}")
        return {"error": error}
    cosine = least_cosine(want, answer)
    if not cosine >= least:
        raise RuntimeError(f"wrong answer: cosine {cosine:.5f}, not {least:.5f}")
    return {"cosine": cosine}


def measure_session(engine, cell):
    inputs = load(cell["inputs"])
    forget_peak()
    before = memory_mb("VmRSS")
    clock = time.perf_counter_ns
    start = clock()
    session = engine.Session(cell, inputs)
    loaded = clock()
    session.run()
    first = clock()
    peak = memory_mb("VmHWM")
    computed_in = getattr(session, "computed_in", None)
    checked = check(cell, session.outputs(), computed_in)
    end = clock() + int(cell["warmup"] * 1e9)
    while clock() < end:
        session.run()
    times = []
    end = clock() + int(cell["seconds"] * 1e9)
    while not times or clock() < end:
        begin = clock()
        session.run()
        times.append(clock() - begin)
    times.sort()
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))] / 1e6
    result = {"load_ms": (loaded - start) / 1e6, "prepare_ms": 0.0, "first_ms": (first - loaded) / 1e6, "min_ms": times[0] / 1e6,
              "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "runs": len(times), "peak_rss_mb": peak, "base_rss_mb": before, **checked}
    return {**result, "computed_in": computed_in} if computed_in else result


def describe(engine):
    return {"version": engine.version(), "files": engine.FILES, "lacks": getattr(engine, "LACKS", {}), "ranked": getattr(engine, "RANKED", True),
            "threads": getattr(engine, "THREADS", None)}


def reason(problem):
    """The first line of what went wrong, without where this machine keeps its files."""
    lines = [line for line in str(problem).strip().splitlines() if line.strip()] or ["no message"]
    line = lines[0].replace(str(zoo_files.CACHE) + "/", "").replace(str(zoo_files.ROOT) + "/", "")
    return (line if isinstance(problem, RuntimeError) else f"{type(problem).__name__}: {line}")[:300]


def main():
    cell = json.loads(sys.argv[1])
    try:
        engine = importlib.import_module(f"engines.{cell['engine']}")
        if cell.get("describe"):
            result = describe(engine)
        elif hasattr(engine, "measure"):
            checked = check(cell, engine.answers(cell))
            result = {**engine.measure(cell), **checked}
        else:
            result = measure_session(engine, cell)
    except Exception as problem:
        result = {"failed": reason(problem)}
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()
