#!/usr/bin/env bash
# Runs every suite, one after another, and goes on after one that fails. The last line is `N passed, N failed`: a suite that
# cannot run, runs no test, or ends badly without naming a test counts as one failure. Takes dist/ as it is: `make test`
# brings it up to date first.
#
#     scripts/test.sh [SUITE...]     all of them, or the ones named: header library layers results fork_safety unit abi types faults
#                                    untouched soak hostile fuzz lua python python_hosts install tool quickstart model guide commands
# FAULTS=all runs the whole fault catalogue: every count of workers, inside callbacks, and the long rows.
# shellcheck disable=SC2317  # functions that are called by name or by trap
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# Suites call make themselves; they are no part of the make that calls this script.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX

logs=$PWD/.build-test/logs
mkdir -p "$logs"
total_passed=0
total_failed=0
failed_suites=()
suite_pid=
echo_pid=

stop() {
    [[ -n $suite_pid ]] && kill -TERM "$suite_pid" 2>/dev/null
    [[ -n $echo_pid ]] && kill -TERM "$echo_pid" 2>/dev/null
    echo "test: interrupted" >&2
    exit 130
}
trap stop INT TERM HUP

# ---- What each suite runs. ----

# The build is that of `make build` and of `swift test`.
unit_tests() {
    echo "building the unit tests"
    rm -f "$logs"/unit*.xml
    swift build --build-tests >"$logs/unit-build.log" 2>&1 || {
        cat "$logs/unit-build.log"
        return 1
    }
    swift test --skip-build --disable-xctest --xunit-output "$logs/unit.xml"
}

abi_tests() {
    local settings=(PREFIX="$PWD/dist" BUILD="$PWD/.build-test/abi")
    make --no-print-directory -C Tests/abi "${settings[@]}" >"$logs/abi-build.log" 2>&1 || {
        cat "$logs/abi-build.log"
        return 1
    }
    make --no-print-directory -C Tests/abi run "${settings[@]}"
}

untouched() {
    make --no-print-directory -C Tests/untouched PREFIX="$PWD/dist" BUILD="$PWD/.build-test/untouched" check
}

soak() {
    make --no-print-directory -C Tests/soak PREFIX="$PWD/dist" BUILD="$PWD/.build-test/soak" check
}

fault_tests() {
    local settings=(PREFIX="$PWD/dist" BUILD="$PWD/.build-test/faults" FAULTS="${FAULTS:-}")
    make --no-print-directory -C Tests/faults "${settings[@]}" >"$logs/faults-build.log" 2>&1 || {
        cat "$logs/faults-build.log"
        return 1
    }
    make --no-print-directory -C Tests/faults run "${settings[@]}"
}

# SEEDS=FIRST:COUNT runs other seeds of each attack than 1:100.
hostile_tests() {
    make --no-print-directory -C Tests/hostile run PREFIX="$PWD/dist" BUILD="$PWD/.build-test/hostile" SEEDS="${SEEDS:-}"
}

# The saved inputs, and MADE ones that are new.
fuzz_tests() {
    swift build --product mapengine-fuzz >"$logs/fuzz-build.log" 2>&1 || {
        cat "$logs/fuzz-build.log"
        return 1
    }
    make --no-print-directory -C Tests/fuzz run PREFIX="$PWD/dist" ENGINE="$PWD/.build/debug" \
        BUILD="$PWD/.build-test/fuzz" MADE="${MADE:-4000}"
}

# ---- Counting. Each sets `passed` and `failed`, from what the suite has written. ----

# Swift Testing: from its xUnit file, which it writes at its end. Of a process that ended in the middle there is the log alone, and
# what that says until then counts.
count_swift_testing() {
    local results xml=$logs/unit-swift-testing.xml
    [[ -f $xml ]] || xml=$logs/unit.xml
    if results=$("${PYTHON:-python3}" Tests/checks/results.py "$xml" 2>/dev/null); then
        grep '^FAILED' <<<"$results"
        count_summary <(echo "$results")
        ended_early=0
    else
        passed=$(grep -cE '^. Test .* passed after [0-9.]+ seconds' "$1")
        failed=$(grep -cE '^✘ Test .* failed after [0-9.]+ seconds' "$1")
        ended_early=1
    fi
}

# Which tests have a line "◇ Test name() started." and none that says how it ended.
unfinished_tests() {
    sed -nE 's/^◇ Test (.*) started\.$/    \1/p' "$1" | grep -vE '^    (run|case passing .*)$' |
        grep -vxFf <(sed -nE 's/^(✔|✘|━) Test (.*) (passed|failed) after .*/    \2/p' "$1" | sed -E 's/ with [0-9]+ test cases?$//')
}

# Our own: a last line `N passed, N failed`.
count_summary() {
    local line
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$1" | tail -n 1)
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=${BASH_REMATCH[1]}
        failed=${BASH_REMATCH[2]}
    fi
}

# ---- Running. ----

# suite NAME TITLE SECONDS COUNTER COMMAND...: the command is a program, or one of the functions above.
suite() {
    local name=$1 title=$2 limit=$3 counter=$4
    shift 4
    if ((${#wanted[@]} > 0)) && [[ " ${wanted[*]} " != *" $name "* ]]; then
        return
    fi
    known+=("$name")
    local log=$logs/$name.log status=0 began=$SECONDS passed=0 failed=0 ended_early=0
    printf '\n== %s ==\n' "$title"
    : >"$log"
    # A program that a suite leaves behind could hold a pipe open for ever, so the output goes to a file, and is read from
    # there; without the lines on what has begun, and without the suite's own sum.
    timeout -k 10 "$limit" bash -c '"$@"' suite "$@" >"$log" 2>&1 </dev/null &
    suite_pid=$!
    tail -n +1 -s 0.2 --pid=$suite_pid -f "$log" 2>/dev/null |
        grep --line-buffered -vE '^(◇|↳) |^[0-9]+ passed, [0-9]+ failed$' &
    echo_pid=$!
    wait $suite_pid || status=$?
    wait $echo_pid || true
    suite_pid=
    echo_pid=

    $counter "$log"
    if ((status == 124 || status == 137)); then
        echo "FAILED $name: still running after $limit s, see $log"
        failed=$((failed + 1))
    elif ((ended_early)) && [[ -n $(unfinished_tests "$log") ]]; then
        echo "FAILED $name: ended with $status in the middle, see $log; begun and not ended:"
        unfinished_tests "$log"
        failed=$((failed + 1))
    elif ((passed + failed == 0)); then
        echo "FAILED $name: ran no test (ended with $status), see $log"
        failed=1
    elif ((status != 0 && failed == 0)); then
        echo "FAILED $name: ended with $status though no test failed, see $log"
        failed=1
    elif ((ended_early)); then
        echo "FAILED $name: left no results, see $log"
        failed=$((failed + 1))
    fi
    printf -- '-- %s: %d passed, %d failed, %d s\n' "$title" "$passed" "$failed" $((SECONDS - began))
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    if ((failed > 0)); then
        failed_suites+=("$name")
    fi
}

wanted=("$@")
known=()
export logs
export -f unit_tests abi_tests fault_tests hostile_tests fuzz_tests untouched soak

suite header "the header alone" 300 count_summary Tests/checks/header.sh
suite library "the library file" 300 count_summary Tests/checks/library.sh
suite layers "layers of the engine" 300 count_summary Tests/checks/layers.sh
suite results "how tests are counted" 300 count_summary Tests/checks/results.sh
suite fork_safety "what runs after a fork" 600 count_summary Tests/checks/fork_safety.sh
suite unit "unit tests (Swift)" 1200 count_swift_testing unit_tests
suite abi "the interface (C)" 900 count_summary abi_tests
suite types "every type of a typed function" 600 count_summary Tests/checks/types.sh
suite faults "the fault catalogue" "$([[ ${FAULTS:-} == all ]] && echo 7200 || echo 900)" count_summary fault_tests
suite untouched "hosts with habits" 1200 count_summary untouched
suite soak "kills all the time" 600 count_summary soak
suite hostile "workers that attack" 1800 count_summary hostile_tests
suite fuzz "saved and made inputs" 900 count_summary fuzz_tests
suite lua "LuaJIT as host and zygote" 400 count_summary Tests/lua/run.sh
suite python "the Python package" 2400 count_summary Tests/python/run.sh
suite python_hosts "Python in applications" 600 count_summary Tests/python/run.sh --hosts
suite install "the installed library" 900 count_summary Tests/checks/install.sh
suite tool "the command line" 900 count_summary Tests/tool/run.sh
suite quickstart "README's quickstart" 300 count_summary Tests/checks/quickstart.sh
suite model "models of the protocol" 600 count_summary scripts/model.sh --short
suite guide "the guide's code" 300 count_summary Tests/checks/guide.sh
suite commands "every command of make" 3600 count_summary Tests/checks/commands.sh

for name in "${wanted[@]}"; do
    if [[ " ${known[*]} " != *" $name "* ]]; then
        echo "FAILED $name: there is no such suite"
        total_failed=$((total_failed + 1))
    fi
done
echo
if ((${#failed_suites[@]} > 0)); then
    echo "failed: ${failed_suites[*]} (scripts/test.sh ${failed_suites[0]} runs one alone; logs are in .build-test/logs)"
fi
printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
exit $((total_failed > 0))
