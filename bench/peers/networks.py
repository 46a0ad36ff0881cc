"""The networks of the race and the files that engines read them from. Standard library only."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import machine
import zoo_files

# Those that are raced unless --models says otherwise, and what others call them.
RACED = {"mobilenet_v2": "", "mobilenet_v3_small": "", "resnet18": "", "resnet50": "", "squeezenet1_1": "", "efficientnet_lite0": "",
         "efficientnet_b0": "", "yolo_nano": "of yolov8n's shape, 640", "unet": "U-Net", "ds_cnn": "keyword spotting of MLPerf Tiny", "vit_tiny": "",
         "bert": "of MiniLM-L6's shape, 128 tokens", "whisper_tiny_encoder": "of Whisper-tiny's shape", "lstm": "2 x 128, 100 steps",
         "gru": "2 x 128, 100 steps"}
# TensorFlow Lite files that are raced as they are, below the folder models of $MOTE_TEST_DATA. Any other one is named by its path.
GIVEN = {"kws": "mlperf-tiny/kws_ref_model.tflite", "vww": "mlperf-tiny/vww_96_int8.tflite", "ic": "mlperf-tiny/pretrainedResnet_quant.tflite",
         "ad": "mlperf-tiny/ad01_int8.tflite", "mobilenet_v2_tflite": "tflite-micro/mobilenet_v2_quantized_1x3x224x224.tflite"}
FILES = {"outputs": "outputs.json", "torchscript": "model.pt", "int8": "int8.onnx", "ncnn": "model.ncnn.param", "mnn": "model.mnn", "mnn_int8": "int8.mnn",
         "tflite": "model.tflite", "tflite_int8": "int8.tflite",
         "tflite_answer": "answer.npz"}
SAME_FILE = ("onnx", "int8")  # what every reader of ONNX is given; other int8 kinds are quantized by their engine


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def packages():
    """Stands for the versions of the packages that convert."""
    lines = (machine.ROOT / "tools" / "requirements-zoo.txt").read_text().splitlines()
    wanted = "\n".join(sorted(line for line in lines if line and not line.startswith("#")))
    return hashlib.sha256(wanted.encode()).hexdigest()[:8]


class Network:
    """One network: its name, its ONNX file, and a folder for what is converted from it."""

    def __init__(self, name):
        self.onnx = pathlib.Path(name) if name.endswith(".onnx") else zoo_files.ZOO / name / "model.onnx"
        self.name = self.source = self.onnx.parent.name
        self.digest = digest(self.onnx)
        self.folder = zoo_files.CACHE / "peers" / "files" / f"{self.name}-{self.digest}-{packages()}"

    def precisions(self, wanted):
        return [p for p in wanted if p != "tflite"]

    def path(self, kind):
        return self.onnx if kind == "onnx" else self.folder / FILES[kind]

    def needs(self, kind, precision):
        """The kinds of files that a cell cannot do without."""
        return (kind, "int8") if precision == "int8" else (kind,)

    def cell(self, kind):
        """What a cell reads, besides its settings."""
        paths = {"file": self.path(kind), "inputs": self.onnx.with_name("inputs.npz"), "golden": self.onnx.with_name("golden.npz"),
                 "golden_int8": self.folder / "golden_int8.npz"}
        return {**{key: str(path) for key, path in paths.items()}, "outputs": json.loads((self.folder / "outputs.json").read_text()),
                "same_file": kind in SAME_FILE}

    def why_not(self, kind):
        """None where the file is there, the reason where it could not be made, "" where nobody tried."""
        if self.path(kind).exists():
            return None
        failed = self.folder / f"{kind}.failed"
        return failed.read_text() if failed.exists() else ""

    def make(self, kind, timeout=900):
        command = [str(zoo_files.VENV_PYTHON), str(machine.HERE / "prepare.py"), str(self.source), kind, str(self.folder)]
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout)
            lines = done.stderr.strip().splitlines() or [f"the converter ended with code {done.returncode}"]
            problem = lines[-1] if done.returncode != 0 else None
        except subprocess.TimeoutExpired:
            problem = f"not converted after {timeout} s"
        if problem:
            (self.folder / f"{kind}.failed").write_text(problem)
        return problem


class GivenFile(Network):
    """A TensorFlow Lite file. Its inputs are random, its answer is that of LiteRT's reference kernels."""

    def __init__(self, name):
        self.source = pathlib.Path(name) if name.endswith(".tflite") else pathlib.Path(os.environ.get("MOTE_TEST_DATA", "")) / "models" / GIVEN[name]
        if not self.source.is_file():
            raise SystemExit(f"{self.source} is not there" + ("" if name.endswith(".tflite") else ": $MOTE_TEST_DATA/models has the TensorFlow Lite files of the race"))
        self.name = self.source.stem if name.endswith(".tflite") else name
        self.digest = digest(self.source)
        self.folder = zoo_files.CACHE / "peers" / "files" / f"{self.name}-{self.digest}-{packages()}"

    def precisions(self, wanted):
        return ["tflite"]

    def path(self, kind):
        return self.source if kind == "given" else self.folder / FILES[kind]

    def needs(self, kind, precision):
        return kind, "tflite_answer"

    def cell(self, kind):
        return {"file": str(self.source), "inputs": str(self.folder / "inputs.npz"), "golden": str(self.path("tflite_answer"))}


def is_given(name):
    return name in GIVEN or name.endswith(".tflite")


def find(names):
    """The networks by name, exported where they are not there yet."""
    exported = [name for name in names if not is_given(name)]
    missing = [name for name in exported if not name.endswith(".onnx") and not (zoo_files.ZOO / name / "model.onnx").exists()]
    if missing:
        print(f"exporting {', '.join(missing)} ...", flush=True)
        only = [word for name in missing for word in ("--only", name)]
        subprocess.run([str(zoo_files.VENV_PYTHON), str(machine.ROOT / "tools" / "export_zoo.py"), *only], check=False, stdout=sys.stderr)
    for name in exported:
        path = pathlib.Path(name) if name.endswith(".onnx") else zoo_files.ZOO / name / "model.onnx"
        if not path.exists():
            raise SystemExit(f"{path} is not there: tools/export_zoo.py --list prints the networks")
    return [GivenFile(name) if is_given(name) else Network(name) for name in names]


def prepare(found, kinds, again=False):
    """Makes every file of these kinds that is not there; what fails is remembered, with the reason."""
    for network in found:
        given = isinstance(network, GivenFile)
        for kind in ("tflite_answer",) if given else kinds:
            if kind in ("onnx", "given") or (why := network.why_not(kind)) is None or (why and not again):
                continue
            if kind.endswith("_int8") and network.why_not("int8"):
                continue  # there is no int8 race for it
            print(f"making {FILES[kind]} of {network.name} ...", end=" ", flush=True)
            print(network.make(kind) or "made", flush=True)
