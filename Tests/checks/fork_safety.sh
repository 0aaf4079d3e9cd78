#!/usr/bin/env bash
# Only safe code runs between fork and the user's function: fork_safety.py looks at the sources and objects. Then it is
# shown that the checks bite, and that the compiler holds what @_noLocks promises. Needs no build of the engine.
#
#     fork_safety.sh [--sources]     --sources: the look at the sources alone, for `make lint`
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

clang=$(find_clang)
python=${PYTHON:-python3}
lint=$root/Tests/checks/fork_safety.py
list=$root/Tests/checks/fork_safe_symbols.txt

check "every function in Worker/ is @_noLocks" "$python" "$lint" swift .
check "fork_*.c calls what fork_safe_symbols.txt lists" "$python" "$lint" objects . "$clang" "$list"
check "what is marked MAPB_FORK_SAFE is defined in fork_*.c" "$python" "$lint" headers .

if [[ ${1:-} == --sources ]]; then
    finish
fi

# ---- The sandbox: a worker's system calls, each decided. ----

calls=Sources/CMapBridge/linux/fork_sandbox_calls.h
check "the sandbox has decided on every system call" "$python" Tests/checks/sandbox_calls.py "$calls"
sed 's/ sched_yield / /' "$calls" >"$work/forgotten.h"
check_fails "a call that was forgotten is noticed" "sched_yield is in neither" "$python" Tests/checks/sandbox_calls.py "$work/forgotten.h"
sed 's/FILES(shmget)/FILES(shmdt)/' "$calls" >"$work/both.h"
check_fails "a call in both lists is noticed" "shmdt is refused, and in" "$python" Tests/checks/sandbox_calls.py "$work/both.h"

# ---- The checks bite: each is run over a copy of the sources with one thing wrong. ----

spoiled=$work/spoiled
worker=$spoiled/Sources/MapEngine/Worker/Spoiled.swift
safe=$spoiled/Sources/CMapBridge/linux/fork_spoiled.c
fresh_copy() {
    rm -rf "$spoiled"
    mkdir -p "$spoiled/Sources/MapEngine" "$spoiled/include"
    cp -R Sources/CMapBridge "$spoiled/Sources/"
    cp -R Sources/MapEngine/Worker "$spoiled/Sources/MapEngine/"
    cp -R include/. "$spoiled/include/"
}

fresh_copy
victim=$(grep -rl '^ *@_noLocks' "$spoiled/Sources/MapEngine/Worker" 2>/dev/null | sort | head -n 1)
if [[ -n $victim ]]; then
    sed -i '0,/@_noLocks */s///' "$victim"
    check_fails "a missing @_noLocks is noticed" "lacks @_noLocks" "$python" "$lint" swift "$spoiled"
else
    failed "a missing @_noLocks is noticed" "found no @_noLocks in Worker/"
fi

# swift_bites NAME PATTERN CODE
swift_bites() {
    fresh_copy
    printf '%s\n' "$3" >"$worker"
    check_fails "$1" "Spoiled.swift:[0-9]+: .*$2" "$python" "$lint" swift "$spoiled"
}
swift_bites "an initialiser without @_noLocks is noticed" "'init' lacks" \
    $'struct S {\n    let a: Int\n    @inline(__always) init(_ a: Int) { self.a = a }\n}'
swift_bites "@_noLocks in a comment does not count" "'f' lacks" $'// @_noLocks\nfunc f() {}'
swift_bites "@_noLocks of the function before does not count" "'g' lacks" $'@_noLocks func f() {}\nfunc g() {}'
swift_bites "a computed property is noticed" "'b' has code" $'struct S {\n    var a: Int\n    var b: Int { a }\n}'
swift_bites "one accessor without @_noLocks is noticed" "'b' has code" \
    $'struct S {\n    var a: Int\n    var b: Int {\n        @_noLocks get { a }\n        set { a = newValue }\n    }\n}'
swift_bites "a subscript without @_noLocks is noticed" "'subscript' lacks" \
    $'struct S {\n    subscript(i: Int) -> Int { i }\n}'
swift_bites "an import is noticed" "imports Glibc" $'import Glibc'
swift_bites "a hidden call is noticed" "_silgen_name" $'@_silgen_name("malloc") @_noLocks func f(_ n: Int)'

# c_bites NAME PATTERN CODE
c_bites() {
    fresh_copy
    printf '%s\n' "$3" >"$safe"
    check_fails "$1" "$2" "$python" "$lint" objects "$spoiled" "$clang" "$list"
}
c_bites "a forbidden call is noticed" "fork_spoiled.c: needs 'pthread_create'" \
    $'#include <pthread.h>\nint f(pthread_t *t, void *(*g)(void *)) { return pthread_create(t, 0, g, 0); }'
c_bites "a call of the host's own C is noticed" "fork_spoiled.c: needs 'mapb_host_only'" \
    $'void mapb_host_only(void);\nvoid f(void) { mapb_host_only(); }'

fresh_copy
printf '#include "mapb_layout.h"\n#include <stdlib.h>\n%s\n' \
    'MAPB_FORK_SAFE static inline char *mapb_spoiled(void) { return getenv("HOME"); }' \
    >"$spoiled/Sources/CMapBridge/include/mapb_spoiled.h"
check_fails "a forbidden call in an inline function is noticed" "an inline function .* needs 'getenv'" \
    "$python" "$lint" objects "$spoiled" "$clang" "$list"

fresh_copy
printf '#include <unistd.h>\nint f(void) { return fork(); }\n' >"$spoiled/Sources/CMapBridge/spoiled.c"
check_fails "a fork elsewhere is noticed" "spoiled.c: calls 'fork'" "$python" "$lint" objects "$spoiled" "$clang" "$list"

fresh_copy
printf '#include "mapb_layout.h"\nMAPB_FORK_SAFE int mapb_nowhere(int a,\n                                    int b);\n' \
    >"$spoiled/Sources/CMapBridge/include/mapb_spoiled.h"
check_fails "a mark without a definition is noticed" "mapb_spoiled.h:2: 'mapb_nowhere'" "$python" "$lint" headers "$spoiled"

# ---- The compiler holds the promise. ----

mkdir -p "$work/module"
printf 'module Sample { header "sample.h" }\n' >"$work/module/module.modulemap"
cat >"$work/module/sample.h" <<'EOF'
void sample_unmarked(void);
__attribute__((swift_attr("@_noLocks"))) void sample_marked(void);
EOF
# compiles NAME CODE; rejects NAME PATTERN CODE. -O and -Onone check alike; -Onone is the quicker one.
swift_file() {
    printf 'import Sample\nfinal class Box { var n = 0 }\n%s\n' "$1" >"$work/promise.swift"
}
compiles() {
    swift_file "$2"
    check "$1" swiftc -parse-as-library -I "$work/module" -emit-sil -o /dev/null "$work/promise.swift"
}
rejects() {
    swift_file "$3"
    check_fails "$1" "$2" swiftc -parse-as-library -I "$work/module" -emit-sil -o /dev/null "$work/promise.swift"
}
compiles "the compiler accepts plain code in @_noLocks" \
    '@_noLocks func f(_ p: UnsafeMutablePointer<Int>) { p.pointee &+= 1; sample_marked() }'
rejects "the compiler rejects an allocation in @_noLocks" "error: .*(alloc|metadata|lock)" '@_noLocks func f() -> Int { Box().n }'
rejects "the compiler rejects an array in @_noLocks" "error: .*(alloc|metadata|lock)" \
    '@_noLocks func f(_ n: Int) -> Int { [n, n].count }'
rejects "the compiler rejects C that is not marked in @_noLocks" "error: .*not available in this module" \
    '@_noLocks func f() { sample_unmarked() }'
rejects "the compiler rejects an allocation in what @_noLocks calls" "error: .*(alloc|metadata|lock)" \
    $'func g() -> Int { Box().n }\n@_noLocks func f() -> Int { g() }'
rejects "the compiler rejects an allocation in an accessor with @_noLocks" "error: .*(alloc|metadata|lock)" \
    $'struct S { var a: Int { @_noLocks get { Box().n } } }'
finish
