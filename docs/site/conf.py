"""How Sphinx makes the site of the pages in the repository, which stay as they are; docs/architecture.md says why so.

scripts/site.sh runs it, once Doxygen has read the headers.
"""
import json
import os
import shutil
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "bindings/python/src")]

import abi_python  # noqa: E402
import docs_pages  # noqa: E402

INTERFACE = json.loads((ROOT / "docs/abi.json").read_text("utf-8"))

project = "MapEngine"
version = release = INTERFACE["version"]
language = "en"
extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc", "sphinx_copybutton"]

# ---- What is on the site, in its order: sections, their pages, and the pages below a page. ----

SECTIONS = {
    "Use": ["docs/guide", "docs/command-line", "docs/prototypes", "docs/types", "docs/hosts", "docs/many-machines", "docs/crash-file", "docs/trace-file"],
    "Python": ["docs/python", "docs/python/from-multiprocessing", "docs/python/from-futures", "docs/python/from-map-for-maya",
               "docs/python/from-mapscale", "docs/python/applications", "docs/python/c-functions", "docs/python/metrics"],
    "Reference": ["docs/site/reference/c", "docs/site/reference/cpp", "docs/site/reference/python"],
    "What it costs and promises": ["docs/performance", "docs/cluster", "docs/reliability"],
    "Inside": ["docs/architecture", "docs/model", "docs/sanitizers", "CONTRIBUTING", "Tests/README", "Benchmarks/README", "CHANGELOG"],
    "Examples": ["host-examples/README"],
}
BELOW = {
    "host-examples/README": ["*/README"],
    "Tests/README": ["faults/README"],
}
# A page that nobody has given a place stands at the end of the first section.
placed = {page for section in SECTIONS.values() for page in section}
SECTIONS["Use"] += sorted(name for name in (f"docs/{page.stem}" for page in (ROOT / "docs").glob("*.md")) if name not in placed)
root_doc = "README"
pages = [root_doc, "docs/site/reference/*", *(page for section in SECTIONS.values() for page in section)]
pages += [f"{Path(page).parent}/{below}" for page, all_below in BELOW.items() for below in all_below]
include_patterns = [f"{page}.{suffix}" for page in pages for suffix in ("md", "rst")]
# What stands beside these and is left unread.
exclude_patterns = [".*", "dist", "out", "Sources", "Tools", "bindings", "**/build"]

# ---- Markdown, as a git host reads it. ----

myst_heading_anchors = 6

# ---- C and C++: what Doxygen has read. ----

breathe_projects = {"mapengine": str(ROOT / ".build-site/doxygen/xml")}
breathe_default_project = "mapengine"
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}

# ---- Python: the package comes from its sources, without the library and what it vendors. ----

_abi = types.ModuleType("mapengine._abi")
exec(compile(abi_python.module(INTERFACE), "_abi.py", "exec"), _abi.__dict__)
sys.modules[_abi.__name__] = _abi
sys.dont_write_bytecode = True
autodoc_mock_imports = ["mapengine._vendor", "joblib", "numpy"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
maximum_signature_line_length = 100
# `name` in a docstring: a reference if there is such a thing, else code.
default_role = "py:obj"

# ---- Looks. Everything lies in the site itself: it works from a disk, and asks no other machine for anything. ----

html_theme = "furo"
html_title = f"MapEngine {version}"
html_static_path = ["static"]
html_search_scorer = str(Path(__file__).parent / "scorer.js")
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
pygments_style = "default"
pygments_dark_style = "github-dark"


def toctree(names, title=None):
    options = [":hidden:", ":glob:"] + ([f":caption: {title}"] if title else [])
    return "\n".join(["", "```{toctree}", *options, *names, "```", ""])


def in_reference(header):
    """The page that has a header's declarations: the one named after it."""
    for name in (f"c-{header.stem}", "cpp" if header.suffix == ".hpp" else "c"):
        page = ROOT / "docs/site/reference" / f"{name}.rst"
        if page.exists():
            return page


def to_pages(text, page):
    """Links that a git host follows and Sphinx does not: one to a folder leads to its README, one to a header into the reference."""
    edits = []
    for match, target, _ in docs_pages.links(text):
        there = (page.parent / target).resolve()
        if target and there.is_dir():
            to = there / "README.md" if (there / "README.md").exists() else None
        elif ROOT / "include" in there.parents:
            to = in_reference(there)
        else:
            continue
        edits.append((*match.span(), f"[{match[1]}]({os.path.relpath(to, page.parent)})" if to else match[1]))
    for begin, end, new in reversed(edits):
        text = text[:begin] + new + text[end:]
    return text


def read(app, name, source):
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md":
        source[0] = to_pages(source[0], page)
    if name == root_doc:
        source[0] += "".join(toctree(names, title) for title, names in SECTIONS.items())
    elif name in BELOW:
        source[0] += toctree(BELOW[name])


def finish(app, exception):
    """README is what a browser shows first."""
    if exception is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app):
    app.connect("source-read", read)
    app.connect("build-finished", finish)
