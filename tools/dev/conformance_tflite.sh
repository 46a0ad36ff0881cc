#!/usr/bin/env bash
# ./dev conformance --tflite [options of mote_conformance]: one-operator .tflite models against LiteRT's reference kernels. The cases
# (tests/tflite) are made once, below build/conformance/litert, and again when what makes them changes; that takes LiteRT, from
# PyPI, about 170 MB there.
#   --test   what ./dev test runs: all cases, against the list of known failures
#   --doc    runs all cases and writes docs/conformance-tflite.md
set -euo pipefail
. tools/dev/lib.sh
program=build/native/bin/mote_conformance
known=tests/tflite/known.txt
home=build/conformance/litert

if [ ! -x $program ]; then
  echo "mote_conformance is not part of this build"
  exit 77
fi
options=()
is_test=0
is_doc=0
for argument in "$@"; do
  case $argument in
    --tflite) ;;
    --test) is_test=1 ;;
    --doc) is_doc=1 ;;
    *) options+=("$argument") ;;
  esac
done

if [ $is_test = 1 ] && [ ! -e $known ]; then
  echo "skipped the TensorFlow Lite cases: $known, the list of known differences, is not written"
  exit 77
fi
if ! python_packages $home tests/tflite/requirements.txt; then
  echo "skipped the TensorFlow Lite cases: LiteRT could not be installed from PyPI"
  exit 77
fi
made_by=$(cat tests/tflite/*.py tests/tflite/cases/*.py tests/tflite/requirements.txt | sha256sum)
if [ "$(cat $home/cases/.made_by 2>/dev/null)" != "$made_by" ]; then
  rm -rf $home/cases
  $home/venv/bin/python tests/tflite/generate.py $home/cases >&2
  echo "$made_by" >$home/cases/.made_by
fi

paths=($home/cases)
if [ -n "${MOTE_TEST_DATA:-}" ] && [ -d "$MOTE_TEST_DATA/models" ]; then
  if [ "$(cat $home/fixtures/.made_by 2>/dev/null)" != "$made_by" ]; then
    rm -rf $home/fixtures
    mkdir -p $home/fixtures
    $home/venv/bin/python tests/tflite/fixtures.py "$MOTE_TEST_DATA" $home/fixtures >&2
    echo "$made_by" >$home/fixtures/.made_by
  fi
  paths+=($home/fixtures)
else
  echo "skipped the TensorFlow Lite models: MOTE_TEST_DATA has none"
fi

if [ $is_doc = 1 ]; then
  $program "${paths[@]}" --column runtime --json "${options[@]}" >$home/results.json || true
  exec $home/venv/bin/python tests/tflite/report.py $home docs/conformance-tflite.md
fi
[ $is_test = 0 ] || options+=(--known "$known")
[[ " ${options[*]} " == *" --column"* ]] || options+=(--column runtime)
exec $program "${paths[@]}" "${options[@]}"
