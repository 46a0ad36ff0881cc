#!/usr/bin/env python3
"""Quantizes the keyword-spotting network of ExecuTorch's examples and scores it on MLPerf Tiny's kws01.

    $(tools/zoo_venv.sh) tools/kws_accuracy.py [--data ../shared] [--mote PROGRAM] [-- ARGUMENT...]

The network (DS-CNN: a 10x4 convolution and four depthwise-separable blocks) is built in PyTorch from its state dict and exported. The first
200 of the 1,000 recordings calibrate, the other 800 are scored in f32 and in 8 bits. The weights were trained behind another front end
than the recordings' features come from, so that f32 itself reads few of them right; --adapt trains the network for these features, on the
calibration recordings alone. What follows -- goes to `mote quantize`. Exit code 1
where 8 bits lose more than half a point, or more than one recording where that is more.
"""
import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCALE, ZERO = 0.5847029, 83  # of the recordings' features
# The network's class for each of the recordings': down, go, left, no, off, on, right, stop, up, yes, silence, unknown.
CLASSES = np.array([5, 11, 6, 3, 9, 8, 7, 10, 4, 2, 0, 1])
CALIBRATE = 200


class Separable(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = torch.relu(self.depthwise_bn(self.depthwise(x)))
        return torch.relu(self.pointwise_bn(self.pointwise(x)))


class KeywordNet(nn.Module):
    def __init__(self, channels=64, classes=12):
        super().__init__()
        stem = nn.Conv2d(1, channels, (10, 4), 2, (5, 1), bias=False)
        self.feature_extractor = nn.Sequential(stem, nn.BatchNorm2d(channels), nn.ReLU(), nn.Identity(),
                                               *(Separable(channels) for _ in range(4)))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.feature_extractor(x).mean((2, 3)))


def adapt(net, x, y, epochs=150):
    """Trains with shifts in time and noise; the statistics of the first layers are those of `x` afterwards."""
    rng = torch.Generator().manual_seed(5)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * 4)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=rng).split(50):
            moved = torch.roll(x[rows], int(torch.randint(-6, 7, (1,), generator=rng)), 2)
            noisy = moved + torch.randn(moved.shape, generator=rng) * 0.5
            loss = nn.functional.cross_entropy(net(noisy), y[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()


def right(args, model, x, labels, work):
    source, target = work / "x.npz", work / "y.npz"
    np.savez(source, mfcc=x)
    subprocess.run([args.mote, "-q", "run", model, "--inputs", source, "--outputs", target], check=True, stdout=subprocess.DEVNULL)
    with np.load(target) as y:
        return int((y["scores"].argmax(1) == labels).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--mote", default=str(ROOT / "build/native/bin/mote"))
    parser.add_argument("--adapt", action="store_true")
    given = sys.argv[1:]
    rest = given[given.index("--") + 1:] if "--" in given else []
    args = parser.parse_args(given[:given.index("--")] if "--" in given else given)
    weights, tiny = args.data / "models/executorch/kws_dscnn_state_dict.pth", args.data / "models/mlperf-tiny"
    if not weights.exists():
        print(f"skipped: {weights} is not there")
        return 0
    net = KeywordNet().eval()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    raw = np.fromfile(tiny / "kws01_inputs_1000x490_int8.bin", np.int8).reshape(1000, 1, 49, 10)
    x = (raw.astype(np.float32) - ZERO) * np.float32(SCALE)
    with open(tiny / "kws01_y_labels.csv", encoding="utf-8") as f:
        labels = CLASSES[[int(row[2]) for row in csv.reader(f)]]
    if args.adapt:
        adapt(net, torch.from_numpy(x[:CALIBRATE]), torch.from_numpy(labels[:CALIBRATE]))
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        torch.onnx.export(net, (torch.zeros(1, 1, 49, 10),), str(work / "kws.onnx"), opset_version=17, dynamo=False,
                          input_names=["mfcc"], output_names=["scores"], dynamic_axes={"mfcc": {0: "N"}, "scores": {0: "N"}})
        np.savez(work / "cal.npz", mfcc=x[:CALIBRATE], labels=labels[:CALIBRATE])
        done = subprocess.run([args.mote, "--json", "quantize", work / "kws.onnx", "-o", work / "int8.onnx", "--inputs", work / "cal.npz",
                               *rest], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stdout)
        report = json.loads(done.stdout)
        scored, truth = x[CALIBRATE:], labels[CALIBRATE:]
        before, after = (right(args, work / name, scored, truth, work) for name in ("kws.onnx", "int8.onnx"))
    lost, allowed = before - after, max(0.005 * len(truth), 1)
    print(f"{report['scheme']}: {sum(l['quantized'] for l in report['layers'])} of {len(report['layers'])} layers, right of {len(truth)}: "
          f"{before} in f32, {after} in 8 bits ({lost / len(truth) * 100:+.2f} points lost, {allowed / len(truth) * 100:.2f} allowed)")
    return 0 if lost <= allowed else 1


if __name__ == "__main__":
    sys.exit(main())
