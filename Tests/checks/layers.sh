#!/usr/bin/env bash
# Folders of the engine use those below them alone: layers.py looks at the sources. Then it is shown that the check bites. Needs no
# build.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=${PYTHON:-python3}
layers=$root/Tests/checks/layers.py
check "folders use those below them alone" "$python" "$layers" "$root"

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
bites "a function of a folder above is noticed" "Memory may not use Pool, where spoilAbove is declared" \
    Memory 'func spoiled() { spoilAbove(1) }' Pool 'func spoilAbove(_ number: Int) {}'
bites "a value of a folder above is noticed" "Worker may not use ABI, where spoiledNumber is declared" \
    Worker 'let spoiled = spoiledNumber + 1' ABI 'let spoiledNumber = 1'
bites "a method that a folder above adds is noticed" "Memory may not use Pool, where spoilAbove is declared" \
    Memory 'func spoiled(_ text: CText) { text.spoilAbove() }' Pool $'extension CText {\n    func spoilAbove() {}\n}'
bites "what is interpolated into a text is noticed" "Memory may not use Jobs, where Above is declared" \
    Memory 'let spoiled = "\(Above.number)"' Jobs $'enum Above {\n    static let number = 1\n}'
bites "Worker uses nobody" "Worker may not use Memory, where Below is declared" \
    Worker 'func spoiled(_ below: Below) {}' Memory 'struct Below {}'
passes "a comment and a text are no use" Memory $'// Above\n/* Above */\nlet spoiled = "Above"' Jobs 'struct Above {}'
passes "a folder uses one below" Pool 'func spoiled(_ below: Below) {}' Memory 'struct Below {}'

fresh_copy
mkdir "$sources/Attic"
echo 'struct Attic {}' >"$sources/Attic/Attic.swift"
check_fails "a folder without a place is noticed" "Attic: has no place among the layers" "$python" "$layers" "$spoiled"

fresh_copy
sed "s/^EXCEPTIONS = {/&\n    \"Native\": \"Nothing\",/" "$layers" >"$work/layers.py"
check_fails "an exception that is needed no more is noticed" "Native uses Nothing no more" "$python" "$work/layers.py" "$spoiled"
finish
