#!/usr/bin/env bash
# ./dev demo: classifies the images of examples/digits and compares with what PyTorch answered.
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
echo
echo "The demo worked. Try your own: $mote run MODEL.onnx --image FILE --labels imagenet"
