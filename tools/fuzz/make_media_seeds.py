"""Regenerates the seeds of the media fuzzers in fuzz/corpus: npy, npz, image and labels.

    pip install numpy
    python3 tools/fuzz/make_media_seeds.py

Images come from tests/data/images (tools/images/make_goldens.py). A seed that a crash left is named crash-* and stays.
"""

import io
import pathlib
import shutil
import zipfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "fuzz/corpus"


def folder(name: str) -> pathlib.Path:
    path = CORPUS / name
    path.mkdir(parents=True, exist_ok=True)
    for old in path.iterdir():
        if not old.name.startswith("crash-"):
            old.unlink()
    return path


def npy(array: np.ndarray, version=None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version)
    return out.getvalue()


def arrays() -> dict:
    return {
        "f4": np.arange(6, dtype="<f4").reshape(2, 3),
        "f2_scalar": np.float16(1.5).reshape(()),
        "big_endian": np.arange(3, dtype=">i8"),
        "fortran": np.asfortranarray(np.arange(24, dtype="<u2").reshape(2, 3, 4)),
        "bool": np.array([True, False]),
        "complex": np.array([1 + 2j], ">c16"),
        "unicode": np.array([["a", "h\u00e9"], ["", "\U0001f408"]]),
        "bytes": np.array([b"ab", b"\xff"], order="F"),
        "empty": np.empty((0, 3), "<f8"),
    }


def main() -> None:
    out = folder("npy")
    for name, array in arrays().items():
        (out / name).write_bytes(npy(array))
    (out / "version2").write_bytes(npy(np.arange(2, dtype="|u1"), (2, 0)))
    (out / "version3").write_bytes(npy(np.arange(2, dtype="|i1"), (3, 0)))

    out = folder("npz")
    for name, method in [("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)]:
        with zipfile.ZipFile(out / name, "w", method) as archive:
            for entry in ("f4", "unicode", "empty"):
                archive.writestr(zipfile.ZipInfo(entry + ".npy"), npy(arrays()[entry]), method)
    with zipfile.ZipFile(out / "zip64", "w") as archive:
        with archive.open("x.npy", "w", force_zip64=True) as entry:
            entry.write(npy(np.zeros(2, "<f4")))
    (out / "none").write_bytes(b"PK\5\6" + bytes(18))

    out = folder("image")
    for file in sorted((ROOT / "tests/data/images").iterdir()):
        if file.suffix != ".npz":
            shutil.copy(file, out / file.name.replace(".", "_"))

    out = folder("labels")
    (out / "plain").write_text("cat\ndog\n")
    (out / "numbered").write_text("0: cat\n2, dog\n")
    (out / "names").write_text("{0: 'cat', 1: \"bird's\"}")
    (out / "resize").write_text("resize\n224x192")
    (out / "mean").write_text("mean\n0.485,0.456,0.406")


if __name__ == "__main__":
    main()
