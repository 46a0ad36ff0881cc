#!/usr/bin/env bash
# ./dev conformance [PATH...] [options of mote_conformance]: runs ONNX conformance cases. A PATH is a folder of cases, a folder of
# such folders, or a .tar.zst of one, which is unpacked once below build/. Without a PATH: the archive in MOTE_TEST_DATA.
#   --test   what ./dev test runs: the regression cases and, where there is data, the ONNX suite, all four columns, against the
#            list of known failures
#   --doc        runs all four columns and writes docs/conformance.md
#   --generate   makes the whole suite with the generator of the onnx package, then runs it
set -euo pipefail
program=build/native/bin/mote_conformance
known=tests/conformance/known.txt
archive=${MOTE_TEST_DATA:+$MOTE_TEST_DATA/onnx-conformance.tar.zst}

# unpacked FILE: the folder with the content of a .tar.zst, unpacked when the file is newer than the folder.
unpacked() {
  local folder
  folder=build/conformance/$(basename "$1" .tar.zst)
  if [ ! -e "$folder/.complete" ] || [ "$1" -nt "$folder/.complete" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    zstd -d -q --long=27 -c "$1" | tar -x -C "$folder"
    touch "$folder/.complete"
  fi
  local inner=("$folder"/*)
  if [ ${#inner[@]} -eq 1 ] && [ -d "${inner[0]}" ]; then echo "${inner[0]}"; else echo "$folder"; fi
}

paths=()
options=()
is_test=0
has_value=0
for argument in "$@"; do
  if [ $has_value = 1 ]; then
    options+=("$argument")
    has_value=0
    continue
  fi
  case $argument in
    --test) is_test=1 ;;
    --doc) options+=(--column all --doc docs/conformance.md) ;;
    --generate) paths+=("$(tools/dev/generate_conformance.sh)") ;;
    --json | --help | --verbose | -v | --*=*) options+=("$argument") ;;
    --*)
      options+=("$argument")
      has_value=1
      ;;
    *.tar.zst) paths+=("$(unpacked "$argument")") ;;
    *) paths+=("$argument") ;;
  esac
done

if [ ! -x $program ]; then
  echo "mote_conformance is not part of this build"
  exit 77
fi
if [ $is_test = 1 ]; then
  paths=("$(unpacked tests/models/cases.tar.zst)")
  options+=(--column all)
  [ ! -e $known ] || options+=(--known "$known")
fi
if [ -n "$archive" ] && [ -e "$archive" ]; then
  if [ ${#paths[@]} -eq 0 ] || [ $is_test = 1 ]; then paths+=("$(unpacked "$archive")"); fi
elif [ $is_test = 1 ]; then
  echo "skipped the ONNX suite: MOTE_TEST_DATA has no onnx-conformance.tar.zst"
elif [ ${#paths[@]} -eq 0 ]; then
  echo "no conformance data: give a PATH, --generate, or set MOTE_TEST_DATA to the folder of onnx-conformance.tar.zst"
  exit 2
fi
exec $program "${paths[@]}" "${options[@]}"
