#!/usr/bin/env bash
# ./dev bench [WHAT] ...: kernels (each kernel against the peak of this machine), peers (whole networks, beside other engines),
# growth (batches, sequences, sessions, small models), start (loading, first runs, memory), latency (how soon a deadline stops a
# run), arm (instructions on 64-bit Arm, under emulation). Further arguments go to the program.
set -euo pipefail
. tools/dev/lib.sh
what=${1:-kernels}
[ $# -eq 0 ] || shift

case $what in
  kernels | latency)
    cmake_args=(-DMOTE_BENCH=ON)
    build native "bench_$what"
    exec "build/native/bin/bench_$what" "$@"
    ;;
  peers | growth | start)
    build native mote_program
    exec_python "bench/peers/$what.py" "$@"
    ;;
  arm)
    need_preset aarch64
    build native mote_program
    build aarch64 count_kernels mote_run
    exec_python bench/arm/arm.py "$@"
    ;;
  *)
    echo "./dev bench: there are kernels, peers, growth, start, latency and arm, not '$what'" >&2
    exit 2
    ;;
esac
