#!/usr/bin/env bash
# Makes the Python package from bindings/python and from dist/: dist/python/mapengine-VERSION-py3-none-manylinux_2_28_PROCESSOR.whl.
# It holds the library, the zygote, the command line, and headers and templates for plug-ins in mapengine/_native, laid out as dist/ is, so
# that each finds the others.
#
#     scripts/wheel.sh            the wheel
#     scripts/wheel.sh --tree     only the package's folder, to work on the package: .build-wheel/tree/mapengine. Its Python files are
#                                 links to the sources, so PYTHONPATH=.build-wheel/tree sees each edit
#
#     --dist FOLDER               takes the library from another build than dist/
#
# hatchling packs it: it is what PyPI's own people keep up with metadata, licences and records, and needs nothing but a name for the tag.
# The first time this needs the network, for hatchling and for cloudpickle, whose version and hash bindings/python/vendor.sh has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/version.sh
source scripts/version.sh

python=/usr/bin/python3
sources=bindings/python
build=.build-wheel
dist=dist
tree_only=0
while (($# > 0)); do
    case $1 in
        --tree) tree_only=1 ;;
        --dist) dist=${2:?"--dist names a folder"} && shift ;;
        *)
            echo "wheel: unknown option $1" >&2
            exit 64
            ;;
    esac
    shift
done

library=libmapengine.so.$ABI_VERSION
[[ -f $dist/lib/$library ]] || {
    echo "wheel: there is no $dist/lib/$library; run 'make dist' first" >&2
    exit 1
}
mkdir -p $build
# One at a time: `make wheel` and `make test` in two windows share the folder.
exec 9>$build/.lock
flock 9

# quietly WHAT COMMAND...: its output is of interest only when it fails.
quietly() {
    local what=$1
    shift
    if ! "$@" >$build/log 2>&1 9>&-; then
        cat $build/log >&2
        echo "wheel: could not $what, see above" >&2
        exit 1
    fi
}

# The stamp says which requirements the environment was made for.
if ! cmp -s $sources/requirements/build.txt $build/venv/build.txt; then
    rm -rf $build/venv
    quietly "make an environment" $python -m venv $build/venv
    quietly "get hatchling, which needs the network once" $build/venv/bin/pip install -q -r $sources/requirements/build.txt
    cp $sources/requirements/build.txt $build/venv/build.txt
fi
if ! cmp -s $sources/vendor.sh $build/vendored/vendor.sh; then
    rm -rf $build/vendored
    quietly "get cloudpickle, which needs the network once" env PYTHON=$build/venv/bin/python $sources/vendor.sh $build/vendored
    cp $sources/vendor.sh $build/vendored
fi

# ---- What is made, in a new folder that then replaces the old one. ----

# package FOLDER COMMAND...: the package; COMMAND puts a source file into its place.
package() {
    local to=$1 file
    shift
    rm -rf "$to"
    mkdir -p "$to"
    while IFS= read -r file; do
        mkdir -p "$to/$(dirname "$file")"
        "$@" "$PWD/$sources/src/mapengine/$file" "$to/$file"
    done < <(cd $sources/src/mapengine && find . -type f ! -path './_native/*' ! -path './_vendor/*' ! -name _abi.py ! -name '*.pyc' -printf '%P\n')
    cp -r $build/vendored/_vendor "$to/_vendor"
    find "$to/_vendor" -name __pycache__ -prune -exec rm -rf {} +
    quietly "compile the workers' functions" env PREFIX="$(realpath "$dist")" $sources/build_native.sh "$to"
    # A build with MAPENGINE_TOOL=0 has no command line.
    for file in "$to"/_native/lib/*.so.* "$to"/_native/lib/mapengine_python.so "$to"/_native/bin/*; do
        [[ ! -f $file ]] || strip --strip-all --remove-section=.gnu_debuglink "$file"
    done
}

if ((tree_only)); then
    package $build/tree.new/mapengine ln -s
    rm -rf $build/tree
    mv $build/tree.new $build/tree
    echo "wheel: $build/tree/mapengine"
    exit 0
fi

stage=$build/stage
rm -rf $stage
package $stage/mapengine cp
mkdir -p $stage/licenses dist/python
cp $sources/pyproject.toml $sources/hatch_build.py $sources/README.md $stage
cp LICENSE $stage/licenses/LICENSE
# They are linked into the library and the program, or lie below _vendor.
cp scripts/packaging/libffi.LICENSE $stage/licenses
[[ ! -f $stage/mapengine/_native/bin/mapengine ]] || cp Tools/mapengine/swift-argument-parser.LICENSE $stage/licenses
cp $stage/mapengine/_vendor/cloudpickle/LICENSE $stage/licenses/cloudpickle.LICENSE
rm -rf $build/new
mkdir -p $build/new
quietly "pack it" env -C $stage ../venv/bin/python -m hatchling build -t wheel -d "$PWD/$build/new"
made=$(find $build/new -name '*.whl')
find dist/python -name '*.whl' ! -name "$(basename "$made")" -delete
mv -f "$made" dist/python
made=dist/python/$(basename "$made")
printf 'wheel: %s, %s bytes\n' "$made" "$(stat -c %s "$made")"
