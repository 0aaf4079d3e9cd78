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
    counted "$file" 500 "$python" "$file" "$root" "$work/libfunctions.so" "$work"
done
finish
