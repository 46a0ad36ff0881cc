#!/usr/bin/env bash
# Installs the build into a folder, builds examples/ and the README's C++ example against the copy, and runs them.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${MOTE_BUILD:-$root/build/native}
if ! [ -f "$build/cmake_install.cmake" ]; then
  echo "no build in $build"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/usr
digits=$root/examples/digits/digits.onnx

cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
"$prefix/bin/mote" --version

expect() { # expect WHAT WANTED COMMAND...
  local what=$1 wanted=$2 got
  shift 2
  got=$("$@") || { echo "$what: failed"; exit 1; }
  [ "$got" = "$wanted" ] || { printf '%s: got\n%s\nwanted\n%s\n' "$what" "$got" "$wanted"; exit 1; }
  echo "$what: ok"
}

for language in c cpp; do
  cmake -G Ninja -S "$root/examples/$language" -B "$work/$language" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release >"$work/log" &&
    cmake --build "$work/$language" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  expect "examples/$language/classify" "digit 1" "$work/$language/classify" "$digits"
done

expect "examples/cpp/plain, static" "10 scores" "$work/cpp/plain" "$digits"
"$prefix/bin/mote" -q convert "$digits" -o "$work/digits.mote" >/dev/null
expect "examples/cpp/plain, runtime only" "10 scores" "$work/cpp/plain_runtime" "$work/digits.mote"
expect "mote-run" "$("$prefix/bin/mote-run" --version)" echo "mote-run $("$prefix/bin/mote" --version | head -n 1 | awk '{print $2}')"
"$prefix/bin/mote-run" "$work/digits.mote" --fill >/dev/null
for file in LICENSE NOTICE; do
  cmp "$root/$file" "$prefix/share/doc/mote/$file" || { echo "$file is not installed"; exit 1; }
done
echo "LICENSE and NOTICE: ok"

# Custom ops: from a program, and the same ones from a plugin.
python3 "$root/tests/cli/onnx_files.py" custom "$work/custom.onnx"
expect "examples/c/custom_op" "$(printf '2\n6')" "$work/c/custom_op" "$work/custom.onnx"
"$prefix/bin/mote" -q inspect "$work/custom.onnx" --plugin "$work/c/libexample_ops.so" >/dev/null
echo "plugin: ok"

# pkg-config, for C and for C++, and the README.
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig:$(dirname "$(find "$prefix" -name mote.pc)")
flags=$(pkg-config --define-prefix --cflags --libs mote 2>/dev/null || pkg-config --cflags --libs mote)
library=$(dirname "$(find "$prefix" -name 'libmote.*' | head -n 1)")
export LD_LIBRARY_PATH=$library
# shellcheck disable=SC2086 # flags are words
cc -std=c99 -Wall -Werror -pedantic "$root/examples/c/classify.c" $flags -o "$work/classify_pc"
expect "pkg-config, C" "digit 1" "$work/classify_pc" "$digits"
# Ten lines of README, and ten scores.
awk '/^```cpp$/ {on = 1; next} /^```$/ {on = 0} on' "$root/README.md" >"$work/readme.cc"
# shellcheck disable=SC2086
c++ -std=c++20 -Wall -Werror "$work/readme.cc" $flags -o "$work/readme"
[ "$(grep -c . "$work/readme.cc")" -le 10 ] || { echo "README's C++ example has more than ten lines"; exit 1; }
cd "$root"
expect "README's C++ example" 10 bash -c '"$1" | grep -cE "^-?[0-9.e-]+$"' bash "$work/readme"
# The headers stand alone, and compile without exceptions as well.
for header in "$prefix"/include/mote/*.h; do
  mode=-fno-exceptions
  [ "$(basename "$header")" = throwing.h ] && mode=-fexceptions
  echo "#include \"mote/$(basename "$header")\"" | c++ -std=c++20 -Wall -Werror $mode -I"$prefix/include" -fsyntax-only -x c++ -
done
