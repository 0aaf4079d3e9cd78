#!/usr/bin/env bash
# Folders of the engine use only those below them (layers.py), no type stores more than 15 properties (properties.py), and what is Linux's
# stands behind the platform seam (seam.py): all three read the sources. Then each check is shown a fault that it must find. Needs no build.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=${PYTHON:-python3}
layers=$root/Tests/checks/layers.py
properties=$root/Tests/checks/properties.py
check "folders use those below them alone" "$python" "$layers" "$root"
seam=$root/Tests/checks/seam.py
check "what is Linux's stands behind the seam, and no file is long" "$python" "$seam" "$root"
check "no type stores more than 15 properties" "$python" "$properties" "$root"

spoiled=$work/spoiled
sources=$spoiled/Sources/MapEngine
fresh_copy() {
    rm -rf "$spoiled"
    mkdir -p "$spoiled/Sources"
    cp -R Sources/MapEngine "$spoiled/Sources/"
}

# bites NAME PATTERN FOLDER CODE [UPPER_FOLDER UPPER_CODE]: the code, in the folder, is noticed.
bites() {
    fresh_copy
    printf '%s\n' "$4" >"$sources/$3/Spoiled.swift"
    [[ -z ${5:-} ]] || printf '%s\n' "$6" >"$sources/$5/SpoiledAbove.swift"
    check_fails "$1" "$3/Spoiled.swift:[0-9]+: $2" "$python" "$layers" "$spoiled"
}
passes() {
    fresh_copy
    printf '%s\n' "$3" >"$sources/$2/Spoiled.swift"
    printf '%s\n' "$5" >"$sources/$4/SpoiledAbove.swift"
    check "$1" "$python" "$layers" "$spoiled"
}

bites "a type of a folder above is noticed" "Memory may not use Jobs, where Above is declared" \
    Memory 'func spoiled(_ above: Above) {}' Jobs 'final class Above {}'
bites "a type within a type of a folder above is noticed" "Jobs may not use ABI, where Inner is declared" \
    Jobs 'let spoiled: Outside.Inner? = nil' ABI $'struct Outside {\n    struct Inner {}\n}'
bites "a function of a folder above is noticed" "Memory may not use Engine, where spoilAbove is declared" \
    Memory 'func spoiled() { spoilAbove(1) }' Engine 'func spoilAbove(_ number: Int) {}'
bites "a value of a folder above is noticed" "Worker may not use ABI, where spoiledNumber is declared" \
    Worker 'let spoiled = spoiledNumber + 1' ABI 'let spoiledNumber = 1'
bites "a method that a folder above adds is noticed" "Memory may not use Engine, where spoilAbove is declared" \
    Memory 'func spoiled(_ text: CText) { text.spoilAbove() }' Engine $'extension CText {\n    func spoilAbove() {}\n}'
bites "what is under the lock knows nothing of threads" "Core may not use Engine, where Above is declared" \
    Core 'func spoiled(_ above: Above) {}' Engine 'final class Above {}'
bites "a worker's seam knows nothing of the core" "Lanes may not use Core, where Above is declared" \
    Lanes 'func spoiled(_ above: Above) {}' Core 'final class Above {}'
bites "what is interpolated into a text is noticed" "Memory may not use Jobs, where Above is declared" \
    Memory 'let spoiled = "\(Above.number)"' Jobs $'enum Above {\n    static let number = 1\n}'
bites "Worker uses nobody" "Worker may not use Memory, where Below is declared" \
    Worker 'func spoiled(_ below: Below) {}' Memory 'struct Below {}'
passes "a comment and a text are no use" Memory $'// Above\n/* Above */\nlet spoiled = "Above"' Jobs 'struct Above {}'
passes "a folder uses one below" Engine 'func spoiled(_ below: Below) {}' Memory 'struct Below {}'

fresh_copy
mkdir "$sources/Attic"
echo 'struct Attic {}' >"$sources/Attic/Attic.swift"
check_fails "a folder without a place is noticed" "Attic: has no place among the layers" "$python" "$layers" "$spoiled"

fresh_copy
sed "s/^EXCEPTIONS = {/&\n    \"Native\": \"Nothing\",/" "$layers" >"$work/layers.py"
check_fails "an exception that is needed no more is noticed" "Native uses Nothing no more" "$python" "$work/layers.py" "$spoiled"

# ---- The seam. ----

fresh_sources() {
    rm -rf "$spoiled"
    mkdir -p "$spoiled"
    cp -R Sources "$spoiled/"
}
# seam_bites NAME PATTERN FILE CODE: the code, in a file of its own, is noticed.
seam_bites() {
    fresh_sources
    printf '%s\n' "$4" >"$spoiled/Sources/$3"
    check_fails "$1" "$3:[0-9]+: $2" "$python" "$seam" "$spoiled"
}
seam_bites "an import of the C library is noticed" "imports Glibc" MapEngine/Memory/Spoiled.swift $'import CMapBridge\nimport Glibc'
seam_bites "an import of a part of it is noticed" "imports Glibc" MapEngine/Memory/Spoiled.swift 'import func Glibc.read'
seam_bites "a path of /proc is noticed" "has a path of Linux" MapEngine/Core/Spoiled.swift 'let spoiled = "/proc/self/exe"'
seam_bites "a path of /sys behind an interpolation is noticed" "has a path of Linux" MapEngine/Core/Spoiled.swift \
    'let spoiled = "\(root)/sys/fs/cgroup"'
seam_bites "a name of Linux's is noticed" "says mapb_epoll_add" MapEngine/Core/Spoiled.swift 'let spoiled = mapb_epoll_add(1, 2, 3)'
seam_bites "a header of Linux's in common is noticed" "includes <sys/epoll.h>" CMapBridge/common/host_spoiled.c '#include <sys/epoll.h>'
seam_bites "a header of the kernel in include is noticed" "includes <linux/futex.h>" CMapBridge/include/mapb_spoiled.h \
    '# include <linux/futex.h>'
seam_bites "a header of linux/ in common is noticed" 'includes "../linux/system.h"' CMapBridge/common/host_spoiled.c \
    '#include "../linux/system.h"'

fresh_sources
printf '// /proc, epoll, import Glibc\n/* "/sys/fs" */\n' >"$spoiled/Sources/MapEngine/Core/Spoiled.swift"
printf '/* #include <sys/epoll.h> */\n#include <string.h>\n#include "native_calls.h"\n' >"$spoiled/Sources/CMapBridge/common/host_spoiled.c"
echo '#include <sys/epoll.h>' >"$spoiled/Sources/CMapBridge/linux/host_spoiled.c"
check "comments, and what stands in linux/, are no fault" "$python" "$seam" "$spoiled"

fresh_sources
yes '// line' | head -n 351 >"$spoiled/Sources/MapEngine/Core/Spoiled.swift"
check_fails "a long file is noticed" "Core/Spoiled.swift: has 351 lines" "$python" "$seam" "$spoiled"
fresh_sources
yes '/* line */' | head -n 351 >"$spoiled/Sources/CMapBridge/linux/host_spoiled.c"
check_fails "a long file of C is noticed" "host_spoiled.c: has 351 lines" "$python" "$seam" "$spoiled"

sed 's,^LONG = {,&\n    "MapEngine/Base/Times.swift": 400\,,' "$seam" >"$work/seam.py"
check_fails "a length that is needed no more is noticed" "Times.swift needs its exception no more" "$python" "$work/seam.py" "$root"
sed 's,^PATHS = {,&"MapEngine/Base/Times.swift"\, ,' "$seam" >"$work/seam.py"
check_fails "a file that needs no paths any more is noticed" "Times.swift needs its exception no more" "$python" "$work/seam.py" "$root"
# holds N NAME CODE: a type `Spoiled` of this code is said to store N properties.
holds() {
    fresh_copy
    printf 'struct Spoiled {\n%s\n}\n' "$3" >"$sources/Base/Spoiled.swift"
    if (($1 > 15)); then
        check_fails "$2" "Base/Spoiled.swift:1: Spoiled stores $1 properties" "$python" "$properties" "$spoiled"
    else
        check "$2" "$python" "$properties" "$spoiled"
    fi
}
fifteen=$'    var a, b, c, d, e: Int\n    let f = 1, g = [1, 2]\n    private(set) var h: [Int: Int] = [:]\n    var i: Int?\n    var j = 0 {\n        didSet { print(j) }
    }\n    lazy var k = { let unseen = 1; return unseen }()\n    unowned(unsafe) let l: Job\n    var m = ""\n    var n: Result<Int, MapError>
    let o =\n        1'
holds 15 "15 properties are not too many" "$fifteen"
holds 16 "16 properties are too many" "$fifteen"$'\n    var p = 0'
holds 16 "two of one declaration count as two" "${fifteen/a, b, c/a, b, c, p}"
holds 15 "what is computed or static does not count, nor what is in a function or a type within" "$fifteen"$'
    var computed: Int { a }\n    var both: Int {\n        get { a }\n        set { a = newValue }\n    }\n    static let shared = 1
    static var all: [Int] { [] }\n    enum Kind { case one, two }\n    func f() { var local = 1 }\n    struct Inner { var q = 0 }\n    // var r = 0'

fresh_copy
sed "s/^EXCEPTIONS = {/&\n    \"Block\": 16,/" "$properties" >"$work/properties.py"
check_fails "an exception of a type that is small by now is noticed" "Block stores no more than 15 properties" \
    "$python" "$work/properties.py" "$spoiled"
finish
