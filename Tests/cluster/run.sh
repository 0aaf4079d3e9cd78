#!/usr/bin/env bash
# Many machines: the unit tests of Tools/cluster, then Tests/cluster/test_*.py with servers on 127.0.0.1 and in network namespaces.
#
#     Tests/cluster/run.sh [FILE [TEST]]     all, or a file, or its tests whose name has TEST in it
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
for program in redis-server redis-cli openssl; do
    command -v $program >/dev/null || {
        failed "$program" "it is missing; run 'scripts/setup.sh cluster'"
        finish
    }
done
[[ -n ${CLUSTER_BUILT:-} ]] || check "the programs build" scripts/cluster.sh || finish
if (($# == 0)); then
    if scripts/cluster.sh test >"$work/unit" 2>&1; then
        count=$(grep -cE '^✔ Test [a-zA-Z]+\(.*passed' "$work/unit")
        passed=$((passed + count))
        ((count > 0)) || failed "unit tests" "none ran"
    else
        failed "unit tests" "$(grep -aE 'error:|✘' "$work/unit" | head -n 20)"
    fi
fi
export CLUSTER_PYTHON=$root/.build-test/cluster-python/bin/python
if [[ $# -eq 0 || $1 == @(python|page) ]]; then
    check "the Python package is installed" Tests/cluster/environment.sh "$root/.build-test/cluster-python" || finish
fi
for file in Tests/cluster/test_*.py; do
    [[ $# -eq 0 || ${file##*/} == "$1" || ${file##*/} == "test_$1.py" ]] || continue
    counted "$file" 900 python3 "$file" "$root" "$work" "${2:-}"
done
finish
