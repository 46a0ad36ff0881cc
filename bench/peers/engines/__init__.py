"""One module per engine; `--engines` takes their names. A module has

    version() -> str            raises ImportError or FileNotFoundError, with a hint, where the engine is not installed
    FILES = {"f32": kind, ...}  what it reads for each precision: "onnx", or a kind of prepare.py
    LACKS = {"int8": reason}    the precisions it cannot be measured in, and why

and, where the engine is a Python package,

    class Session:
        def __init__(self, cell, inputs)       opens cell["file"], makes it ready and binds the inputs: {name: array}, in the network's order
        def run(self)                          one inference; nothing is copied that the engine need not copy
        def outputs(self) -> {name: array}     of the last run; cell["outputs"] lists their (name, shape) in the network's order
        computed_in                            optional: the precision that the engine chose

or, where it is a program,

    answers(cell) -> {name: array}
    measure(cell) -> {load_ms, prepare_ms, first_ms, min_ms, p50_ms, p90_ms, p99_ms, runs, peak_rss_mb, base_rss_mb, ...}

A cell is the dict that peers.py makes: engine, model, file, inputs, outputs, threads, precision, seconds, warmup. All raise on failure.
RANKED = False keeps an engine out of what Mote is compared with: it answers another question. Everything runs in a fresh process that is
already pinned to its cores.
"""
