#!/usr/bin/env bash
# What the checks in this folder share. Each is a script that sources this file, prints a line `ok NAME` or
# `FAILED NAME: why` per check, and ends with `finish`, whose line `N passed, N failed` scripts/test.sh reads.
# They run in the project's folder, take what they need from dist/, and write only to $work.

set -uo pipefail
# Messages of compilers and tools in one language; builds that do not depend on the caller's settings.
export LC_ALL=C.UTF-8
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX LD_LIBRARY_PATH PKG_CONFIG_PATH CMAKE_PREFIX_PATH

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/mapengine-check.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

passed=0
failed=0

ok() {
    passed=$((passed + 1))
    printf 'ok %s\n' "$1"
}

# failed NAME WHY: further lines of WHY are indented.
failed() {
    failed=$((failed + 1))
    printf 'FAILED %s: %s\n' "$1" "${2//$'\n'/$'\n'    }"
}

# How many seconds a command of check or check_fails may take.
limit=300

# check NAME COMMAND...: ok when the command succeeds within its time; else its output is the reason. A shell function would escape
# the time limit, so commands are programs.
check() {
    local name=$1 status=0
    shift
    # The outer braces keep bash's own notes of crashes out of the output.
    { timeout -k 10 "$limit" "$@" >"$work/check.log" 2>&1 </dev/null || status=$?; } 2>/dev/null
    if ((status == 0)); then
        ok "$name"
        return 0
    fi
    failed "$name" "$(why $status "$1")"
    return 1
}

# check_fails NAME PATTERN COMMAND...: ok when the command fails and its output matches the extended regular expression.
check_fails() {
    local name=$1 pattern=$2 status=0
    shift 2
    { timeout -k 10 "$limit" "$@" >"$work/check.log" 2>&1 </dev/null || status=$?; } 2>/dev/null
    if ((status == 0)); then
        failed "$name" "$1 succeeded, though it should not"
    elif ! grep -qE "$pattern" "$work/check.log"; then
        failed "$name" "$1 failed, but its output does not say '$pattern'"$'\n'"$(tail -n 20 "$work/check.log")"
    else
        ok "$name"
        return 0
    fi
    return 1
}

why() {
    if (($1 == 124 || $1 == 137)); then
        echo "$2 was still running after $limit s"
    elif (($1 > 128 && $1 < 160)); then
        echo "$2 ended with $1 (SIG$(kill -l $(($1 - 128))))"
    else
        echo "$2 ended with $1"
    fi
    tail -n 20 "$work/check.log"
}

# The clang of the Swift toolchain: on PATH, or beside swift.
find_clang() {
    command -v clang && return
    local beside
    beside=$(dirname "$(readlink -f "$(command -v swift)")")/clang
    [[ -x $beside ]] && echo "$beside"
}

need_dist() {
    if [[ ! -e dist/lib/libmapengine.so ]]; then
        failed "dist" "dist/lib/libmapengine.so is missing; run 'make dist' first"
        finish
    fi
}

# copy_checkout FOLDER: what git would keep of what lies here, so that a change is tested before it is committed.
copy_checkout() {
    mkdir -p "$1"
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        # No checkout, but an archive of one: what .gitignore lists is left out.
        find . \( -name '.?*' -o -name dist -o -name out -o -name __pycache__ -o -path './host-examples/*/build' -o -name Package.resolved \) \
            ! -name .ci ! -name '.*-format' ! -name '.git?*' ! -name .editorconfig -prune -o -type f -print0
    fi | while IFS= read -r -d '' file; do
        [[ ! -e $file ]] || printf '%s\0' "$file"
    done | tar --create --null --no-recursion --files-from=- | tar --extract --directory="$1"
}

finish() {
    if ((passed + failed == 0)); then
        failed "self" "there was nothing to check"
    fi
    printf '%d passed, %d failed\n' "$passed" "$failed"
    exit $((failed > 0))
}

# counted NAME SECONDS COMMAND...: runs tests that end with the line `N passed, N failed`; shows what they print before it, and adds it up.
counted() {
    local name=$1 limit=$2 summary
    shift 2
    timeout -k 10 "$limit" env PYTHONDONTWRITEBYTECODE=1 "$@" >"$work/log" 2>&1 </dev/null
    summary=$(tail -n 1 "$work/log")
    if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        sed '$d' "$work/log"
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed "$name runs to its end" "$(tail -n 20 "$work/log")"
    fi
}
