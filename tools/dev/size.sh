#!/usr/bin/env bash
# ./dev size: what the programs and libraries of build/size weigh, stripped and which shared libraries of the system each needs.
# Exit code 1 if a program is over its limit.
set -euo pipefail
build=build/size
limits="mote 4000000
mote-run 1000000"
failed=0

stripped_size() {
  strip -s -o "$build/stripped" "$1"
  stat -c %s "$build/stripped"
  rm "$build/stripped"
}

# The shared libraries that a file needs, each with its size.
list_libraries() {
  ldd "$1" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort | while read -r library; do
    printf '%12d    %s\n' "$(stat -Lc %s "$library")" "$library"
  done
}

printf '%12s  %s\n' bytes file
for file in "$build"/bin/* "$build"/lib/*.so*; do
  if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
  size=$(stripped_size "$file")
  limit=$(awk -v name="${file##*/}" '$1 == name {print $2}' <<<"$limits")
  note=''
  if [ -n "$limit" ] && [ "$size" -ge "$limit" ]; then
    note="  over its limit of $limit"
    failed=1
  elif [ -n "$limit" ]; then
    note="  (less than $limit)"
  fi
  printf '%12d  %s%s\n' "$size" "$file" "$note"
  list_libraries "$file"
done

exit $failed
