"""Regenerates tests/data/images: small image files, what Pillow reads from them, and torchvision's preprocessing.

    pip install pillow numpy torch torchvision
    python3 tools/images/make_goldens.py

expected.npz holds, for each image file, Pillow's convert("RGB") under the file's name; resizes ("FILTER W0 H0 W1 H1 CHANNELS", of
an image made by `noise`, here and in the test) and letterboxes as 64-bit FNV-1a hashes of the result; and preprocessed tensors under "torchvision FILE
RESIZE CROP FILTER", in float16.
"""

import io
import pathlib
import struct

import numpy as np
import torch
import torchvision.transforms as T
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/data/images"
FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(width: int, height: int, channels: int) -> np.ndarray:
    """Bytes of a 32-bit linear congruential generator, with black and white patches in them."""
    state, out = 12345, np.empty(width * height * channels, np.uint8)
    for i in range(out.size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        byte = state >> 24
        out[i] = 0 if byte < 32 else 255 if byte > 223 else byte
    return out.reshape(height, width, channels)


def scene(width: int, height: int) -> np.ndarray:
    """A smooth image with an edge: what JPEG is made for."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1)
    rgb[height // 3 : height // 2, width // 4 :] = (200, 40, 90)
    return rgb.astype(np.uint8)


def fnv(data: bytes) -> int:
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def save(name: str, image: Image.Image, **options) -> None:
    image.save(OUT / name, **options)


def write_jpeg() -> None:
    rgb = Image.fromarray(scene(37, 29))
    save("baseline.jpg", rgb, quality=80)
    save("progressive.jpg", rgb, quality=70, progressive=True, subsampling=0)
    save("restart.jpg", rgb.resize((35, 18)), quality=60, subsampling=1, restart_marker_blocks=2)
    save("grey.jpg", rgb.convert("L"), quality=75)
    save("cmyk.jpg", rgb.resize((19, 11)).convert("CMYK"), quality=85)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, which nobody does
    save("oriented.jpg", rgb.resize((21, 10)), quality=80, exif=exif)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    import zlib

    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_raw_png(name: str, width: int, height: int, depth: int, color: int, rows: bytes, extra: bytes = b"") -> None:
    """A PNG that Pillow does not write: any depth; `rows` are unfiltered rows without filter bytes."""
    import zlib

    stride = len(rows) // height
    data = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    (OUT / name).write_bytes(
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(data)) + png_chunk(b"IEND", b"")
    )


def interlaced(pixels: np.ndarray) -> bytes:
    """Adam7: the rows of the seven passes, each behind its filter byte."""
    out = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for row in pixels[y0::dy, x0::dx]:
            if row.size:
                out += b"\0" + row.tobytes()
    return out


def write_png() -> None:
    import zlib

    rgb = noise(13, 7, 3)
    save("rgb.png", Image.fromarray(rgb))
    save("alpha.png", Image.fromarray(noise(9, 5, 4)))
    save("grey_alpha.png", Image.fromarray(noise(9, 5, 2)))
    save("bilevel.png", Image.fromarray(noise(13, 7, 1)[..., 0]).convert("1"))
    save("palette.png", Image.fromarray(rgb).quantize(11), transparency=3)
    random = noise(40, 7, 1).tobytes()
    for depth, width in [(2, 11), (4, 9)]:
        stride = (width * depth + 7) // 8
        write_raw_png(f"grey{depth}.png", width, 7, depth, 0, random[: stride * 7])
    palette = png_chunk(b"PLTE", noise(5, 1, 3).tobytes())  # indices 5 to 15 have no colour
    write_raw_png("short_palette.png", 8, 7, 4, 3, random[:28], palette)
    write_raw_png("grey16.png", 6, 3, 16, 0, np.array([0, 100, 255, 256, 0x1234, 65535] * 3, ">u2").tobytes())
    write_raw_png("rgb16.png", 6, 7, 16, 2, random[: 6 * 3 * 2 * 7], png_chunk(b"tRNS", b"\0" * 6))
    write_raw_png("rgba16.png", 4, 5, 16, 6, random[: 4 * 4 * 2 * 5])
    header = struct.pack(">IIBBBBB", 13, 7, 8, 2, 0, 0, 1)
    (OUT / "interlaced.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"tEXt", b"Comment\0ignored")
        + png_chunk(b"IDAT", zlib.compress(interlaced(rgb)))
        + png_chunk(b"IEND", b"")
    )


def write_bmp_file(name, width, height, bits, pixels, compression=0, palette=b"", masks=b"", top_down=False) -> None:
    colors = len(palette) // 4
    offset = 54 + len(masks) + len(palette)
    signed = -height if top_down else height
    info = struct.pack("<IiiHHIIiiII", 40, width, signed, 1, bits, compression, len(pixels), 0, 0, colors, 0)
    file = struct.pack("<IHHI", offset + len(pixels), 0, 0, offset)
    (OUT / name).write_bytes(b"BM" + file + info + masks + palette + pixels)


def write_bmp() -> None:
    rgb = Image.fromarray(noise(13, 7, 3))
    save("rgb24.bmp", rgb)
    save("grey8.bmp", rgb.convert("L"))
    save("bilevel.bmp", rgb.convert("1"))
    save("alpha32.bmp", Image.fromarray(noise(9, 5, 4)))
    random = noise(60, 4, 1).tobytes()
    colors = b"".join(random[3 * i : 3 * i + 3] + b"\0" for i in range(16))
    write_bmp_file("palette1.bmp", 11, 5, 1, random[: 4 * 5], palette=colors[:8])
    write_bmp_file("palette4.bmp", 11, 5, 4, random[: 8 * 5], palette=colors)
    write_bmp_file("palette8_top_down.bmp", 7, 5, 8, random[: 8 * 5], palette=colors, top_down=True)
    write_bmp_file("rgb555.bmp", 7, 5, 16, random[: 16 * 5])
    write_bmp_file("rgb565.bmp", 7, 5, 16, random[: 16 * 5], 3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    write_bmp_file("rgb32.bmp", 7, 5, 32, random[: 28 * 5])
    write_bmp_file("masks32.bmp", 7, 5, 32, random[: 28 * 5], 3, masks=struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00))
    runs8 = bytes([5, 1, 0, 3, 2, 3, 4, 0, 0, 0, 9, 7, 0, 0, 11, 0, 0, 0, 4, 8, 0, 0, 11, 5, 0, 1])
    write_bmp_file("rle8.bmp", 11, 5, 8, runs8, 1, palette=colors)
    runs4 = bytes([5, 0x12, 0, 4, 0x34, 0x56, 0, 0, 11, 0x9A, 0, 0, 11, 0, 0, 0, 3, 0xBB, 0, 0, 11, 0xCD, 0, 1])
    write_bmp_file("rle4.bmp", 11, 5, 4, runs4, 2, palette=colors)
    core = struct.pack("<IHHHH", 12, 5, 4, 1, 24)
    (OUT / "os2.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 26 + 64, 0, 0, 26) + core + random[:64])


def write_pnm() -> None:
    random = noise(60, 4, 1).tobytes()
    (OUT / "ascii.pbm").write_bytes(b"P1\n# a comment\n5 3\n10101\n0 1 1 0 0\n1 1 1 1 1\n")
    (OUT / "ascii.pgm").write_bytes(b"P2 4 2 # levels\n15\n0 1 2 3\n# more\n4 5 14 15\n")
    (OUT / "ascii16.pgm").write_bytes(b"P2 4 1 1000\n0 1 3 1000\n")
    (OUT / "ascii.ppm").write_bytes(b"P3 2 2 31\n31 0 0  0 31 0\n1 2 3 28 29 30\n")
    (OUT / "binary.pbm").write_bytes(b"P4 11 4\n" + random[:8])
    (OUT / "binary.pgm").write_bytes(b"P5 7 5 255\n" + random[:35])
    (OUT / "binary16.pgm").write_bytes(b"P5 3 2 65535\n" + struct.pack(">6H", 0, 1, 255, 256, 4660, 65535))
    (OUT / "binary.ppm").write_bytes(b"P6\n7 5\n255\n" + random[:105])
    (OUT / "binary100.ppm").write_bytes(b"P6\n4 3\n100\n" + bytes(b % 101 for b in random[:36]))
    (OUT / "binary16.ppm").write_bytes(b"P6\n4 3\n65535\n" + random[:72])


def resizes(expected: dict) -> None:
    sizes = [((37, 29), (16, 20)), ((37, 29), (37, 13)), ((37, 29), (50, 29)), ((5, 3), (64, 47)), ((101, 67), (7, 9))]
    sizes += [((1, 1), (4, 5)), ((200, 3), (3, 200)), ((64, 64), (32, 32)), ((255, 1), (1, 1)), ((17, 19), (18, 18))]
    cases, hashes = [], []
    for channels in (1, 3):
        for (w0, h0), (w1, h1) in sizes:
            pixels = noise(w0, h0, channels)
            image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
            for name, filter in FILTERS.items():
                out = np.asarray(image.resize((w1, h1), filter))
                cases.append(f"{name} {w0} {h0} {w1} {h1} {channels}")
                hashes.append(fnv(out.tobytes()))
    expected["resize cases"] = np.array(cases)
    expected["resize hashes"] = np.array(hashes, np.uint64)


def letterboxes(expected: dict) -> None:
    """ImageOps.pad: "FILTER W0 H0 W1 H1 CHANNELS" in grey or RGB of the fill (114, or 10, 200, 30)."""
    sizes = [((37, 29), (16, 20)), ((37, 29), (64, 48)), ((29, 37), (64, 48)), ((5, 3), (32, 32)), ((3, 5), (33, 32)), ((64, 9), (7, 7)),
             ((9, 64), (9, 14)), ((24, 18), (16, 12)), ((19, 8), (40, 21))]
    cases, hashes = [], []
    for channels in (1, 3):
        for (w0, h0), (w1, h1) in sizes:
            pixels = noise(w0, h0, channels)
            image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
            for name, filter in FILTERS.items():
                out = ImageOps.pad(image, (w1, h1), filter, 114 if channels == 1 else (10, 200, 30))
                cases.append(f"{name} {w0} {h0} {w1} {h1} {channels}")
                hashes.append(fnv(np.asarray(out).tobytes()))
    expected["letterbox cases"] = np.array(cases)
    expected["letterbox hashes"] = np.array(hashes, np.uint64)


def preprocessing(expected: dict) -> None:
    interpolation = T.InterpolationMode
    for name in ("baseline.jpg", "rgb.png"):
        image = Image.open(OUT / name).convert("RGB")
        for size, crop, mode in [(16, 12, "bilinear"), (19, 17, "bicubic"), (8, 14, "bilinear"), (6, 5, "nearest")]:
            steps = [T.Resize(size, getattr(interpolation, mode.upper())), T.CenterCrop(crop), T.ToTensor(), T.Normalize(MEAN, STD)]
            with torch.no_grad():
                out = T.Compose(steps)(image).numpy()
            expected[f"torchvision {name} {size} {crop} {mode}"] = np.ascontiguousarray(out.astype(np.float16))


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for write in (write_jpeg, write_png, write_bmp, write_pnm):
        write()
    expected = {}
    for file in sorted(OUT.iterdir()):
        expected[file.name] = np.asarray(Image.open(file).convert("RGB"))
    resizes(expected)
    letterboxes(expected)
    preprocessing(expected)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **expected)
    (OUT / "expected.npz").write_bytes(buffer.getvalue())
    print(len(expected), "entries,", sum(f.stat().st_size for f in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
