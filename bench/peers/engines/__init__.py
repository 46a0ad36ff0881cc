"""One module per engine; `--engines` takes their names. A module has

    version() -> str                      raises ImportError or FileNotFoundError, with a hint, where the engine is not installed

and, where the engine is a Python package,

    class Session:
        def __init__(self, model, threads, precision)    opens the file and makes it ready; model is a path
        def run(self, inputs) -> {output name: array}    inputs: {input name: array}

or, where it is a program,

    answers(cell) -> {output name: array}
    measure(cell) -> {load_ms, prepare_ms, first_ms, min_ms, p50_ms, p90_ms, p99_ms, runs, peak_rss_mb, ...}

A cell is the dict that peers.py makes: engine, model, path, inputs, threads, precision, seconds, warmup. Both raise on failure. PRECISIONS, a
tuple, names what the engine can do; without it, f32 only. Everything runs in a fresh process that is already pinned to its cores.
"""
