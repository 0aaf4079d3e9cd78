#!/usr/bin/env bash
# The report: `mapengine report` over traces good and bad, and its pages in a real browser, Debian's Chromium.
#
#     Tests/report/run.sh [FILE...]      for example page: Tests/report/test_page.py alone
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
if [[ ! -x dist/bin/mapengine || ! -e dist/share/mapengine/report.html ]]; then
    failed "the program and its page" "dist/bin/mapengine or dist/share/mapengine/report.html is missing; run 'make dist' first"
    finish
fi
# shellcheck disable=SC2016  # bash -c expands it
check "the page is that of the sources" bash -c 'python3 scripts/report_page.py "$1" && cmp "$1" dist/share/mapengine/report.html' page "$work/page.html"

python=/usr/bin/python3
for file in "${@:-command rules page notebook real}"; do
    for name in $file; do
        counted "test_$name.py" 500 $python "Tests/report/test_$name.py" "$root" - "$work"
    done
done
if (($# == 0)); then
    mkdir "$work/images"
    check "the pictures in the docs are made" scripts/report_images.sh "$work/images" &&
        check "they are there" test -s "$work/images/report-light.png" -a -s "$work/images/report-dark.png"
fi
finish
