#!/usr/bin/env bash
# LuaJIT as a host, and as a zygote whose functions are written in Lua: Tests/lua/tests.lua over dist/.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
if ! command -v luajit >/dev/null; then
    failed "LuaJIT" "there is no luajit; run 'scripts/setup.sh build'"
    finish
fi
counted tests.lua 300 env MAPE_PREFIX="$root/dist" luajit Tests/lua/tests.lua "$(command -v luajit)" "$work"
finish
