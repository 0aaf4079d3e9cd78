"""Looks at the links between the Markdown pages.

    docs_pages.py --check [ROOT]   looks at the relative links of every page; 1 when one leads nowhere

The pages are written for readers of the repository, where a heading has an anchor of its own (`#time-limits`) and a link may lead
to any file.
"""

import os
import re
import sys
from pathlib import Path

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def pages(root):
    """All Markdown files of the project, and none of what was built or fetched."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ("dist", "out", "build", "node_modules")]
        found += [Path(folder) / name for name in files if name.endswith(".md")]
    return sorted(found)


def spans(pattern, text):
    return [match.span() for match in pattern.finditer(text)]


def is_inside(position, ranges):
    return any(begin <= position < end for begin, end in ranges)


def slug(title):
    """A heading's anchor, as GitHub makes it."""
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def headings(text):
    """(match, anchor) of each heading; the second of the same words is numbered."""
    fences, seen, found = spans(FENCE, text), {}, []
    for match in HEADING.finditer(text):
        if is_inside(match.start(), fences):
            continue
        anchor = slug(match[2])
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        found.append((match, f"{anchor}-{count}" if count else anchor))
    return found


def links(text):
    """(match, path, anchor) of each link that stays in the project."""
    fences = spans(FENCE, text)
    code = [span for span in spans(CODE, text) if not is_inside(span[0], fences)]
    for match in LINK.finditer(text):
        if not is_inside(match.start(), fences + code) and not ELSEWHERE.match(match[2]):
            path, _, anchor = match[2].partition("#")
            yield match, path, anchor


def check(root):
    """Prints each link that leads nowhere; answers how many there are, and how many links were seen."""
    anchors = {page.resolve(): {anchor for _, anchor in headings(page.read_text(encoding="utf-8"))} for page in pages(root)}
    wrong = count = 0
    for page in pages(root):
        text = page.read_text(encoding="utf-8")
        for match, target, anchor in links(text):
            count += 1
            there = (page.parent / target).resolve() if target else page.resolve()
            line = text.count("\n", 0, match.start()) + 1
            if not there.exists():
                why = f"there is no {target}"
            elif anchor and there in anchors and anchor not in anchors[there]:
                why = f"{os.path.relpath(there, root)} has no heading #{anchor}"
            else:
                continue
            print(f"{os.path.relpath(page, root)}:{line}: {why}")
            wrong += 1
    return wrong, count


def main():
    root = Path(__file__).resolve().parent.parent
    if sys.argv[1:2] == ["--check"]:
        wrong, count = check(Path(sys.argv[2]) if len(sys.argv) > 2 else root)
        print(f"docs: {count} links, {wrong} of them lead nowhere")
        return 1 if wrong or not count else 0
    print(__doc__, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main())
