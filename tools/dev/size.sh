#!/usr/bin/env bash
# ./dev size: what the programs of build/size weigh, stripped, and which shared libraries of the system each needs.
# ./dev size --isa LIST [MODEL...]: what a mote-run weighs that has kernels for these instruction sets alone (avx2, or avx512;avx512vnni; see
# MOTE_ISA) and only what these models need (MOTE_RUN_PLANS), as fast as they get; without models, what any model needs, as small as it gets
# (MOTE_COMPACT). It is in build/size-cut/bin.
# Ends with one line per program. Exit code 1 if a program is over its limit, if mote-run has an importer, a gradient or a decomposition, or if
# code for an instruction set is shared with the rest of a program.
set -euo pipefail
. tools/dev/lib.sh

only_mote='mote::(onnx|tflite|passes|quant)::|::(gradient|decompose|import)[a-z_]*\('
results=()
failed=0

# weigh FILE [LIMIT [LISTED-OUT]]
weigh() {
  local output
  output=$(tools/dev/weigh.sh "$@") || failed=1
  sed '$d' <<<"$output"
  results+=("$(tail -n 1 <<<"$output")")
}

# Code of an instruction set that runs on every CPU.
check_symbols() { MOTE_ROOT=$PWD python3 tools/dev/check.py symbols || failed=1; }

finish() {
  printf '%s\n' "${results[@]}"
  exit $failed
}

if [ $# -eq 0 ]; then
  build size mote_program mote_run
  printf '%12s  %s\n' bytes file
  weigh build/size/bin/mote 4000000
  weigh build/size/bin/mote-run '' "$only_mote"
  check_symbols
  finish
fi

if [ "$1" != --isa ] || [ $# -lt 2 ]; then
  echo "usage: ./dev size [--isa LIST [MODEL...]]" >&2
  exit 2
fi
isa=$2
shift 2
plans=()
compact=ON
if [ $# -gt 0 ]; then
  compact=OFF
  build native mote_program
  mkdir -p build/size-cut/plans
  for model in "$@"; do
    plan=$PWD/build/size-cut/plans/${#plans[@]}.json
    build/native/bin/mote plan "$model" --target "${isa##*;}" --json >"$plan"
    plans+=("$plan")
  done
fi
cmake_args=("-DMOTE_ISA=$isa" "-DMOTE_COMPACT=$compact" "-DMOTE_RUN_PLANS=$(
  IFS=';'
  echo "${plans[*]}"
)")
build size-cut mote_run
printf '%12s  %s\n' bytes file
weigh build/size-cut/bin/mote-run 1000000 "$only_mote"
check_symbols
finish
