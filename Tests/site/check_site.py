"""Looks at the built site: titles, links and anchors, nothing from other machines, and that every public name is there.

    check_site.py SITE ROOT

Prints a line per check as Tests/checks/lib.sh does, and ends with `N passed, N failed`.
"""
import ast
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, as opposed to where a reader may go.
FETCHED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("object", "data"), ("form", "action"),
           ("image", "href"), ("use", "href"), ("video", "src"), ("audio", "src"), ("embed", "src")}
IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """What a page links to, fetches, and can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.fetched, self.titles, self.headings, self._open = set(), [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        for key, value in given.items():
            if not value:
                continue
            if (tag, key) in FETCHED and not (tag == "link" and given.get("rel") in ("canonical", "index", "search", "next", "prev")):
                self.fetched.append(value)
            elif key == "srcset":
                self.fetched += [one.split()[0] for one in value.split(",")]
            elif key == "style":
                self.fetched += [first or second for first, second in IN_STYLE.findall(value)]
            elif key == "href":
                self.links.append(value)
        if tag in ("title", "h1", "style"):
            self._open.append((tag, []))

    def handle_data(self, data):
        for _, texts in self._open:
            texts.append(data)

    def handle_endtag(self, tag):
        if self._open and self._open[-1][0] == tag:
            text = "".join(self._open.pop()[1]).strip()
            if tag == "style":
                self.fetched += [first or second for first, second in IN_STYLE.findall(text)]
            else:
                (self.titles if tag == "title" else self.headings).append(text.removesuffix("¶"))


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.pages = {path: Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}

    def name(self, path):
        return str(path.relative_to(self.folder))

    def untitled(self):
        for path, page in self.pages.items():
            if not (page.titles and page.titles[0] and (path.name == "search.html" or len(page.headings) == 1 and page.headings[0])):
                yield f"{self.name(path)}: title {page.titles[:1]}, headings {page.headings}"

    def broken(self):
        """Links to files and anchors that are not there."""
        for path, page in self.pages.items():
            for link in page.links + page.fetched:
                parts = urlsplit(link)
                if parts.scheme or parts.netloc:
                    continue
                there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                if not there.is_file():
                    yield f"{self.name(path)}: there is no {link}"
                elif parts.fragment and there in self.pages and unquote(parts.fragment) not in self.pages[there].ids:
                    yield f"{self.name(path)}: no such anchor: {link}"

    def from_elsewhere(self):
        """What a browser would fetch from another machine."""
        for path, page in self.pages.items():
            for link in page.fetched:
                if is_elsewhere(link):
                    yield f"{self.name(path)} fetches {link}"
        for path in sorted(self.folder.rglob("*.css")):
            for first, second in IN_STYLE.findall(path.read_text("utf-8")):
                if is_elsewhere(first or second):
                    yield f"{self.name(path)} fetches {first or second}"
        for path in sorted(self.folder.rglob("*.js")):
            found = re.search(r"(?:fetch|import|importScripts|open)\(\s*['\"](?:https?:)?//[^'\"]+", path.read_text("utf-8"))
            if found:
                yield f"{self.name(path)}: {found[0]}"

    def objects(self):
        """Names of the index that other projects link by, with their pages."""
        content = (self.folder / "objects.inv").read_bytes()
        lines = zlib.decompress(content.split(b"\n", 4)[4]).decode().splitlines()
        return {line.split(" ")[0]: line.split(" ")[3] for line in lines}


def is_elsewhere(link):
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme not in ("", "data", "file")


def public_names(root):
    """Every name that a user of C, of C++ and of Python may use."""
    doxygen = root / ".build-site/doxygen/xml"
    interface = json.loads((root / "docs/abi.json").read_text("utf-8"))
    for kind in ("constants", "nanoseconds", "enums", "handles", "types", "callbacks", "structures", "functions"):
        yield from interface[kind]
    for values in interface["enums"].values():
        yield from values
    for one in ElementTree.parse(doxygen / "index.xml").iter("compound"):
        name = one.findtext("name")
        if one.get("kind") in ("class", "struct") and name.startswith("mape::") and "<" not in name:
            yield name
    for member in ElementTree.parse(doxygen / "namespacemape.xml").iter("memberdef"):
        yield f"mape::{member.findtext('name')}"
    tree = ast.parse((root / "bindings/python/src/mapengine/__init__.py").read_text("utf-8"))
    exports = next(node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "_EXPORTS")
    yield from (f"mapengine.{ast.literal_eval(key)}" for key in exports.keys)


def pages_of(root):
    """What readers of the repository have."""
    yield from (path.relative_to(root) for path in sorted((root / "docs").rglob("*.md")))


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, problems, least=1, seen=None):
        problems = list(problems)
        if seen is not None and seen < least:
            problems.append(f"there were only {seen} to look at")
        self.passed += not problems
        self.failed += bool(problems)
        print(f"FAILED {name}: " + "\n    ".join(problems[:20]) if problems else f"ok {name}")


def main():
    folder, root = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    site, report = Site(folder), Report()
    report("each page has one title and one first heading", site.untitled(), 40, len(site.pages))
    count = sum(len(page.links) for page in site.pages.values())
    report("no link leads nowhere, to a page or within one", site.broken(), 2000, count)
    report("nothing is fetched from another machine", site.from_elsewhere())
    report("each Markdown page of docs/ is on the site",
           (f"{page} is not" for page in pages_of(root) if folder / page.with_suffix(".html") not in site.pages))
    names, there = set(public_names(root)), site.objects()
    report("each public name of C, C++ and Python is in the reference",
           (f"{name}: no page of docs/site/reference has it" for name in sorted(names) if name not in there), 250, len(names))
    print(f"{report.passed} passed, {report.failed} failed")
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
