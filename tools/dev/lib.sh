# Functions of ./dev: packages and builds. Sourced, with `set -euo pipefail`, in the root of the checkout.
# shellcheck shell=bash

# need GROUP...: the Debian packages of these groups of tools/dev/packages.txt are there afterwards, or the program ends.
need() {
  local rows installed missing
  command -v dpkg-query >/dev/null || return 0 # another distribution: CMake says what it misses
  rows=$(awk -v groups=" $* " '!/^#/ && NF && index(groups, " " $1 " ") && !seen[$2]++' tools/dev/packages.txt)
  # shellcheck disable=SC2046 # one word per package is meant
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $(awk '{print $2}' <<<"$rows") 2>/dev/null || true)
  installed=$(awk '$1 == "installed" {printf " %s", $2}' <<<"$installed")
  rows=$(have="$installed " awk '!index(ENVIRON["have"], " " $2 " ")' <<<"$rows")
  [ -n "$rows" ] || return 0
  missing=$(awk '{printf "%s ", $2}' <<<"$rows")
  echo "These Debian packages are missing:" >&2
  awk '{name = $2; $1 = $2 = ""; printf "  %-24s%s\n", name, $0}' <<<"$rows" >&2
  if [ "$(id -u)" != 0 ]; then
    echo "Install them, then run this again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
    exit 2
  fi
  echo "Installing them ..." >&2
  mkdir -p build
  local apt=(apt-get -y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  # shellcheck disable=SC2086 # one word per package is meant
  if ! { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --no-install-recommends $missing; } \
    >build/apt.log 2>&1; then
    tail -n 20 build/apt.log >&2
    echo "./dev: apt-get failed; the whole output is in build/apt.log" >&2
    exit 2
  fi
}

# need_preset PRESET: what that build needs.
need_preset() {
  case $1 in
    asan | emulated | tsan) need build clang ;;
    *) if grep -q "^$1 " tools/dev/packages.txt; then need build "$1"; else need build; fi ;;
  esac
}

cmake_args=() # further arguments of the next configure step
jobs() { echo "${MOTE_JOBS:-$(nproc)}"; }

# build PRESET [TARGET...]: configures and builds into build/PRESET. The compiler's output is shown on a terminal, and
# otherwise kept in build/PRESET/build.log and shown when it fails.
build() {
  local preset=$1 launcher='' log=build/$1/build.log targets=()
  shift
  [ $# -eq 0 ] || targets=(--target "$@")
  if command -v ccache >/dev/null; then
    launcher=ccache
    # Checkouts at different places share what they compiled.
    export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
    # Precompiled headers can be cached; no source asks for the time. A precompiled header knows its files by all their bytes,
    # so what is found must be too, not by what the preprocessor leaves of them (CCACHE_DEPEND), and nothing that was
    # stored by the latter may be found (CCACHE_NAMESPACE).
    export CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1 CCACHE_NAMESPACE=mote-by-bytes
  fi
  mkdir -p "build/$preset"
  if ! cmake --preset "$preset" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" "${cmake_args[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  if [ -t 1 ]; then
    cmake --build "build/$preset" -j "$(jobs)" "${targets[@]}"
    return
  fi
  echo "Building $preset ..."
  if ! cmake --build "build/$preset" -j "$(jobs)" "${targets[@]}" >"$log" 2>&1; then
    grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking)' "$log" | tail -n 80 >&2
    echo "./dev: the build failed; the whole output is in $log" >&2
    return 1
  fi
}

list_programs() { find "build/$1/bin" -maxdepth 1 -type f -executable -printf '%f\n' 2>/dev/null | sort | tr '\n' ' '; }

# The system's python3 first: the scripts need nothing but its standard library.
exec_python() {
  local python=/usr/bin/python3
  [ -x $python ] || python=python3
  exec "$python" "$@"
}

# python_packages HOME FILE: an interpreter with the PyPI packages of FILE is HOME/venv/bin/python afterwards; HOME starts anew when FILE
# has changed. Fails where PyPI cannot be reached.
python_packages() {
  if cmp -s "$2" "$1/requirements.txt"; then return 0; fi
  rm -rf "$1"
  mkdir -p "$1"
  python3 -m venv "$1/venv" >&2 || return 1
  "$1/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$2" >&2 || return 1
  cp "$2" "$1/requirements.txt"
}
