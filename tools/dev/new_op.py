"""./dev new-op NAME FOLDER: makes the files of a new op from tools/dev/templates, adds its row to src/ops/ops.inc, and says what is next.

The new op multiplies by a number: it builds and its test passes, so that each change to it can be tried at once.
"""
import os
import re
import shutil
import subprocess
import sys

ROWS = "src/ops/ops.inc"
FILES = {  # template: what it becomes
    "op.cc.in": "src/ops/{folder}/{name}.cc",
    "op.case.in": "tests/ops/{name}.case",
}


def fail(message):
    print(f"./dev new-op: {message}", file=sys.stderr)
    sys.exit(2)


def add_row(name, folder):
    lines = open(ROWS).read().splitlines()
    row = re.compile(r"MOTE_OP_\w+\((\w+), (\w+)\)")
    keys = [(m[2], m[1]) if (m := row.match(line)) else None for line in lines]
    later = [i for i, key in enumerate(keys) if key and key > (folder, name)]
    last = max((i for i, key in enumerate(keys) if key), default=len(lines) - 1)
    lines.insert(later[0] if later else last + 1, f"MOTE_OP_REF({name}, {folder})")
    with open(ROWS, "w") as f:
        f.write("\n".join(lines) + "\n")


def main():
    os.chdir(os.environ.get("MOTE_ROOT", "."))
    folders = sorted(d for d in os.listdir("src/ops") if os.path.isdir(f"src/ops/{d}"))
    if len(sys.argv) != 3:
        fail(f"usage: ./dev new-op NAME FOLDER    e.g. ./dev new-op mish nn; there are: {' '.join(folders)}")
    name, folder = sys.argv[1:]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        fail(f"'{name}': names are snake_case, as in depth_to_space")
    if folder not in folders:
        fail(f"no folder src/ops/{folder}; there are: {' '.join(folders)}")
    if re.search(rf"MOTE_OP_\w+\({name},", open(ROWS).read()):
        fail(f"{ROWS} has '{name}' already: ./dev where {name}")
    camel = "".join(part.capitalize() for part in name.split("_"))
    made = []
    for template, path in FILES.items():
        source = f"tools/dev/templates/{template}"
        if not os.path.exists(source):
            continue
        path = path.format(name=name, folder=folder)
        if os.path.exists(path):
            fail(f"{path} exists")
        text = open(source).read().replace("@name@", name).replace("@Name@", camel).replace("@folder@", folder)
        with open(path, "w") as f:
            f.write(text)
        made.append(path)
    add_row(name, folder)
    if shutil.which("clang-format-16"):
        subprocess.run(["clang-format-16", "-i", *(path for path in made if path.endswith(".cc"))], check=True)
    print(f"made {' and '.join(made)}, and a row in {ROWS}")
    print(f"next: write what the op is, then ./dev test ops; a row in src/formats/onnx/ops.inc imports it; ./dev where {name}")


if __name__ == "__main__":
    main()
