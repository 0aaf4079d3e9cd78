"""No type of the engine stores more than 15 properties.

    properties.py [ROOT]

Reads the sources without a compiler, as layers.py does: comments and texts are taken out, braces give the depth. A stored property
is a `var` or `let` right inside a class, a struct or an actor that is not static and has no getter; `let a, b` are two. Those of
extensions are computed anyway. Prints each type that stores more, and each exception that is needed no more; ends with 1 when there
is one of either.
"""

import re
import sys
from pathlib import Path

from layers import without_texts

MOST = 15

# Types that may store more, and how many properties: none.
EXCEPTIONS = {}

TYPE = re.compile(r"\b(class|struct|actor|enum|protocol|extension)\s+([\w.`]+)")
# What makes a `let` or a `var` no declaration of a property, and `class` none of a type.
TYPE_WORD = {"func", "var", "let", "subscript", "init"}
PROPERTY = re.compile(r"\b(var|let)\b")
GOES_ON = re.compile(r"(?:[,=:]|\s[?&|+*-]+)\s*$")
CONTINUES = re.compile(r"\s*[?:=&|+*.-]")
OPEN, CLOSE = "([{<", ")]}>"


class Scope:
    """What stands between a pair of braces. `name`: of a type that stores properties; None: of anything else."""

    def __init__(self, name=None):
        self.name, self.count = name, 0


def declaration(code, start):
    """The text of a declaration of properties from behind `var` or `let`, and where it ends: at the end of its line, or of the last one
    that it goes on in; and whether it has a block behind its type, which makes it computed but for observers."""
    depth, at = 0, start
    while at < len(code):
        char = code[at]
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "{" and depth == 0:
            return code[start:at], at
        elif char in "\n;}" and depth == 0:
            text = code[start:at]
            # It goes on after a comma or an operator, and when the next line begins with one.
            if char != "\n" or not (GOES_ON.search(text) or CONTINUES.match(code, at)):
                return text, at
        at += 1
    return code[start:], at


def names_in(text):
    """How many properties a declaration has: the commas outside all brackets, and one."""
    depth, count = 0, 1
    for i, char in enumerate(text):
        if char in OPEN:
            depth += 1
        elif char in CLOSE and text[i - 1:i] != "-":
            depth -= 1
        elif char == "," and depth == 0:
            count += 1
    return count


def is_observed(block):
    return re.match(r"\{\s*(@\w+\s+)*(willSet|didSet)\b", block) is not None


def block_end(code, start):
    depth = 0
    for at in range(start, len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return len(code)


def stored(code):
    """(type, number of stored properties, line) of each class, struct and actor."""
    found, scopes, pending, at = [], [], None, 0
    lines = {}
    token = re.compile(r"[{}]|\b(?:class|struct|actor|enum|protocol|extension)\s+[\w.`]+|\b(?:var|let)\b|\b(?:static|class)\s+(?:var|let|func)\b")
    while match := token.search(code, at):
        word, at = match[0], match.end()
        if word == "{":
            scopes.append(pending or Scope())
            pending = None
        elif word == "}":
            if scopes and (scope := scopes.pop()).name:
                found.append((scope.name, scope.count, lines[scope.name]))
        elif word in ("var", "let"):
            if not scopes or not scopes[-1].name:
                continue
            text, end = declaration(code, at)
            at = end
            if code[end:end + 1] == "{" and "=" not in text and not is_observed(code[end:]):
                at = block_end(code, end) + 1
                continue
            scopes[-1].count += names_in(text)
            # A closure that gives the first value, or observers.
            while code[at:at + 1] == "{":
                at = block_end(code, at) + 1
        elif re.match(r"(static|class)\s+(var|let)", word):
            text, end = declaration(code, at)
            at = end
            while code[at:at + 1] == "{":
                at = block_end(code, at) + 1
        else:
            kind = TYPE.match(word)
            if not kind or kind[2] in TYPE_WORD:
                continue
            if kind[1] in ("class", "struct", "actor"):
                outer = [scope.name for scope in scopes if scope.name]
                name = ".".join(outer[-1:] + [kind[2].strip("`")])
                pending = Scope(name)
                lines[name] = code.count("\n", 0, match.start()) + 1
            else:
                pending = Scope()
    return found


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent)
    types, wrong, needed = 0, 0, set()
    for path in sorted((root / "Sources").rglob("*.swift")):
        for name, count, line in stored(without_texts(path.read_text(encoding="utf-8"))):
            types += 1
            if count <= MOST:
                continue
            needed.add(name)
            if count > EXCEPTIONS.get(name, MOST):
                print(f"{path.relative_to(root)}:{line}: {name} stores {count} properties, more than {EXCEPTIONS.get(name, MOST)}")
                wrong += 1
            elif count < EXCEPTIONS[name]:
                print(f"{name} stores {count} properties by now: say so in EXCEPTIONS in Tests/checks/properties.py")
                wrong += 1
    for name in sorted(set(EXCEPTIONS) - needed):
        print(f"{name} stores no more than {MOST} properties: take it out of EXCEPTIONS in Tests/checks/properties.py")
        wrong += 1
    print(f"properties: {types} types, {len(needed)} exceptions, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
