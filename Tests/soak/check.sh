#!/bin/sh
# check.sh SOAK - short soaks, one after another, for `make test`. Ends with the line "N passed, N failed".
# SPDX-License-Identifier: Apache-2.0
set -u
soak=$1
passed=0
failed=0

# run NAME OPTIONS...
run() {
    name=$1
    shift
    echo "$name: soak $*"
    # The soak's own watchdog comes first, and says more.
    if timeout -k 10 280 "$soak" --quiet "$@"; then
        passed=$((passed + 1))
    else
        echo "FAILED $name (ended with $?)"
        failed=$((failed + 1))
    fi
}

run "workers and zygotes are killed" --items 100000
run "workers of a snapshot are killed" --items 100000 --fork
run "one worker alone is killed" --items 30000 --workers 1
run "more workers than processors are killed" --items 50000 --workers 13
run "workers are killed in slow setups" --items 50000 --setup-us 2000 --kill-us 2000,12000
run "zygotes are killed as often as workers" --items 30000 --zygote-every 2

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
