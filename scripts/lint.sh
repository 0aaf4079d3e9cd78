#!/usr/bin/env bash
# Checks the layout of the code, the scripts, and that only safe code runs after a fork. Tells all that is wrong, then ends
# with 1 if anything was.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source=scripts/sources.sh
source scripts/sources.sh

longest_file=450
bad=()

# step NAME COMMAND...
step() {
    local name=$1
    shift
    if "$@"; then
        echo "lint: $name: fine"
    else
        bad+=("$name")
        echo "lint: $name: see above"
    fi
}

step "layout of Swift" swift format lint --strict --parallel "${swift_files[@]}"
step "layout of C and C++" clang-format --dry-run -Werror "${c_files[@]}"
step "scripts" shellcheck --external-sources "${scripts[@]}"
step "what runs after a fork" Tests/checks/fork_safety.sh --sources

# A long file is a hint, no fault.
for file in "${swift_files[@]}" "${c_files[@]}"; do
    lines=$(wc -l <"$file")
    if ((lines > longest_file)); then
        echo "lint: warning: $file has $lines lines; one above $longest_file mostly holds two things"
    fi
done

if ((${#bad[@]} > 0)); then
    (IFS=,; echo "lint: failed: ${bad[*]}" >&2)
    exit 1
fi
echo "lint: all fine"
