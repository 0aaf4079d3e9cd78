#!/usr/bin/env bash
# Works out what a thousand nodes would do (Benchmarks/cluster/farm_model.py), on costs that are measured here first. Writes the figures and a picture
# into docs/cluster.md. `--smoke`: does all of it run, and is the model right where one can work it out by hand?
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/bench_programs.sh
source scripts/bench_programs.sh
"$python" -m cluster.simulate "$PWD" "$work" "$@"
