#!/usr/bin/env bash
# Makes the ONNX conformance suite with the generator inside the onnx package of PyPI, once, below build/; prints its folder.
set -euo pipefail
version=1.23.2
folder=build/conformance/onnx-$version
if [ ! -e "$folder/.complete" ]; then
  echo "making the conformance suite with onnx $version from PyPI in $folder" >&2
  rm -rf "$folder"
  mkdir -p "$folder/node" "$folder/simple"
  venv=build/conformance/venv-$version
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  nice "$venv/bin/pip" install --quiet --disable-pip-version-check "onnx==$version" pillow >&2
  nice "$venv/bin/python" -m onnx.backend.test.cmd_tools generate-data -o "$folder" >&2
  # The sets that no generator makes come with the package.
  data=$("$venv/bin/python" -c 'import onnx.backend.test as t, os; print(os.path.join(os.path.dirname(t.__file__), "data"))')
  for set in light pytorch-converted pytorch-operator; do cp -r "$data/$set" "$folder/"; done
  touch "$folder/.complete"
fi
echo "$folder"
