#!/bin/sh
# test_header.sh PREFIX - the header stands alone in C99 and C++11, and the library exports what it declares, nothing else.
# SPDX-License-Identifier: Apache-2.0
set -u
prefix=$1
header=$prefix/include/mapengine.h
library=$prefix/lib/libmapengine.so
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME COMMAND...: one test, its output shown when it fails.
check() {
    name=$1
    shift
    printf '[ RUN      ] %s\n' "$name"
    if "$@" >"$work/output" 2>&1; then
        printf '[       OK ] %s\n' "$name"
    else
        cat "$work/output"
        printf '[  FAILED  ] %s\n' "$name"
        failed=1
    fi
}

printf '#include <mapengine.h>\nint main(void) { return MAPE_VERSION == 0; }\n' >"$work/alone.c"
cp "$work/alone.c" "$work/alone.cpp"
strict="-Wall -Wextra -pedantic -Werror -fsyntax-only -I$prefix/include"
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    check "header_alone_is_c99_for_$compiler" $compiler -std=c99 $strict "$work/alone.c"
    check "header_alone_is_c11_for_$compiler" $compiler -std=c11 $strict "$work/alone.c"
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    check "header_alone_is_cpp11_for_$compiler" $compiler -std=c++11 $strict "$work/alone.cpp"
    check "header_alone_is_cpp20_for_$compiler" $compiler -std=c++20 $strict "$work/alone.cpp"
done

same_symbols() {
    cc -E -P "-I$prefix/include" "$work/alone.c" | tr '\n' ' ' | grep -o '\bmape_[a-z_]* *([^)]' | grep -o '^mape_[a-z_]*' |
        sort -u >"$work/declared"
    nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u >"$work/exported"
    [ -s "$work/declared" ] && diff "$work/declared" "$work/exported"
}
check exported_symbols_equal_the_declared_functions same_symbols

needs_little() {
    readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >"$work/needed"
    cat "$work/needed"
    ! grep -v -e '^libc\.so\.6$' -e '^libm\.so\.6$' -e '^ld-linux' "$work/needed"
}
check library_needs_libc_libm_and_the_loader_alone needs_little

soname_is_the_headers() {
    number=$(sed -n 's/^#define MAPE_ABI_VERSION \([0-9]*\).*/\1/p' "$header")
    readelf -d "$library" | grep "SONAME.*\[libmapengine.so.$number\]"
}
check soname_is_the_headers_number soname_is_the_headers
exit $failed
