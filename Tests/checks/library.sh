#!/usr/bin/env bash
# What dist/lib/libmapengine.so needs, exports, is called and weighs.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/version.sh
source scripts/version.sh
need_dist

library=dist/lib/libmapengine.so
largest=7000000

# same NAME EXPECTED ACTUAL
same() {
    if [[ $2 == "$3" ]]; then
        ok "$1"
    else
        failed "$1" "expected on the left, found on the right:"$'\n'"$(diff --side-by-side --suppress-common-lines --width=100 \
            <(echo "$2") <(echo "$3"))"
    fi
}

dynamic=$(readelf -dW $library)
case $(uname -m) in
    x86_64) loader=ld-linux-x86-64.so.2 ;;
    aarch64) loader=ld-linux-aarch64.so.1 ;;
    *) loader=ld-linux.so.unknown ;;
esac
same "needs the C library's own files only" \
    "$(printf '%s\n' $loader libc.so.6 libdl.so.2 libm.so.6 libpthread.so.0)" \
    "$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | sort)"
same "is called libmapengine.so.$ABI_VERSION" "libmapengine.so.$ABI_VERSION" "$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' <<<"$dynamic")"
same "has no run path" "" "$(grep -E 'RPATH|RUNPATH' <<<"$dynamic")"

declared=$("${PYTHON:-python3}" scripts/abi.py functions)
if [[ -z $declared ]]; then
    failed "exports exactly the functions of the headers" "found no function in include/"
else
    same "exports exactly the $(wc -l <<<"$declared") functions of the headers" "$declared" \
        "$(nm -D --defined-only $library | awk '{ print $3 }' | sort)"
    same "exports functions only" "" "$(nm -D --defined-only $library | awk '$2 != "T" { print $2, $3 }')"
fi

size=$(stat -Lc %s $library)
if ((size <= largest)); then
    ok "weighs $size bytes, at most $largest"
else
    failed "weighs at most $largest bytes" "it weighs $size; 'nm --size-sort -S .build-dist/release/libmapengine.so' shows what is large"
fi
if readelf -SW $library | grep -q ' \.symtab '; then
    failed "is stripped" "it has a symbol table"
else
    ok "is stripped"
fi
same "links lead to the library" "libmapengine.so.$VERSION" "$(basename "$(readlink -f $library)")"
same "its debug file is the one of this build" "$(readelf -n $library | sed -n 's/.*Build ID: //p')" \
    "$(readelf -n "dist/lib/.debug/libmapengine.so.$VERSION.debug" | sed -n 's/.*Build ID: //p')"

# It loads where glibc is as old as 2.28 (docs/architecture.md, "An old C library").
older=.build-static/glibc
if [[ -f $older/libc.so ]]; then
    versions=("${PYTHON:-python3}" Tests/checks/glibc_versions.py)
    for file in $library dist/libexec/mapengine-zygote dist/bin/mapengine; do
        [[ ! -f $file ]] || check "$(basename "$file") needs nothing newer than glibc 2.28" "${versions[@]}" "$file"
    done
    linked=("-L$older" "-Wl,-rpath-link,$older")
    check "a program with all kinds of it is linked as they are" cc -o "$work/start" Tests/checks/glibc_start.c "${linked[@]}"
    check "and needs nothing newer" "${versions[@]}" "$work/start"
    same "its constructors and destructors run once" $'exit\ndestructed' "$("$work/start" one)"
    # The check bites: the same program, linked with this machine's C library.
    check "a program is linked with this machine's C library" cc -o "$work/newer" Tests/checks/glibc_start.c
    if ldd --version | awk 'NR == 1 { exit $NF >= 2.34 ? 0 : 1 }'; then
        check_fails "that it needs a newer one is noticed" 'newer: needs GLIBC_2\.[0-9]+ \(.*__libc_start_main' "${versions[@]}" "$work/newer"
    fi
    printf 'int main(void) { return 0; }\n' >"$work/none.c"
    check "a program without a C library" cc -static -o "$work/none" "$work/none.c"
    check_fails "a file that is not read is noticed" "asks for no version" "${versions[@]}" "$work/none"

    # What a newer glibc has, and the runtimes that are linked in want.
    check "the fallbacks are compiled for a test" cc -std=gnu11 -D_GNU_SOURCE -D'FALLBACK(name)=old_##name' -O2 -g -c -o "$work/fallbacks.o" \
        Sources/glibc/fallbacks.c
    check "the test is linked with them and an unwinder that calls them" c++ -std=c++17 -O1 -g -static-libgcc -static-libstdc++ -o "$work/fallbacks" \
        Tests/checks/glibc_fallbacks.cpp "$work/fallbacks.o" -Wl,--defsym=_dl_find_object=old___wrap__dl_find_object
    check "each fallback does what the newer glibc does" "$work/fallbacks"
fi

# Loading it must not make the host's stacks executable, or its code writable.
same "does not ask for an executable stack" "RW" "$(readelf -lW $library | awk '$1 == "GNU_STACK" { print $7 }')"
if grep -q TEXTREL <<<"$dynamic"; then
    failed "has no relocations in its code" "readelf -d shows TEXTREL"
else
    ok "has no relocations in its code"
fi

# The helper finds the library beside itself, and names what it is when started by hand.
zygote=dist/libexec/mapengine-zygote
same "the zygote looks for the library beside itself" "\$ORIGIN/../lib" \
    "$(readelf -dW $zygote | sed -n 's/.*(RUNPATH).*\[\(.*\)\]/\1/p')"
timeout -k 5 30 $zygote >"$work/zygote.out" 2>"$work/zygote.err" </dev/null
same "the zygote started by hand ends with 64" 64 $?
if [[ -s $work/zygote.err ]]; then
    ok "the zygote started by hand says what it is"
else
    failed "the zygote started by hand says what it is" "it wrote nothing to standard error"
fi
finish
