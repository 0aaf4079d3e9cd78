"""Folders of Sources/MapEngine use those below them alone.

    layers.py [ROOT]

Reads the sources without a compiler: comments and texts are taken out, declarations are found by their keywords. A name that is
declared in one folder alone and appears in a folder that may not use that one is a reference upward. Prints each, and each
exception that is needed no more; ends with 1 when there is one of either.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

# From the bottom up. Worker runs after a fork, and uses the layout alone.
BELOW = {
    "Base": (),
    "Worker": (),
    "Memory": ("Base",),
    "Native": ("Base", "Memory"),
    "Crashes": ("Base", "Memory"),
    "Model": ("Base", "Memory", "Native", "Crashes"),
    "Replay": ("Base", "Memory", "Crashes", "Model", "Worker"),  # Runs an item in its own process, as a worker does.
    "Jobs": ("Base", "Memory", "Native", "Crashes", "Model"),
    "Events": ("Base", "Memory", "Native", "Crashes", "Model", "Jobs"),
    "Traces": ("Base", "Memory", "Native", "Crashes", "Model", "Jobs"),
    "Lanes": ("Base", "Memory", "Native", "Crashes", "Model", "Jobs", "Events", "Traces"),
    "Core": ("Base", "Memory", "Native", "Crashes", "Model", "Jobs", "Events", "Traces", "Lanes"),
    "Engine": ("Base", "Memory", "Native", "Crashes", "Model", "Jobs", "Events", "Traces", "Lanes", "Core"),
    "ABI": ("Base", "Memory", "Native", "Crashes", "Model", "Replay", "Jobs", "Events", "Traces", "Lanes", "Core", "Engine", "Worker"),
}

# What may refer upward: names, by the folder that uses them. Nothing does.
EXCEPTIONS = {}

TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"""(?:\\.|.)*?"""|"(?:\\.|[^"\\\n])*"', re.DOTALL)
DECLARATION = re.compile(r"\b(class|struct|enum|protocol|actor|typealias|func|var|let)\s+(`?\w+`?)")
EXTENSION = re.compile(r"\bextension\s+([\w.]+)")
TYPES = {"class", "struct", "enum", "protocol", "actor", "typealias"}
# `class` before a member is no type.
NO_NAMES = {"func", "var", "let", "subscript", "init"}
GENERIC = re.compile(r"\b(?:func|init|struct|class|enum)\b\s*`?\w*`?\s*<([^>]*)>")
USE = re.compile(r"(?<![\w`])([A-Za-z_]\w*)")


def without_texts(source):
    """The code alone: a text is a number, and what is interpolated into it counts as code."""
    def code(match):
        token = match[0]
        if not token.startswith('"'):
            return "\n" * token.count("\n")
        return "0 " + " ".join(re.findall(r"\\\(([^()]*(?:\([^()]*\))?[^()]*)\)", token)) + "\n" * token.count("\n")
    return TOKENS.sub(code, source)


def declared(code):
    """The name of each declaration that other files can see: types at any depth, as they are; functions outside a type as `name(`,
    values as `name`; and the functions that an extension adds to a type, as `.name(`."""
    depth, extension_at = 0, None
    events = sorted(
        [(match.start(), "{") for match in re.finditer(r"\{", code)] + [(match.start(), "}") for match in re.finditer(r"\}", code)]
        + [(match.start(), match) for match in DECLARATION.finditer(code)] + [(match.start(), match) for match in EXTENSION.finditer(code)],
        key=lambda event: event[0],
    )
    for _, event in events:
        if event == "{":
            depth += 1
        elif event == "}":
            depth -= 1
            if extension_at == depth:
                extension_at = None
        elif event.re is EXTENSION:
            extension_at = depth
        elif event[1] in TYPES and event[2] not in NO_NAMES:
            yield event[2]
        elif depth == 0 and event[1] == "func":
            yield event[2].strip("`") + "("
        elif depth == 0 and event[1] in ("var", "let"):
            yield event[2].strip("`")
        elif extension_at is not None and depth == extension_at + 1 and event[1] == "func":
            yield "." + event[2].strip("`") + "("


def folder_of(path, root):
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else "Base"


def read(root):
    """The code of each file, by its path."""
    return {path: without_texts(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.swift"))}


def references(root):
    """(folder, name) of each reference upward -> the places, and where the name is declared."""
    codes = read(root)
    homes = defaultdict(set)
    for path, code in codes.items():
        for name in declared(code):
            homes[name].add(folder_of(path, root))
    # A type of the same name elsewhere, or a method of many: which one is meant only a compiler can tell.
    home = {name: next(iter(folders)) for name, folders in homes.items() if len(folders) == 1}
    members = defaultdict(set)
    for path, code in codes.items():
        for match in DECLARATION.finditer(code):
            members[match[2].strip("`")].add(folder_of(path, root))
    found = defaultdict(list)
    for path, code in codes.items():
        folder = folder_of(path, root)
        may = {folder, *BELOW[folder]}
        parameters = {word for match in GENERIC.finditer(code) for word in re.findall(r"\w+", match[1])}
        for match in USE.finditer(code):
            name, before, after = match[1], code[match.start() - 1 : match.start()], code[match.end() : match.end() + 1]
            if name[0].isupper():
                key = name
                if name in parameters:
                    continue
            else:
                # A label or a value of this folder's own is something else.
                if after == ":" or folder in members[name]:
                    continue
                key = ("." if before == "." else "") + name + ("(" if after == "(" else "")
                # Of methods of the same name only a compiler can tell which one is meant.
                if before == "." and members[name] != {home.get(key)}:
                    continue
            if key not in home or home[key] in may:
                continue
            line = code.count("\n", 0, match.start()) + 1
            found[folder, key.strip(".(")].append((f"{path.relative_to(root)}:{line}", home[key]))
    return found


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent) / "Sources/MapEngine"
    folders = {folder_of(path, root) for path in root.rglob("*.swift")}
    wrong = 0
    for folder in sorted(folders ^ set(BELOW)):
        print(f"{folder}: {'has no place among the layers (Tests/checks/layers.py)' if folder in folders else 'there is no such folder'}")
        wrong += 1
    if wrong:
        return 1
    found = references(root)
    excused = {(folder, name) for folder, names in EXCEPTIONS.items() for name in names.split()}
    for (folder, name), places in sorted(found.items()):
        if (folder, name) not in excused:
            for place, home in places:
                print(f"{place}: {folder} may not use {home}, where {name} is declared")
            wrong += 1
    for folder, name in sorted(excused - set(found)):
        print(f"{folder} uses {name} no more: take it out of EXCEPTIONS in Tests/checks/layers.py")
        wrong += 1
    print(f"layers: {len(folders)} folders, {len(excused & set(found))} exceptions, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
