#!/usr/bin/env bash
# Every command that `make` lists works, and every command that CONTRIBUTING.md and Tests/README.md show. What takes long runs in a
# short form. What changes the tree, or has to work without anything built, runs in a copy of what git would keep.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_dist
# Some build first.
limit=900
python=${PYTHON:-python3}

# What holds each command: a suite of scripts/test.sh, or this script, which has to run it.
declare -A held=(
    [help]=here [setup]=here [build]=here [demo]=here [demo-cluster]=here [test]=here [test-all]=here [test-hosts]=here [test-peers]=here [soak]=here [model]=here
    [test-asan]=here [test-tsan]=here [test-ubsan]=here [test-valgrind]=here [fuzz]=here [bench]=here [bench-check]=here [bench-against]=here [bench-cluster]=here [simulate-cluster]=here
    [wheel]=here [site]="suite site" [format]=here [lint]=here [clean]=here [dist]=here
    [cluster]=here [soak-cluster]=here [fuzz-cluster]=here [test-cluster]="suite cluster" [test-cluster-servers]=here
    [install]="suite install" [uninstall]="suite install"
)
declare -A ran=()

# runs TARGET ARGUMENTS...: `make TARGET` ends well here.
runs() {
    ran[$1]=1
    check "make $*" make --no-print-directory "$@"
}

# The commands that a Makefile lists.
listed() {
    make --no-print-directory -f "$1" help | sed -nE 's/^  make ([a-z-]+) .*/\1/p'
}

# unheld MAKEFILE: those that nobody runs.
unheld() {
    local target
    for target in $(listed "$1"); do
        case ${held[$target]:-nobody} in
            here) [[ -n ${ran[$target]:-} ]] || echo "$target" ;;
            suite\ *) grep -qE "^suite ${held[$target]#suite } " scripts/test.sh || echo "$target" ;;
            nobody) echo "$target" ;;
        esac
    done
}

# ---- A clean checkout: what git would keep of what lies here, so that a change is tested before it is committed. ----

copy=$work/copy
copy_checkout "$copy"
cp -a "$copy" "$work/fresh"

in_copy() {
    ran[$1]=1
    check "make $*, in a clean checkout" make --no-print-directory -C "$copy" "$@"
}

in_copy help
in_copy setup
in_copy format
# Everything that scripts and tests build.
(cd "$copy" && grep -ohE '\.build-[a-z]+' Makefile scripts/*.sh Tests/*/Makefile | sort -u | xargs mkdir -p .build dist out)
in_copy clean
check "format changes nothing, and clean leaves nothing" diff -r "$work/fresh" "$copy"

victim=$(find "$copy/Sources/CMapBridge" -name '*.c' | sort | head -n 1)
printf 'int  spoiled ( void ) {return 1;}\n' >>"$victim"
check_fails "make lint notices a layout that is not ours" 'clang-format-violations' make --no-print-directory -C "$copy" lint

# ---- Here. ----

runs lint
runs dist
runs build
runs wheel
runs test SUITES=library
runs test-all SUITES=library
runs test-hosts HOSTS=luajit
PYTHONS=3.11 PEERS_ONLY=test_map runs test-peers SUITES=cpython
runs demo ARGS="--rays 4 --no-single --size 160x120 --out $work/picture.png"
check "make demo made a picture" test -s "$work/picture.png"
runs demo-cluster ARGS="--rays 64 --size 160x120 --out $work/cluster.png"
cp "$work/check.log" "$work/demo.log"
check "make demo-cluster killed a node, and made the picture" grep -q 'n2 is killed' "$work/demo.log"
check "it is the picture of one machine" test -s "$work/cluster.png"
runs soak ITEMS=5000
runs model ARGS=names
for kind in asan tsan ubsan valgrind; do
    runs test-$kind SUITES=self
done
runs fuzz TIME=1 TARGETS=replies
runs cluster
runs soak-cluster SECONDS=5
runs fuzz-cluster TIME=1
runs test-cluster-servers SERVERS=valkey FILES=farm TEST=local_pool
runs bench ARGS=--smoke
cp "$work/check.log" "$work/bench.log"
check "every row of the benchmark ran" grep -qE '^bench: smoke: ([0-9]+) of \1 rows ran$' "$work/bench.log"
runs bench-cluster ARGS=--smoke
runs simulate-cluster ARGS=--smoke
runs bench-check ARGS="--smoke growth_globals"
# The build with itself.
runs bench-against OLD=dist ARGS="--smoke apply_hot growth_globals load"
cp "$work/check.log" "$work/bench.log"
check "both builds of a comparison ran" grep -qE '^bench: against: [1-9][0-9]* figures compared' "$work/bench.log"

# ---- What the pages for people who work on this show. ----

check "CONTRIBUTING.md and Tests/README.md show commands" "$python" Tests/checks/page_commands.py CONTRIBUTING.md Tests/README.md &&
    cp "$work/check.log" "$work/shown"
while IFS=$'\t' read -r page command; do
    # Run above as it stands, or by a suite.
    if [[ $command == make\ * && (-n ${ran[${command#make }]:-} || ${held[${command#make }]:-} == suite\ *) ]]; then
        ok "$page: $command"
        continue
    fi
    check "$page: $command" bash -c "$command"
done <"$work/shown"

# ---- Nothing is forgotten. ----

missing=$(unheld Makefile)
if [[ -z $missing ]]; then
    ok "each of the $(listed Makefile | wc -l) commands that make lists is held by a test"
else
    failed "each command that make lists is held by a test" "nothing runs: ${missing//$'\n'/ }"
fi
for target in "${!held[@]}"; do
    listed Makefile | grep -qxF -- "$target" || failed "each command that is tested is listed" "make does not list $target"
done
{
    cat Makefile
    printf 'planted: ## Nobody runs this\n'
} >"$work/Makefile.planted"
if [[ $(unheld "$work/Makefile.planted") == planted ]]; then
    ok "a command that nobody runs is noticed"
else
    failed "a command that nobody runs is noticed" "found: $(unheld "$work/Makefile.planted")"
fi
finish
