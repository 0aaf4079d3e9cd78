"""What stands on the pages for users runs as it stands there.

All blocks of a page that begin with ```python run one after another, as one program in the order of the page, in a process of its own: a
page is what a reader would type. A block after the line `<!-- not run: why -->` is only compiled. Where a line ends in a comment `# → TEXT`,
the value of its expression, printed, is that TEXT.
"""
import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
PAGES = sorted([*(HERE / "pages").glob("*.md"), HERE.parent / "README.md", *(HERE.parents[2] / "docs").glob("python*.md")]
               if not (HERE / "pages").is_dir() else (HERE / "pages").glob("*.md"))
BLOCK = re.compile(r"(<!-- not run: (?P<why>[^\n]+) -->\n+)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"^(?P<indent> *)(?P<code>\S.*?) +# → (?P<text>.*)$")


def program(page):
    """The page as a program, with the page's line numbers."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * text.count("\n")
    for block in BLOCK.finditer(text):
        if block["why"]:
            compile(block["code"], page.name, "exec")
            continue
        first = text.count("\n", 0, block.start("code"))
        for number, line in enumerate(block["code"].splitlines()):
            found = EXPECTED.match(line)
            lines[first + number] = f"{found['indent']}_is(({found['code']}), {found['text']!r})" if found else line
    # In the place of the page's first line.
    lines[0] = "def _is(value, text): assert str(value) == text, f'{value} is not {text}'"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_page(page, tmp_path):
    code = program(page)
    ast.parse(code)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path, timeout=100,
                          env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert done.returncode == 0, done.stdout.decode()[-4000:]


def test_a_page_that_is_wrong_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\nx = 1 + 1\nx  # → 3\n```\n\n<!-- not run: no screen -->\n```python\nraise SystemExit\n```\n")
    done = subprocess.run([sys.executable, "-c", program(page)], stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"line 5" in done.stderr and b"2 is not 3" in done.stderr
    page.write_text("<!-- not run: no screen -->\n```python\n(\n```\n")
    with pytest.raises(SyntaxError):
        program(page)
