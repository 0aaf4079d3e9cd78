#!/usr/bin/env bash
# LuaJIT as a host, and as a zygote whose functions are written in Lua: Tests/lua/tests.lua over dist/.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
if ! command -v luajit >/dev/null; then
    failed "LuaJIT" "there is no luajit; run 'scripts/setup.sh build'"
    finish
fi
timeout -k 10 300 env MAPE_PREFIX="$root/dist" luajit Tests/lua/tests.lua "$(command -v luajit)" "$work" >"$work/log" 2>&1 </dev/null
summary=$(tail -n 1 "$work/log")
if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    sed '$d' "$work/log"
    passed=${BASH_REMATCH[1]}
    failed=${BASH_REMATCH[2]}
else
    failed "tests.lua runs to its end" "$(tail -n 20 "$work/log")"
fi
finish
