#!/usr/bin/env bash
# A Python of any kind, without packages, as a host and as a zygote whose functions are written in Python: Tests/python_zygote/tests.py over dist/.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
timeout -k 10 300 env MAPE_LIBRARY="$root/dist/lib/libmapengine.so" PYTHONPATH="$root/dist/share/mapengine" PYTHONDONTWRITEBYTECODE=1 \
    "${PYTHON:-python3}" Tests/python_zygote/tests.py >"$work/log" 2>&1 </dev/null
summary=$(tail -n 1 "$work/log")
if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    sed '$d' "$work/log"
    passed=${BASH_REMATCH[1]}
    failed=${BASH_REMATCH[2]}
else
    failed "tests.py runs to its end" "$(tail -n 20 "$work/log")"
fi
finish
