#!/usr/bin/env python3
"""The interface as data: docs/abi.json, made from the headers in include/, and what is made from it.

    scripts/abi.py check              whether docs/abi.json is what the headers say; a difference is a failure
    scripts/abi.py write              makes docs/abi.json anew. Refuses a change that breaks programs (a function that is gone, an
                                      offset, a size, a value) as long as MAPE_ABI_VERSION is that of the file; with --unreleased it
                                      does not, for an interface number that was never in a release
    scripts/abi.py python             prints docs/abi.json as declarations for Python's ctypes: share/mapengine/mapengine_abi.py
    scripts/abi.py functions          prints the names of the functions that the headers declare, one a line, sorted

    --include FOLDER --file FILE      other headers than those in include/, another file than docs/abi.json

Names and types come from the syntax tree of the Swift toolchain's clang, so comments and macros do not mislead it; sizes, offsets and
values from a small program that it compiles and runs.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import abi_python

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCALES = ("MAPE_MICROSECONDS", "MAPE_MILLISECONDS", "MAPE_SECONDS")


def clang():
    """The clang of the Swift toolchain: on PATH, or beside swift."""
    found = shutil.which("clang")
    if not found and shutil.which("swift"):
        found = shutil.which("clang", path=os.path.dirname(os.path.realpath(shutil.which("swift"))))
    return found or sys.exit("abi: there is no clang on PATH, and none beside swift")


class Tree:
    """What the headers in a folder declare, from clang's syntax tree."""

    def __init__(self, include):
        self.include = str(include)
        self.functions, self.structures, self.enums, self.callbacks, self.handles, self.aliases = {}, {}, {}, {}, {}, {}
        main = include / "mapengine.h"
        dump = subprocess.run([clang(), "-x", "c", "-std=c11", "-fsyntax-only", "-Xclang", "-ast-dump=json", str(main)], check=True,
                              stdout=subprocess.PIPE).stdout
        # A location names its file only where that differs from the location before, in the order of the dump.
        self.file = None
        for node in json.loads(dump)["inner"]:
            where = self._visit(node)
            if where and where.startswith(self.include):
                self._declare(node, pathlib.Path(where).name)
        # The tree has no names for the parameters of a function type.
        self.text = "\n".join(p.read_text(encoding="utf-8") for p in sorted(include.rglob("*.h")))
        for name, one in self.callbacks.items():
            found = re.search(r"\(\*" + name + r"\)\(([^;]*?)\);", self.text)
            for parameter, text in zip(one["parameters"], found[1].split(",")):
                parameter[0] = re.search(r"(\w+)\s*$", text)[1]

    def _visit(self, node):
        """Follows the locations of a node and of all within it. Returns the file of the node."""
        where = None
        for key, value in node.items():
            if key == "loc":
                self._follow(value)
                where = self.file
            elif key == "range":
                self._follow(value.get("begin"))
                self._follow(value.get("end"))
            elif key == "inner":
                for child in value:
                    self._visit(child)
        return where

    def _follow(self, place):
        if isinstance(place, dict):
            for key in ("spellingLoc", "expansionLoc"):
                self._follow(place.get(key))
            self.file = place.get("file", self.file)

    def _declare(self, node, header):
        kind, name, inner = node["kind"], node.get("name"), node.get("inner", [])
        if kind == "FunctionDecl":
            parameters = [[one.get("name", ""), one["type"]["qualType"]] for one in inner if one["kind"] == "ParmVarDecl"]
            self.functions[name] = {"header": header, "returns": node["type"]["qualType"].split("(")[0].strip(), "parameters": parameters}
        elif kind == "RecordDecl" and node.get("completeDefinition"):
            self.structures[name] = [[one["name"], one["type"]["qualType"]] for one in inner if one["kind"] == "FieldDecl"]
            self.handles.pop(name, None)
        elif kind == "RecordDecl":
            self.handles.setdefault(name, header)
        elif kind == "EnumDecl":
            self.enums[name] = [one["name"] for one in inner if one["kind"] == "EnumConstantDecl"]
        elif kind == "TypedefDecl":
            text = node["type"]["qualType"]
            function = re.match(r"(.*?) ?\(\*\)\((.*)\)$", text)
            if function:
                types = [] if function[2] == "void" else function[2].split(", ")
                self.callbacks[name] = {"returns": function[1], "parameters": [[None, one] for one in types]}
            elif not text.startswith("struct "):
                self.aliases[name] = text


def constants(include):
    """The macros that stand for a number, as names, and those that stand for a text, with it."""
    listed = subprocess.run([clang(), "-x", "c", "-std=c11", "-dM", "-E", str(include / "mapengine.h")], check=True,
                            stdout=subprocess.PIPE).stdout.decode()
    order = [m[1] for p in sorted(include.rglob("*.h")) for m in re.finditer(r"^#define (MAPE_\w+)", p.read_text("utf-8"), re.MULTILINE)]
    found = {name: text for name, text in re.findall(r"^#define (MAPE_\w+) (.*)$", listed, re.MULTILINE) if not name.endswith("_INIT")}
    names = sorted(found, key=order.index)
    return ([name for name in names if not found[name].startswith('"')],
            {name: json.loads(found[name]) for name in names if found[name].startswith('"')})


def measure(tree, include, numbers):
    """Sizes, offsets and values, by a program. Returns them in the order of the lines that ask for them."""
    lines = []
    for name, fields in tree.structures.items():
        lines += [f"sizeof({name})", f"_Alignof({name})"]
        for field, _ in fields:
            lines += [f"offsetof({name}, {field})", f"sizeof((({name} *)0)->{field})"]
    lines += [value for values in tree.enums.values() for value in values]
    lines += numbers + [f"{name}(1)" for name in SCALES]
    kind = "_Generic((%s), int: 1, unsigned: 2, long: 3, unsigned long: 4, default: 0)"
    source = "#include <mapengine.h>\n#include <stdio.h>\nint main(void) {\n" + "".join(
        f'    printf("%lld %d\\n", (long long)({line}), {kind % line});\n' for line in lines) + "    return 0;\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "measure"
        subprocess.run([clang(), "-std=c11", "-x", "c", "-", "-I", str(include), "-o", str(program)], input=source.encode(), check=True)
        printed = subprocess.run([str(program)], check=True, stdout=subprocess.PIPE).stdout.decode()
    return iter([tuple(map(int, line.split())) for line in printed.splitlines()])


def interface(include):
    """The headers as data."""
    tree = Tree(include)
    numbers, texts = constants(include)
    values = measure(tree, include, numbers)
    structures = {}
    for name, fields in tree.structures.items():
        size, alignment = next(values)[0], next(values)[0]
        structures[name] = {"size": size, "alignment": alignment, "fields": [
            {"name": field, "type": kind, "offset": next(values)[0], "size": next(values)[0]} for field, kind in fields]}
    enums = {name: {value: next(values)[0] for value in names} for name, names in tree.enums.items()}
    kinds = {1: "int", 2: "uint32_t", 3: "int64_t", 4: "uint64_t"}
    found = {name: dict(zip(("type", "value"), (lambda v: (kinds[v[1]], v[0]))(next(values)))) for name in numbers}
    found |= {name: {"type": "const char *", "value": text} for name, text in texts.items()}
    scales = {name: next(values)[0] for name in SCALES}
    version = [found[f"MAPE_VERSION_{part}"]["value"] for part in ("MAJOR", "MINOR", "PATCH")]

    def parameters(pairs):
        return [{"name": name, "type": kind} for name, kind in pairs]
    return {
        "version": ".".join(map(str, version)),
        "abi": found["MAPE_ABI_VERSION"]["value"],
        "soname": f"libmapengine.so.{found['MAPE_ABI_VERSION']['value']}",
        "constants": found, "nanoseconds": scales, "enums": enums,
        "handles": list(tree.handles), "types": tree.aliases,
        "callbacks": {name: {"returns": one["returns"], "parameters": parameters(one["parameters"])} for name, one in tree.callbacks.items()},
        "structures": structures,
        "functions": {name: {"header": one["header"], "returns": one["returns"], "parameters": parameters(one["parameters"])}
                      for name, one in tree.functions.items()},
    }


def laid_out(value, depth=0):
    """JSON with a line for each thing that can change by itself."""
    margin = "  " * (depth + 1)
    if isinstance(value, (dict, list)) and any(isinstance(one, (dict, list)) for one in (value.values() if isinstance(value, dict) else value)):
        if isinstance(value, dict):
            parts = [f"{json.dumps(key)}: {laid_out(one, depth + 1)}" for key, one in value.items()]
        else:
            parts = [laid_out(one, depth + 1) for one in value]
        ends = "{}" if isinstance(value, dict) else "[]"
        return ends[0] + "\n" + ",\n".join(margin + part for part in parts) + "\n" + margin[2:] + ends[1]
    if isinstance(value, dict) and depth < 3 and len(value) > 2:
        return "{\n" + ",\n".join(f"{margin}{json.dumps(key)}: {json.dumps(one)}" for key, one in value.items()) + "\n" + margin[2:] + "}"
    return json.dumps(value)


def breaking(old, new):
    """What a program that was built against the old interface would trip over."""
    found = []

    def same(what, before, after):
        if before != after:
            found.append(f"{what}: {before} becomes {after}")

    def types(parameters):
        return ", ".join(one["type"] for one in parameters)
    for kind in ("functions", "callbacks"):
        for name, one in old[kind].items():
            other = new[kind].get(name)
            if other is None:
                found.append(f"{name} is gone")
                continue
            same(f"{name} returns", one["returns"], other["returns"])
            same(f"{name} takes", types(one["parameters"]), types(other["parameters"]))
    for name, one in old["structures"].items():
        other = new["structures"].get(name)
        if other is None:
            found.append(f"{name} is gone")
            continue
        same(f"size of {name}", one["size"], other["size"])
        same(f"alignment of {name}", one["alignment"], other["alignment"])
        fields = {field["name"]: field for field in other["fields"]}
        for field in one["fields"]:
            there = fields.get(field["name"])
            if there is None:
                found.append(f"{name}.{field['name']} is gone")
                continue
            for key in ("offset", "size", "type"):
                same(f"{key} of {name}.{field['name']}", field[key], there[key])
    for name, values in old["enums"].items():
        for value, number in values.items():
            same(value, number, new["enums"].get(name, {}).get(value))
    for name, one in old["constants"].items():
        if "VERSION" not in name:
            same(name, one["value"], new["constants"].get(name, {}).get("value"))
    for name, one in list(old["types"].items()) + list(old["nanoseconds"].items()):
        same(name, one, new["types"].get(name, new["nanoseconds"].get(name)))
    return found + [f"handle {name} is gone" for name in old["handles"] if name not in new["handles"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("check", "write", "python", "functions"))
    parser.add_argument("--include", type=pathlib.Path, default=ROOT / "include")
    parser.add_argument("--file", type=pathlib.Path, default=ROOT / "docs" / "abi.json")
    parser.add_argument("--unreleased", action="store_true")
    given = parser.parse_args()
    if given.command == "python":
        print(abi_python.module(json.loads(given.file.read_text("utf-8"))), end="")
        return
    new = interface(given.include.resolve())
    if given.command == "functions":
        print("\n".join(sorted(new["functions"])))
        return
    text = laid_out(new) + "\n"
    there = given.file.read_text("utf-8") if given.file.exists() else ""
    if text == there:
        return
    old = json.loads(there) if there else new
    broken = breaking(old, new)
    refused = bool(broken) and old["abi"] == new["abi"]
    for line in broken:
        print(f"abi: {line}", file=sys.stderr)
    if refused and not (given.command == "write" and given.unreleased):
        sys.exit(f"abi: this breaks programs that were built for interface {old['abi']}. Raise MAPE_ABI_VERSION in include/mapengine/base.h, "
                 "then run scripts/abi.py write")
    if given.command == "check":
        sys.exit(f"abi: {given.file.name} is not what the headers say. Run scripts/abi.py write, and look at its diff")
    given.file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
