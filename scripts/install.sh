#!/usr/bin/env bash
# Copies dist/ to where it is to be used, or takes it away from there.
#
#     scripts/install.sh install PREFIX      below $DESTDIR, when that is set
#     scripts/install.sh uninstall PREFIX
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# != 2)) || [[ $1 != install && $1 != uninstall ]]; then
    echo "usage: scripts/install.sh install|uninstall PREFIX" >&2
    exit 64
fi
prefix=$2
if [[ $prefix != /* ]]; then
    echo "install: PREFIX has to be an absolute path, not '$prefix'" >&2
    exit 64
fi
target=${DESTDIR:-}${prefix%/}

if [[ ! -e dist/lib/libmapengine.so ]]; then
    echo "install: there is no dist/ yet; run 'make dist' first" >&2
    exit 1
fi
# Links and files, without the build's own stamp and the Python package, which pip installs.
mapfile -d '' -t files < <(cd dist && find . -path ./python -prune -o \( -type f -o -type l \) ! -name .stamp ! -name '*.new' -printf '%P\0' | sort -z)

if [[ $1 == uninstall ]]; then
    for file in "${files[@]}"; do
        rm -f "$target/$file"
    done
    for folder in include/mapengine/cpp include/mapengine lib/cmake/mapengine share/doc/mapengine share/mapengine/templates/{c,qt,blender} share/mapengine/templates share/mapengine; do
        rmdir "$target/$folder" 2>/dev/null || true
    done
    echo "uninstall: removed mapengine from $target"
    exit 0
fi

if ! mkdir -p "$target" 2>/dev/null || [[ ! -w $target ]]; then
    echo "install: $(id -un) may not write to $target; run it as root, or choose another PREFIX" >&2
    exit 1
fi
for file in "${files[@]}"; do
    mkdir -p "$target/$(dirname "$file")"
    if [[ -L dist/$file ]]; then
        ln -sfn "$(readlink "dist/$file")" "$target/$file"
    else
        # By renaming: programs that have the old library open go on with it.
        install -m "$(stat -c %a "dist/$file")" "dist/$file" "$target/$file.new"
        mv -f "$target/$file.new" "$target/$file"
    fi
done
echo "install: mapengine is in $target"
if [[ -z ${DESTDIR:-} && $(id -u) == 0 ]]; then
    case $prefix in
        # The loader finds these folders through its cache.
        /usr | /usr/local) ldconfig || true ;;
    esac
fi
