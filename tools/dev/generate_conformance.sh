#!/usr/bin/env bash
# Makes the whole ONNX operator suite with the generator inside the onnx package, and prints its folder. Needs python3-venv and PyPI.
set -euo pipefail
version=1.23.2
cd "$(dirname "$(readlink -f "$0")")/../.."
out=$PWD/build/conformance/onnx-$version
if [ ! -e "$out/.complete" ]; then
  rm -rf "$out"
  mkdir -p "$out/data"
  python3 -m venv "$out/venv" >&2
  "$out/venv/bin/pip" install --quiet --disable-pip-version-check "onnx[reference]==$version" numpy pillow >&2
  "$out/venv/bin/python" tools/dev/generate_conformance.py "$out/data" >&2
  rm -rf "$out/venv"
  touch "$out/.complete"
fi
echo "$out/data"
