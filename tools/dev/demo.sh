#!/usr/bin/env bash
# ./dev demo: classifies the images of examples/digits and compares with what PyTorch answered.
set -euo pipefail
exec build/native/bin/mote demo "$@"
