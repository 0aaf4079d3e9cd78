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
same "needs libc, libm and the loader only" \
    "$(printf '%s\n' $loader libc.so.6 libm.so.6)" \
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
