"""Where the zoo lies, and how an answer is held against PyTorch's. Needs numpy only."""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("MOTE_CACHE", pathlib.Path.home() / ".cache" / "mote"))
ZOO = CACHE / "zoo"
VENV_PYTHON = CACHE / "venv" / "bin" / "python"


def need_numpy():
    """Starts the script again under the zoo's own interpreter where this one has no numpy."""
    try:
        import numpy  # noqa: F401
    except ImportError:
        if VENV_PYTHON.exists() and pathlib.Path(sys.prefix) != VENV_PYTHON.parent.parent:
            os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
        raise SystemExit("numpy is missing: apt-get install python3-numpy, or run tools/zoo_venv.sh")


def tolerance(name):
    """In standard deviations of PyTorch's output, by the type that the network computes in."""
    return 5e-3 if "_f16" in name else 1e-1 if "_bf16" in name else 1e-4


def names():
    return sorted(path.parent.name for path in ZOO.glob("[!.]*/model.onnx"))


def input_sets(folder):
    """The (inputs.npz, golden.npz) pairs of a network, one per shape."""
    return [(path, path.with_name(path.name.replace("inputs", "golden"))) for path in sorted(folder.glob("inputs*.npz"))]


def largest_error(golden, answer):
    """Largest difference over all outputs in standard deviations of PyTorch's, and what is wrong besides, or None."""
    import numpy as np
    worst = 0.0
    for name in golden:
        if name not in answer:
            return float("inf"), f"output '{name}' is missing"
        want, got = np.asarray(golden[name]), np.asarray(answer[name])
        if want.shape != got.shape:
            return float("inf"), f"output '{name}' has shape {list(got.shape)}, not {list(want.shape)}"
        if want.size == 0:
            continue
        deviation = float(want.std(dtype=np.float64)) or 1.0
        error = float(np.abs(got.astype(np.float64) - want.astype(np.float64)).max()) / deviation
        if not error <= worst:
            worst = error
    return worst, None
