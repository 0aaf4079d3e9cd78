#!/usr/bin/env bash
# The command line: Tests/tool/test_*.py over dist/bin/mapengine, with functions of functions.c.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
if [[ ! -x dist/bin/mapengine ]]; then
    failed "the program" "dist/bin/mapengine is missing; run 'make dist' first"
    finish
fi

# Any Python with NumPy will do; Debian's has it, from scripts/setup.sh.
python=
for candidate in "${PYTHON:-python3}" /usr/bin/python3; do
    if "$candidate" -c 'import numpy' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [[ -z $python ]]; then
    failed "NumPy" "no Python has it; run 'scripts/setup.sh build'"
    finish
fi

check "the functions compile" cc -std=gnu11 -O1 -fPIC -shared -Wall -Wextra -Werror Tests/tool/functions.c \
    -o "$work/libfunctions.so" -lm || finish
for file in Tests/tool/test_*.py; do
    timeout -k 10 500 env PYTHONDONTWRITEBYTECODE=1 "$python" "$file" "$root" "$work/libfunctions.so" "$work" >"$work/log" 2>&1 </dev/null
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
