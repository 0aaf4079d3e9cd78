#!/usr/bin/env bash
# Runs tests under a sanitizer, under valgrind, or fuzzes. docs/sanitizers.md tells what each of them sees, and what is left out.
#
#     scripts/sanitize.sh address|thread|undefined|valgrind [SUITE...]
#     scripts/sanitize.sh fuzzer [SECONDS [TARGET...]]
#
# SUITE: self (the sanitizer sees a fault that is planted), unit (Swift), abi (C; ABI="test_map ..." names programs), cpp (C++20),
# hostile, fuzz (the saved inputs); without one, all that the kind is used for. The fuzzer runs so many seconds (60) per target, with
# AddressSanitizer; TARGET: replies, lanes, control, helper, api.
# Everything lies in .build-sanitize/KIND. Reports are in its folder reports, and are shown at the end. The last line is
# `N passed, N failed`; a report counts as one failure.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX
# shellcheck source=scripts/version.sh
source scripts/version.sh

kind=${1:-}
shift || true
case $kind in
    address) letter=ASAN suites=(self unit abi cpp hostile fuzz) ;;
    thread) letter=TSAN suites=(self unit abi cpp) ;;
    undefined) letter=UBSAN suites=(self abi cpp hostile fuzz) ;;
    valgrind) letter=VALGRIND suites=(self abi) ;;
    fuzzer)
        letter=ASAN suites=(fuzz)
        time=${1:-60}
        targets=("${@:2}")
        set --
        ;;
    *)
        sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
        exit 64
        ;;
esac
if (($# > 0)); then
    suites=("$@")
fi
scripts/setup.sh build sanitize || exit 1

root=$PWD
here=$root/.build-sanitize/$kind
prefix=$here/prefix
reports=$here/reports
rules=$root/Tests/sanitizers
rm -rf "$reports"
mkdir -p "$prefix"/{lib,libexec,include} "$reports"

toolchain=$(dirname "$(readlink -f "$(command -v swiftc)")")
clang=$toolchain/clang
flag=$kind
[[ $kind != fuzzer ]] || flag=address
compile=(-fsanitize="$flag" -fno-omit-frame-pointer -Wno-unused-command-line-argument -fuse-ld=lld)
if [[ $kind == thread ]]; then
    # The runtime of Swift's toolchain watches libdispatch as well, and wants it there.
    compile+=(-L"$toolchain/../lib/swift/linux" -ldispatch -lBlocksRuntime "-Wl,-rpath,$toolchain/../lib/swift/linux")
fi

if [[ $kind == fuzzer ]]; then
    compile+=(-fsanitize=fuzzer-no-link)
fi

# The library as it is shipped, but for the sanitizer, in a tree like dist/. The program that loads it holds the sanitizer's
# runtime: so the zygote and the tests are built by the toolchain's clang.
build_library() {
    echo "building the library ($kind)"
    MAPENGINE_DIST=1 MAPENGINE_SANITIZER=$kind swift build -c release "${by_swift[@]}" "${of_library[@]}" --scratch-path "$here/build" \
        --manifest-cache none --disable-build-manifest-caching --disable-local-rpath --product mapengine \
        >"$here/build.log" 2>&1 || {
        cat "$here/build.log"
        return 1
    }
    place "$here/build/release/libmapengine.so"
}

# The engine with its fuzz targets, for debugging.
build_engine() {
    echo "building the engine's fuzz targets ($kind)"
    local product
    for product in mapengine-fuzz mapengine; do
        MAPENGINE_SANITIZER=$kind swift build "${by_swift[@]}" --scratch-path "$here/unit" --manifest-cache none \
            --disable-build-manifest-caching --product $product >"$here/engine.log" 2>&1 || {
            cat "$here/engine.log"
            return 1
        }
    done
}

# Makes the tree that tests take for dist/.
place() {
    local library=libmapengine.so.$ABI_VERSION
    cmp -s "$1" "$prefix/lib/$library" || cp "$1" "$prefix/lib/$library"
    ln -sfn "$library" "$prefix/lib/libmapengine.so"
    cp -R include "$prefix/"
    mkdir -p "$prefix/share/mapengine"
    "${PYTHON:-python3}" scripts/abi.py python >"$prefix/share/mapengine/mapengine_abi.py"
    # shellcheck disable=SC2016  # the loader expands $ORIGIN
    "$clang" -std=c11 -O1 -g "${compile[@]}" -Iinclude -o "$prefix/libexec/mapengine-zygote" Sources/mapengine-zygote/main.c \
        "$prefix/lib/$library" -Wl,-rpath,'$ORIGIN/../lib'
}

by_swift=()
if [[ $kind != undefined ]]; then
    by_swift=(--sanitize="$flag")
fi
of_library=()
if [[ $kind == thread ]]; then
    # Else ThreadSanitizer gives each function something to do when an exception or a cancel passes it. The personality that does so is
    # then that of the library's own libgcc, which the unwinder of the host's has not set up: abort().
    of_library=(-Xswiftc -Xllvm -Xswiftc -tsan-handle-cxx-exceptions=0 -Xcc -mllvm -Xcc -tsan-handle-cxx-exceptions=0)
fi

# ---- What each kind is told. The reason for each line is in docs/sanitizers.md. ----

case $kind in
    address | fuzzer)
        export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=1:log_path=$reports/asan
        export LSAN_OPTIONS=suppressions=$rules/leaks.supp:print_suppressions=0:leak_check_at_exit=0
        skipped=(
            'a_memory_limit*' 'crashes_modules_late_functions*' 'workers_leave_no_core_file*'
            'a_stack_that_is_overwritten*' 'a_wrong_argument_to_the_engine*' 'the_replay_of_a_saved_item*'
        )
        ABI_SKIP=$(IFS=:; echo "${skipped[*]}")
        export ABI_SKIP
        ;;
    thread)
        export ABI_SKIP='a_memory_limit*:a_waiting_thread_may_be_cancelled*:threads_are_cancelled*'
        # Its own thread wakes up now and then: nothing is idle.
        ABI=${ABI:-$(sed -n '/^tests :=/,/[^\\]$/p' Tests/abi/Makefile | grep -oE 'test_[a-z_]+' | grep -v test_idle | xargs)}
        export TSAN_OPTIONS=die_after_fork=0:halt_on_error=0:history_size=4:suppressions=$rules/thread.supp:log_path=$reports/tsan
        ;;
    undefined)
        export ABI_SKIP='the_replay_of_a_saved_item*'
        export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan
        ;;
esac

passed=0
failed=0

# add NAME STATUS LOG: counts what a suite's log says.
add() {
    local line right=0 wrong=0
    line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed$' "$3" | tail -n 1)
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        right=${BASH_REMATCH[1]} wrong=${BASH_REMATCH[2]}
    fi
    if ((right + wrong == 0 || ($2 != 0 && wrong == 0))); then
        wrong=$((wrong + 1))
        tail -n 30 "$3"
        echo "FAILED $1: ended with $2, see $3"
    fi
    echo "-- $1: $right passed, $wrong failed"
    passed=$((passed + right))
    failed=$((failed + wrong))
}

# The tests run host and worker in one process, so that a race between them can be seen.
run_unit() {
    local log=$here/unit.log xml=$here/unit status=0 results
    rm -f "$xml"*.xml
    MAPENGINE_SANITIZER=$kind swift test "${by_swift[@]}" --disable-xctest --xunit-output "$xml.xml" --scratch-path "$here/unit" \
        >"$log" 2>&1 || status=$?
    [[ ! -f $xml-swift-testing.xml ]] || xml=$xml-swift-testing
    if results=$("${PYTHON:-python3}" Tests/checks/results.py "$xml.xml"); then
        echo "$results" >>"$log"
        grep '^FAILED' <<<"$results" | head -n 20
    fi
    add unit "$status" "$log"
}

run_make() {
    local folder=$1 log=$here/$1.log status=0
    shift
    make --no-print-directory -C "Tests/$folder" "$@" >"$log" 2>&1 || status=$?
    grep -aE '^\[  FAILED  \]|^FAILED|^HUNG|: ended with|: ran no test' "$log"
    add "$folder" "$status" "$log"
}

sanitized=(PREFIX="$prefix" CC="$clang" CXX="$clang++" EXTRA="${compile[*]}")

if [[ $kind == fuzzer ]]; then
    build_engine && place "$here/unit/debug/libmapengine.so" || exit 1
    exec make --no-print-directory -C Tests/fuzz fuzz "${sanitized[@]}" ENGINE="$here/unit/debug" BUILD="$here/fuzz" FUZZER=1 \
        TIME="$time" ${targets:+"targets=${targets[*]}"}
fi

if [[ $kind == valgrind ]]; then
    # Debian 12's valgrind knows no pidfd.
    cc -shared -fPIC -O1 -Wall -Wextra -o "$here/pidfd.so" "$rules/pidfd.c" || exit 1
    export ABI_UNDER="env LD_PRELOAD=$here/pidfd.so valgrind --quiet --child-silent-after-fork=yes --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --suppressions=$rules/valgrind.supp --log-file=$reports/valgrind.%p --fair-sched=yes"
    export ABI_LIMIT=1200 ABI_SKIP='*(fork]'
    # Without the debug information, which Debian 12's valgrind cannot read.
    rm -rf "$prefix"
    cp -r dist "$prefix"
    rm -rf "$prefix/lib/.debug"
fi

# A sanitizer that sees nothing looks like code without a fault: it has to report one that is planted.
run_self() {
    local log=$here/self.log fault=$kind program=$here/planted under=()
    [[ $kind != valgrind ]] || fault=address
    if [[ $kind == valgrind ]]; then
        cc -std=gnu11 -O1 -g -Wall -Wextra -o "$program" "$rules/planted.c" -lpthread
        read -ra under <<<"$ABI_UNDER"
    else
        "$clang" -std=gnu11 -O1 -g -Wall -Wextra "${compile[@]}" -o "$program" "$rules/planted.c" -lpthread
    fi >"$log" 2>&1 || {
        add self 1 "$log"
        return
    }
    "${under[@]}" "$program" "$fault" >>"$log" 2>&1
    # The report names the line of the fault; it is none of the library's.
    if grep -qsE 'planted\.c:[0-9]+' "$reports"/*; then
        echo "1 passed, 0 failed" >>"$log"
    else
        echo "FAILED self: $kind did not see the planted fault" | tee -a "$log"
    fi
    rm -f "$reports"/*
    add self 0 "$log"
}

# mapengine.hpp in a host, and in the library that its workers load. Both programs are C; the sanitizer's runtime in them looks for the functions
# that throw when they start, and not again.
run_cpp() {
    local log=$here/cpp.log folder=$here/cpp status=0
    mkdir -p "$folder"
    { "$clang" "${compile[@]}" -O1 -Wall -Werror Tests/cpp/host.c -o "$folder/host" -ldl &&
        make --no-print-directory -s -C Tests/cpp PREFIX="$prefix" BUILD="$folder" CLANG="$clang++" VARIANTS=clang-20 EXTRA="${compile[*]}" &&
        timeout -k 10 900 env LD_PRELOAD=libstdc++.so.6 "$folder/host" "$folder/libclang-20.so"; } >"$log" 2>&1 </dev/null || status=$?
    grep -aE '^FAILED' "$log"
    add cpp "$status" "$log"
}

run_valgrind() {
    run_make abi run PREFIX="$prefix" BUILD="$here/abi" TEST="${ABI:-test_basics test_map test_results test_stream}"
    # What it has to say of system calls that it does not know is no finding.
    sed -i '/^--[0-9]*--/d' "$reports"/*
}

for suite in "${suites[@]}"; do
    echo "== $suite, $kind =="
    if [[ $kind == valgrind && $suite == abi ]]; then
        run_valgrind
        continue
    fi
    case $suite in
        self) run_self ;;
        unit) run_unit ;;
        abi | cpp | hostile | fuzz)
            if [[ ! -x $prefix/libexec/mapengine-zygote || ${built:-} != 1 ]]; then
                build_library || exit 1
                built=1
            fi
            if [[ $suite == cpp ]]; then
                run_cpp
                continue
            fi
            settings=("${sanitized[@]}" BUILD="$here/$suite")
            if [[ $suite == fuzz ]]; then
                build_engine || exit 1
                settings+=(ENGINE="$here/unit/debug")
            fi
            if [[ $suite == abi && -n ${ABI:-} ]]; then
                settings+=(TEST="$ABI")
            fi
            run_make "$suite" run "${settings[@]}"
            ;;
        *)
            echo "there is no suite $suite"
            exit 64
            ;;
    esac
done

count=$(find "$reports" -type f -size +0 | wc -l)
if ((count > 0)); then
    echo "$letter: $count reports in $reports; the first:"
    head -n 60 "$(find "$reports" -type f -size +0 | sort | head -n 1)"
    failed=$((failed + count))
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
exit $((failed > 0))
