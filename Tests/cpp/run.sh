#!/usr/bin/env bash
# mapengine.hpp, in each standard and with each compiler that plug-ins use: the tests of this folder, built as plug-ins are, against dist/.
#
#     Tests/cpp/run.sh [VARIANT...]      a variant is one of the Makefile's, all by default; FILTER=word: the tests whose names have it;
#                                        EXTRA=-fsanitize=address: more flags for compiler and linker
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist

clang=$(find_clang)
variants=("$@")
(($# > 0)) || variants=(gcc-17 gcc-20 clang-17 clang-20 gcc-17-without-exceptions clang-20-without-exceptions)
read -ra extra <<<"${EXTRA:-}"

# Each header can be included alone: the whole, and what a library of worker functions needs.
mkdir "$work/alone"
for header in mapengine.hpp $(cd dist/include && printf '%s\n' mapengine/cpp/*.hpp); do
    echo "#include <$header>" >"$work/alone/${header//\//-}.cpp"
done
check "each header alone, C++17" g++ -std=c++17 -Wall -Wextra -Wshadow -pedantic -Werror -Idist/include -fsyntax-only "$work"/alone/*.cpp

check "the host" cc "${extra[@]}" -O1 -Wall -Werror Tests/cpp/host.c -o "$work/host" -ldl || finish
check "all variants build" make --no-print-directory -s -k -j "$(nproc)" -C Tests/cpp PREFIX="$root/dist" BUILD="$work" CLANG="$clang++" \
    VARIANTS="${variants[*]}" EXTRA="${extra[*]}"

for variant in "${variants[@]}"; do
    [[ -e $work/lib$variant.so ]] || continue
    timeout -k 10 250 "$work/host" "$work/lib$variant.so" ${FILTER:+"$FILTER"} >"$work/log" 2>&1 </dev/null
    if [[ $(tail -n 1 "$work/log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        sed -nE "s/^(ok|FAILED) (.*)/\1 $variant: \2/p" "$work/log"
    else
        failed "$variant runs to its end" "$(tail -n 20 "$work/log")"
    fi
done
finish
