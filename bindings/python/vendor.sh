#!/usr/bin/env bash
# Puts cloudpickle into the package, as mapengine/_vendor/cloudpickle: from PyPI, this version, these bytes. Its licence goes along.
#
#     bindings/python/vendor.sh [PACKAGE]     PACKAGE: the folder of the package; src/mapengine by default. PYTHON: one that has pip
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=${1:-$here/src/mapengine}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo 'cloudpickle==3.1.2 --hash=sha256:9acb47f6afd73f60dc1df93bb801b472f05ff42fa6c84167d25cb206be1fbf4a' >"$work/requirements"
"${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --dest "$work" -r "$work/requirements"
python3 -m zipfile -e "$work"/cloudpickle-*.whl "$work"
mkdir -p "$package/_vendor"
: >"$package/_vendor/__init__.py"
rm -rf "$package/_vendor/cloudpickle"
cp -R "$work/cloudpickle" "$package/_vendor/cloudpickle"
install -m 644 "$(find "$work"/cloudpickle-*.dist-info -name 'LICENSE*' | head -n 1)" "$package/_vendor/cloudpickle/LICENSE"
