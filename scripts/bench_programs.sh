# What the measurements of many machines have in common: builds their programs, and makes a virtual environment with Dask and what draws. To be sourced
# in the project's folder, with the script's arguments; sets `python` and `work`. Without the network a smoke run takes the system's Python, and
# says what it leaves out.
# shellcheck shell=bash
build=.build-bench-cluster
mkdir -p "$build"
flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -Idist/include)
cc "${flags[@]}" -fPIC -shared Benchmarks/cluster/functions.c -o "$build/libfunctions.so"
cc "${flags[@]}" Benchmarks/cluster/floor.c -o "$build/floor"
cc "${flags[@]}" Benchmarks/cluster/host.c -o "$build/host" -Ldist/lib -lmapengine -Wl,-rpath,"$PWD/dist/lib"

venv=$build/venv
if ! cmp -s Benchmarks/cluster/requirements.txt "$venv/requirements.txt"; then
    echo "cluster: getting the Python packages"
    rm -rf "$venv"
    if { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r Benchmarks/cluster/requirements.txt; } \
        >"$build/venv.log" 2>&1; then
        cp Benchmarks/cluster/requirements.txt "$venv/requirements.txt"
    else
        tail -n 5 "$build/venv.log" >&2
        [[ " $* " == *" --smoke "* ]] || {
            echo "cluster: could not get the Python packages, see above; this needs the network once" >&2
            exit 1
        }
        rm -rf "$venv"
    fi
fi
python=$venv/bin/python
[[ -x $python ]] || python=/usr/bin/python3
work=$(mktemp -d "${TMPDIR:-/tmp}/mapengine-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/Benchmarks:$PWD/Tests/cluster
