#!/usr/bin/env bash
# Gets a Debian 12 machine ready to build MapEngine: checks the Swift toolchain, installs the packages that are
# missing, and makes .build-static, the folder of static libraries that Package.swift links. Running it again changes nothing, needs no
# network and takes a fraction of a second, so `make` runs it each time.
#
#     scripts/setup.sh [GROUP...]
#
# GROUP: build (the default: everything that `make demo` and `make dist` need), docs, lint, model, bench, sanitize, hosts, cluster, browser,
# or all, which is these; and blender.
# Exit codes: 0 ready; 1 something is missing, and the message says what to do; 64 wrong usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minimum_swift_major=6
minimum_swift_minor=2
recommended_swift=6.3

# The libraries that the toolchain's own programs are linked with (ldd tells), and what it compiles and links with.
packages_swift=(
    binutils libc6-dev libgcc-12-dev libstdc++-12-dev
    libcurl4 libedit2 libncurses6 libsqlite3-0 libxml2 zlib1g tzdata
)
packages_build=(
    build-essential           # gcc, g++ and make
    cmake pkg-config          # the two ways in which the example plugin finds the installed library
    libffi-dev                # calls to functions of any prototype
    libcmocka-dev             # the C tests in Tests/abi and Tests/faults
    libassimp-dev libstb-dev libcli11-dev glmark2-data # the demo: reads a mesh, writes a PNG, parses its options
    gdb                       # Tests/untouched: a host in a debugger; Tests/top: a worker's stack
    tmux                      # Tests/top: a terminal to look into
    luajit                    # Tests/lua: a host and a zygote in Lua; suite header: its ffi.cdef reads the headers
    python3-numpy mandoc      # Tests/tool: results to compare with, and a check of the manual page
    python3                   # reads the compiler's syntax tree: scripts/abi.py, Tests/checks
    python3-venv              # scripts/wheel.sh packs the Python package with hatchling from PyPI; Tests/python
    nodejs                    # Tests/trace: runs Perfetto's trace processor
)
packages_hosts=(
    python3-gi python3-tk     # GLib and tkinter, for the Python package's tests of event loops
    xvfb xauth                # windows without a screen
    libglib2.0-dev libuv1-dev # Tests/adapters: mapengine/glib.h and uv.h
    qt6-base-dev              # and qt.hpp; 76 MB
    fonts-dejavu-core         # and the letters in them
    neovim weechat-headless weechat-dev r-base-core libffi-platypus-perl ruby # Tests/hosts: programs that load the library
)
packages_blender=(blender)    # an application with Python built in; large, so only on demand
packages_cluster=(
    libhiredis-dev libssl-dev # Tools/cluster: the reader of replies, and TLS
    redis-server openssl      # Tests/cluster: servers and certificates
    iproute2                  # and network namespaces
)
packages_docs=(
    doxygen                   # reads the comments in the headers
    python3-venv              # Sphinx and what it needs, from PyPI
)
packages_browser=(
    chromium                  # pages are looked at in a real browser
    fonts-dejavu-core         # and the letters in them
)
packages_lint=(clang-format shellcheck)
packages_sanitize=(valgrind) # the sanitizers themselves come with the Swift toolchain
packages_model=(spin)             # checks the models in Tests/model
packages_bench=(
    libbenchmark-dev                # Google Benchmark
    libtbb-dev libzmq3-dev          # native peers; OpenMP comes with gcc
    python3-venv                    # the Python peers, from PyPI
    valgrind                        # counts instructions
)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}

how="Get Swift $recommended_swift from https://www.swift.org/install/linux/ and put its usr/bin on PATH"

find_swift() {
    command -v swift >/dev/null || fail "there is no Swift toolchain on PATH. $how, then try again."
}

check_swift_version() {
    local text
    text=$(swift --version 2>&1) || fail "'$(command -v swift) --version' failed: ${text##*$'\n'}. $how, then try again."
    [[ $text =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]] ||
        fail "could not read the version from '$(command -v swift) --version': ${text%%$'\n'*}. $how, then try again."
    local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
    if ((major < minimum_swift_major || (major == minimum_swift_major && minor < minimum_swift_minor))); then
        fail "Swift $major.$minor ($(command -v swift)) is too old: MapEngine needs $minimum_swift_major.$minimum_swift_minor or" \
            "later. $how, then try again."
    fi
}

# The packages among the arguments that are not installed, one a line.
missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    local package
    for package in "$@"; do
        grep -qx "installed $package" <<<"$installed" || printf '%s\n' "$package"
    done
}

# Installs the packages given, as root or by sudo.
install_packages() {
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        # A sudo that would ask for a password is of use only where somebody can type it.
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; then
            as_root=(sudo)
        else
            say "these Debian packages are missing, and installing them needs root: $*"
            fail "Run 'apt-get update && apt-get install -y --no-install-recommends $*' as root, then try again."
        fi
    fi
    say "installing $*"
    local log
    log=$(mktemp)
    # DEBIAN_FRONTEND goes through env because sudo clears the environment.
    if ! { "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get failed, see above. Check the network and /etc/apt/sources.list, then try again."
    fi
    rm -f "$log"
}

check_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "this is no Debian: taking it that the counterparts of these are installed: $*"
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} > 0)); then
        install_packages "${missing[@]}"
    fi
}

# Fills .build-static. It holds static libraries alone, so that a linker that looks there first does not take the shared ones. Of
# libffi it is the archive whose code can go into a shared library.
link_static_libraries() {
    local standard ffi
    standard=$(gcc -print-file-name=libstdc++.a)
    [[ -f $standard ]] || fail "gcc has no libstdc++.a. Install the package libstdc++-$(gcc -dumpversion)-dev, then try again."
    ffi=$(gcc -print-file-name=libffi_pic.a)
    [[ -f $ffi ]] || ffi=$(gcc -print-file-name=libffi.a)
    [[ -f $ffi ]] || fail "there is no libffi_pic.a. Install the package libffi-dev, then try again."
    mkdir -p .build-static
    link_static "$standard" .build-static/libstdc++.a
    link_static "$ffi" .build-static/libffi.a
    make_backtrace_library
    make_glibc
}

link_static() {
    if [[ $(readlink "$2" || true) != "$1" ]]; then
        ln -sfn "$1" "$2"
    fi
}

# libbacktrace names functions and lines of a crash. It asks for the loaded libraries by a function of ours, which names only
# those that matter (Sources/CMapBridge/linux/fork_crash_steps.c); so what is linked is a copy that calls that function.
make_backtrace_library() {
    local archive made=.build-static/libmapbacktrace.a
    archive=$(gcc -print-file-name=libbacktrace.a)
    [[ -f $archive ]] || fail "gcc has no libbacktrace.a. Install the package libgcc-$(gcc -dumpversion)-dev, then try again."
    if [[ ! -f $made || $archive -nt $made ]]; then
        objcopy --redefine-sym dl_iterate_phdr=mapb_crash_objects "$archive" $made.new
        mv -f $made.new $made
    fi
}

# .build-static/glibc holds what library, zygote and command line are linked with in place of the machine's C library, so that they load
# where glibc is older (docs/architecture.md): libraries without code, and the few functions that only a later glibc has. On a
# processor of which there is no list it stays empty, and the machine's own is linked.
make_glibc() {
    local folder=.build-static/glibc
    local list work source
    list=scripts/glibc/$(uname -m)
    mkdir -p $folder
    if [[ ! -f $list ]]; then
        return
    fi
    # Written last.
    if [[ -f $folder/libc.so && -z $(find "$list" scripts/glibc.py scripts/setup.sh Sources/glibc -newer $folder/libc.so -print -quit) ]]; then
        return
    fi
    work=$folder.new
    rm -rf "$work"
    python3 scripts/glibc.py stubs "$list" "$work"
    for source in Sources/glibc/*.c; do
        gcc -std=gnu11 -D_GNU_SOURCE -O2 -g -fPIC -fvisibility=hidden -ffunction-sections -Wall -Wextra -Werror \
            -c "$source" -o "$work/$(basename "$source" .c).o"
    done
    ar rcs "$work/libfallbacks.a" "$work"/*.o
    ln -s libm.so.6 "$work/libm.so"
    ln -s libdl.so.2 "$work/libdl.so"
    ln -s libpthread.so.0 "$work/libpthread.so"
    # As glibc's own libc.so: archives and libraries are searched for what is wanted. Ours comes first, for __libc_start_main, which libc.so.6
    # has as well. libc_nonshared.a has atexit, for example.
    printf 'GROUP ( libfallbacks.a libc.so.6 %s AS_NEEDED ( libpthread.so.0 libdl.so.2 %s ) )\n' \
        "$(gcc -print-file-name=libc_nonshared.a)" "$(basename "$work"/ld-linux*)" >"$work/libc.so"
    rm -rf $folder
    mv "$work" $folder
}

# What makes the site, in an environment of its own: .build-site/venv. The stamp says which requirements it was made for.
make_site_environment() {
    local venv=.build-site/venv log
    if cmp -s docs/site/requirements.txt $venv/requirements.txt; then
        return
    fi
    say "installing Sphinx in $venv"
    rm -rf $venv
    mkdir -p .build-site
    log=$(mktemp)
    if ! { /usr/bin/python3 -m venv $venv && $venv/bin/pip install -q --disable-pip-version-check -r docs/site/requirements.txt; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -rf "$log" $venv
        fail "could not make $venv, see above. It needs PyPI once."
    fi
    rm -f "$log"
    cp docs/site/requirements.txt $venv/requirements.txt
}

groups=("$@")
if (($# == 0)); then
    groups=(build)
fi
packages=()
for group in "${groups[@]}"; do
    case $group in
        build) packages+=("${packages_swift[@]}" "${packages_build[@]}") ;;
        docs) packages+=("${packages_docs[@]}") ;;
        lint) packages+=("${packages_swift[@]}" "${packages_lint[@]}") ;;
        model) packages+=("${packages_model[@]}") ;;
        sanitize) packages+=("${packages_sanitize[@]}") ;;
        hosts) packages+=("${packages_hosts[@]}") ;;
        cluster) packages+=("${packages_cluster[@]}") ;;
        browser) packages+=("${packages_browser[@]}") ;;
        blender) packages+=("${packages_blender[@]}") ;;
        bench) packages+=("${packages_bench[@]}") ;;
        all)
            packages+=("${packages_swift[@]}" "${packages_build[@]}" "${packages_docs[@]}" "${packages_lint[@]}")
            packages+=("${packages_cluster[@]}" "${packages_hosts[@]}" "${packages_model[@]}" "${packages_bench[@]}" "${packages_sanitize[@]}")
            packages+=("${packages_browser[@]}")
            ;;
        *)
            say "unknown group '$group'; there are: build, docs, lint, model, bench, sanitize, hosts, cluster, browser, blender, all"
            exit 64
            ;;
    esac
done
# A machine without the toolchain is told so before anything is installed; the toolchain runs only with its packages.
needs_swift=1
if [[ ${groups[*]} == @(docs|model|hosts|cluster|browser|blender) ]]; then
    needs_swift=0
fi
((!needs_swift)) || find_swift
check_packages "${packages[@]}"
((!needs_swift)) || check_swift_version
if [[ " ${groups[*]} " =~ " build "|" all " ]]; then
    link_static_libraries
fi
if [[ " ${groups[*]} " =~ " docs "|" all " ]]; then
    make_site_environment
fi
