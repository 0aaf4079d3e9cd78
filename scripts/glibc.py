#!/usr/bin/env python3
"""Libraries to link against, with what an old glibc offers and nothing else.

    glibc.py list LIBRARY...          prints what these files offer: scripts/glibc/x86_64, from libraries of glibc 2.28
    glibc.py stubs LIST FOLDER        makes FOLDER/libc.so.6, libm.so.6, ... from such a list; $CC (cc) assembles them

A program or library that is linked with the stubs asks for versions of symbols that an old glibc has, so it loads there and
everywhere later. The stubs hold no code. A list has a line per library, then one per version of symbols, then the symbols of that
version: functions by name, data as NAME:SIZE, with all names of the same data (A=B:8). A symbol that two libraries have stands at
the first.
"""
import os
import re
import subprocess
import sys
import tempfile
import textwrap


def version_key(version):
    return [int(number) for number in re.findall(r"\d+", version)]


# ---- list ----

def dynamic_symbols(path):
    """(name, version, value, size, is data) of what the file defines and links by default."""
    table = subprocess.run(["readelf", "--dyn-syms", "--wide", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in table.splitlines():
        words = line.split()
        if len(words) != 8 or "@@" not in words[7] or words[6] in ("UND", "ABS"):
            continue
        name, version = words[7].split("@@")
        if not version.startswith("GLIBC_") or version == "GLIBC_PRIVATE":
            continue
        if words[3] not in ("FUNC", "IFUNC", "OBJECT"):
            sys.exit(f"{path}: {name} is of type {words[3]}")
        yield name, version, int(words[1], 16), int(words[2], 0), words[3] == "OBJECT"


def soname(path):
    dynamic = subprocess.run(["readelf", "--dynamic", "--wide", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"\(SONAME\).*\[(.*)\]", dynamic)[1]


def print_list(paths):
    seen = set()
    for path in paths:
        functions, data = {}, {}
        for name, version, value, size, is_data in sorted(dynamic_symbols(path)):
            if name in seen:
                continue
            seen.add(name)
            if is_data:
                data.setdefault((version, value, size), []).append(name)
            else:
                functions.setdefault(version, []).append(name)
        print(f"\n{soname(path)}")
        for version in sorted(set(functions) | {key[0] for key in data}, key=version_key):
            names = functions.get(version, [])
            names += ["=".join(aliases) + f":{key[2]}" for key, aliases in sorted(data.items()) if key[0] == version]
            print(f"  {version}")
            print("\n".join(textwrap.wrap(" ".join(names), 130, initial_indent="    ", subsequent_indent="    ",
                                          break_long_words=False, break_on_hyphens=False)))


# ---- stubs ----

def read_list(path):
    """{soname: {version: [symbol as it stands in the list]}}"""
    libraries, versions, symbols = {}, None, None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if not words or line.startswith("#"):
                continue
            if not line.startswith(" "):
                versions = libraries.setdefault(words[0], {})
            elif not line.startswith("   "):
                symbols = versions.setdefault(words[0], [])
            else:
                symbols.extend(words)
    return libraries


def assembly(versions):
    """One place for all functions, and memory for data, by whose size a linker may copy it into a program."""
    text, data = [".text"], [".bss", ".balign 64"]
    for symbols in versions.values():
        for symbol in symbols:
            names, _, size = symbol.partition(":")
            for name in names.split("="):
                where = data if size else text
                where += [f".globl {name}", f".type {name}, {'%object' if size else '%function'}", f"{name}:"]
                if size:
                    where.append(f".size {name}, {size}")
            if size:
                data += [f".zero {size}", ".balign 64"]
    return "\n".join(text + data + ['.section .note.GNU-stack, "", %progbits', ""])


def version_script(versions):
    nodes, before = [], ""
    for version in sorted(versions, key=version_key):
        names = [name for symbol in versions[version] for name in symbol.partition(":")[0].split("=")]
        nodes.append(f"{version} {{ global: {' '.join(name + ';' for name in names)} }} {before};")
        before = version
    return "\n".join(nodes) + "\n"


def make_stubs(path, folder):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        source, script = os.path.join(work, "stub.s"), os.path.join(work, "stub.map")
        for name, versions in read_list(path).items():
            with open(source, "w", encoding="utf-8") as file:
                file.write(assembly(versions))
            with open(script, "w", encoding="utf-8") as file:
                file.write(version_script(versions))
            subprocess.run([os.environ.get("CC", "cc"), "-shared", "-nostdlib", f"-Wl,-soname={name},--version-script={script}",
                            "-Wl,--build-id=none", "-o", os.path.join(folder, name), source], check=True)


if len(sys.argv) >= 3 and sys.argv[1] == "list":
    print_list(sys.argv[2:])
elif len(sys.argv) == 4 and sys.argv[1] == "stubs":
    make_stubs(sys.argv[2], sys.argv[3])
else:
    sys.exit(__doc__)
