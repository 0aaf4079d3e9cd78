#!/usr/bin/env python3
"""Checks that only safe code can run between fork and the user's function.

    fork_safety.py swift   ROOT
    fork_safety.py objects ROOT CLANG SYMBOLS
    fork_safety.py headers ROOT

swift    Sources/MapEngine/Worker/*.swift: every function carries @_noLocks, by which the compiler proves that it neither
         allocates nor locks; the only import is CMapBridge; and nothing names code that the compiler cannot see.
objects  The objects of Sources/CMapBridge/*/fork_*.c, and of the inline functions marked MAPB_FORK_SAFE, need only what
         SYMBOLS lists, each other, and the @_cdecl functions of Worker/. No other C file forks.
headers  Every function marked MAPB_FORK_SAFE is defined in a fork_*.c, or inline.

Prints a line per problem, with file and line, and ends with 1 when there is one.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

problems = []


def problem(path, line, text):
    problems.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blanked(match):
    """The match with everything but line ends made blank, so that offsets and line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


def without_comments(text, is_swift):
    """Blanks comments, and in Swift also what is inside string literals that span no `\\(`."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", blanked, text, flags=re.DOTALL)
    if is_swift:
        text = re.sub(r'(?<!\()"(?:\\.|[^"\\\n])*"', blanked, text)
    return text


# ---- Swift ----

ATTRIBUTE = r"@\w+(?:\s*\((?:[^()]|\([^()]*\))*\))?"
MODIFIER = (r"\b(?:public|package|internal|fileprivate|private|open|static|class|final|override|mutating|nonmutating|"
            r"borrowing|consuming|nonisolated|required|convenience|indirect|unsafe|isolated)\b(?:\s*\(\w+\))?")
PRELUDE = re.compile(rf"(?:(?:{ATTRIBUTE}|{MODIFIER})\s*)*$")
DECLARATION = re.compile(r"\bfunc\s+(?P<name>`?[^\s(<]+)|(?<![.\w])(?P<init>init)\b[?!]?\s*[(<]|(?<![.\w])(?P<deinit>deinit)\s*\{"
                         r"|(?<![.\w])(?P<subscript>subscript)\s*[(<]")
# A variable whose type is followed by a body, or whose value is followed by observers.
COMPUTED = re.compile(r"\bvar\s+(?P<name>`?\w+`?)\s*:[^={}\n]+\{|\bvar\s+(?P<observed>`?\w+`?)[^{}\n]*\{\s*(?:willSet|didSet)\b")
# One of a property's or a subscript's, whose own braces were emptied.
ACCESSOR = re.compile(rf"\s*(?P<prelude>(?:(?:{ATTRIBUTE}|{MODIFIER})\s*)*)(?P<name>get|set|unsafeAddress|unsafeMutableAddress)\b"
                      r"(?:\s*\(\w+\))?\s*\{\}\s*")
FORBIDDEN = re.compile(r"@_silgen_name|@_extern\b|@_dynamicReplacement|\blazy\s+var\b|#externalMacro|\basync\b|\bawait\b")


def accessors_are_marked(text, opening):
    """Whether what stands in the braces at `opening` is accessors alone, each with @_noLocks: the compiler holds them to it."""
    flat, depth = "", 0
    for c in text[opening:]:
        if c == "{":
            depth += 1
            flat += "{}" if depth == 2 else ""
        elif c == "}":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1:
            flat += c
    at = 0
    while at < len(flat):
        accessor = ACCESSOR.match(flat, at)
        if not accessor or not re.search(r"@_noLocks\b", accessor["prelude"]):
            return False
        at = accessor.end()
    return at > 0


def worker_files(root):
    files = sorted((root / "Sources/MapEngine/Worker").rglob("*.swift"))
    if not files:
        problem(root / "Sources/MapEngine/Worker", 0, "holds no Swift file")
    return files


def check_swift(root):
    for path in worker_files(root):
        original = path.read_text(encoding="utf-8")
        text = without_comments(original, True)
        for match in DECLARATION.finditer(text):
            name = match["name"] or match["init"] or match["deinit"] or match["subscript"]
            prelude = PRELUDE.search(text, 0, match.start()).group(0)
            if match["subscript"] and accessors_are_marked(text, text.index("{", match.end())):
                continue
            if not re.search(r"@_noLocks\b", prelude):
                problem(path, line_of(text, match.start()), f"'{name}' lacks @_noLocks")
        for match in COMPUTED.finditer(text):
            name = match["name"] or match["observed"]
            if match["name"] and accessors_are_marked(text, match.end() - 1):
                continue
            problem(path, line_of(text, match.start()), f"'{name}' has code: mark its accessors with @_noLocks")
        for match in FORBIDDEN.finditer(text):
            problem(path, line_of(text, match.start()), f"'{match.group(0)}' is code that @_noLocks cannot vouch for")
        for match in re.finditer(r"^[^\n]*\bimport\s+(?:(?:func|struct|class|enum|var|let|typealias|protocol)\s+)?([\w.]+)", text,
                                 re.MULTILINE):
            if match[1] != "CMapBridge":
                problem(path, line_of(text, match.start()), f"imports {match[1]}; only CMapBridge may be")


def exported_by_swift(root):
    """The C names of the functions in Worker/, all of which `check_swift` holds to @_noLocks."""
    names = set()
    for path in worker_files(root):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", blanked, path.read_text(encoding="utf-8"), flags=re.DOTALL)
        names.update(re.findall(r'@_cdecl\("(\w+)"\)', text))
        names.update(re.findall(r'@c\(\s*"?(\w+)"?\s*\)', text))
        names.update(re.findall(r"@c\s+(?:public\s+|internal\s+)?func\s+(\w+)", text))
    return names


# ---- C ----

MARKED = re.compile(r"\bMAPB_FORK_SAFE\b(?P<head>[^;{]*?)\b(?P<name>\w+)\s*\((?P<arguments>[^;{]*)\)\s*(?:__attribute__\s*\(\(.*?\)\)\s*)?"
                    r"(?P<end>[;{])", re.DOTALL)


def marked_functions(root):
    """(path, line, name, is inline) of each function with the mark in the headers."""
    found = []
    for path in sorted((root / "Sources/CMapBridge/include").glob("*.h")):
        text = without_comments(path.read_text(encoding="utf-8"), False)
        text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", blanked, text, flags=re.MULTILINE)
        for match in MARKED.finditer(text):
            is_inline = bool(re.search(r"\binline\b", match["head"]))
            found.append((path, line_of(text, match.start()), match["name"], is_inline))
            if match["end"] == "{" and not is_inline:
                problem(path, line_of(text, match.start()), f"'{match['name']}' is defined in a header, but not inline")
    if not found:
        problem(root / "Sources/CMapBridge/include", 0, "no function is marked MAPB_FORK_SAFE")
    return found


def symbols(path, undefined):
    listed = subprocess.run(["nm", "--undefined-only" if undefined else "--defined-only", "--extern-only", "--format=posix", str(path)],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line.strip()}


def compiled(clang, root, source, folder, optimisation):
    out = pathlib.Path(folder) / (pathlib.Path(source).stem + optimisation + ".o")
    subprocess.run([clang, optimisation, "-c", "-D_GNU_SOURCE", "-I", str(root / "Sources/CMapBridge/include"), "-o", str(out),
                    str(source)], check=True)
    return out


def check_objects(root, clang, list_path):
    allowed = set()
    for number, line in enumerate(pathlib.Path(list_path).read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 2 or words[1] not in ("posix", "syscall", "computes", "repaired", "loader", "exits", "crash"):
            problem(list_path, number, f"'{words[0]}' stands without a reason")
        allowed.add(words[0])
    bridge = root / "Sources/CMapBridge"
    safe = sorted(bridge.rglob("fork_*.c"))
    if not safe:
        problem(bridge, 0, "holds no fork_*.c")
        return
    with tempfile.TemporaryDirectory() as folder:
        # Taking the address of the inline functions makes the compiler put them into an object.
        inlines = pathlib.Path(folder) / "inline.c"
        names = [name for _, _, name, is_inline in marked_functions(root) if is_inline]
        inlines.write_text("".join(f'#include "{path.name}"\n' for path in sorted((bridge / "include").glob("*.h")))
                           + "void *const inline_functions[] = {"
                           + "".join(f"(void *){name}, " for name in names) + "0};\n", encoding="utf-8")
        # As SwiftPM builds them for debugging and for release, and once between.
        for optimisation in ("-O0", "-O1", "-O2"):
            objects = {source: compiled(clang, root, source, folder, optimisation) for source in [*safe, inlines]}
            known = allowed | exported_by_swift(root)
            for out in objects.values():
                known |= symbols(out, False)
            for source, out in objects.items():
                for name in sorted(symbols(out, True) - known):
                    where = "an inline function of Sources/CMapBridge/include" if source == inlines else source
                    problem(where, 0, f"needs '{name}', which is not in {pathlib.Path(list_path).name} ({optimisation})")
        for source in sorted(set(bridge.rglob("*.c")) - set(safe)):
            forks = symbols(compiled(clang, root, source, folder, "-O1"), True) & {"fork", "vfork", "clone", "clone3", "_Fork", "__fork"}
            for name in sorted(forks):
                problem(source, 0, f"calls '{name}': what runs in the child belongs into a fork_*.c, and so does the call")


def check_headers(root):
    sources = {path: without_comments(path.read_text(encoding="utf-8"), False)
               for path in sorted((root / "Sources/CMapBridge").rglob("fork_*.c"))}
    for path, line, name, is_inline in marked_functions(root):
        definition = re.compile(rf"^[A-Za-z_][^;{{}}=\n]*\b{name}\s*\([^;{{}}]*\)\s*\{{", re.MULTILINE)
        if not is_inline and not any(definition.search(text) for text in sources.values()):
            problem(path, line, f"'{name}' is marked MAPB_FORK_SAFE, but no fork_*.c defines it")


def main():
    what, root = sys.argv[1], pathlib.Path(sys.argv[2])
    if what == "swift":
        check_swift(root)
    elif what == "objects":
        check_objects(root, sys.argv[3], sys.argv[4])
    elif what == "headers":
        check_headers(root)
    else:
        sys.exit(__doc__)
    # A problem may turn up at more than one optimisation level.
    print("\n".join(dict.fromkeys(problems)))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
