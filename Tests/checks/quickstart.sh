#!/usr/bin/env bash
# The first screen and the quickstart of README.md, taken from its text: the C compiles with the commands that stand there against what
# `make install` puts down, all prints what stands there, and is short. The Python blocks are run by bindings/python/tests/test_pages.py.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_dist

prefix=$work/prefix
check "make install" make --no-print-directory install PREFIX="$prefix" || finish
# The reader's machine: the library is where pkg-config, the shell and the loader look.
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib PATH=$prefix/bin:$PATH

# shows PART MOST_LINES OPTION...: a part of README has code that is short, builds, and prints what stands there.
shows() {
    local part=$1 most_lines=$2 folder name lines source vague
    shift 2
    folder=$work/${part##* }
    mkdir -p "$folder"
    check "README.md has a $part" "${PYTHON:-python3}" "$root/Tests/checks/readme_blocks.py" "$@" "$root/README.md" "$folder" || return
    while read -r name lines; do
        if ((lines <= most_lines)); then
            ok "$name has $lines lines, at most $most_lines"
        else
            failed "$name has at most $most_lines lines" "it has $lines"
        fi
    done <"$work/check.log"
    # `dist` is a name for it.
    ln -s "$prefix" "$folder/dist"
    cd "$folder" || exit 1
    check "the $part builds and runs" bash commands.sh || return
    # What differs from run to run, and from compiler to compiler.
    vague=(-e 's/[[:space:]]*$//' -e 's/worker [0-9]* (process [0-9]*)/worker 0 (process 1)/' -e 's/+0x[0-9a-f]*/+0x1/')
    sed "${vague[@]}" "$work/check.log" >printed.txt
    sed -i "${vague[@]}" expected.txt
    check "the $part prints what README.md says" diff expected.txt printed.txt
    # With the warnings that a careful reader has turned on.
    for source in *.c; do
        check "$source compiles without warnings" cc -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$prefix/include" "$source"
    done
}

shows "first screen" 26 --first
shows quickstart 60
finish
