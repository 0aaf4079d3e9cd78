#!/usr/bin/env python3
"""Prints the names of the functions that a C header declares, one a line, sorted.

    declared_functions.py CLANG HEADER [COMPILER OPTION...]

The names come from clang's syntax tree, so comments, macros and function types do not mislead it. Only declarations in
HEADER itself count, not those of the headers it includes.
"""
import json
import subprocess
import sys


def main():
    clang, header, options = sys.argv[1], sys.argv[2], sys.argv[3:]
    dump = subprocess.run(
        [clang, "-x", "c", "-fsyntax-only", "-Xclang", "-ast-dump=json", *options, header],
        check=True, stdout=subprocess.PIPE)
    names = set()
    # A location names its file only where that differs from the location before, in the order of the dump.
    state = {"file": None}

    def visit_location(place):
        if not isinstance(place, dict):
            return
        for key in ("spellingLoc", "expansionLoc"):
            visit_location(place.get(key))
        state["file"] = place.get("file", state["file"])

    def visit(node):
        if isinstance(node, list):
            for child in node:
                visit(child)
            return
        if not isinstance(node, dict):
            return
        declared_in = None
        for key, value in node.items():
            if key == "loc":
                visit_location(value)
                declared_in = state["file"]
            elif key == "range":
                visit_location(value.get("begin"))
                visit_location(value.get("end"))
            elif key == "inner":
                visit(value)
        if node.get("kind") == "FunctionDecl" and not node.get("isImplicit") and declared_in == header:
            names.add(node["name"])

    visit(json.loads(dump.stdout))
    print("\n".join(sorted(names)))


if __name__ == "__main__":
    main()
