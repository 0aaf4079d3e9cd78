#!/usr/bin/env bash
# The site, made in a clean checkout: `make site` without a warning; each page, link and anchor; nothing from another machine; each public
# name of C, C++ and Python; and what a search finds, in a real browser.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
python=${PYTHON:-python3}
copy=$work/copy

copy_checkout "$copy"
check "the pictures are what scripts/pictures.py draws" "$python" scripts/pictures.py --check
# What PyPI has is not fetched twice.
mkdir -p "$copy/.build-site"
[[ ! -d .build-site/venv ]] || ln -s "$root/.build-site/venv" "$copy/.build-site/venv"
check "make site, in a clean checkout" make --no-print-directory -C "$copy" site || finish
counted check_site.py 600 "$python" Tests/site/check_site.py "$copy/out/site" "$copy"
counted check_search.py 600 "$python" Tests/site/check_search.py "$copy/out/site"

# ---- Each of these would be noticed. ----

site=$copy/out/site
sed -i 's|<head>|&<script src="https://example.org/a.js"></script>|' "$site/docs/guide.html"
sed -i 's|</article>|<a href="hosts.html#no-such-anchor">there</a><a href="no-such-page.html">there</a>&|' "$site/docs/types.html"
sed -i 's|<h1>.*</h1>||' "$site/docs/model.html"
: >"$copy/docs/unlisted.md"
sed -i 's|"mape_map":|"mape_not_there": {"header": "core.h", "returns": "int", "parameters": []},\n    &|' "$copy/docs/abi.json"
check_fails "a spoiled site is noticed" '^0 passed, 5 failed' "$python" Tests/site/check_site.py "$site" "$copy"
cp "$work/check.log" "$work/spoiled.log"
for wrong in 'docs/guide.html fetches https://example.org/a.js' 'docs/types.html: no such anchor: hosts.html#no-such-anchor' \
    'docs/types.html: there is no no-such-page.html' 'docs/model.html: title .*, headings \[\]' 'docs/unlisted.md is not' \
    'mape_not_there: no page of docs/site/reference has it'; do
    check "it says: $wrong" grep -q "$wrong" "$work/spoiled.log"
done
rm "$copy/docs/unlisted.md"
cp docs/abi.json "$copy/docs"

sed -i 's|SIGSEGV|SIGFPE|' "$copy/docs/images/map.svg"
check_fails "another picture is noticed" 'docs/images/map.svg is not what' "$python" "$copy/scripts/pictures.py" --check
echo 'See [the guide](docs/guide.md#no-such-heading) and [nothing](docs/no-such-page.md).' >>"$copy/README.md"
check_fails "make site notices a heading that is not there" 'README.md:[0-9]+: docs/guide.md has no heading #no-such-heading' \
    make --no-print-directory -C "$copy" site
check_fails "make site notices a page that is not there" 'README.md:[0-9]+: there is no docs/no-such-page.md' \
    make --no-print-directory -C "$copy" site
cp README.md "$copy"
sed -i 's/^int mape_pool_release(/int mape_pool_forgotten(mape_pool *pool);\n&/' "$copy/include/mapengine/core.h"
check_fails "make site notices a function without a word" 'is not documented' make --no-print-directory -C "$copy" site
finish
