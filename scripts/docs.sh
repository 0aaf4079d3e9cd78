#!/usr/bin/env bash
# Makes the reference, out/docs/index.html, out of the headers in include/ and the Markdown pages; ends with 1 when a link leads
# nowhere or doxygen has anything to complain of.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/version.sh
source scripts/version.sh

python3 scripts/docs_pages.py --check || {
    echo "docs: see the links above" >&2
    exit 1
}
rm -rf out/docs
mkdir -p out
{
    cat docs/Doxyfile
    echo "PROJECT_NUMBER = $VERSION"
} | doxygen - || {
    echo "docs: see the warnings above" >&2
    exit 1
}
echo "docs: out/docs/index.html"
