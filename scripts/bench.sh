#!/usr/bin/env bash
# Builds Benchmarks/ against dist/, gets the Python peers, and runs rows: all, or those given. Options are the driver's:
# scripts/bench.sh --help. BENCH_DIST names another build of the library to measure; `--against OTHER/dist` compares the two.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/version.sh
source scripts/version.sh

build=.build-bench
dist=${BENCH_DIST:-dist}
log=$build/build.log
mkdir -p "$build"

# The build to compare with, if any.
old=
for ((i = 1; i <= $#; i++)); do
    case ${!i} in
        --against) ((i < $#)) && j=$((i + 1)) && old=${!j} ;;
        --against=*) old=${!i#--against=} ;;
    esac
done

# copy DIST TO INTERFACE: the build in DIST, as TO/dist, so that a build in the middle of a run changes nothing, and once more as TO/plain,
# without symbols: what users load, and what valgrind can read.
copy() {
    local library=libmapengine.so.$3
    [[ -f $1/lib/$library ]] || {
        echo "bench: there is no $library in $1: run make dist first" >&2
        exit 1
    }
    rm -rf "$2/dist" "$2/plain"
    mkdir -p "$2/plain/lib"
    cp -a "$1" "$2/dist"
    cp -a "$2/dist/libexec" "$2/plain/libexec"
    strip --strip-all --remove-section=.gnu_debuglink -o "$2/plain/lib/$library" "$2/dist/lib/$library"
}
copy "$dist" "$build" "$ABI_VERSION"
if [[ -n $old ]]; then
    rm -rf "$build/old/native"
    if diff -rq "$old/include" "$dist/include" >/dev/null; then
        copy "$old" "$build/old" "$ABI_VERSION"
    else
        # The programs here are built for this interface. Another one is measured by those of its own checkout.
        other=$(basename "$(compgen -G "$old/lib/libmapengine.so.?" | head -n 1)")
        programs=$(dirname "$(realpath "$old")")/.build-bench/native
        [[ -n $other && -x $programs/bench-mapengine ]] || {
            echo "bench: the headers in $old differ from these. A build of another interface is measured by the programs of its own" \
                "checkout: run \`make dist bench ARGS=--smoke\` there, and name its dist/" >&2
            exit 1
        }
        copy "$old" "$build/old" "${other##*.}"
        cp -a "$programs" "$build/old/native"
    fi
fi

# CMake's notes of a folder that has been moved or copied are of no use, nor is a virtual environment there.
cache=$build/native/CMakeCache.txt
if [[ -f $cache ]] && ! grep -qxF "CMAKE_CACHEFILE_DIR:INTERNAL=$PWD/$build/native" "$cache"; then
    rm -rf "$build/native" "$build/venv"
fi
echo "bench: building Benchmarks"
if ! { cmake -S Benchmarks/native -B "$build/native" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$PWD/$build/dist" &&
    cmake --build "$build/native" --parallel; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "bench: the build failed, see above" >&2
    exit 1
fi

# The stamp tells which requirements the environment was made for.
venv=$build/venv
if ! cmp -s Benchmarks/requirements.txt "$venv/requirements.txt"; then
    echo "bench: getting the Python peers"
    rm -rf "$venv"
    if ! { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q -r Benchmarks/requirements.txt; } >"$log" 2>&1; then
        cat "$log" >&2
        if [[ " $* " != *" --smoke "* && -z $old ]]; then
            echo "bench: could not get the Python peers, see above; this needs the network once" >&2
            exit 1
        fi
        # Whether our own rows run can be seen without them.
        echo "bench: NOT RUN: the Python peers, which could not be fetched, see above"
        rm -rf "$venv"
        export BENCH_WITHOUT_PYTHON=1
    else
        cp Benchmarks/requirements.txt "$venv/requirements.txt"
    fi
fi
python=$venv/bin/python
[[ -x $python ]] || python=/usr/bin/python3

# Our own rows alone run in a comparison.
[[ -z $old ]] || export BENCH_WITHOUT_PYTHON=1

# install WHEEL FOLDER: as pip does it for a user, compiled, unless it is there already.
install() {
    cmp -s "$1" "$2/wheel" && return
    rm -rf "$2"
    "$python" -m pip install -q --no-deps --no-index --disable-pip-version-check --target "$2" "$1" && cp "$1" "$2/wheel"
}
# package DIST TO: the Python package of the build in DIST, which `make wheel` has put there, as TO/package.
package() {
    local wheel
    wheel=$(compgen -G "$1/python/mapengine-*.whl" | head -n 1) || true
    [[ -n $wheel ]] && install "$wheel" "$2/package"
}
# Ours is made now. Another build's may be missing, and its rows with it.
if [[ ! -x $venv/bin/python ]]; then
    echo "bench: NOT RUN: the rows of the Python package, which need NumPy"
    export BENCH_WITHOUT_PACKAGE=1
elif ! { [[ -n ${BENCH_DIST:-} ]] || scripts/wheel.sh; } >"$log" 2>&1 || ! package "$dist" "$build" >>"$log" 2>&1; then
    cat "$log" >&2
    if [[ " $* " != *" --smoke "* && -z ${BENCH_DIST:-} && -z $old ]]; then
        echo "bench: could not make the Python package, see above; this needs the network once" >&2
        exit 1
    fi
    echo "bench: NOT RUN: the rows of the Python package, of which there is no wheel in $dist/python"
    export BENCH_WITHOUT_PACKAGE=1
elif [[ -n $old ]] && ! package "$old" "$build/old" >"$log" 2>&1; then
    cat "$log" >&2
    echo "bench: NOT RUN: the rows of the Python package, of which there is no wheel in $old/python: run \`make wheel\` there"
    export BENCH_WITHOUT_PACKAGE=1
fi

# Python's own notes would lie among the sources.
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/Benchmarks
exec "$python" -m driver "$@"
