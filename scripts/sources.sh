#!/usr/bin/env bash
# Which files the formatters and checkers look at. To be sourced, in the project's folder; sets c_files, swift_files and
# scripts.
# shellcheck disable=SC2034  # used by the scripts that source this one

folders=()
for folder in Sources Tools Tests Benchmarks bindings host-examples; do
    [[ ! -d $folder ]] || folders+=("$folder")
done
# What is in include/ is laid out by hand, for people.
mapfile -d '' -t c_files < <(find "${folders[@]}" -type f \( -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp' \) \
    ! -path '*/.build*' -print0 | sort -z)
mapfile -d '' -t swift_files < <({
    printf 'Package.swift\0'
    find "${folders[@]}" -type f -name '*.swift' ! -path '*/.build*' -print0
} | sort -z)
mapfile -d '' -t scripts < <({
    printf '.ci/run\0'
    find scripts "${folders[@]}" -type f -name '*.sh' ! -path '*/.build*' -print0
} | sort -z)
