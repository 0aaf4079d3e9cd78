#!/usr/bin/env bash
# The code of docs/guide.md, taken from its text: every snippet compiles, every program runs and prints what stands there.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_dist

python=${PYTHON:-python3}
folder=$work/guide
mkdir -p "$folder"
check "docs/guide.md has code that tests look at" "$python" Tests/checks/guide_blocks.py docs/guide.md "$folder" || finish
mapfile -t blocks <"$work/check.log"

# What the snippets on main loops use.
for package in glib-2.0 libuv Qt6Core; do
    check "$package is here (scripts/setup.sh hosts)" pkg-config --exists $package || finish
done
read -ra loops < <(pkg-config --cflags glib-2.0 libuv Qt6Core)
strict=(-Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-function)
with=(-fsyntax-only -fPIC -Idist/include "${loops[@]}")
for block in "${blocks[@]}"; do
    case $block in
        *.c) check "$block compiles without warnings" cc -std=gnu11 -O2 "${strict[@]}" "${with[@]}" "$folder/$block" ;;
        *.cpp)
            standard=c++17
            grep -q co_await "$folder/$block" && standard=c++20
            check "$block compiles without warnings" c++ -std=$standard -O2 "${strict[@]}" "${with[@]}" "$folder/$block"
            ;;
    esac
done

# prints NAME COMMAND...: it runs well and prints NAME.expected.
prints() {
    local name=$1
    shift
    check "$name runs" "$@" || return
    cp "$work/check.log" "$name.printed"
    check "$name prints what the guide says" diff "$name.expected" "$name.printed"
}

export PKG_CONFIG_PATH=$root/dist/lib/pkgconfig LD_LIBRARY_PATH=$root/dist/lib
cd "$folder" || exit 1
if check "build.sh builds" bash -e build.sh; then
    prints nearest.c ./nearest
    prints stream.c ./stream
    prints figures.c ./figures
    prints typed.c ./typed
    prints shading.cpp ./shading
    prints await.cpp ./await
    prints pull.py env PYTHONPATH="$root/dist/share/mapengine" "$python" pull.py
    prints lookup.c ./lookup "$folder/zygote"
    check "forks.c serves, and brings no function" ./lookup "$folder/forks" && cp "$work/check.log" forks.printed &&
        check "lookup.c says so" grep -qF 'the zygote offers no function "look up"' forks.printed
    # The path that it is given is the venv's own: a link to another Python's program.
    check "a virtual environment" "$python" -m venv --without-pip "$folder/venv" &&
        printf '%s\n' "$folder/venv" >interpreter.c.expected && prints interpreter.c ./interpreter "$folder/venv/bin/python3"
    check_fails "zygote.c started by hand says what it is" "started by libmapengine" ./zygote
fi

# What the guide's table says of calls in a sandboxed worker, against what they give.
if check "guide_sandbox.c: the calls" cc -std=gnu11 -shared -fPIC -I"$root/dist/include" "$root/Tests/checks/guide_sandbox.c" -o libtries.so &&
    check "guide_sandbox.c: the host" cc -std=gnu11 -DHOST -I"$root/dist/include" "$root/Tests/checks/guide_sandbox.c" -o tries \
        -L"$root/dist/lib" -lmapengine; then
    status=0
    timeout -k 10 200 ./tries ./libtries.so >tries.log 2>&1 </dev/null || status=$?
    if ((status == 77)); then
        ok "the table of the sandbox (skipped: this kernel has none)"
    elif ((status != 0)) || [[ ! -s tries.log ]]; then
        failed "the table of the sandbox" "$(cat tries.log)"
    else
        while read -r name result; do
            # shellcheck disable=SC2016  # the backquotes are the page's
            row=$(grep -E "^\|.*[\`, ]${name}[\`, ].*\|" "$root/docs/guide.md" | grep -m 1 '`E[A-Z]*`')
            # By the first errno of the row: a second one may be told beside it.
            if [[ $row =~ \`(E[A-Z0-9]+)\` && ${BASH_REMATCH[1]} == "$result" ]]; then
                ok "the guide's table of the sandbox: $name"
            else
                failed "the guide's table of the sandbox: $name" "it gives $result, but there stands: ${row:-nothing}"
            fi
        done <tries.log
    fi
fi
check "CMakeLists.txt: configure" cmake -S . -B cmake -DCMAKE_PREFIX_PATH="$root/dist" &&
    check "CMakeLists.txt: build" cmake --build cmake
finish
