#!/usr/bin/env bash
# Runs every suite, one after another, and goes on after one that fails. The last line is `N passed, N failed`: a suite that
# cannot run, runs no test, or ends badly without naming a test counts as one failure. Takes dist/ as it is: `make test`
# brings it up to date first.
#
#     scripts/test.sh [SUITE...]     all of them, or the ones named: header library layers results fork_safety unit abi cpp types faults
#                                    untouched soak hostile fuzz lua python_zygote python python_hosts adapters hosts cluster install tool trace top report quickstart model guide
#                                    site commands
# FAULTS=all runs the whole fault catalogue: every count of workers, inside callbacks, and the long rows.
# shellcheck disable=SC2317  # functions that are called by name or by trap
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# Suites call make themselves; they are no part of the make that calls this script.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX

logs=$PWD/.build-test/logs
mkdir -p "$logs"
wanted=("$@")
# shellcheck source=scripts/suites.sh
source scripts/suites.sh

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

export logs
export -f unit_tests abi_tests fault_tests hostile_tests fuzz_tests untouched soak

suite header "the header alone" 300 count_summary Tests/checks/header.sh
suite library "the library file" 300 count_summary Tests/checks/library.sh
suite layers "layers of the engine" 300 count_summary Tests/checks/layers.sh
suite results "how tests are counted" 300 count_summary Tests/checks/results.sh
suite fork_safety "what runs after a fork" 600 count_summary Tests/checks/fork_safety.sh
suite unit "unit tests (Swift)" 1200 count_swift_testing unit_tests
suite abi "the interface (C)" 900 count_summary abi_tests
suite cpp "the interface (C++)" 600 count_summary Tests/cpp/run.sh
suite types "every type of a typed function" 600 count_summary Tests/checks/types.sh
suite faults "the fault catalogue" "$([[ ${FAULTS:-} == all ]] && echo 7200 || echo 900)" count_summary fault_tests
suite untouched "hosts with habits" 1200 count_summary untouched
suite soak "kills all the time" 600 count_summary soak
suite hostile "workers that attack" 1800 count_summary hostile_tests
suite fuzz "saved and made inputs" 900 count_summary fuzz_tests
suite lua "LuaJIT as host and zygote" 400 count_summary Tests/lua/run.sh
suite python_zygote "Python as host and zygote" 400 count_summary Tests/python_zygote/run.sh
suite python "the Python package" 2400 count_summary Tests/python/run.sh
suite python_hosts "Python in applications" 600 count_summary Tests/python/run.sh --hosts
suite adapters "GLib, libuv and Qt" 600 count_summary Tests/adapters/run.sh
suite hosts "real programs as hosts" 900 count_summary Tests/hosts/run.sh
suite cluster "many machines" 1200 count_summary Tests/cluster/run.sh
suite install "the installed library" 900 count_summary Tests/checks/install.sh
suite tool "the command line" 900 count_summary Tests/tool/run.sh
suite trace "traces in Perfetto" 600 count_summary Tests/trace/run.sh
suite report "the report, in a browser" 600 count_summary Tests/report/run.sh
suite top "who is on what" 300 count_summary Tests/top/run.sh
suite quickstart "README's quickstart" 300 count_summary Tests/checks/quickstart.sh
suite model "models of the protocol" 600 count_summary scripts/model.sh --short
suite guide "the guide's code" 300 count_summary Tests/checks/guide.sh
suite site "the site" 600 count_summary Tests/site/run.sh
suite commands "every command of make" 3600 count_summary Tests/checks/commands.sh

for name in "${wanted[@]}"; do
    if [[ " ${known[*]} " != *" $name "* ]]; then
        suite_failed "there is no such suite"
        failed_suites+=("$name")
        total_failed=$((total_failed + 1))
    fi
done
tell_failures
exit $((total_failed > 0))
