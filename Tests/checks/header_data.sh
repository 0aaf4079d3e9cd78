#!/usr/bin/env bash
# The rest of header.sh, which sources it: docs/abi.json is what the headers say, and a change that would break programs does not get
# past it; what bindings are made of works; core.h's example runs.
# shellcheck disable=SC2154  # what header.sh has set

python=${PYTHON:-python3}
abi=scripts/abi.py

check "docs/abi.json is what the headers say (scripts/abi.py write makes it so)" "$python" "$abi" check
check "names and arguments are even, structures without holes" "$python" Tests/checks/even.py docs/abi.json

# planted NAME EXPRESSION FILE: a copy of the headers, changed by sed.
planted() {
    rm -rf "$work/planted"
    cp -R include "$work/planted"
    sed -i "$2" "$work/planted/mapengine/$3"
    cp docs/abi.json "$work/planted/abi.json"
    if cmp -s "$work/planted/mapengine/$3" "include/mapengine/$3"; then
        failed "$1" "the change could not be planted"
        return 1
    fi
}
says=("$python" "$abi" --include "$work/planted" --file "$work/planted/abi.json")
# breaks WHAT PATTERN EXPRESSION FILE: refused by check, and by write, until the version is another.
breaks() {
    planted "$1" "$3" "$4" || return
    check_fails "noticed: $1" "$2" "${says[@]}" check
    check_fails "not written under the same version: $1" "Raise MAPE_ABI_VERSION" "${says[@]}" write
    check "left as it was: $1" cmp docs/abi.json "$work/planted/abi.json"
    sed -i 's/^#define MAPE_ABI_VERSION .*/#define MAPE_ABI_VERSION 999/' "$work/planted/mapengine/base.h"
    check_fails "a new version has to be written down: $1" "Run scripts/abi.py write" "${says[@]}" check
    check "written under a new version: $1" "${says[@]}" write
    check "then all is well: $1" "${says[@]}" check
}
breaks "an offset" 'offset of mape_result\.cause: 12 becomes 20' 's/^    uint32_t state;  /    uint64_t more; uint32_t state; /' events.h
breaks "a size" 'size of mape_column: .* becomes' 's/^} mape_column;/    uint64_t more;\n&/' native.h
breaks "a function that is gone" 'mape_job_cancel is gone' '/^int mape_job_cancel(/d' core.h
breaks "an argument" 'mape_pool_start takes: .*int64_t becomes' 's/^int mape_pool_start(mape_pool \*pool, int64_t/int mape_pool_start(mape_pool *pool, int32_t/' core.h
breaks "a value" 'MAPE_E_BUSY: -10 becomes -40' 's/MAPE_E_BUSY = -10/MAPE_E_BUSY = -40/' base.h
breaks "a callback" 'mape_run_fn returns: int becomes' 's/^typedef int (\*mape_run_fn)/typedef long (*mape_run_fn)/' worker.h
if planted "an addition" 's/^int mape_job_cancel(/int mape_job_more(mape_job *job);\n&/' core.h; then
    check_fails "noticed: an addition" "Run scripts/abi.py write" "${says[@]}" check
    check "written under the same version: an addition" "${says[@]}" write
fi

# Bindings.
"$python" "$abi" python >"$work/mapengine_abi.py"
check "Python: sizes, offsets and values are those of docs/abi.json" env PYTHONPATH="$work" "$python" Tests/checks/bindings.py docs/abi.json
if command -v luajit >/dev/null; then
    check "LuaJIT reads the headers, and finds what docs/abi.json says" luajit Tests/checks/cdef.lua include docs/abi.json
else
    failed "LuaJIT reads the headers" "there is no luajit; scripts/setup.sh test installs it"
fi

# The example at the top of core.h.
sed -n '/^ \*     #include <mapengine.h>/,/^ \*     }$/p' include/mapengine/core.h | sed -E 's/^ \*( {5})?//' >"$work/example.c"
if [[ -e dist/lib/libmapengine.so ]]; then
    check "the example in core.h compiles" cc -std=c99 "${strict[@]}" -Idist/include "$work/example.c" -o "$work/example" \
        -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib" &&
        check "the example in core.h runs" "$work/example" && cp "$work/check.log" "$work/example.log" &&
        check "the example in core.h prints what stands there" \
            diff <(sed -n 's/.*\/\/ "\(.*\)"$/\1/p' "$work/example.c") "$work/example.log"
    check "LuaJIT and the library" luajit Tests/checks/cdef.lua dist/include dist/share/mapengine/abi.json dist/lib/libmapengine.so
    check "Python and the library" env PYTHONPATH=dist/share/mapengine "$python" Tests/checks/bindings.py dist/share/mapengine/abi.json dist/lib/libmapengine.so
else
    failed "the example in core.h" "dist/lib/libmapengine.so is missing; run 'make dist' first"
fi
lines=$(wc -l <"$work/example.c")
if ((lines > 10 && lines < 30)); then
    ok "the example in core.h has $lines lines"
else
    failed "the example in core.h has some 20 lines" "it has $lines"
fi
