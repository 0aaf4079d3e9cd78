#!/usr/bin/env bash
# Measures many machines (Benchmarks/cluster) beside a local pool and Dask: server, host and nodes each in a network namespace (root). Writes the figures
# into docs/cluster.md. `--smoke`: does all of it run? `ROW...`: these alone, and no page. `--rounds N`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/bench_programs.sh
source scripts/bench_programs.sh
"$python" -m cluster "$PWD" "$work" "$@"
