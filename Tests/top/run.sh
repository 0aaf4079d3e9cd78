#!/usr/bin/env bash
# `mapengine top`: Tests/top/test_*.py over hosts in C, Python and Qt. --picture: docs/images/top.svg is drawn instead.
# shellcheck disable=SC2016  # `check` runs bash with a text
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
if [[ ! -x dist/bin/mapengine ]]; then
    failed "the program" "dist/bin/mapengine is missing; run 'make dist' first"
    finish
fi
check "the host compiles" cc -std=gnu11 -O1 -Wall -Wextra -Werror -Idist/include Tests/top/host.c -o "$work/host" \
    -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib" || finish
check "the Python package is made" scripts/wheel.sh --tree || finish

# The environment of the suites python_hosts and hosts, which is made when there is none.
qt=
for place in .build-test/python/hosts .build-test/hosts/python; do
    if "$place/bin/python" -c 'import PySide6.QtWidgets' 2>/dev/null; then qt=$root/$place/bin/python; fi
done
if [[ -z $qt ]]; then
    mkdir -p .build-test/hosts
    check "PySide6 is installed" bash -c '/usr/bin/python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check -r "$2"' \
        install .build-test/hosts/python host-examples/qt/requirements.txt && qt=$root/.build-test/hosts/python/bin/python
fi

files=(Tests/top/test_*.py)
if [[ ${1:-} == --picture ]]; then
    check "the picture is drawn" env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 Tests/top/picture.py "$root" "$work" "$qt"
    files=()
fi
for file in "${files[@]}"; do
    counted "$file" 500 /usr/bin/python3 "$file" "$root" "$work" "$qt"
done
finish
