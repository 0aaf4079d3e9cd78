#!/usr/bin/env bash
# The version numbers, which stand in include/mapengine/base.h alone. To be sourced; sets MAJOR, MINOR, PATCH, VERSION and
# ABI_VERSION.
# shellcheck disable=SC2034  # used by the scripts that source this one

version_number() {
    local header number
    header="$(dirname "${BASH_SOURCE[0]}")/../include/mapengine/base.h"
    number=$(sed -n "s/^#define $1 *\([0-9][0-9]*\).*/\1/p" "$header")
    [[ -n $number ]] || {
        echo "version.sh: include/mapengine/base.h does not define $1 as a number" >&2
        return 1
    }
    echo "$number"
}

MAJOR=$(version_number MAPE_VERSION_MAJOR)
MINOR=$(version_number MAPE_VERSION_MINOR)
PATCH=$(version_number MAPE_VERSION_PATCH)
ABI_VERSION=$(version_number MAPE_ABI_VERSION)
VERSION=$MAJOR.$MINOR.$PATCH
