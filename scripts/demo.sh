#!/usr/bin/env bash
# Builds the example host and its plugin against dist/, as a user would with CMake, and bakes a picture of the bunny into
# out/bunny.png, or where --out says. Arguments go to the program: --help lists them. --build-only runs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=.build-demo
log=$build/build.log
mkdir -p "$build" out
# CMake's notes of a folder that has been moved or copied are of no use.
cache=$build/CMakeCache.txt
if [[ -f $cache ]] && ! grep -qxF "CMAKE_CACHEFILE_DIR:INTERNAL=$PWD/$build" "$cache"; then
    rm -rf "$build"
    mkdir -p "$build"
fi
echo "demo: building host-examples/cpp-plugin"
if ! { cmake -S host-examples/cpp-plugin -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$PWD/dist" &&
    cmake --build "$build" --parallel; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "demo: the build failed, see above" >&2
    exit 1
fi
[[ ${1:-} != --build-only ]] || exit 0
[[ " $* " == *" --out"[=\ ]* ]] || set -- --out out/bunny.png "$@"
exec "$build/bake" "$@"
