#!/usr/bin/env bash
# The adapters in include/mapengine (glib.h, uv.h, qt.hpp) and the example of each, in the real event loops.
#
#     Tests/adapters/run.sh [glib] [libuv] [qt-cpp]
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
export PKG_CONFIG_PATH=$root/dist/lib/pkgconfig QT_QPA_PLATFORM=offscreen XDG_RUNTIME_DIR=$work
clang=$(find_clang)
strict=(-Wall -Wextra -Wshadow -Werror)
wanted=("$@")
(($# > 0)) || wanted=(glib libuv qt-cpp)

# needs NAME PACKAGE: whether the library is here.
needs() {
    if [[ " ${wanted[*]} " != *" $1 "* ]]; then return 1; fi
    if pkg-config --exists "$2"; then
        echo "$1: $2 $(pkg-config --modversion "$2")"
        return 0
    fi
    failed "$1" "there is no $2; scripts/setup.sh hosts installs it"
    return 1
}

# The processes that have the mark in their environment: what a host has left behind. Workers have their host's.
left_behind() {
    # Whatever grep says of processes that end meanwhile.
    { grep -lsazF "MAPE_ADAPTER_RUN=$1" /proc/[0-9]*/environ || true; } | cut -d/ -f3 | tr '\n' ' '
}

# runs NAME COMMAND...: it ends well, and no process is left. Those that the kernel ends with their host take a moment.
runs() {
    local name=$1 mark=$$-$RANDOM-$RANDOM left seconds=0
    shift
    check "$name" env MAPE_ADAPTER_RUN="$mark" "$@" || return
    while left=$(left_behind "$mark") && [[ -n $left ]] && ((seconds++ < 60)); do sleep 1; done
    if [[ -z $left ]]; then
        ok "$name: no process is left"
    else
        failed "$name: no process is left" "$(ps -o pid,ppid,stat,wchan:24,etime,time,args -p "$left")"
    fi
}

# says NAME PATTERN: the last run printed that.
says() {
    if grep -qE "$2" "$work/check.log"; then
        ok "$1"
    else
        failed "$1" "it printed"$'\n'"$(tail -n 5 "$work/check.log")"
    fi
}

gap() { sed -nE 's/.*ticks of 5 ms was ([0-9.]+) ms.*/\1/p' "$work/check.log"; }

# scenario NAME PROGRAM OPTIONS...: 400 items of some 5 ms, in the loop of a host; what it shows is the same for each.
scenario() {
    local name=$1 program=$2 busy idle
    shift 2
    runs "$name: 400 items" "$program" "$@"
    says "$name: each has a result, on the main thread" '^400 (items|tiles): 400 ok, 0 crashed, 0 cancelled$'
    says "$name: all callbacks on the main thread" 'off the main thread 0,'
    busy=$(gap)
    runs "$name: an item crashes" "$program" "$@" --crash=100
    says "$name: the others have results" '^400 (items|tiles): 399 ok, 1 crashed, 0 cancelled$'
    says "$name: the item is named" '^(item|tile) 100: .*SIGSEGV'
    runs "$name: cancelled half-way" "$program" "$@" --cancel-at=200
    says "$name: some were done, the others cancelled" '^400 (items|tiles): [23][0-9][0-9] ok, 0 crashed, [1-9][0-9]* cancelled$'
    runs "$name: ended in the middle" "$program" "$@" --quit-at=50
    # No measure of the library, but of the two processors: printed, and nothing else.
    local pids=()
    for _ in 1 2; do
        (exec timeout 100 sh -c 'while :; do :; done') &
        pids+=($!)
    done
    runs "$name: idle" "$program" "${@/--render/}" --idle
    idle=$(gap)
    kill "${pids[@]}"
    wait "${pids[@]}" 2>/dev/null
    awk -v name="$name" -v busy="$busy" -v idle="$idle" 'BEGIN {
        printf "%s: the longest gap of a timer was %s ms in a map, %s ms beside two busy processes without one: ratio %.2f\n", name, busy, idle, busy / idle }'
}

if needs glib glib-2.0; then
    read -ra flags < <(pkg-config --cflags --libs glib-2.0 mapengine)
    echo '#include <mapengine/glib.h>' | tee "$work/glib.c" >"$work/glib.cpp"
    check "glib.h alone, C99" gcc -std=c99 "${strict[@]}" -fsyntax-only "$work/glib.c" "${flags[@]}"
    check "glib.h alone, C++11" "$clang++" -std=c++11 "${strict[@]}" -fsyntax-only "$work/glib.cpp" "${flags[@]}" -Wno-unused-command-line-argument
    check "glib.h: edges: builds" cc -std=gnu11 -g "${strict[@]}" Tests/adapters/edges_glib.c -o "$work/edges_glib" "${flags[@]}" -Wl,-rpath,"$root/dist/lib" &&
        runs "glib.h: refusals, detaching in a callback" "$work/edges_glib"
    check "the example glib-c builds" make -s -C host-examples/glib-c BUILD="$work/by-glib" CFLAGS="-O2 -Werror" PKG_CONFIG_PATH="$PKG_CONFIG_PATH" &&
        scenario glib "$work/by-glib/host"
fi

if needs libuv libuv; then
    read -ra flags < <(pkg-config --cflags --libs libuv mapengine)
    echo '#include <mapengine/uv.h>' | tee "$work/uv.c" >"$work/uv.cpp"
    check "uv.h alone, C11" gcc -std=gnu11 "${strict[@]}" -fsyntax-only "$work/uv.c" "${flags[@]}"
    check "uv.h alone, C++11" "$clang++" -std=c++11 "${strict[@]}" -fsyntax-only "$work/uv.cpp" "${flags[@]}" -Wno-unused-command-line-argument
    check "uv.h: edges: builds" cc -std=gnu11 -g "${strict[@]}" Tests/adapters/edges_uv.c -o "$work/edges_uv" "${flags[@]}" -Wl,-rpath,"$root/dist/lib" &&
        runs "uv.h: refusals, detaching in a callback" "$work/edges_uv"
    check "the example libuv builds" make -s -C host-examples/libuv BUILD="$work/by-uv" CFLAGS="-O2 -Werror" PKG_CONFIG_PATH="$PKG_CONFIG_PATH" &&
        scenario libuv "$work/by-uv/host"
fi

if needs qt-cpp Qt6Widgets; then
    check "the example qt-cpp: configure" cmake -S host-examples/qt-cpp -B "$work/by-qt" -DCMAKE_PREFIX_PATH="$root/dist" -DCMAKE_CXX_FLAGS=-Werror &&
        check "the example qt-cpp: build" cmake --build "$work/by-qt" --parallel "$(nproc)" &&
        scenario qt-cpp "$work/by-qt/tiles" --render --screenshot="$work/window.png" &&
        check "qt-cpp: it drew its window" test "$(head -c 8 "$work/window.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a
fi
finish
