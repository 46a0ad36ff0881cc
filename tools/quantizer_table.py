#!/usr/bin/env python3
"""Writes docs/performance/quantizer.md and quantizer.json: what every scheme of `mote quantize` does to five networks.

    tools/quantizer_table.py [MODEL.onnx]... [--schemes NAME,...] [--rounds 3] [--keep] [--mote PROGRAM]

Networks and samples are those of tools/check_quantized.py: the digits network, whose held-out scans are scored, and MobileNetV2, ResNet-18, a
MiniLM-shaped BERT and an LSTM from tools/export_zoo.py, which have random weights. Latency is the least of runs of the float and of the written
file in turns, one thread. With --keep, rows of the JSON file that are not measured now stay. Exit code 1 if an answer differs from ONNX Runtime's.
"""
import datetime
import json
import os
import sys

import zoo_files

zoo_files.need_numpy()
import check_quantized as quantized  # noqa: E402
import quantized_files as files  # noqa: E402

OUT = files.ROOT / "docs" / "performance" / "quantizer"
TEXT = """# What quantizing does

{when}, {cpu}, one thread, other work running beside it; Mote {version}, ONNX Runtime {onnxruntime}. Made by `tools/quantizer_table.py`.

The digits network is trained: calibrated on 100 scans, scored on the 360 held-out ones. The others have the shapes of their namesakes and random
weights, and three samples. *error*: cosine distance from the float answers, mean over the samples. *apart*: cosine distance between Mote's and ONNX
Runtime's answers to the written file. *ms*: least time of a run before and after, in turns; what is above 1.05 of before is **bold**.
`static measured` is `--measure`: each layer is timed both ways on this CPU and stays in f32 where that pays, and no file is written where the whole network is
not faster. `weight-only-8` runs the plan of the float network: how far its *time* is from 1 is what other work does to these ratios.

| network | scheme | layers | error | right | MB | ms | time | apart |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def line(row):
    if "why" in row:
        return f"| {row['network']} | {row['scheme']} | – | | | | | | no file: {row['why'].split(' (')[0].split(': nothing')[0]} |"
    right = f"{row['right_before']} → {row['right_after']} of {row['scored']}" if "scored" in row else ""
    ratio = row["ms_after"] / row["ms_before"]
    time = f"**{ratio:.2f}**" if ratio > 1.05 else f"{ratio:.2f}"
    return (f"| {row['network']} | {row['scheme']} | {row['quantized']} of {row['layers']} | {row['error']:.1e} | {right} | "
            f"{row['mb_before']:.2f} → {row['mb_after']:.2f} | {row['ms_before']:.3g} → {row['ms_after']:.3g} | {time} | {row['apart']:.0e} |")


def write(path, text):
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    os.replace(draft, path)


def main():
    import onnxruntime
    parser = quantized.parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    args.rest = []
    rows, failed = quantized.check_all(args)
    known = json.loads(OUT.with_suffix(".json").read_text())["rows"] if args.keep and OUT.with_suffix(".json").exists() else []
    merged = {(r["network"], r["scheme"]): r for r in [*known, *rows]}
    networks = list(dict.fromkeys(network for network, _ in merged))
    rows = [merged[n, s] for n in networks for s in quantized.SCHEMES if (n, s) in merged]
    doctor = json.loads(files.mote("--json", "doctor", program=args.mote))
    head = {"when": datetime.date.today().isoformat(), "cpu": doctor["cpu"], "version": doctor["version"], "onnxruntime": onnxruntime.__version__}
    write(OUT.with_suffix(".json"), json.dumps({**head, "rows": rows}, indent=1) + "\n")
    write(OUT.with_suffix(".md"), TEXT.format(rows="\n".join(map(line, rows)), **head))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
