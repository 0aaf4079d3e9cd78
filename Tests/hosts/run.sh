#!/usr/bin/env bash
# The library in real programs: the examples of host-examples/, and what a map costs each host (measure.py). Each program says its version.
#
#     Tests/hosts/run.sh [--large] [--table] [HOST...]      all hosts, or those named: luajit neovim qt glib asyncio weechat r perl ruby blender
#
# --large: Blender as well, which is too large for `make test` (`make test-hosts` installs it). --table: the figures once more, as docs/hosts.md has
# them.
# shellcheck disable=SC2016,SC2317  # `check` runs programs, among them bash with a text
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
# Some build, and start programs of which each has its own start-up.
limit=120

large=0
table=()
hosts=()
while (($# > 0)); do
    case $1 in
        --large) large=1 ;;
        --table) table=(--table) ;;
        *) hosts+=("$1") ;;
    esac
    shift
done
wanted() { ((${#hosts[@]} == 0)) || [[ " ${hosts[*]} " == *" $1 "* ]]; }
# needs HOST PROGRAM: whether it is asked for, and there.
needs() {
    wanted "$1" || return
    command -v "$2" >/dev/null && return
    failed "$1" "there is no $2; run 'scripts/setup.sh hosts'"
    return 1
}

export MAPE_PREFIX=$root/dist PKG_CONFIG_PATH=$root/dist/lib/pkgconfig
here=$root/Tests/hosts
examples=$root/host-examples
build=$root/.build-test/hosts
mkdir -p "$build"
check "the measured workers are built" cc -O2 -std=gnu11 -Wall -Wextra -Werror -Idist/include -shared -fPIC -o "$build/work.so" "$here/work.c" \
    -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib" || finish

# measured NAME=COMMAND: to be measured at the end, all in a row.
measured=()
# makes HOST FILE: what the example's Makefile builds.
makes() { check "$1: make builds the example" make -C "$examples/$1" BUILD="$build/$1" "$build/$1/$2"; }
# says NAME TEXT: what the last check printed has it.
says() {
    if grep -qE -- "$2" "$work/check.log"; then ok "$1"; else failed "$1" "there is no '$2' in"$'\n'"$(tail -n 20 "$work/check.log")"; fi
}
# The CRC-32 of files, as Python has them, in the form that the examples print.
sums() { python3 -c 'import sys, zlib; [print("%08x  %s" % (zlib.crc32(open(one, "rb").read()), one)) for one in sys.argv[1:]]' "$@"; }
# checksums HOST COMMAND...: the example says what zlib says.
checksums() {
    local files=(README.md LICENSE "$work/empty")
    : >"$work/empty"
    check "$1: the example runs" "${@:2}" "${files[@]}" || return
    if diff <(sums "${files[@]}") "$work/check.log" >"$work/diff"; then
        ok "$1: its checksums are zlib's"
    else
        failed "$1: its checksums are zlib's" "$(cat "$work/diff")"
    fi
}

# ---- Python: the package, and what GLib and Qt need of it. ----

# One environment for this suite and for python_hosts, which needs more in it.
find_qt() {
    local place
    for place in "$root/.build-test/python/hosts" "$build/python"; do
        if "$place/bin/python" -c 'import PySide6.QtWidgets' 2>/dev/null; then
            echo "$place/bin/python"
            return 0
        fi
    done
    return 1
}
if wanted qt || wanted glib || wanted asyncio || wanted blender; then
    check "the Python package is made" scripts/wheel.sh --tree
    python_path=$root/.build-wheel/tree:$root/dist/share/mapengine:$examples/python
    export MEASURE_PYTHON=$python_path:$here
fi
in_python="env PYTHONPATH=${python_path:-}:$here PYTHONDONTWRITEBYTECODE=1"
if wanted glib; then
    checksums glib env PYTHONPATH="$python_path" /usr/bin/python3 "$examples/glib/checksums.py"
    measured+=("glib=$in_python /usr/bin/python3 $here/python_glib.py")
fi
if wanted asyncio; then
    measured+=("asyncio=$in_python /usr/bin/python3 $here/python_asyncio.py")
fi
if wanted qt && makes qt libtiles.so; then
    find_qt >/dev/null || check "PySide6 is installed" bash -c '/usr/bin/python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check -r "$2"' \
        install "$build/python" "$examples/qt/requirements.txt"
    if qt_python=$(find_qt); then
        check "qt: the example renders a picture in which one tile crashes" env PYTHONPATH="$python_path" QT_QPA_PLATFORM=offscreen MAPE_TILES="$build/qt/libtiles.so" \
            "$qt_python" "$examples/qt/render.py" --width 480 --height 270 --paths 4 --crash 21 --shot "$work/qt.png" &&
            says "qt: the window says which tiles there are" '^39 tiles in .*, 1 crashed\. .*Longest time between two ticks'
        check "qt: the picture is one, and has the crash in it" "$qt_python" "$here/picture.py" "$work/qt.png"
        measured+=("qt=$in_python QT_QPA_PLATFORM=offscreen $qt_python $here/python_qt.py")
    else
        failed "qt" "there is no PySide6"
    fi
fi

# ---- Lua. ----

if needs luajit luajit; then
    check "luajit: the example's workers run Lua" luajit "$examples/luajit/mandelbrot.lua" 64 20 &&
        says "luajit: it prints the set" '^@*[-.:=+*#%@ ]{20,}$'
    measured+=("luajit=env LUA_PATH=$here/?.lua;$examples/luajit/?.lua;; luajit $here/luajit.lua {mode} {work}")
fi
if needs neovim nvim; then
    check "neovim: the example shows a checksum behind each line" env MAPE_CHECKSUMS="$examples/neovim/checksums.lua" \
        nvim --headless -u NONE -c "luafile $here/neovim_checksums.lua" README.md
    says "neovim: they are zlib's" '^[1-9][0-9]+ lines, right$'
    measured+=("neovim=env MEASURE_LUA='$here/?.lua;$examples/luajit/?.lua' nvim --headless -u NONE -i NONE -c 'luafile $here/neovim.lua'")
fi

# ---- C: WeeChat. ----

if needs weechat weechat-headless && makes weechat factor.so; then
    check "weechat: the measured plug-in is built" cc -O2 -std=gnu11 -Wall -Wextra -Werror -Idist/include -shared -fPIC -o "$build/measure.so" \
        "$here/weechat_measure.c" -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib"
    check "weechat: the example answers, and a crash costs one number" "$here/weechat.sh" "$build/weechat/factor.so" "$work/weechat"
    says "weechat: a number of two primes" '1000000016000000063 = 1000000007 1000000009'
    says "weechat: what crashed is named" '0: .*SIGABRT'
    measured+=("weechat+reload=env MEASURE_PLUGIN=$build/measure.so weechat-headless -t -r '/plugin load $build/measure.so'")
fi

# ---- Other languages. ----

if needs r Rscript && makes r mape_r.so; then
    check "r: the example runs" env -C "$examples/r" MAPE_R="$build/r/mape_r.so" Rscript gamma.R
    says "r: its numbers are R's own" "like R's own gamma\\(\\): TRUE"
    says "r: callbacks came in R's loop" '^79 callbacks$'
    says "r: what crashed is named" '^ok: FALSE - .*SIGABRT'
    measured+=("r=env MAPE_R=$build/r/mape_r.so Rscript $here/r.R {mode} {work} $examples/r/mape.R")
fi
if needs perl perl; then
    checksums perl perl "$examples/perl/checksums.pl"
    measured+=("perl=perl $here/perl.pl {mode} {work}")
fi
if needs ruby ruby; then
    checksums ruby ruby "$examples/ruby/checksums.rb"
    measured+=("ruby=ruby $here/ruby.rb {mode} {work}")
fi

# ---- Blender. ----

if ((large)) && needs blender blender && check "blender: make packs the add-on" make -C "$examples/blender" BUILD="$build/blender" "$build/blender/mapengine_displace.zip"; then
    check "blender: the add-on, installed from its zip, displaces a mesh" env BLENDER_USER_RESOURCES="$work/blender" blender -b --factory-startup \
        --python-exit-code 1 --python "$here/blender_addon.py" -- "$build/blender/mapengine_displace.zip" "$work"
    says "blender: in batch mode it waits" '^right: 161 of 161 blocks'
    says "blender: a crash costs its block" '^right: 160 of 161 blocks'
    check "blender: Esc cancels in the window" env BLENDER_USER_RESOURCES="$work/blender" xvfb-run -a blender --factory-startup --enable-event-simulate \
        --python-exit-code 1 --python "$here/blender_cancel.py"
    says "blender: the mesh stayed as it was" '^right: cancelled'
    measured+=("blender=blender -b --factory-startup --python-exit-code 1 --python $here/blender.py"
        "blender-window=xvfb-run -a blender --factory-startup --python-exit-code 1 --python $here/blender.py")
fi

# ---- What a map costs each of them. ----

if ((${#measured[@]} > 0)); then
    python3 "$here/measure.py" "${table[@]}" "$build/work.so" "${measured[@]}" 2>&1 | tee "$work/measure.log" | grep -vE '^[0-9]+ passed, [0-9]+ failed$'
    summary=$(tail -n 1 "$work/measure.log")
    if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed "measuring" "it did not run to its end"
    fi
fi
finish
