#!/bin/sh
# check.sh BUILD PREFIX - runs the hosts, each in a process of its own. Ends with the line "N passed, N failed".
#   ROUNDS  how often the library is opened, used and closed
#   FILTER  a pattern: only the checks whose names match
# SPDX-License-Identifier: Apache-2.0
set -u
build=$1
prefix=$2
passed=0
failed=0

# run NAME COMMAND...
run() {
    check=$1
    shift
    # shellcheck disable=SC2254  # a pattern it is
    case $check in
        ${FILTER:-*}) ;;
        *) return ;;
    esac
    # The programs have watchdogs of their own, which say where they hang. To a file: what outlives its host would keep a pipe open.
    timeout -k 10 560 "$@" >"$build/log" 2>&1 </dev/null
    status=$?
    if [ "$status" -eq 0 ]; then
        echo "passed $check"
        grep -E '^(calls used|[0-9]+ rounds)' "$build/log" # What was measured.
        passed=$((passed + 1))
    else
        cat "$build/log"
        echo "FAILED $check (ended with $status)"
        failed=$((failed + 1))
    fi
}

# In a debugger as it comes: it stops at no signal of ours, follows no fork, and leaves children alone.
in_debugger() {
    gdb -nx -batch -iex 'set debuginfod enabled off' -ex run -ex 'info inferiors' --args "$build/host" --plain plain "$1" \
        >"$build/gdb.log" 2>&1
    if grep -q 'exited normally' "$build/gdb.log" && ! grep -q 'received signal' "$build/gdb.log"; then
        return 0
    fi
    cat "$build/gdb.log"
    return 1
}

for birth in exec fork; do
    run "the process before and after each step, $birth" "$build/stages" "$birth"
done

# A copy under another name, with a helper program of its own.
rm -rf "$build/copy"
mkdir -p "$build/copy"
cp -R "$prefix/lib" "$prefix/libexec" "$build/copy/"
cp -L "$prefix/lib/libmapengine.so" "$build/copy/lib/libother.so"
for birth in exec fork; do
    for global in local first second; do
        run "two copies, $global, $birth" "$build/copies" "$build/copy/lib/libother.so" "$birth" "$global"
    done
done

"$build/host" list >"$build/list"
while read -r name title; do
    for birth in exec fork; do
        run "host $name, $birth: $title" "$build/host" "$name" "$birth"
    done
done <"$build/list"

if gdb -nx -batch -ex run --args true 2>/dev/null </dev/null | grep -q 'exited normally'; then
    for birth in exec fork; do
        name="host in a debugger, $birth"
        # shellcheck disable=SC2254
        case $name in
            ${FILTER:-*})
                if in_debugger "$birth"; then
                    echo "passed $name"
                    passed=$((passed + 1))
                else
                    echo "FAILED $name"
                    failed=$((failed + 1))
                fi
                ;;
        esac
    done
else
    echo "skipped: gdb cannot run programs here"
fi

run "opened, used and closed ${ROUNDS:-200} times" "$build/rounds" "${ROUNDS:-200}"

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
