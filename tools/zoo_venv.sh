#!/bin/sh
# Makes the Python environment of the model scripts in $MOTE_CACHE/venv (default ~/.cache/mote/venv), once, and prints its interpreter.
set -eu
cache=${MOTE_CACHE:-$HOME/.cache/mote}
wanted=$(dirname "$0")/requirements-zoo.txt
if ! cmp -s "$wanted" "$cache/venv/requirements.txt"; then
  echo "installing PyTorch, ONNX Runtime and others into $cache/venv (about 8 GB on disk)" >&2
  mkdir -p "$cache"
  [ -x "$cache/venv/bin/python" ] || python3 -m venv "$cache/venv"
  nice "$cache/venv/bin/pip" install --quiet --requirement "$wanted" >&2
  cp "$wanted" "$cache/venv/requirements.txt"
fi
echo "$cache/venv/bin/python"
