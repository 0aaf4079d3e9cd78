#!/usr/bin/env bash
# The quickstart of README.md, taken from its text: the C compiles with the commands that stand there against what
# `make install` puts down, prints what stands there, and is short.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_dist

most_lines=60
folder=$work/quickstart
prefix=$work/prefix
mkdir -p "$folder"

check "README.md has a quickstart" "${PYTHON:-python3}" Tests/checks/readme_blocks.py README.md "$folder" || finish
while read -r name lines; do
    if ((lines <= most_lines)); then
        ok "$name has $lines lines, at most $most_lines"
    else
        failed "$name has at most $most_lines lines" "it has $lines"
    fi
done <"$work/check.log"

check "make install" make --no-print-directory install PREFIX="$prefix" || finish
# The reader's machine: the library is where pkg-config and the loader look, and `dist` is a name for it.
ln -s "$prefix" "$folder/dist"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
cd "$folder" || exit 1
if check "the quickstart builds and runs" bash commands.sh; then
    # What differs from run to run, and from compiler to compiler.
    vague=(-e 's/[[:space:]]*$//' -e 's/worker [0-9]* (process [0-9]*)/worker 0 (process 1)/' -e 's/+0x[0-9a-f]*/+0x1/')
    sed "${vague[@]}" "$work/check.log" >printed.txt
    sed -i "${vague[@]}" expected.txt
    check "the quickstart prints what README.md says" diff expected.txt printed.txt
    # With the warnings that a careful reader has turned on.
    for source in *.c; do
        check "$source compiles without warnings" cc -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$prefix/include" "$source"
    done
fi
finish
