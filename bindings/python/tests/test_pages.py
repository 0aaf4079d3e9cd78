"""What stands on the pages for users runs as it stands there.

All blocks of a page that begin with ```python run one after another, as one program in the order of the page, in a process of its own: a
page is what a reader would type. A block after the line `<!-- not run: why -->` is only compiled; so is one after `<!-- needs: MODULE, MODULE -->`
where a module is not installed. Where a line ends in a comment `# → TEXT`, the value of its expression, printed, is that TEXT.
"""
import ast
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
# The suite puts the pages beside the tests, since it runs them away from the project.
ROOT = HERE / "pages" if (HERE / "pages").is_dir() else HERE.parents[2]
PAGES = sorted(page for pattern in ("README.md", "bindings/python/README.md", "docs/python.md", "docs/python/*.md") for page in ROOT.glob(pattern))
BLOCK = re.compile(r"(<!-- (?P<word>not run|needs): (?P<what>[^\n]+) -->\n+)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"^(?P<indent> *)(?P<code>\S.*?) +# → (?P<text>.*)$")


def needs(block):
    """The modules without which a block cannot run."""
    return [module.strip() for module in block["what"].split(",")] if block["word"] == "needs" else []


def program(page):
    """The page as a program, with the page's line numbers."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * text.count("\n")
    for block in BLOCK.finditer(text):
        if block["word"] == "not run" or any(importlib.util.find_spec(module) is None for module in needs(block)):
            compile(block["code"], page.name, "exec")
            continue
        first = text.count("\n", 0, block.start("code"))
        for number, line in enumerate(block["code"].splitlines()):
            found = EXPECTED.match(line)
            lines[first + number] = f"{found['indent']}_is(({found['code']}), {found['text']!r})" if found else line
    # In the place of the page's first line.
    lines[0] = "def _is(value, text): assert str(value) == text, f'{value} is not {text}'"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page(page, tmp_path):
    code = program(page)
    ast.parse(code)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path, timeout=100,
                          env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert done.returncode == 0, done.stdout.decode()[-4000:]


def test_there_are_pages():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "bindings/python/README.md", "docs/python.md"} < names and sum(name.startswith("docs/python/") for name in names) >= 6
    assert all(BLOCK.search(page.read_text(encoding="utf-8")) for page in PAGES)


@pytest.mark.once
def test_each_block_runs_on_one_python():
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            assert all(importlib.util.find_spec(module) for module in needs(block)), f"{page.name}: {needs(block)}"


def test_a_page_that_is_wrong_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\nx = 1 + 1\nx  # → 3\n```\n\n<!-- not run: no screen -->\n```python\nraise SystemExit\n```\n")
    done = subprocess.run([sys.executable, "-c", program(page)], stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"line 5" in done.stderr and b"2 is not 3" in done.stderr
    for comment in ("not run: no screen", "needs: no_such_module"):
        page.write_text(f"<!-- {comment} -->\n```python\n(\n```\n")
        with pytest.raises(SyntaxError):
            program(page)
    page.write_text("<!-- needs: os, json -->\n```python\n1 + 1  # → 2\n```\n")
    assert "1 + 1" in program(page)
