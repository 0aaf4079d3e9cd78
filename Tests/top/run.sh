#!/usr/bin/env bash
# `mapengine top`: Tests/top/test_*.py over hosts in C, Python and Qt.
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

for file in Tests/top/test_*.py; do
    timeout -k 10 500 env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$file" "$root" "$work" "$qt" >"$work/log" 2>&1 </dev/null
    summary=$(tail -n 1 "$work/log")
    if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        sed '$d' "$work/log"
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed "$file runs to its end" "$(tail -n 20 "$work/log")"
    fi
done
finish
