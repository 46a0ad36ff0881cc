#!/usr/bin/env bash
# ./dev where NAME: every place that concerns an op, by kind.
set -euo pipefail
if [ $# -ne 1 ]; then
  echo "usage: ./dev where NAME    e.g. ./dev where softmax" >&2
  exit 2
fi
name=${1,,}
camel=$(sed -E 's/(^|_)(.)/\U\2/g' <<<"$name") # as ONNX and C++ types spell it
flat=${name//_/}
word="(^|[^[:alnum:]_])($name|$camel|k$camel)([^[:alnum:]_]|$)"
found=0

# show TITLE FILES...: the files, and in each of them the first lines that name the op.
show() {
  local title=$1 file lines
  shift
  local shown=0
  for file in "$@"; do
    [ -f "$file" ] || continue
    lines=$(grep -nEi "$word" "$file" | head -n 4 | cut -c1-130 || true)
    if [ -z "$lines" ]; then
      [[ ${file##*/} =~ ^($name|$flat)[._] ]] || continue
    fi
    [ $shown = 1 ] || printf '%s\n' "$title"
    shown=1
    found=1
    printf '  %s\n' "$file"
    [ -z "$lines" ] || printf '      %s\n' "${lines//$'\n'/$'\n'      }"
  done
}

files() { find "$@" -type f 2>/dev/null | sort; }
code() { files "$@" | grep -E '\.(cc|h|inc)$' | grep -vE '_(test|bench)\.cc$' || true; }

mapfile -t spec < <(code src/ops)
mapfile -t rows < <(code src/formats)
mapfile -t kernels < <(code src/kernels src/backends)
mapfile -t passes < <(code src/passes src/prepare src/plan)
mapfile -t tests < <(files src tests | grep -E '_test\.(cc|py)$|\.case$|\.ir$|known\.txt$' || true)
mapfile -t benches < <(files src bench fuzz | grep -E '_(bench|fuzz)\.cc$|^bench/' || true)
mapfile -t docs < <(files docs README.md HACKING.md CHANGELOG.md)
show "What it is" "${spec[@]}"
show "Formats" "${rows[@]}"
show "Kernels" "${kernels[@]}"
show "Passes and planning" "${passes[@]}"
show "Tests" "${tests[@]}"
show "Benchmarks and fuzzers" "${benches[@]}"
show "Documents" "${docs[@]}"
if [ $found = 0 ]; then
  echo "nothing names '$name'"
  exit 1
fi
