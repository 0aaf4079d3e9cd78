#!/usr/bin/env python3
"""Holds the names that prototypes can have for numbers against the headers of C.

    names.py FOLDER        writes names.c into it

Takes every name that <stdint.h>, <stddef.h> and <sys/types.h> declare (as the compiler sees them), and writes a program that asks
the compiler what it is, and the library whether a prototype may have it and what it takes it for. Both have to be of one mind;
a name that is no number has to be refused. CC names the compiler.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HEADERS = ["stdint.h", "stddef.h", "sys/types.h"]
# Further ones, of other headers.
OTHERS = ["wchar_t", "wint_t", "char16_t", "char32_t", "sig_atomic_t", "time_t", "clock_t"]
# Integers here, but handles of this process or sets of its descriptors: they mean nothing in another one.
HANDLES = {"pthread_t", "pthread_key_t", "pthread_once_t", "pthread_spinlock_t", "fd_mask"}
# What there has to be at least, whatever else the headers have: C11 7.20, POSIX.1-2017 <sys/types.h>.
LEAST = """int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t int_least8_t int_least16_t int_least32_t int_least64_t
uint_least8_t uint_least16_t uint_least32_t uint_least64_t int_fast8_t int_fast16_t int_fast32_t int_fast64_t uint_fast8_t
uint_fast16_t uint_fast32_t uint_fast64_t intptr_t uintptr_t intmax_t uintmax_t size_t ptrdiff_t wchar_t ssize_t off_t pid_t uid_t
gid_t id_t mode_t dev_t ino_t nlink_t blksize_t blkcnt_t fsblkcnt_t fsfilcnt_t key_t clock_t clockid_t time_t suseconds_t""".split()

PROGRAM = r"""
#include <mapengine.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <uchar.h>
#include <wchar.h>

#define KIND(T) _Generic(*(T *)0, _Bool: MAPE_TYPE_BOOL, \
    char: (char)-1 < 0 ? MAPE_TYPE_INT8 : MAPE_TYPE_UINT8, signed char: MAPE_TYPE_INT8, unsigned char: MAPE_TYPE_UINT8, \
    short: MAPE_TYPE_INT16, unsigned short: MAPE_TYPE_UINT16, int: MAPE_TYPE_INT32, unsigned: MAPE_TYPE_UINT32, \
    long: MAPE_TYPE_INT64, unsigned long: MAPE_TYPE_UINT64, long long: MAPE_TYPE_INT64, unsigned long long: MAPE_TYPE_UINT64, \
    float: MAPE_TYPE_FLOAT, double: MAPE_TYPE_DOUBLE, long double: MAPE_TYPE_LONG_DOUBLE, default: 0)
#define NAME(T, is_handle) {#T, (is_handle) ? 0 : KIND(T), sizeof(T)}

static const struct { const char *name; unsigned kind; size_t size; } names[] = {
@NAMES@
};

static int passed, failed;
static void check(int right, const char *name, const char *what) {
    if (right) passed++;
    else failed++, printf("FAILED the name %s: %s\n", name, what);
}

int main(void) {
    mape_pool *pool = NULL;
    if (mape_pool_create(&pool, NULL) != MAPE_OK) return 2;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[4][200], message[500];
        snprintf(text[0], sizeof text[0], "void f(%s x)", names[i].name);
        snprintf(text[1], sizeof text[1], "%s f(void)", names[i].name);
        snprintf(text[2], sizeof text[2], "void f(const %s *x [3])", names[i].name);
        snprintf(text[3], sizeof text[3], "void f({%s a, b;} x)", names[i].name);
        for (int k = 0; k < 4; k++) {
            mape_function function = MAPE_FUNCTION_INIT;
            mape_function_id id = 0;
            mape_parameter_info info = MAPE_PARAMETER_INFO_INIT;
            function.prototype = text[k];
            function.library = "libc.so.6";
            int status = mape_function_register(&id, pool, &function);
            mape_message(message, sizeof message, pool);
            if (names[i].kind == 0) {
                check(status == MAPE_E_ARGUMENT, text[k], "it is no number, and was not refused");
                continue;
            }
            check(status == MAPE_OK, text[k], message);
            if (status != MAPE_OK) continue;
            mape_function_parameter(&info, pool, id, k == 1 ? MAPE_PARAMETER_RETURN : 0);
            if (k == 3) check(info.type == MAPE_TYPE_STRUCT && info.element_size == 2 * names[i].size, text[k], "its size");
            else check(info.type == names[i].kind && info.element_size == names[i].size, text[k], "another type than the compiler's");
        }
        if (names[i].kind == 0) continue;
        /* Who declares it as the header does may do so; who declares it otherwise has the wrong type in mind. */
        static const char *const c_types[] = {"", "_Bool", "signed char", "unsigned char", "short", "unsigned short", "int",
                                              "unsigned", "long", "unsigned long"};
        for (unsigned kind = 2; kind < 10; kind++) {
            mape_function function = MAPE_FUNCTION_INIT;
            mape_function_id id = 0;
            snprintf(text[0], sizeof text[0], "typedef %s %s; void f(%s x)", c_types[kind], names[i].name, names[i].name);
            function.prototype = text[0];
            function.library = "libc.so.6";
            int status = mape_function_register(&id, pool, &function);
            check(status == (kind == names[i].kind ? MAPE_OK : MAPE_E_ARGUMENT), text[0], "declared again");
        }
    }
    mape_pool_release(pool);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
"""


def declared():
    """The names of all typedefs of the headers, without those of the C library's own use."""
    text = subprocess.run([os.environ.get("CC", "cc"), "-E", "-P", "-x", "c", "-"], input="".join(f"#include <{h}>\n" for h in HEADERS),
                          capture_output=True, text=True, check=True).stdout
    # Members of structures are of no interest: from the inside out they become nothing.
    while True:
        shorter = re.sub(r"\{[^{}]*\}", "", text)
        if shorter == text:
            break
        text = shorter
    text = re.sub(r"__attribute__\s*\(\([^()]*(\([^()]*\))?[^()]*\)\)", "", text)
    names = re.findall(r"\btypedef\b[^;]*?(\w+)\s*(?:\[[^]]*\])?\s*;", text)
    return sorted({name for name in names if not name.startswith("__")})


def main():
    names = declared()
    missing = [name for name in LEAST if name not in names and name not in OTHERS]
    if missing or len(names) < 51:
        sys.exit(f"names.py: the headers were not understood: {len(names)} names, without {missing}")
    names = sorted(set(names) | set(OTHERS))
    rows = "\n".join(f"    NAME({name}, {int(name in HANDLES)})," for name in names)
    (Path(sys.argv[1]) / "names.c").write_text(PROGRAM.replace("@NAMES@", rows), encoding="utf-8")


if __name__ == "__main__":
    main()
