#!/usr/bin/env bash
# Makes what the Python package needs beside its Python: the folder _native with library, zygote, command line, the worker's functions and what
# C code is compiled with, and _abi.py, the interface for ctypes.
#
#     bindings/python/build_native.sh [PACKAGE]     PACKAGE: the folder of the package; src/mapengine by default
#
# PREFIX is the tree of the engine, dist/ by default, which `make dist` makes. What is compiled asks for no newer glibc than 2.28, as the engine.
# shellcheck disable=SC2016  # the loader expands $ORIGIN
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
prefix=${PREFIX:-$root/dist}
package=${1:-$here/src/mapengine}
native=$package/_native
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ! -e $prefix/lib/libmapengine.so.2 ]]; then
    echo "build_native: there is no library in $prefix/lib; run 'make dist'" >&2
    exit 1
fi
mkdir -p "$native"/{lib,libexec,bin}

# place SOURCE TARGET MODE: replaces by renaming, so that a program that has the old file open goes on.
place() {
    install -m "$3" "$1" "$2.new"
    mv -f "$2.new" "$2"
}

# Laid out as in dist/: each finds the others relative to itself.
place "$(readlink -f "$prefix/lib/libmapengine.so.2")" "$native/lib/libmapengine.so.2" 755
for program in libexec/mapengine-zygote bin/mapengine; do
    if [[ -e $prefix/$program ]]; then place "$prefix/$program" "$native/$program" 755; fi
done

# What `mapengine new` writes is made of, and built with: templates, headers, what CMake and pkg-config read. A wheel has no links: the
# linker's name of the library is a text that names it, and CMake is given its soname.
if [[ -d $prefix/share/mapengine/templates ]]; then
    version=$(basename "$(readlink -f "$prefix/lib/libmapengine.so.2")")
    (cd "$prefix" && find include lib/cmake lib/pkgconfig share/mapengine -type f ! -name '*.pyc') | while read -r file; do
        mkdir -p "$native/$(dirname "$file")"
        sed "s/$version/libmapengine.so.2/" "$prefix/$file" >"$work/file"
        place "$work/file" "$native/$file" 644
    done
    echo 'INPUT(libmapengine.so.2)' >"$work/file"
    place "$work/file" "$native/lib/libmapengine.so" 644
fi

python3 "$root/scripts/glibc.py" stubs "$root/scripts/glibc/x86_64" "$work/glibc"
"${CC:-cc}" -std=c11 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -Werror -I"$root/include" -shared -o "$work/mapengine_python.so" \
    "$here"/native/*.c "$native/lib/libmapengine.so.2" "$work/glibc/libdl.so.2" "$work/glibc/libc.so.6" "$work/glibc/libpthread.so.0" -L"$work/glibc" \
    -Wl,-rpath-link,"$work/glibc" -Wl,-rpath,'$ORIGIN' -Wl,--enable-new-dtags -Wl,-z,now
newest=$(objdump -T "$work/mapengine_python.so" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
if [[ $(printf '%s\nGLIBC_2.28\n' "$newest" | sort -V | tail -n 1) != GLIBC_2.28 ]]; then
    echo "build_native: mapengine_python.so asks for $newest" >&2
    exit 1
fi
place "$work/mapengine_python.so" "$native/lib/mapengine_python.so" 755

# The page of reports, which notebooks show: also of a build without the command line.
mkdir -p "$native/share/mapengine"
python3 "$root/scripts/report_page.py" "$work/report.html"
place "$work/report.html" "$native/share/mapengine/report.html" 644

python3 "$root/scripts/abi.py" python >"$work/_abi.py"
place "$work/_abi.py" "$package/_abi.py" 644
