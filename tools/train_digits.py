#!/usr/bin/env python3
"""Trains the demo model, examples/digits/digits.onnx, and writes everything beside it.

    $(tools/zoo_venv.sh) tools/train_digits.py [--out examples/digits] [--epochs 80] [--scans]

--scans writes scans.tar.gz alone, without training: all held-out scans, and 100 of the training ones to calibrate with.

Data: scikit-learn's digits, 1,797 real 8x8 scans, enlarged to 32x32 grey with Pillow's bicubic filter and split 80:20, stratified
and by a fixed seed. Only the training part is augmented; the held-out part chooses nothing and is measured once, at the end.
"""
import argparse
import gzip
import io
import pathlib
import tarfile

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 17
SIZE = 32
MEAN, STD = 0.305, 0.37


class Separable(nn.Module):
    """Depthwise 3x3 and pointwise 1x1 convolution, each with batch norm and ReLU6; a residual where the shape stays."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.residual = stride == 1 and c_in == c_out
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_in, 3, stride, 1, groups=c_in, bias=False), nn.BatchNorm2d(c_in), nn.ReLU6(),
            nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU6())

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


class DigitsNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.blocks = nn.Sequential(Separable(16, 32, 2), Separable(32, 64, 2), Separable(64, 128, 2), Separable(128, 128, 1))
        self.classifier = nn.Linear(128, 10)

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


def load_scans():
    """Returns uint8 images [n, 32, 32], as a grey PNG would hold them, and their labels."""
    digits = load_digits()
    small = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(s).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for s in small]
    return np.stack(large), digits.target


def normalize(images):
    return ((torch.from_numpy(images).float() / 255 - MEAN) / STD).unsqueeze(1)


def augment(x, rng):
    """Rotates (15 degrees), scales (0.85 to 1.15), shifts (3 pixels), changes contrast and adds noise, per image."""
    n = x.shape[0]
    uniform = lambda low, high: torch.rand(n, generator=rng) * (high - low) + low
    angle, scale = uniform(-0.26, 0.26), uniform(0.85, 1.15)
    rows = torch.zeros(n, 2, 3)
    rows[:, 0, 0], rows[:, 0, 1], rows[:, 0, 2] = angle.cos() / scale, -angle.sin(), uniform(-3, 3) * 2 / SIZE
    rows[:, 1, 0], rows[:, 1, 1], rows[:, 1, 2] = angle.sin(), angle.cos() / scale, uniform(-3, 3) * 2 / SIZE
    black = -MEAN / STD
    moved = F.grid_sample(x - black, F.affine_grid(rows, x.shape, align_corners=False), align_corners=False) + black
    return moved * uniform(0.8, 1.2).view(n, 1, 1, 1) + torch.randn(x.shape, generator=rng) * 0.1


def train(net, x, y, epochs):
    rng = torch.Generator().manual_seed(SEED)
    batch = 64
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * (len(x) // batch))
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x), generator=rng)[:len(x) // batch * batch].split(batch):
            loss = F.cross_entropy(net(augment(x[rows], rng)), y[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3d}  loss {total / (len(x) // batch):.4f}", flush=True)
    net.eval()


def export(net, path):
    torch.onnx.export(net, (torch.zeros(1, 1, SIZE, SIZE),), str(path), opset_version=17, dynamo=False,
                      input_names=["image"], output_names=["logits"], dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}})
    model = onnx.load(str(path))
    image = {"mean": str(MEAN), "std": str(STD), "layout": "nchw", "channels": "grey"}
    onnx.helper.set_model_props(model, {"mote.labels": "digits", **{f"mote.image.{key}": value for key, value in image.items()}})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def check_export(path, x, logits):
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = np.abs(session.run(None, {"image": x.numpy()})[0] - logits.numpy()).max()
    print(f"exported model against PyTorch: largest difference {worst:.2e}")
    assert worst < 1e-4 * logits.std().item()


def write_scans(path, rows_of):
    """8x8 PNGs as FOLDER/DIGIT/ROW.png, the same bytes every time. Enlarged by --resize 32x32 --filter bicubic they are load_scans()."""
    digits = load_digits()
    small = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for folder, rows in rows_of.items():
                for row in sorted(rows):
                    png = io.BytesIO()
                    Image.fromarray(small[row]).save(png, "PNG", optimize=True)
                    entry = tarfile.TarInfo(f"{folder}/{digits.target[row]}/{row:04}.png")
                    entry.size = png.tell()
                    png.seek(0)
                    tar.addfile(entry, png)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "examples" / "digits")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--scans", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(2)

    images, labels = load_scans()
    train_rows, held_rows = train_test_split(np.arange(len(images)), test_size=0.2, random_state=SEED, stratify=labels)
    write_scans(args.out / "scans.tar.gz", {"held_out": held_rows, "calibration": train_rows[:100]})
    if args.scans:
        return
    net = DigitsNet()
    print(f"{sum(p.numel() for p in net.parameters()):,} parameters, {len(train_rows)} training and {len(held_rows)} held-out scans")
    train(net, normalize(images[train_rows]), torch.from_numpy(labels[train_rows]), args.epochs)

    with torch.no_grad():
        answers = net(normalize(images[held_rows])).argmax(1).numpy()
    right = int((answers == labels[held_rows]).sum())
    print(f"held out: {right} of {len(held_rows)} right, {100 * right / len(held_rows):.2f} %")
    if right < 0.98 * len(held_rows):
        raise SystemExit("below 98 %: nothing written")

    shown = [next(row for row in held_rows if labels[row] == digit) for digit in range(10)]
    for digit, row in enumerate(shown):
        Image.fromarray(images[row]).save(args.out / f"digit_{digit}.png", optimize=True)
    decoded = np.stack([np.asarray(Image.open(args.out / f"digit_{digit}.png")) for digit in range(10)])
    assert (decoded == images[shown]).all()
    with torch.no_grad():
        logits = net(normalize(decoded))
    np.savez(args.out / "logits.npz", logits=logits.numpy())
    print("shown scans are read as", *logits.argmax(1).tolist())
    export(net, args.out / "digits.onnx")
    check_export(args.out / "digits.onnx", normalize(decoded), logits)


if __name__ == "__main__":
    main()
