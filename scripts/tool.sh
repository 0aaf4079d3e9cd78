#!/usr/bin/env bash
# Builds the command line and puts it into dist/: bin/mapengine, its manual page, completions for bash, zsh and fish, templates, and the page of
# `mapengine report`. It needs the library in dist/, so scripts/dist.sh calls it last. The first build fetches swift-argument-parser from GitHub;
# MAPENGINE_TOOL=0 leaves the command line out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/version.sh
source scripts/version.sh

if [[ ${MAPENGINE_TOOL:-1} == 0 ]]; then
    exit 0
fi

built=.build-tool/release/mapengine
stage=.build-tool/stage
log=$stage/build.log
mkdir -p "$stage"

place() {
    mkdir -p "$(dirname "dist/$2")"
    if ! cmp -s "$1" "dist/$2"; then
        install -m "${3:-644}" "$1" "dist/$2.new"
        mv -f "dist/$2.new" "dist/$2"
    fi
}

# SwiftPM does not know that the module is the headers, nor what the program is linked with.
if [[ -f $built && -n $(find include -name '*.h' -newer "$built" -print -quit) ]]; then
    rm -rf "$built" .build-tool/release/mapengine.build
fi
if [[ -f $built && -n $(find .build-static -newer "$built" -print -quit) ]]; then
    rm -f "$built"
fi
if ! swift build -c release --package-path Tools/mapengine --scratch-path .build-tool --static-swift-stdlib \
    --manifest-cache none --disable-build-manifest-caching --disable-local-rpath --product mapengine >"$log" 2>&1; then
    cat "$log" >&2
    echo "tool: the build of the command line failed, see above; MAPENGINE_TOOL=0 leaves it out" >&2
    exit 1
fi
strip --strip-all -o "$stage/mapengine" "$built"
place "$stage/mapengine" bin/mapengine 755

sed -e "s/@VERSION@/$VERSION/g" Tools/mapengine/mapengine.1.in >"$stage/mapengine.1"
place "$stage/mapengine.1" share/man/man1/mapengine.1
for shell in bash zsh fish; do
    dist/bin/mapengine --generate-completion-script "$shell" >"$stage/completion.$shell"
done
place "$stage/completion.bash" share/bash-completion/completions/mapengine
place "$stage/completion.zsh" share/zsh/site-functions/_mapengine
place "$stage/completion.fish" share/fish/vendor_completions.d/mapengine.fish
# What `mapengine new` writes. One that is no more goes.
(cd Tools/mapengine/templates && find . -type f -printf '%P\n') | while read -r template; do
    place "Tools/mapengine/templates/$template" "share/mapengine/templates/$template"
done
(cd dist/share/mapengine/templates && find . -type f -printf '%P\n') | while read -r template; do
    [[ -f Tools/mapengine/templates/$template ]] || rm -f "dist/share/mapengine/templates/$template"
done
# The page of `mapengine report`, in which the trace is missing.
python3 scripts/report_page.py "$stage/report.html"
place "$stage/report.html" share/mapengine/report.html
# It is linked into the program.
place Tools/mapengine/swift-argument-parser.LICENSE share/doc/mapengine/swift-argument-parser.LICENSE

printf 'dist: dist/bin/mapengine, %s bytes\n' "$(stat -c %s dist/bin/mapengine)"
