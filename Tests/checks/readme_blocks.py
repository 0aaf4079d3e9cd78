#!/usr/bin/env python3
"""Takes the quickstart out of README.md, so that tests build and run what readers see.

    readme_blocks.py README FOLDER
    readme_blocks.py --first README FOLDER      what stands before the first section: the first screen

Reads the section whose heading starts with "Quickstart". Writes each ```c block to FOLDER under the name that stands in
its first line (`/* squares.c ... */` or `// squares.c`); the commands to FOLDER/commands.sh; what they are to print
to FOLDER/expected.txt. In a block of commands (```sh, ```bash, ```shell, ```console) that has lines starting with
"$ ", these are the commands and the others the output; without such lines all are commands, and the output is the ```text
block (or one without a language) after it. Prints a line per file: its name and count of lines.

On the first screen the program is built by the command in the text that begins with `cc`, and prints what a comment `/* → TEXT */` says.
"""
import pathlib
import re
import sys

SHELLS = ("sh", "bash", "shell", "console")


def main():
    first = sys.argv[1] == "--first"
    readme, folder = (pathlib.Path(name) for name in sys.argv[1 + first:])
    readme = readme.read_text(encoding="utf-8")
    if first:
        body = readme[:re.search(r"^## ", without_code_headings(readme), re.MULTILINE).start()]
        return take(body, folder, re.findall(r"`(cc [^`]+)`", body) + ["./a.out"], re.findall(r"/\* → (.*?) \*/", body))
    section = re.search(r"^(#+)\s*Quickstart\b[^\n]*\n(.*?)(?=^\1\s|\Z)", without_code_headings(readme), re.MULTILINE | re.DOTALL | re.IGNORECASE)
    if not section:
        sys.exit("README.md has no section 'Quickstart'")
    return take(readme[section.start(2):section.end(2)], folder, [], [])


def take(body, folder, commands, expected):
    """Writes the blocks of a section; `commands` and what they print come before those of the blocks."""
    sources = 0
    for match in re.finditer(r"^```([^\n`]*)\n(.*?)^```\s*$", body, re.MULTILINE | re.DOTALL):
        language, text = match[1].strip().split(" ")[0].lower(), match[2]
        if language == "c":
            name = re.match(r"\s*(?:/\*|//)\s*([\w.-]+\.[ch])\b", text)
            if not name:
                sys.exit("a C block of README.md does not name its file in its first line, as in /* squares.c */")
            (folder / name[1]).write_text(text, encoding="utf-8")
            print(name[1], text.count("\n"))
            sources += 1
        elif language in SHELLS:
            lines = text.splitlines()
            if any(line.startswith("$ ") for line in lines):
                continued = False
                for line in lines:
                    if line.startswith("$ "):
                        line, is_command = line[2:], True
                    else:
                        is_command = continued
                    (commands if is_command else expected).append(line)
                    continued = is_command and line.endswith("\\")
            else:
                commands += lines
        elif language in ("text", "") and commands:
            expected += text.splitlines()
    if not sources or not commands or not expected:
        sys.exit(f"README.md has {sources} C blocks, {len(commands)} lines of commands, {len(expected)} lines of output; "
                 "there has to be some of each, in the quickstart and before")
    (folder / "commands.sh").write_text("\n".join(["set -e", *commands]) + "\n", encoding="utf-8")
    (folder / "expected.txt").write_text("\n".join(line.rstrip() for line in expected).strip() + "\n", encoding="utf-8")


def without_code_headings(text):
    """Of the same length, with the # of lines inside code blocks made harmless, since those are no headings."""
    return re.sub(r"^```.*?^```", lambda m: m.group(0).replace("#", " "), text, flags=re.MULTILINE | re.DOTALL)


if __name__ == "__main__":
    main()
