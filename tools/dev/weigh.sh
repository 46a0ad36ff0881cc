#!/usr/bin/env bash
# tools/dev/weigh.sh FILE [LIMIT [LISTED-OUT]]: what a program or library weighs stripped, with the system's shared libraries that it needs
# beside it, each with its size. Exit code 1 if that is not below LIMIT bytes, or if the file has a symbol that matches the extended regular
# expression LISTED-OUT, whose names are then printed.
set -euo pipefail
file=$1 limit=${2:-} listed_out=${3:-}

copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
strip -s -o "$copy" "$file"
size=$(stat -c %s "$copy")
printf '%12d  %s\n' "$size" "$file"
ldd "$file" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort | while read -r library; do
  printf '%12d    %s\n' "$(stat -Lc %s "$library")" "$library"
done
failed=0
if [ -n "$listed_out" ]; then
  found=$(nm -C "$file" | grep -E "$listed_out" | head -n 5 || true)
  if [ -n "$found" ]; then
    printf '%s\n' "$found"
    echo "${file##*/}: has what it should not have"
    failed=1
  fi
fi
if [ -z "$limit" ]; then
  echo "${file##*/}: $size bytes"
elif [ "$size" -lt "$limit" ]; then
  echo "${file##*/}: $size bytes, below its limit of $limit"
else
  echo "${file##*/}: $size bytes, over its limit of $limit"
  failed=1
fi
exit $failed
