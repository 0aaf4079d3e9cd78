#!/usr/bin/env python3
"""What a library or program needs of the C library, glibc 2.28 has.

    glibc_versions.py FILE...

Prints each symbol that is newer, and each version that has no number; ends with 1 when there is one, or when a file asks for no
symbol of glibc at all, which means that this script reads it wrongly.
"""
import re
import subprocess
import sys

NEWEST = (2, 28)

wrong = 0
for path in sys.argv[1:]:
    table = subprocess.run(["readelf", "--dyn-syms", "--wide", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    needs = subprocess.run(["readelf", "--version-info", "--wide", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    # The versions are what the loader compares; the symbols say why they are asked for.
    versions = set(re.findall(r"Name: (GLIBC_\S+)", needs))
    symbols = re.findall(r"\sUND\s+(\w+)@(GLIBC_\S+)", table)
    if not versions or not symbols:
        print(f"{path}: asks for no version of glibc")
        wrong += 1
    for version in sorted(versions):
        number = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version)
        if number and (int(number[1]), int(number[2])) <= NEWEST:
            continue
        names = ", ".join(sorted(name for name, of in symbols if of == version)) or "no symbol"
        print(f"{path}: needs {version} ({names})")
        wrong += 1
sys.exit(1 if wrong else 0)
