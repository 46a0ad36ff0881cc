#!/usr/bin/env bash
# ./dev size: what the programs and libraries of build/size weigh, stripped, and which shared libraries of the system each needs.
# ./dev size --isa LIST [MODEL...]: what a mote-run weighs that has kernels for these instruction sets alone (avx2, or avx512;avx512vnni; see
# MOTE_ISA) and only what these models need (MOTE_RUN_PLANS); without models, what any model needs. It is in build/size-cut/bin.
# Exit code 1 if a program is over its limit.
set -euo pipefail
. tools/dev/lib.sh
failed=0

stripped_size() {
  local copy=$1.stripped size
  strip -s -o "$copy" "$1"
  size=$(stat -c %s "$copy")
  rm "$copy"
  echo "$size"
}

# The shared libraries that a file needs, each with its size.
list_libraries() {
  ldd "$1" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort | while read -r library; do
    printf '%12d    %s\n' "$(stat -Lc %s "$library")" "$library"
  done
}

# show FILE [LIMIT]
show() {
  local size note=''
  size=$(stripped_size "$1")
  if [ -n "${2:-}" ] && [ "$size" -ge "$2" ]; then
    note="  over its limit of $2"
    failed=1
  elif [ -n "${2:-}" ]; then
    note="  (less than $2)"
  fi
  printf '%12d  %s%s\n' "$size" "$1" "$note"
  list_libraries "$1"
}

if [ $# -eq 0 ]; then
  build size
  printf '%12s  %s\n' bytes file
  for file in build/size/bin/* build/size/lib/*.so*; do
    if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
    case ${file##*/} in
      mote) show "$file" 4000000 ;;
      *) show "$file" ;;
    esac
  done
  exit $failed
fi

if [ "$1" != --isa ] || [ $# -lt 2 ]; then
  echo "usage: ./dev size [--isa LIST [MODEL...]]" >&2
  exit 2
fi
isa=$2
shift 2
plans=()
if [ $# -gt 0 ]; then
  build native mote_program
  mkdir -p build/size-cut/plans
  for model in "$@"; do
    plan=$PWD/build/size-cut/plans/${#plans[@]}.json
    build/native/bin/mote plan "$model" --target "${isa##*;}" --json >"$plan"
    plans+=("$plan")
  done
fi
cmake_args=("-DMOTE_ISA=$isa" "-DMOTE_RUN_PLANS=$(
  IFS=';'
  echo "${plans[*]}"
)")
build size-cut mote_run
printf '%12s  %s\n' bytes file
show build/size-cut/bin/mote-run 1000000
exit $failed
