"""Prints the commands that a page shows, so that tests run what readers type.

    page_commands.py PAGE...

A command is a line of a ```sh block, without the comment behind it; one that ends in a backslash goes on in the next line. Each is
printed once, after the pages' names and a tab.
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```sh\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(?:^|\s)#\s.*$")


def commands(text):
    for block in BLOCK.finditer(text):
        for line in block[1].replace("\\\n", " ").splitlines():
            command = " ".join(COMMENT.sub("", line).split())
            if command:
                yield command


def main():
    found = {}
    for page in sys.argv[1:]:
        here = list(commands(Path(page).read_text(encoding="utf-8")))
        if not here:
            print(f"{page} shows no command", file=sys.stderr)
            return 1
        for command in here:
            found.setdefault(command, page)
    for command, page in found.items():
        print(f"{page}\t{command}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
