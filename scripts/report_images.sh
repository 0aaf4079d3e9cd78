#!/usr/bin/env bash
# Makes the pictures of a report in the docs, docs/images/report-*.png, in a real browser: of the trace of a map with one slow item, one
# crash and a long copy.
#
#     scripts/report_images.sh [FOLDER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh browser
exec env PYTHONDONTWRITEBYTECODE=1 python3 Tests/report/images.py "${1:-docs/images}"
