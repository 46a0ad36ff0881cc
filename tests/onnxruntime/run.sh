#!/usr/bin/env bash
# Holds what `mote quantize` writes to ONNX Runtime (quantized.py), which is installed from PyPI once, about 190 MB below build/onnxruntime.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/dev/lib.sh
if ! python_packages build/onnxruntime tests/onnxruntime/requirements.txt; then
  echo "skipped ONNX Runtime's reading of quantized files: it could not be installed from PyPI"
  exit 77
fi
exec build/onnxruntime/venv/bin/python tests/onnxruntime/quantized.py -v
