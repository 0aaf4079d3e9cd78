#!/usr/bin/env bash
# Tests are counted as they ended: results.py on what runners write, and run.sh on a program with a test that passes, one that fails,
# and one in which the program ends. And what failed is named in the last lines, which are often all that one sees of a log.
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
    -DWORKERS_LIBRARY='""' -DOWN_ZYGOTE='""' -DSLOW_MODULE='""' -DOWN_REMOTE='""' -o "$work/planted" "$work/planted.c" Tests/abi/support*.c \
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
abi "a test in which the program ends" planted "3 passed, 2 failed" '^FAILED ends: planted ended in it \(status [0-9]+\)$'
unset PLANTED_END

# ---- The fault catalogue: failed rows once more at its end. ----

cat >"$work/rows.c" <<'EOF'
#define _GNU_SOURCE
#include "verdicts.h"
#include <stdio.h>
#include <sys/mman.h>

int main(void) {
    int log = memfd_create("log", 0);
    dprintf(log, "[  ERROR   ] --- 1 != 2\n[   LINE   ] --- /a/b/row.c:7: error: Failure!\n");
    for (int i = 3; i <= 40; i++) dprintf(log, "line %d\n", i);
    failure_noted("case 1 planted", log);
    verdict_noted("death", FAILED), verdict_noted("death", PASSED);
    puts("many rows that end well");
    verdicts_told();
    return verdicts_of(FAILED) == 1 && verdicts_of(PASSED) == 1 ? 0 : 1;
}
EOF
check "rows that fail, planted" cc -std=gnu11 -Wall -Wextra -Werror -ITests/faults -o "$work/rows" "$work/rows.c" Tests/faults/verdicts.c || finish
{
    printf '%-22s    2 rows: 1 passed, 1 failed, 0 skipped\n' death
    echo "FAILED case 1 planted: 1 != 2 (row.c:7: error: Failure!)"
    echo "    (15 lines before)"
    printf '    line %d\n' {16..40}
} >"$work/expected"
# shellcheck disable=SC2016  # for the other shell
check "a failed row is told again with its last 25 lines" bash -c \
    '"$0/rows" >"$0/told" && tail -n 28 "$0/told" | diff - "$0/expected"' "$work"

# ---- All suites: the last lines of a run. ----

cat >"$work/run.sh" <<'EOF'
cd "$1" || exit 1
logs=$2
wanted=()
source scripts/suites.sh
says() { printf '%s\n' "$@"; [[ $* != *FAILED* ]]; }
many() { for ((i = 0; i < 32; i++)); do echo "FAILED test $i: no"; done; echo "0 passed, 32 failed"; return 1; }
unit() { cp "$logs/swift.xml" "$logs/unit.xml"; return 1; }
ends() { echo "✘ Test wrong() failed after 0.1 seconds with 1 issue."; echo "◇ Test left() started."; rm -f "$logs"/unit*.xml; exit 9; }
nothing() { echo "3 passed, 1 failed"; return 1; }
export logs
export -f says many unit ends nothing
suite right "as it should be" 60 count_summary says "ok one" "1 passed, 0 failed"
suite one "one that fails" 60 count_summary says "FAILED two: a text$(printf '%0400d' 0)" "    and more of it" "1 passed, 1 failed"
suite many "many that fail" 60 count_summary many
suite unit "with a file of results" 60 count_swift_testing unit
suite ends "one that ends" 60 count_swift_testing ends
suite nothing "one that names none" 60 count_summary nothing
suite late "one that hangs" 1 count_summary sleep 60
tell_failures
EOF
check "suites that fail, planted" bash "$work/run.sh" "$root" "$work"
sed -n '/^failed:$/,$p' "$work/check.log" >"$work/last"
sed -E "s|$work|LOGS|; s/0{280,}\.\.\.$/.../" "$work/last" >"$work/told"
cat >"$work/expected" <<'EOF'
failed:
    one: two: a text...
    many: test 0: no
    many: test 29: no
    many: and 2 more, see LOGS/many.log
    unit: wrong(): Expectation failed: (a & b) == 1
    ends: wrong()
    ends: ended with 9 in the middle, see LOGS/ends.log; begun and not ended:
    nothing: names no test that failed, see LOGS/nothing.log
    late: still running after 1 s, see LOGS/late.log
failed: one many unit ends nothing late (scripts/test.sh one runs one alone; logs are in .build-test/logs)
7 passed, 38 failed
EOF
# shellcheck disable=SC2016
check "the end of a run names each test that failed, and why" bash -c \
    'sed "/many: test [1-9]: no/d; /many: test 1.: no/d; /many: test 2[0-8]: no/d" "$0/told" | diff - "$0/expected"' "$work"
finish
