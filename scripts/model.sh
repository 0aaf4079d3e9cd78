#!/usr/bin/env bash
# Checks the models of the protocol in Tests/model with spin (https://spinroot.com): every state of each is searched, and each bug that
# can be put into a model has to be found. Prints a table; its last line is `N passed, N failed`.
#
#     scripts/model.sh [--short] [NAME...]     all runs, or those whose name begins so: names reclaim lane crash search sleep waiting interrupt
#
# --short leaves out the searches that take longest; the bugs are all tried. All of it takes 2.5 GB of memory and some minutes. What is modelled, and how to read it: docs/model.md.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

short=0
if [[ ${1:-} == --short ]]; then
    short=1
    shift
fi
wanted=("$@")
root=$PWD
logs=$root/.build-test/model
mkdir -p "$logs"
work=$(mktemp -d "${TMPDIR:-/tmp}/mapengine-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
memory=4000     # MB that a search may take. Beyond it the search ends, and counts as failed.
depth=20000     # Steps of an execution; the same.
seconds=240     # For one search.
passed=0
failed=0

is_wanted() {
    local name
    ((${#wanted[@]} == 0)) && return
    for name in "${wanted[@]}"; do [[ $1 == "$name"* ]] && return; done
    return 1
}

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$*"
}

# search NAME MODEL COMPILER_FLAGS PAN_FLAGS SETTINGS...: builds the verifier and runs it. The log is in $log.
search() {
    local name=$1 model=$2 compile=$3 run=$4 folder=$work/${1// /_}
    shift 4
    log=$logs/${name// /_}.log
    mkdir -p "$folder"
    cp Tests/model/*.pml "$folder" && cd "$folder" || return 1
    # shellcheck disable=SC2086  # flags are words
    {
        spin "$@" -a "$model" && cc -O2 -w $compile -DMEMLIM=$memory -DVECTORSZ=512 -o pan pan.c &&
            timeout $seconds ./pan -m$depth $run
        echo "ended with $?"
    } >"$log" 2>&1 </dev/null
    if compgen -G "*.trail" >/dev/null; then
        # What leads to the error, step by step.
        spin "$@" -t -p -g "$model" >"${log%.log}.trail" 2>&1
    fi
    cd "$root" || return 1
    rm -rf "$folder"
}

# One number of pan's report.
number() { sed -nE "s/$1/\1/p" "$log" | head -n 1; }

# holds NAME MODEL SETTINGS...: all of it is searched, for assertions and for ends that are none; then for executions without end.
holds() {
    local name=$1 model=$2 kind
    shift 2
    is_wanted "$name" || return
    if ((short)) && [[ $name == *-often-* || $name == *-deadline || $name == *-limits ]]; then return; fi
    for kind in "every item ends once, no deadlock" "no execution without end"; do
        if [[ $kind == no\ ex* ]]; then
            # Twice the states: for one of a model's settings each.
            if ((short)) || [[ $name == *-often-* || $name == *-deadline || $name == *-limits ]]; then continue; fi
            search "$name-endless" "$model" "-DNP -DNOFAIR" "-l" "$@"
        else
            search "$name" "$model" -DSAFETY "" "$@"
        fi
        printf '%-22s %-34s %9s states  depth %4s  errors %s  %5s MB\n' "$name" "$kind" \
            "$(number ' *([0-9.e+]+) states, stored.*')" "$(number '.*depth reached ([0-9]+),.*')" \
            "$(number '.*errors: ([0-9]+).*')" "$(number ' *([0-9]+)\.[0-9]+\ttotal actual memory usage')"
        if ! grep -q 'errors: 0' "$log"; then
            bad "$name: $kind: see ${log%.log}.trail"
        elif grep -qE 'Search not completed|max search depth too small|out of memory|truncated' "$log" ||
            ! grep -q '^ended with 0' "$log"; then
            bad "$name: $kind: not everything was searched, see $log"
        else
            ok
        fi
    done
}

# finds NAME BUG MODEL SETTINGS...: with the bug the search ends with an error of the model.
finds() {
    local name=$1 bug=$2 model=$3 what
    shift 3
    is_wanted "$name" || return
    search "$name $bug" "$model" "-DSAFETY -O0" "" "$@" "-D$bug"
    what=$(sed -nE 's/^pan:1: (assertion violated|invalid end state).*/\1/p' "$log" | head -n 1)
    printf '%-22s %-34s %s\n' "$name" "$bug" "${what:+found: $what}"
    if [[ -n $what ]]; then ok; else bad "$name $bug: the model holds all the same, see $log"; fi
}

# ---- Names. A step is named after the function that takes it, as `File.function` in a comment. ----

names() {
    is_wanted names || return
    local reference file name count=0 declared
    while read -r reference; do
        name=${reference##*.}
        # A call is no declaration: what has moved to another file is still called where it was.
        declared="(func|var|let|_cdecl\(\"|#define) ?$name\>"
        case ${reference%.*} in
            layout | base) file=Sources/CMapBridge/include/mapb_${reference%.*}.h declared="\<$name\(" ;;
            host_* | fork_*) file=$(find Sources/CMapBridge -name "${reference%.*}.c") declared="^[a-z].*\<$name\(" ;;
            *) file=$(find Sources/MapEngine -name "${reference%.*}.swift") ;;
        esac
        count=$((count + 1))
        if [[ -z $file ]]; then
            bad "names: $reference: there is no such file"
        elif ! grep -qE "$declared" "$file"; then
            bad "names: $reference: $file does not have it"
        else
            continue
        fi
    done < <(sed -nE 's,.*/\*(.*),\1,p; /\/\*/!s,^ \*(.*),\1,p' Tests/model/*.pml |
        grep -ohE '\<([A-Z][A-Za-z]+\+[A-Z][A-Za-z]+|[A-Z][A-Za-z]+|host_[a-z]+|fork_[a-z]+|layout|base)\.[A-Za-z_]+' | sort -u)
    printf '%-22s %d functions and fields are named\n' names $count
    if ((count >= 40)); then ok; else bad "names: only $count were found in the models"; fi
}

command -v spin >/dev/null || { echo "FAILED model: there is no spin; run scripts/setup.sh model" && exit 1; }

names

item=-DKIND=ITEM_FUNCTION begin=-DKIND=BEGIN_FUNCTION range=-DKIND=RANGE_FUNCTION
common=(-DITEMS=3 -DRING=2 -DATTEMPTS=2 -DSTEP=8)

# One worker that may die, its stores delayed, and another that takes what is taken back.
take=("${common[@]}" -DWORKERS=1 -DBUFFER=2 -DDEATHS=1 -DKILLS=0 -DCANCEL=0 -DRECLAIMS=1 -DBAD=99)
limits=("${common[@]}" -DWORKERS=1 -DBUFFER=2 -DDEATHS=0 -DKILLS=1 -DCANCEL=1 -DRECLAIMS=1 -DBAD=99)
holds reclaim-item ranges.pml $item "${take[@]}"
holds reclaim-begin ranges.pml $begin "${take[@]}"
holds reclaim-range ranges.pml $range "${take[@]/-DSTEP=8/-DSTEP=1}"
holds reclaim-limits ranges.pml $item "${limits[@]}"
finds reclaim BUG_NO_BARRIER ranges.pml $item "${take[@]}"
finds reclaim BUG_TAIL_FIRST ranges.pml $item "${take[@]}"
finds reclaim BUG_CLEAR_BEFORE_PUBLISH ranges.pml $item "${take[@]}"
finds reclaim BUG_RECLAIM_NOT_SEEN ranges.pml $item "${take[@]}"

# A lane: what it holds has not begun until its answer is here. It is lost at any step, its job is cancelled, and all it holds is taken back.
lane=(-DKIND=LANE "${common[@]}" -DWORKERS=1 -DBUFFER=2 -DKILLS=0 -DBAD=99)
late=("${lane[@]}" -DDEATHS=1 -DCANCEL=0 -DRECLAIMS=2)
ending=("${lane[@]}" -DDEATHS=1 -DCANCEL=1 -DRECLAIMS=1)
holds lane-late ranges.pml "${late[@]}"
holds lane-often-cancelled ranges.pml "${ending[@]}"
for bug in BUG_LANE_NO_FENCE BUG_LANE_LOOKS_FIRST BUG_LANE_LOOKS_NOT BUG_LANE_MARKS_AN_ITEM BUG_LANE_IS_BLAMED BUG_CLEAR_BEFORE_PUBLISH \
    BUG_TAIL_FIRST; do
    finds lane $bug ranges.pml "${late[@]}"
done

# Two workers that die at any step, while the job may be cancelled.
crash=("${common[@]}" -DWORKERS=2 -DBUFFER=0 -DDEATHS=1 -DKILLS=0 -DCANCEL=0 -DRECLAIMS=0 -DBAD=99)
often=("${common[@]}" -DWORKERS=1 -DBUFFER=0 -DDEATHS=2 -DKILLS=1 -DCANCEL=1 -DRECLAIMS=0 -DBAD=99)
holds crash-item ranges.pml $item "${crash[@]}"
holds crash-often-item ranges.pml $item "${often[@]}"
holds crash-often-begin ranges.pml $begin "${often[@]}"
holds crash-often-range ranges.pml $range "${often[@]}"
finds crash BUG_REQUEUE_BLAMED ranges.pml $item "${often[@]}"
finds crash BUG_REPLY_STAYS_GIVEN ranges.pml $item "${often[@]}"
finds crash BUG_NO_REPLIES_OF_THE_DEAD ranges.pml $item "${often[@]}"
finds crash BUG_PUBLISH_BEFORE_FILLING ranges.pml $item "${often[@]}"
finds crash BUG_MARK_BEFORE_RECORD ranges.pml $begin "${often[@]}"

# An item that always kills its worker, in a function that does not say where it is: it is found by halves, and no other one is blamed.
holds search-range ranges.pml $range -DITEMS=4 -DRING=2 -DATTEMPTS=1 -DSTEP=8 -DWORKERS=1 -DBUFFER=0 -DDEATHS=0 -DKILLS=0 -DCANCEL=0 \
    -DRECLAIMS=0 -DBAD=2
finds search BUG_BLAME_FIRST ranges.pml $range -DITEMS=4 -DRING=2 -DATTEMPTS=1 -DSTEP=8 -DWORKERS=1 -DBUFFER=0 -DDEATHS=0 -DKILLS=0 \
    -DCANCEL=0 -DRECLAIMS=0 -DBAD=2

holds sleep sleep.pml -DREQUESTS=4
for bug in BUG_NO_FENCE_HOST BUG_NO_FENCE_WORKER BUG_NO_WAKE BUG_SLEEP_WITHOUT_COMPARING; do
    finds sleep $bug sleep.pml -DREQUESTS=4
done

alone=(-DREPLIES=3 -DTHREADS=0 -DDEADLINE=0 -DDEPENDS=0)
depends=(-DREPLIES=1 -DTHREADS=1 -DDEADLINE=0 -DDEPENDS=1)
holds waiting-engine waiting.pml "${alone[@]}"
holds waiting-threads waiting.pml "${depends[@]}"
deadline=(-DREPLIES=1 -DTHREADS=1 -DDEADLINE=1 -DDEPENDS=0)
holds waiting-deadline waiting.pml "${deadline[@]}"
finds waiting BUG_ATTEND_WITHOUT_END waiting.pml "${deadline[@]}"
finds waiting BUG_ENGINE_LOOKS_ONCE waiting.pml "${alone[@]}"
finds waiting BUG_RING_WITHOUT_EPOCH waiting.pml "${alone[@]}"
finds waiting BUG_RING_TOO_LATE waiting.pml "${alone[@]}"
for bug in BUG_DONE_WITHOUT_WAKE BUG_NO_FENCE_WAKE BUG_LOOK_BEFORE_POINTING BUG_NO_FENCE_HOST BUG_NO_FENCE_WORKER \
    BUG_SLEEP_WITHOUT_COMPARING; do
    finds waiting $bug waiting.pml "${depends[@]}"
done

signals=(-DREQUESTS=3 -DITEMS=2 -DASKS=2)
holds interrupt interrupt.pml "${signals[@]}"
for bug in BUG_ASK_TWICE BUG_NO_YIELD BUG_NO_BARRIER BUG_NO_LEAVING BUG_LOOK_BEFORE_LEAVING BUG_NOT_TAKEN_BACK BUG_NO_ABSORB; do
    finds interrupt $bug interrupt.pml "${signals[@]}"
done

if ((passed + failed == 0)); then bad "model: no run has one of these names: ${wanted[*]}"; fi
printf '%d passed, %d failed\n' $passed $failed
exit $((failed > 0))
