"""Writes src/media/labels/imagenet.txt, the 1,000 ImageNet categories in torchvision's order, one per line.

    pip download --no-deps torchvision
    python3 tools/labels/extract_imagenet.py torchvision-*.whl
"""

import ast
import pathlib
import sys
import zipfile


def main() -> None:
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        module = ast.parse(wheel.read("torchvision/models/_meta.py"))
    for node in module.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "_IMAGENET_CATEGORIES":
            names = ast.literal_eval(node.value)
    assert len(names) == 1000 and all("\n" not in n for n in names)
    root = pathlib.Path(__file__).resolve().parents[2]
    (root / "src/media/labels/imagenet.txt").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main()
