#!/usr/bin/env bash
# soak.sh [SECONDS [SEED]]: Tests/cluster/soak.py, for ten minutes by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/mapengine-soak.XXXXXX")
trap 'rm -rf "$work"' EXIT
seed=()
[[ -z ${2:-} ]] || seed=("$2")
PYTHONDONTWRITEBYTECODE=1 python3 Tests/cluster/soak.py "$PWD" "$work" "${1:-600}" "${seed[@]}"
