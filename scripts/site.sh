#!/usr/bin/env bash
# Makes the site, out/site/index.html: the Markdown pages as they stand, and references made of the comments in include/ and of the
# Python package's docstrings. Ends with 1 when a link leads nowhere, a public declaration is not documented, or Sphinx has anything to
# complain of. Needs nothing that was built, and no network once scripts/setup.sh docs has run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/version.sh
source scripts/version.sh

work=.build-site
[[ -x $work/venv/bin/sphinx-build ]] || {
    echo "site: there is no Sphinx in $work/venv; run 'scripts/setup.sh docs' first" >&2
    exit 1
}
python3 scripts/docs_pages.py --check || {
    echo "site: see the links above" >&2
    exit 1
}
rm -rf out/site $work/doxygen
mkdir -p out $work
{
    cat docs/site/Doxyfile
    echo "PROJECT_NUMBER = $VERSION"
} | doxygen - || {
    echo "site: see the warnings above" >&2
    exit 1
}
# All anew, so that nothing of an earlier build is left. A warning is a failure.
$work/venv/bin/sphinx-build --quiet --fresh-env --write-all --fail-on-warning -c docs/site -d $work/doctrees -b html . out/site || {
    rm -rf out/site
    echo "site: see the warnings above" >&2
    exit 1
}
echo "site: out/site/index.html"
