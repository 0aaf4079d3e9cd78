#!/usr/bin/env bash
# Lays out all code as .swift-format and .clang-format say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/sources.sh
source scripts/sources.sh

swift format --in-place --parallel "${swift_files[@]}"
clang-format -i "${c_files[@]}"
echo "format: ${#swift_files[@]} Swift files, ${#c_files[@]} C and C++ files"
