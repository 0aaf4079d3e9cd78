#!/bin/sh
# run.sh BUILD MADE FIRST TARGET... - runs each target over its corpus and over made inputs. Ends with "N passed, N failed".
# SPDX-License-Identifier: Apache-2.0
set -u
build=$1 made=$2 first=$3
here=$(cd "$(dirname "$0")" && pwd)
shift 3
passed=0
failed=0
cd "$build" || exit 1
for target in "$@"; do
    count=$made
    [ "$target" != api ] || count=$((made / 40))
    log=$build/$target.log
    timeout -k 10 600 "./fuzz_$target" "$here/corpus/$target" "$count" "$first" >"$log" 2>&1 </dev/null
    status=$?
    line=$(grep -aE '^[0-9]+ passed, 0 failed$' "$log" | tail -n 1)
    if [ "$status" -ne 0 ] || [ -z "$line" ]; then
        tail -n 20 "$log"
        echo "FAILED $target: ended with status $status, see $log"
        failed=$((failed + 1))
    else
        grep -a 'made inputs' "$log" | sed "s,^.*/,    ,"
        passed=$((passed + ${line%% *}))
    fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
