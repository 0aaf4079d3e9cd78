"""What is Linux's stands behind the platform seam, and no file of Sources is long.

    seam.py [ROOT]

Reads the sources without a compiler. Prints each line that is wrong, and each exception that is needed no more; ends with 1 when there
is one of either.
"""

import re
import sys
from pathlib import Path

# Who imports the C library; everybody else asks these.
IMPORTERS = {"MapEngine/Base/System.swift", "MapEngine/Base/Files.swift"}
# Whose texts hold paths that Linux alone has.
PATHS = {"MapEngine/Base/Cgroup.swift"}
# What CMapBridge/common and CMapBridge/include may include: ISO C, POSIX's threads and types, libffi.
PORTABLE = set("errno ffi inttypes limits pthread setjmp signal stdarg stddef stdint stdio stdlib string sys/types time uchar wchar".split())
MOST_LINES = 350
# Files that may be longer, and how long: none.
LONG = {}

COMMENT = re.compile(r'("""(?:\\.|.)*?"""|"(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
IMPORT = re.compile(r"^\s*(?:@\w+\s+)*import\s+(?:\w+\s+)?(Glibc|Darwin|Musl)\b", re.MULTILINE)
PATH = re.compile(r'"[^"\n]*/(?:proc|sys)\b')
# Each as a word of a name: notePolling has none.
CALLS = re.compile(r"\w*(?:(?<![A-Za-z])(?:{0})|{1}|{2})\w*".format(*(
    "|".join(spell(name) for name in "epoll eventfd signalfd memfd pidfd futex membarrier".split())
    for spell in (str.lower, str.capitalize, str.upper))))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def without_comments(source):
    """The code and its texts; comments are blank."""
    return COMMENT.sub(lambda match: match[1] or "\n" * match[0].count("\n"), source)


def swift_faults(name, code):
    if name not in IMPORTERS:
        for match in IMPORT.finditer(code):
            yield match, f"imports {match[1]}: what it needs of that belongs into Base/System.swift or Base/Files.swift"
    if name not in PATHS:
        for match in PATH.finditer(code):
            yield match, "has a path of Linux: it belongs into CMapBridge/linux or Base/Cgroup.swift"
    for match in CALLS.finditer(code):
        yield match, f"says {match[0]}: mapb_platform.h has a neutral name for it"


def bridge_faults(path, code, bridge):
    for match in INCLUDE.finditer(code):
        kind, header = match[1], match[2]
        if kind == "<":
            if header.removesuffix(".h") not in PORTABLE:
                yield match, f"includes <{header}>: that is not of every system, and belongs into CMapBridge/linux"
        elif Path(header).name != "mapengine.h" and not any((folder / header).exists() for folder in (path.parent, bridge / "include")
                                                            if "/" not in header):
            yield match, f'includes "{header}", which is neither in its own folder nor in include'


def main():
    sources = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent) / "Sources"
    bridge = sources / "CMapBridge"
    wrong = count = 0
    importers, paths, long = set(), set(), set()
    for path in sorted(path for end in ("swift", "c", "h") for path in sources.rglob(f"*.{end}")):
        name = path.relative_to(sources).as_posix()
        text = path.read_text(encoding="utf-8")
        code, faults = without_comments(text), ()
        count += 1
        if path.suffix == ".swift":
            faults = swift_faults(name, code)
            if IMPORT.search(code):
                importers.add(name)
            if PATH.search(code):
                paths.add(name)
        elif path.is_relative_to(bridge / "common") or path.is_relative_to(bridge / "include"):
            faults = bridge_faults(path, code, bridge)
        for match, what in faults:
            print(f"{name}:{code.count(chr(10), 0, match.start() + len(match[0]) - len(match[0].lstrip())) + 1}: {what}")
            wrong += 1
        lines = text.count("\n")
        if lines > MOST_LINES:
            long.add(name)
        if lines > LONG.get(name, MOST_LINES):
            print(f"{name}: has {lines} lines, more than {LONG.get(name, MOST_LINES)}: split it by purpose")
            wrong += 1
    for list_name, listed, needed in (("IMPORTERS", IMPORTERS, importers), ("PATHS", PATHS, paths), ("LONG", set(LONG), long)):
        for name in sorted(listed - needed):
            print(f"{name} needs its exception no more: take it out of {list_name} in Tests/checks/seam.py")
            wrong += 1
    print(f"seam: {count} files, {len(IMPORTERS)} import the C library, {len(long)} are long, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
