#!/bin/sh
# run.sh PREFIX BUILD TEST... - runs the test programs one after another, each under a limit, and goes on after failures.
# Ends with the line "N passed, N failed". A program that crashes, runs out of time, or runs no test is one failure. Results are
# counted from cmocka's XML; of a program that ended in the middle, from what it had said by then.
# SPDX-License-Identifier: Apache-2.0
set -u
prefix=$1
build=$2
here=$(dirname "$0")
shift 2
passed=0
failed=0
mkdir -p "$build/logs"

for test in "$@"; do
    log=$build/logs/$test.log
    xml=$build/logs/$test.xml
    rm -f "$xml"
    printf '\n==== %s ====\n' "$test"
    case $test in
        *.sh) set -- "$here/$test" "$prefix" ;;
        *) set -- "$build/$test" ;;
    esac
    # Into a file, not a pipe: a process that outlives its test would keep a pipe open, and this script waiting.
    # ABI_UNDER: a command that the programs are run by, valgrind for one; its words are split here.
    # shellcheck disable=SC2086
    CMOCKA_MESSAGE_OUTPUT=XML CMOCKA_XML_FILE=$xml \
        timeout -k 10 "${ABI_LIMIT:-240}" ${ABI_UNDER:-} "$@" >"$log" 2>&1 </dev/null
    status=$?
    cat "$log"
    running=
    if results=$("${PYTHON:-python3}" "$here/../checks/results.py" "$xml" 2>/dev/null); then
        printf '%s\n' "$results" | grep '^FAILED'
        right=$(printf '%s\n' "$results" | sed -nE 's/^([0-9]+) passed, .*/\1/p')
        wrong=$(printf '%s\n' "$results" | sed -nE 's/^[0-9]+ passed, ([0-9]+) failed$/\1/p')
    else
        right=$(grep -a -c '^\[       OK \] ' "$log")
        wrong=$(grep -a -c '^\[  FAILED  \] ' "$log")
        sed -n 's/^\[  FAILED  \] /FAILED /p' "$log"
        running=$(sed -n 's/^\[ RUN      \] //p' "$log" | tail -n 1)
        if [ -n "$running" ] && ! grep -aqxF "[       OK ] $running" "$log"; then
            echo "FAILED $running: $test ended in it (status $status)"
        else
            running=
        fi
    fi
    if [ "$right" -eq 0 ] && [ "$wrong" -eq 0 ]; then
        echo "FAILED $test: ran no test (status $status)"
        wrong=1
    elif [ "$status" -ne 0 ] && [ "$wrong" -eq 0 ] || [ "$status" -gt 1 ]; then
        [ -n "$running" ] || echo "FAILED $test: ended with status $status"
        wrong=$((wrong + 1))
    fi
    passed=$((passed + right))
    failed=$((failed + wrong))
done

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
