#!/usr/bin/env bash
# Makes the environment that test_python.py runs in: the Python package as users get it, and NumPy.
#
#     Tests/cluster/environment.sh FOLDER     what was downloaded once is kept, as long as the requirements stay as they are
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
place=${1:?"the folder of the environment"}
needs=bindings/python/requirements/full.txt
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
if ! cmp -s $needs "$place/full.txt"; then
    rm -rf "$place"
    /usr/bin/python3 -m venv "$place"
    "$place/bin/python" -m pip install -q -r $needs
    cp $needs "$place/full.txt"
fi
scripts/wheel.sh
"$place/bin/python" -m pip install -q --no-index --no-deps --force-reinstall dist/python/mapengine-*.whl
