#!/usr/bin/env bash
# The library in real programs: the examples of host-examples/, and what a map costs each host (measure.py). Each program says its version.
#
#     Tests/hosts/run.sh [--large] [--table ROUNDS] [HOST...]      all hosts, or those named: luajit neovim qt glib asyncio applications
#                                                             weechat r perl ruby blender; bpy when it is named
#
# --large: Blender as well, which is too large for `make test` (`make test-hosts` installs it). bpy is Blender as a module, from PyPI: 1.6 GB, so only by
# its name. --table: medians of so many rounds,
# as docs/hosts.md has them.
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
        --table) table=(--table "$2") && shift ;;
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
# page HOST: the commands that the example's page shows, each from the project's folder; what the last prints is in $work/check.log.
page() {
    local command result=0
    # What was built may be of another header.
    rm -rf "host-examples/$1/build"
    while IFS=$'\t' read -r _ command; do
        check "$1: its page: $command" bash -c "$command" || result=1
    done < <(python3 Tests/checks/page_commands.py "host-examples/$1/README.md")
    return $result
}
# says NAME TEXT: what the last check printed has it.
says() {
    if grep -qE -- "$2" "$work/check.log"; then ok "$1"; else failed "$1" "there is no '$2' in"$'\n'"$(tail -n 20 "$work/check.log")"; fi
}
# The CRC-32 of files, as Python has them, in the form that the examples print.
sums() { python3 -c 'import sys, zlib; [print("%08x  %s" % (zlib.crc32(open(one, "rb").read()), one)) for one in sys.argv[1:]]' "$@"; }
# checksums HOST: its page's command says of README.md and LICENSE what zlib says.
checksums() {
    page "$1" || return
    if diff <(sums README.md LICENSE) "$work/check.log" >"$work/diff"; then
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
        if "$place/bin/python" -c 'import sys, PySide6.QtWidgets; sys.exit("==" + PySide6.__version__ not in open(sys.argv[1]).read())' \
            "$examples/qt/requirements.txt" 2>/dev/null; then
            echo "$place/bin/python"
            return 0
        fi
    done
    return 1
}
if wanted qt || wanted glib || wanted asyncio || wanted applications || wanted blender || wanted bpy; then
    check "the Python package is made" scripts/wheel.sh --tree
    python_path=$root/.build-wheel/tree:$root/dist/share/mapengine:$examples/python
    export MEASURE_PYTHON=$python_path:$here
fi
in_python="env PYTHONPATH=${python_path:-}:$here PYTHONDONTWRITEBYTECODE=1"
if wanted glib; then
    checksums glib-python
    measured+=("glib=$in_python /usr/bin/python3 $here/python_glib.py")
fi
if wanted asyncio; then
    measured+=("asyncio=$in_python /usr/bin/python3 $here/python_asyncio.py")
fi
if wanted qt; then
    find_qt >/dev/null || check "PySide6 is installed" bash -c '/usr/bin/python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check -r "$2"' \
        install "$build/python" "$examples/qt/requirements.txt"
    if qt_python=$(find_qt); then
        mkdir -p out
        PATH=$(dirname "$qt_python"):$PATH PYTHONPATH=$root/.build-wheel/tree page qt &&
            says "qt: the window says which tiles there are" '^39 tiles in .*, 1 crashed\. .*Longest time between two ticks' &&
            check "qt: the picture is one, and has the crash in it" "$qt_python" "$here/picture.py" out/qt.png
        measured+=("qt=$in_python QT_QPA_PLATFORM=offscreen $qt_python $here/python_qt.py")
    else
        failed "qt" "there is no PySide6"
    fi
fi
if wanted applications; then
    PYTHONPATH=$root/.build-wheel/tree page applications && says "applications: in batch mode the tool waits" '^loop: None interpreter of the workers: /'
    check "applications: what is shown for each compiles" python3 "$here/page_python.py" "$examples/applications/README.md"
fi

# ---- Lua. ----

if needs luajit luajit; then
    if page luajit; then
        cp "$work/check.log" "$work/picture"
        check "luajit: it prints the set, as its page has it" bash -c \
            'grep -vxFf "$1" <(sed -n "/^\`\`\`text/,/^\`\`\`$/p" host-examples/luajit/README.md | sed "1d;\$d") && exit 1; exit 0' lines "$work/picture"
    fi
    measured+=("luajit=env LUA_PATH=$here/?.lua;$examples/luajit/?.lua;; luajit $here/luajit.lua {mode} {work}")
fi
if needs neovim nvim; then
    page neovim
    check "neovim: the example shows a checksum behind each line" env MAPE_CHECKSUMS="$examples/neovim/checksums.lua" \
        nvim --headless -u NONE -c "luafile $here/neovim_checksums.lua" README.md
    says "neovim: they are zlib's" '^[1-9][0-9]+ lines, right$'
    measured+=("neovim=env MEASURE_LUA='$here/?.lua;$examples/luajit/?.lua' nvim --headless -u NONE -i NONE -c 'luafile $here/neovim.lua'")
fi

# ---- C: WeeChat. ----

if needs weechat weechat-headless && page weechat; then
    check "weechat: the measured plug-in is built" cc -O2 -std=gnu11 -Wall -Wextra -Werror -Idist/include -shared -fPIC -o "$build/measure.so" \
        "$here/weechat_measure.c" -Ldist/lib -lmapengine -Wl,-rpath,"$root/dist/lib"
    check "weechat: the example answers, and a crash costs one number" "$here/weechat.sh" "$examples/weechat/build/factor.so" "$work/weechat"
    says "weechat: a number of two primes" '100000380000361 = 10000019 10000019'
    says "weechat: what crashed is named" '0: .*SIGABRT'
    measured+=("weechat+reload=env MEASURE_PLUGIN=$build/measure.so weechat-headless -t -r '/plugin load $build/measure.so'")
fi

# ---- Other languages. ----

if needs r Rscript && page r; then
    says "r: its numbers are R's own" "like R's own gamma\\(\\): TRUE"
    says "r: callbacks came in R's loop" '^79 callbacks$'
    says "r: what crashed is named" '^ok: FALSE - .*SIGABRT'
    measured+=("r=env MAPE_R=$examples/r/build/mape_r.so Rscript $here/r.R {mode} {work} $examples/r/mape.R")
fi
if needs perl perl; then
    checksums perl
    measured+=("perl=perl $here/perl.pl {mode} {work}")
fi
if needs ruby ruby; then
    checksums ruby
    measured+=("ruby=ruby $here/ruby.rb {mode} {work}")
fi

# ---- Blender. ----

if ((large)) && needs blender blender && page blender; then
    check "blender: the add-on, installed from its zip, displaces a mesh" env TMPDIR="$work" BLENDER_USER_RESOURCES="$work/blender" blender -b --factory-startup \
        --python-exit-code 1 --python "$here/blender_addon.py" -- "$examples/blender/build/mapengine_displace.zip" "$work"
    says "blender: in batch mode it waits" '^right: 161 of 161 blocks'
    says "blender: a crash costs its block" '^right: 160 of 161 blocks'
    check "blender: Esc cancels in the window" env TMPDIR="$work" BLENDER_USER_RESOURCES="$work/blender" xvfb-run -a blender --factory-startup --enable-event-simulate \
        --python-exit-code 1 --python "$here/blender_cancel.py"
    says "blender: the mesh stayed as it was" '^right: cancelled'
    measured+=("blender=env TMPDIR=$work blender -b --factory-startup --python-exit-code 1 --python $here/blender.py"
        "blender-window=env TMPDIR=$work xvfb-run -a blender --factory-startup --python-exit-code 1 --python $here/blender.py")
fi

if ((large)) && [[ " ${hosts[*]} " == *" bpy "* ]] && page blender; then
    [[ -x $build/bpy/bin/python ]] || check "bpy is installed" bash -c '/usr/bin/python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check bpy==4.2.0' \
        install "$build/bpy"
    check "bpy: the add-on, installed from its zip, displaces a mesh" env TMPDIR="$work" BLENDER_USER_RESOURCES="$work/bpy" "$build/bpy/bin/python" \
        "$here/blender_addon.py" -- "$examples/blender/build/mapengine_displace.zip" "$work" &&
        says "bpy: it waits" '^right: 161 of 161 blocks'
    measured+=("bpy=env TMPDIR=$work $build/bpy/bin/python $here/blender.py")
fi

# ---- What a map costs each of them. ----

if ((${#measured[@]} > 0)); then
    python3 "$here/measure.py" "${table[@]}" "$build/work.so" "${measured[@]}" 2>&1 | tee "$work/measure.log" | grep --line-buffered -vE '^[0-9]+ passed, [0-9]+ failed$'
    summary=$(tail -n 1 "$work/measure.log")
    if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed "measuring" "it did not run to its end"
    fi
fi
finish
