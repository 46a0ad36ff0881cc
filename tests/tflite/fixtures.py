"""Cases of whole models: those of the test data, with LiteRT's answers and the results that their publishers state.

fixtures.py DATA OUT: writes OUT/SET/NAME.tflite and .npz as generate.py does, and OUT/results.tsv, a line for each published result: model,
what is counted, what is expected, what LiteRT's answers give. Fails where these differ. Mote is then held to LiteRT's answers.
"""
import glob
import os
import re
import shutil
import struct
import sys
import zlib

import numpy as np

import golden
from generate import write_arrays

RESULTS = []


def expect(model, what, wanted, got, tolerance=0):
    RESULTS.append((model, what, wanted, got))
    if not np.all(np.abs(np.asarray(got, float) - np.asarray(wanted, float)) <= tolerance):
        raise SystemExit(f"{model}: {what}: expected {wanted}, LiteRT gives {got}")


def save(out, kind, path, runs, answers, name=None):
    folder = os.path.join(out, kind)
    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, name or os.path.splitext(os.path.basename(path))[0])
    shutil.copy(path, stem + ".tflite")
    os.chmod(stem + ".tflite", 0o644)
    write_arrays(stem + ".npz", runs, answers)


def with_axes(model):
    """The model with an axis of biases' scales that they have: LiteRT refuses others, which old converters wrote."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    m = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    for t in m.subgraphs[0].tensors:
        if t.quantization is not None and t.quantization.quantizedDimension >= max(len(t.shape), 1):
            t.quantization.quantizedDimension = 0
    b = flatbuffers.Builder(1024)
    b.Finish(m.Pack(b), b"TFL3")
    return bytes(b.Output())


def answers_of(path, runs, repair=False):
    with open(path, "rb") as f:
        model = f.read()
    model = with_axes(model) if repair else model
    answer = golden.run_all([lambda: golden.run(model, runs)])[0]
    if isinstance(answer, str):
        raise SystemExit(f"{path}: {answer}")
    return answer


def inputs_of(path):
    with golden.quiet():
        return golden.interpreter(open(path, "rb").read()).get_input_details()


def quantized(values, detail):
    scale, zero = detail["quantization"]
    info = np.iinfo(detail["dtype"])
    return np.clip(np.round(values / scale) + zero, info.min, info.max).astype(detail["dtype"])


def keywords(data, out):
    folder = f"{data}/mlperf-tiny"
    x = np.fromfile(f"{folder}/kws01_inputs_1000x490_int8.bin", np.int8).reshape(1000, 1, 49, 10, 1)
    labels = np.array([int(line.split(",")[2]) for line in open(f"{folder}/kws01_y_labels.csv").read().split()])
    # The second one has floats between weights of 8 bits: LiteRT rounds those floats to 8 bits too, and gets four more right.
    hybrid = (x.astype(np.float32) - 83) * np.float32(0.5847029)
    for name, runs, wanted in (("kws_ref_model", x, 901), ("kws_ref_model_float32", hybrid, 905)):
        path = f"{folder}/{name}.tflite"
        shape = inputs_of(path)[0]["shape"]
        runs = [[v.reshape(shape)] for v in runs]
        answers = answers_of(path, runs)
        right = int(sum(np.argmax(a[0]) == label for a, label in zip(answers, labels)))
        expect(name, "of 1,000 spoken words right", wanted, right)
        save(out, "mlperf-tiny", path, runs, answers)


def anomalies(data, out):
    folder = f"{data}/mlperf-tiny"
    x = np.fromfile(f"{folder}/normal_id_01_00000000_hist_librosa.bin", np.float32).reshape(200, 128)
    windows = np.stack([x[i:i + 5].reshape(1, 640) for i in range(196)])
    for name, wanted, tolerance in (("ad01_fp32", 9.7071, 0.0005), ("ad01_int8", 10.264, 0.005), ("model_ToyCar_quant_fullint", 10.2676, 0.0005)):
        path = f"{folder}/{name}.tflite"
        detail = inputs_of(path)[0]
        integer = detail["dtype"] != np.float32
        runs = [[quantized(w, detail) if integer else w] for w in windows]
        answers = answers_of(path, runs)
        y = np.stack([a[0] for a in answers]).astype(np.float64)
        if integer:
            with golden.quiet():
                scale, zero = golden.interpreter(open(path, "rb").read()).get_output_details()[0]["quantization"]
            y = (y - zero) * scale
        expect(name, "mean squared error over 196 windows", wanted, round(float(np.mean((y - windows) ** 2)), 4), tolerance)
        save(out, "mlperf-tiny", path, runs, answers)


def bmp_bytes(path):
    """The 8-bit pixels of a BMP file, top row first."""
    b = open(path, "rb").read()
    offset, = struct.unpack_from("<I", b, 10)
    width, height = struct.unpack_from("<ii", b, 18)
    bits, = struct.unpack_from("<H", b, 28)
    row = (width * bits // 8 + 3) // 4 * 4
    pixels = np.frombuffer(b, np.uint8, row * abs(height), offset).reshape(abs(height), row)[:, :width * bits // 8]
    return (pixels[::-1] if height > 0 else pixels).reshape(abs(height), width, bits // 8)


def png_gray(path):
    """The pixels of an 8-bit PNG file without interlacing; of coloured ones the first channel."""
    b, at, packed = open(path, "rb").read(), 8, b""
    while at < len(b):
        size, kind = struct.unpack_from(">I4s", b, at)
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", b, at + 8)
        if kind == b"IDAT":
            packed += b[at + 8:at + 8 + size]
        at += size + 12
    assert depth == 8
    channels = {0: 1, 2: 3, 4: 2, 6: 4, 3: 1}[colour]
    raw = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    rows = np.zeros((height + 1, (width + 1) * channels), np.int64)
    for y in range(height):
        method = raw[y, 0]
        for i, v in enumerate(raw[y, 1:].astype(int)):
            k = i + channels
            a, up, corner = rows[y + 1, k - channels], rows[y, k], rows[y, k - channels]
            guess = a + up - corner
            paeth = min((a, up, corner), key=lambda p: abs(guess - p))
            rows[y + 1, k] = (v + (0, a, up, (a + up) // 2, paeth)[method]) & 255
    return rows[1:, channels:].reshape(height, width, channels)[:, :, 0].astype(np.uint8)


def images(data, out):
    folder = f"{data}/tflite-micro"
    path = f"{folder}/person_detect.tflite"
    pictures = [bmp_bytes(f"{folder}/person_detect_images/{n}.bmp")[..., :1].view(np.int8)[None] for n in ("person", "no_person")]
    answers = answers_of(path, [[p] for p in pictures], repair=True)
    for name, a, wanted in zip(("person.bmp", "no_person.bmp"), answers, ([-113, 113], [57, -57])):
        expect("person_detect", name, wanted, a[0].reshape(-1).tolist())
    save(out, "tflite-micro", path, [[p] for p in pictures], answers)

    path = f"{folder}/mobilenet_v2_quantized_1x3x224x224.tflite"
    x = np.fromfile(f"{folder}/mobilenet_v2_input_dog_int8_1x3x224x224.bin", np.int8).reshape(1, 3, 224, 224)
    answers = answers_of(path, [[x]])
    expect("mobilenet_v2", "class of the dog", 258, int(np.argmax(answers[0][0])))
    save(out, "tflite-micro", path, [[x]], answers)

    path = f"{folder}/trained_lstm.tflite"
    digits = [png_gray(f"{folder}/mnist_samples/sample{k}.png").astype(np.float32)[None] / 255 for k in range(10)]
    with open(path, "rb") as f:
        model = f.read()
    # Each digit from a state of its own.
    answers = [golden.run_all([lambda d=d: golden.run(model, [[d.reshape(1, 28, 28)]])])[0][0] for d in digits]
    expect("trained_lstm", "of 10 digits right", 10, int(sum(np.argmax(a[0]) == k for k, a in enumerate(answers))))
    for k, (d, a) in enumerate(zip(digits, answers)):
        save(out, "tflite-micro", path, [[d.reshape(1, 28, 28)]], [a], f"trained_lstm_{k}")

    for name in ("hello_world_float", "hello_world_int8"):
        path = f"{folder}/{name}.tflite"
        detail = inputs_of(path)[0]
        points = np.linspace(0, 2 * np.pi, 64).astype(np.float32)
        runs = [[(quantized(p, detail) if detail["dtype"] == np.int8 else p).reshape(detail["shape"])] for p in points]
        save(out, "tflite-micro", path, runs, answers_of(path, runs))


def numbers(path):
    dtype = re.search(r"_(int\d+)\.csv$", path)[1]
    return np.array([int(v) for v in open(path).read().replace("\n", ",").split(",") if v.strip()], dtype)


def seanet(data, out):
    same = 0
    paths = sorted(glob.glob(f"{data}/tflite-micro/seanet_ops/*/*.tflite"))
    for path in paths:
        stem = path[:-len(".tflite")]
        details = inputs_of(path)
        files = [numbers(f) for f in sorted(glob.glob(f"{stem}_input*_*.csv"))]
        runs = [[next(f for f in files[i:] if f.size == np.prod(d["shape"])).astype(d["dtype"]).reshape(d["shape"]) for i, d in enumerate(details)]]
        answers = answers_of(path, runs)
        published = [numbers(f) for f in sorted(glob.glob(f"{stem}_golden_*.csv"))]
        agrees = all(np.array_equal(p, a.reshape(-1)) for p, a in zip(published, answers[0]))
        same += agrees
        if not agrees:
            print(f"seanet: LiteRT differs from the published golden: {os.path.basename(path)}", file=sys.stderr)
        save(out, "seanet", path, runs, answers)
    RESULTS.append(("seanet", f"of {len(paths)} published goldens equal to LiteRT's answers", len(paths), same))


def litert(data, out):
    """Every file that LiteRT runs with made-up inputs; the others are left to the table of what loads."""
    paths = sorted(glob.glob(f"{data}/litert/**/*.tflite", recursive=True) + glob.glob(f"{data}/litert/tflite_bin/*.bin")
                   + glob.glob(f"{data}/mlperf-tiny/*.tflite") + glob.glob(f"{data}/tflite-micro/*.tflite"))

    def attempt(path):
        model = open(path, "rb").read()
        runs = [[made_up(d, k) for d in golden.interpreter(model).get_input_details()] for k in range(2)]
        return runs, golden.run(model, runs)

    answers = golden.run_all([lambda p=p: attempt(p) for p in paths])
    with open(f"{out}/files.tsv", "w") as f:
        for path, answer in zip(paths, answers):
            large = not isinstance(answer, str) and sum(np.asarray(a).nbytes for group in answer for r in group for a in r) > 16 << 20
            answer = "runs, but its tensors are too large to be compared here" if large else answer
            kind = "" if isinstance(answer, str) else "runs"
            f.write(f"{os.path.relpath(path, data)}\t{kind or answer}\n")
            if kind:
                save(out, "models", path, *answer, name=os.path.relpath(path, data).replace("/", "__").rsplit(".", 1)[0])


def signals(data, out):
    """The published streams of TensorFlow Lite Micro's operators that remember: LiteRT does not have them, so these answers are theirs."""
    from cases.control import flex
    from model import Graph, Op, T, write
    folder = os.path.join(out, "signal")
    os.makedirs(folder, exist_ok=True)
    # A file's first line has the options; then come, for every call, a line of samples, one of results, one that says whether they are valid.
    for name, custom, options_of in (
            ("framer_test1", "SignalFramer", lambda v: flex(frame_size=v[0], frame_step=v[1], prefill=bool(v[2]))),
            ("stacker_test1", "SignalStacker", lambda v: flex(num_channels=v[0], stacker_left_context=v[1], stacker_right_context=v[2], stacker_step=v[3]))):
        options, *lines = [[int(v) for v in line.split()] for line in open(f"{data}/tflite-micro/signal_testdata/{name}.txt") if line.strip()]
        runs = [[np.array(x, np.int16)] for x in lines[::3]]
        leading = (1,) if custom == "SignalFramer" else ()
        answers = [[np.array(y, np.int16).reshape(*leading, -1), np.array(bool(valid[0]))] for y, valid in zip(lines[1::3], lines[2::3])]
        x = T("i16", runs=[r[0] for r in runs])
        ops = [Op("CUSTOM", [x], [T("i16", answers[0][0].shape), T("bool", ())], custom=custom, custom_options=options_of(options))]
        with open(f"{folder}/{name}.tflite", "wb") as f:
            f.write(write([Graph(ops)]))
        write_arrays(f"{folder}/{name}.npz", runs, answers)


def made_up(detail, k):
    r = np.random.default_rng(detail["index"] * 10 + k)
    shape, dtype = detail["shape"], detail["dtype"]
    if dtype == np.bool_:
        return r.integers(0, 2, shape).astype(bool)
    if np.issubdtype(dtype, np.floating):
        return r.normal(size=shape).astype(dtype)
    if dtype in (np.int8, np.uint8):
        return r.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)
    if dtype == np.int16:
        return r.integers(-9000, 9000, shape).astype(dtype)
    if np.issubdtype(dtype, np.integer):
        return r.integers(0, 3, shape).astype(dtype)
    return np.full(shape, b"some words", object)


def main():
    data, out = sys.argv[1:]
    data = os.path.join(data, "models")
    for part in (keywords, anomalies, images, seanet, signals, litert):
        part(data, out)
    with open(f"{out}/results.tsv", "w") as f:
        f.writelines("\t".join(map(str, r)) + "\n" for r in RESULTS)


if __name__ == "__main__":
    main()
