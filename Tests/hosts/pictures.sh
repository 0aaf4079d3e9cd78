#!/usr/bin/env bash
# Makes the pictures of docs/images that show hosts, in the real programs: Qt's always, Blender's where it is installed.
#
#     Tests/hosts/pictures.sh          after Tests/hosts/run.sh --large, which builds what they need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export MAPE_PREFIX=$PWD/dist
for python in .build-test/python/hosts/bin/python .build-test/hosts/python/bin/python; do
    [[ ! -x $python ]] || break
done
PYTHONPATH=.build-wheel/tree QT_QPA_PLATFORM=offscreen $python host-examples/qt/render.py --width 720 --height 405 --tile 45 --paths 200 --crash 74 \
    --shot docs/images/host-qt.png
if command -v blender >/dev/null; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    TMPDIR=$work BLENDER_USER_RESOURCES=$work SIZE=320 SAMPLES=64 blender -b --factory-startup --python-exit-code 1 --python Tests/hosts/blender_addon.py -- \
        host-examples/blender/build/mapengine_displace.zip "$work"
    cp "$work/blender-before.png" docs/images/host-blender-before.png
    cp "$work/blender-after.png" docs/images/host-blender-after.png
fi
