#!/usr/bin/env bash
# Tests are counted as they ended: results.py on what runners write, and run.sh on a program with a test that passes, one that fails,
# and one in which the program ends.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_dist

python=${PYTHON:-python3}
count=("$python" Tests/checks/results.py)

# counts NAME EXPECTED FILE...: the last line is as expected.
counts() {
    local name=$1 expected=$2
    shift 2
    if check "$name" "${count[@]}" "$@"; then
        [[ $(tail -n 1 "$work/check.log") == "$expected" ]] || failed "$name: $expected" "$(cat "$work/check.log")"
    fi
}

cat >"$work/swift.xml" <<'EOF'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="TestResults" errors="0" tests="4" failures="1" skipped="1" time="1">
<testcase classname="A" name="right()" time="1" />
<testcase classname="A" name="alsoRight()" time="1" />
<testcase classname="A" name="left()" time="1"><skipped /></testcase>
<testcase classname="A" name="wrong()" time="1"><failure message="Expectation failed: (a &amp; b) == 1" /></testcase>
</testsuite></testsuites>
EOF
counts "xUnit: passed, failed, skipped" "2 passed, 1 failed" "$work/swift.xml"
cp "$work/check.log" "$work/counted"
check "a failed test is named with its reason" grep -qxF 'FAILED wrong(): Expectation failed: (a & b) == 1' "$work/counted"
printf '<testsuites><testsuite name="g"><testcase name="t [exec]" time="0"><failure><![CDATA[1 != \a2]]></failure></testcase></testsuite></testsuites>' \
    >"$work/cmocka.xml"
counts "cmocka: a failure whose text no XML may hold" "0 passed, 1 failed" "$work/cmocka.xml"
counts "several files are summed up" "2 passed, 2 failed" "$work/swift.xml" "$work/cmocka.xml"
head -c 300 "$work/swift.xml" >"$work/half.xml"
check_fails "half a file is no result" "results:" "${count[@]}" "$work/half.xml"
check_fails "no file is no result" "results:" "${count[@]}" "$work/no.xml"

# ---- C programs, as the suite abi runs them. ----

cat >"$work/planted.c" <<'EOF'
#include "support.h"
#include <signal.h>

static void passes(uint32_t birth) { (void)birth; }
static void fails(uint32_t birth) { (void)birth; fail_msg("as planned <&>"); }
static void ends(uint32_t birth) { (void)birth; raise(SIGKILL); }

int main(void) {
    const struct abi_test tests[] = {ONCE(passes), ONCE(fails), BOTH(passes), ONCE(ends)};
    return run_abi_tests("planted", tests, getenv("PLANTED_END") ? 4 : 3);
}
EOF
check "a program of the suite abi, planted" cc -std=gnu11 -O1 -ITests/abi -Idist/include -DPREFIX="\"$root/dist\"" \
    -DWORKERS_LIBRARY='""' -DOWN_ZYGOTE='""' -DSLOW_MODULE='""' -o "$work/planted" "$work/planted.c" Tests/abi/support*.c \
    -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib" -lcmocka -lpthread -lm || finish

# abi NAME PROGRAM EXPECTED PATTERN: run.sh counts so, and says so.
abi() {
    check_fails "$1" "$4" Tests/abi/run.sh "$root/dist" "$work" "$2" || return
    if [[ $(tail -n 1 "$work/check.log") == "$3" ]]; then
        ok "$1: $3"
    else
        failed "$1: $3" "it says $(tail -n 1 "$work/check.log")"
    fi
}
abi "a test that fails" planted "3 passed, 1 failed" '^FAILED fails: .*planted.c:5: error: Failure!'
export PLANTED_END=1
abi "a test in which the program ends" planted "3 passed, 2 failed" '^planted: ended in ends$'
finish
