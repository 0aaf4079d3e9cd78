#!/usr/bin/env bash
# A Python of any kind, without packages, as a host and as a zygote whose functions are written in Python: Tests/python_zygote/tests.py over dist/.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
counted tests.py 300 env MAPE_LIBRARY="$root/dist/lib/libmapengine.so" PYTHONPATH="$root/dist/share/mapengine" \
    "${PYTHON:-python3}" Tests/python_zygote/tests.py
finish
