#!/usr/bin/env bash
# Makes dist/, the tree that users get: the library with its links, the zygote, the headers, the interface as data, and what pkg-config and
# CMake read. Everything in it finds the rest relative to itself, so it can be copied anywhere as a whole.
#
#     scripts/dist.sh              build what has changed and bring dist/ up to date
#     scripts/dist.sh --if-older   only when a source is newer than dist/ (for `make install` as root after `make dist`)
#
# A file is replaced only when its contents change, and by renaming, so that a program that has the library open goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/version.sh
source scripts/version.sh

library=libmapengine.so.$VERSION
built=.build-dist/release/libmapengine.so
stage=.build-dist/stage

if [[ ${1:-} == --if-older && -f dist/lib/$library ]] &&
    [[ -z $(find Package.swift Sources Tools include docs/abi.json scripts/packaging scripts/abi*.py scripts/report_page.py -type f ! -name Package.resolved -newer dist/.stamp -print -quit 2>/dev/null) ]]; then
    exit 0
fi

# place SOURCE TARGET [MODE]
place() {
    mkdir -p "$(dirname "dist/$2")"
    if ! cmp -s "$1" "dist/$2"; then
        install -m "${3:-644}" "$1" "dist/$2.new"
        mv -f "dist/$2.new" "dist/$2"
    fi
}

link() {
    if [[ $(readlink "dist/lib/$2" || true) != "$1" ]]; then
        ln -sfn "$1" "dist/lib/$2"
    fi
}

fill_in() {
    sed -e "s/@VERSION@/$VERSION/g" -e "s/@MAJOR@/$MAJOR/g" -e "s/@MINOR@/$MINOR/g" \
        -e "s/@ABI_VERSION@/$ABI_VERSION/g" "scripts/packaging/$1.in" >"$stage/$1"
}

scripts/setup.sh build
echo "dist: building libmapengine $VERSION"
mkdir -p "$stage"
# One at a time: `make demo` and `make test` in two windows share the stage.
exec 9>"$stage/.lock"
flock 9
# SwiftPM knows neither that the library depends on the list of exported symbols and on what it is linked with, nor that Package.swift
# reads the header: hence the removal, and no caches of manifest and plan.
if [[ -f $built && -n $(find Sources/exports.map .build-static -newer "$built" -print -quit) ]]; then
    rm -f "$built"
fi
touch "$stage/begun"
log=$stage/build.log
if ! MAPENGINE_DIST=1 swift build -c release --scratch-path .build-dist --manifest-cache none --disable-build-manifest-caching \
    --disable-local-rpath --product mapengine >"$log" 2>&1 9>&-; then
    cat "$log" >&2
    echo "dist: the build failed, see above" >&2
    exit 1
fi

# What debuggers need goes into a file of its own, which they find by themselves in .debug beside the library. The index of
# names goes: the linker joins those of all objects in a way that makes gdb find no line of ours.
objcopy --only-keep-debug --remove-section .debug_names "$built" "$stage/$library.debug"
strip --strip-unneeded -o "$stage/$library" "$built"
(cd "$stage" && objcopy --add-gnu-debuglink="$library.debug" "$library")
place "$stage/$library" "lib/$library" 755
place "$stage/$library.debug" "lib/.debug/$library.debug"
link "$library" "libmapengine.so.$ABI_VERSION"
link "libmapengine.so.$ABI_VERSION" libmapengine.so

# The run path is a DT_RUNPATH: the older DT_RPATH would also be searched, before LD_LIBRARY_PATH, for what the users'
# libraries need.
# shellcheck disable=SC2016  # the loader expands $ORIGIN
cc -std=c11 -O2 -Wall -Wextra -Iinclude -o "$stage/mapengine-zygote" Sources/mapengine-zygote/main.c \
    "dist/lib/libmapengine.so.$ABI_VERSION" -L.build-static/glibc -Wl,-rpath-link,.build-static/glibc -Wl,-rpath,'$ORIGIN/../lib' -Wl,--enable-new-dtags -Wl,-s
place "$stage/mapengine-zygote" libexec/mapengine-zygote 755

(cd include && find . \( -name '*.h' -o -name '*.hpp' \) -printf '%P\n') | while read -r header; do
    place "include/$header" "include/$header"
done
# The interface for other languages.
place docs/abi.json share/mapengine/abi.json
python3 scripts/abi.py python >"$stage/mapengine_abi.py"
place "$stage/mapengine_abi.py" share/mapengine/mapengine_abi.py
fill_in mapengine.pc
fill_in mapengineConfig.cmake
fill_in mapengineConfigVersion.cmake
place "$stage/mapengine.pc" lib/pkgconfig/mapengine.pc
place "$stage/mapengineConfig.cmake" lib/cmake/mapengine/mapengineConfig.cmake
place "$stage/mapengineConfigVersion.cmake" lib/cmake/mapengine/mapengineConfigVersion.cmake
place LICENSE share/doc/mapengine/LICENSE
# It is linked into the library.
place scripts/packaging/libffi.LICENSE share/doc/mapengine/libffi.LICENSE

# The command line, which is linked with what is in dist/.
scripts/tool.sh

# What an earlier version left behind.
find dist/lib -maxdepth 2 -name 'libmapengine.so.*' ! -name "$library" ! -name "$library.debug" \
    ! -name "libmapengine.so.$ABI_VERSION" -delete
# As old as the beginning of the build: a source that was saved meanwhile counts as newer.
touch -r "$stage/begun" dist/.stamp

printf 'dist: dist/lib/%s, %s bytes\n' "$library" "$(stat -c %s "dist/lib/$library")"
