# Running suites of tests, counting what they did, and telling it at the end. To be sourced by scripts/test.sh, in the project's folder;
# `logs` is the folder for what suites print, `wanted` the names of those to run, none for all.
# shellcheck shell=bash disable=SC2154  # what the sourcing script sets

total_passed=0
total_failed=0
failed_suites=()
# A line `SUITE: NAME: WHY` per failed test, short.
failed_tests=()
known=()
suite_pid=
echo_pid=

# ---- Counting. Each sets `passed` and `failed`, from what the suite has written. ----

# Swift Testing: from its xUnit file, which it writes at its end. Of a process that ended in the middle there is the log alone, and
# what that says until then counts.
count_swift_testing() {
    local results xml=$logs/unit-swift-testing.xml
    [[ -f $xml ]] || xml=$logs/unit.xml
    if results=$("${PYTHON:-python3}" Tests/checks/results.py "$xml" 2>/dev/null); then
        grep '^FAILED' <<<"$results" | tee -a "$1"
        count_summary <(echo "$results")
        ended_early=0
    else
        passed=$(grep -cE '^. Test .* passed after [0-9.]+ seconds' "$1")
        failed=$(grep -cE '^✘ Test .* failed after [0-9.]+ seconds' "$1")
        results=$(sed -nE 's/^✘ Test (.*) failed after [0-9.]+ seconds.*/FAILED \1/p' "$1")
        echo "$results" >>"$1"
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

# ---- What failed. ----

# How many failed tests of a suite are named at the end.
most_named=30

# note_failures SUITE LOG: takes the log's lines `FAILED NAME: WHY`, each cut to a length that one reads.
note_failures() {
    local line count=0
    while IFS= read -r line; do
        count=$((count + 1))
        ((count > most_named)) || failed_tests+=("$1: $(cut_short "${line#FAILED }")")
    done < <(grep -a '^FAILED ' "$2")
    ((count <= most_named)) || failed_tests+=("$1: and $((count - most_named)) more, see $2")
}

cut_short() {
    local text=${1//[[:cntrl:]]/ }
    if ((${#text} > 300)); then text="${text:0:300}..."; fi
    echo "$text"
}

# suite_failed WHY: in `suite`, which has no test to name.
suite_failed() {
    echo "FAILED $name: $1"
    failed_tests+=("$name: $1")
}

# The last lines of all: each failed test by name, the suites, the sum.
tell_failures() {
    echo
    if ((${#failed_suites[@]} > 0)); then
        echo "failed:"
        printf '    %s\n' "${failed_tests[@]}"
        echo "failed: ${failed_suites[*]} (scripts/test.sh ${failed_suites[0]} runs one alone; logs are in .build-test/logs)"
    fi
    printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
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
    note_failures "$name" "$log"
    if ((status == 124 || status == 137)); then
        suite_failed "still running after $limit s, see $log"
        failed=$((failed + 1))
    elif ((ended_early)) && [[ -n $(unfinished_tests "$log") ]]; then
        suite_failed "ended with $status in the middle, see $log; begun and not ended:"
        unfinished_tests "$log"
        failed=$((failed + 1))
    elif ((passed + failed == 0)); then
        suite_failed "ran no test (ended with $status), see $log"
        failed=1
    elif ((status != 0 && failed == 0)); then
        suite_failed "ended with $status though no test failed, see $log"
        failed=1
    elif ((ended_early)); then
        suite_failed "left no results, see $log"
        failed=$((failed + 1))
    fi
    printf -- '-- %s: %d passed, %d failed, %d s\n' "$title" "$passed" "$failed" $((SECONDS - began))
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    if ((failed > 0)); then
        failed_suites+=("$name")
        [[ " ${failed_tests[*]}" == *" $name: "* ]] || failed_tests+=("$name: names no test that failed, see $log")
    fi
}
