#!/usr/bin/env bash
# Every type of a typed function, called from C, over columns and by a proxy: Tests/types. docs/types.md has the table that the test
# prints; TYPES_WRITE=1 writes it anew.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_dist

python=${PYTHON:-python3}
folder=$work/types
mkdir -p "$folder"
check "the functions are written" "$python" Tests/types/generate.py "$folder" || finish
check "the functions compile" cc -std=gnu11 -O1 -fPIC -shared -ITests/types -I"$folder" "$folder/cases.c" -o "$folder/libcases.so" || finish
check "the program compiles" cc -std=gnu11 -O0 -ITests/types -I"$folder" -Idist/include "$folder/test_types.c" -o "$folder/test_types" \
    -L"$folder" -lcases -Ldist/lib -lmapengine -Wl,-rpath,"$folder" -Wl,-rpath,"$root/dist/lib" || finish
check "the names of C's headers are found" "$python" Tests/types/names.py "$folder" || finish
check "the program of names compiles" cc -std=gnu11 -O0 -Wall -Werror -Idist/include "$folder/names.c" -o "$folder/names" \
    -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib" || finish
# counts COMMAND...: a program whose last line is "N passed, N failed", and that prints what failed.
counts() {
    timeout -k 10 280 "$@" >"$folder/log" 2>&1 </dev/null
    if [[ $(tail -n 1 "$folder/log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        grep '^FAILED' "$folder/log"
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed "$1 runs to its end" "$(tail -n 5 "$folder/log")"
        finish
    fi
}
counts "$folder/names"
counts "$folder/test_types" "$folder/libcases.so" "$folder/table.md"

# The sizes in it are those of x86-64.
if [[ $(uname -m) == x86_64 ]]; then
    { sed '/^<!-- table -->$/q' docs/types.md && cat "$folder/table.md"; } >"$folder/types.md"
    [[ ${TYPES_WRITE:-} == 1 ]] && cp "$folder/types.md" docs/types.md
    check "docs/types.md is what the test prints" diff docs/types.md "$folder/types.md"
fi
finish
