#!/usr/bin/env bash
# Bakes the picture of scripts/demo.sh over three nodes, kills one of them meanwhile, and compares with the picture of this machine alone.
# The nodes, the server and the program are machines of their own: network namespaces, which need root. Without them all of it is on
# 127.0.0.1, and the first line says so. Arguments go to the program; --out names the picture, out/bunny-cluster.png otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/demo.sh --build-only
work=$(mktemp -d "${TMPDIR:-/tmp}/mapengine-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=Tests/cluster python3 scripts/demo_cluster.py "$PWD" "$work" "$@"
