#!/usr/bin/env bash
# ./dev demo: classifies the images of examples/digits, compares with what PyTorch answered, and quantizes the model: accuracy on the
# held-out scans, size, latency and memory in f32 and in 8 bits.
set -euo pipefail
mote=build/native/bin/mote
digits=examples/digits
images=("$digits"/digit_?.png)
[ $# -eq 0 ] || images=("$@")

"$mote" -v run "$digits/digits.onnx" --image "${images[@]}" --top 5
[ $# -eq 0 ] || exit 0
echo
echo "Against PyTorch's logits for these images:"
"$mote" -q compare "$digits/digits.onnx" --image "${images[@]}" --golden "$digits/logits.npz" --rtol 1e-4 --atol 1e-4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar xzf "$digits/scans.tar.gz" -C "$work"
as_trained=(--resize 32x32 --filter bicubic)
echo
echo "In 8 bits, calibrated on 100 of the training scans:"
"$mote" -q quantize "$digits/digits.onnx" -o "$work/int8.onnx" --images "$work/calibration" "${as_trained[@]}"

# number KEY FILE: of a JSON object's member.
number() { sed -n "s/^ *\"$1\": \([0-9.e+-]*\),\{0,1\}\$/\1/p" "$2" | head -1; }

# row NAME MODEL: accuracy on the held-out scans, size, time and memory.
row() {
  local scans=("$work"/held_out/*/*.png) right bytes
  "$mote" -q --json run "$2" --image "${scans[@]}" "${as_trained[@]}" --top 1 >"$work/run.json"
  right=$(paste -d' ' <(sed -n 's/^ *"label": "\(.*\)",\{0,1\}$/\1/p' "$work/run.json") \
                      <(printf '%s\n' "${scans[@]}" | sed 's#.*/\([0-9]\)/[^/]*$#\1#') | awk '$1 == $2' | wc -l)
  "$mote" -q --json bench "$2" --threads 1 --seconds 0.3 --warmup 0.1 >"$work/bench.json"
  bytes=$(($(stat -c %s "$2")))
  LC_ALL=C printf '%-6s %4d of %d %12.1f kB %10.1f us %14.1f kB\n' "$1" "$right" "${#scans[@]}" "$(awk "BEGIN{print $bytes / 1000}")" \
    "$(awk "BEGIN{print $(number min_ms "$work/bench.json") * 1000}")" \
    "$(awk "BEGIN{print ($(number arena_bytes "$work/bench.json") + $(number weight_bytes "$work/bench.json")) / 1000}")"
}

echo
echo "       held-out right       file       least time  arena and weights"
row f32 "$digits/digits.onnx"
row int8 "$work/int8.onnx"
echo
echo "The demo worked. Try your own: $mote run MODEL.onnx --image FILE --labels imagenet"
