#!/usr/bin/env python3
"""Takes the code out of docs/guide.md, so that tests compile and run what readers see.

    guide_blocks.py GUIDE FOLDER

A block whose first line is a comment with a file's name (`/* points.c ... */`, `# build.sh`) is written under that name, and the
```text block after it as NAME.expected. Every other C or C++ block becomes snippet-LINE.c or .cpp: as it stands when it defines a
function, else as the body of one, whose parameters are what the guide's text speaks of. Prints the names, one a line.
"""
import pathlib
import re
import sys

HEAD = """#include <mapengine.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
"""
BODY = "void snippet(mape_pool *pool, mape_job *job, mape_function_id function, const mape_items *items, uint64_t count);\n" \
       "void snippet(mape_pool *pool, mape_job *job, mape_function_id function, const mape_items *items, uint64_t count) {\n"
NAMED = re.compile(r"\s*(?:/\*|//|#)\s*([\w-]+\.(?:c|cpp|h|py|sh|txt))\b")


def main():
    guide, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = guide.read_text(encoding="utf-8")
    program = None
    for match in re.finditer(r"^```([^\n`]*)\n(.*?)^```\s*$", text, re.MULTILINE | re.DOTALL):
        language, block = match[1].strip().lower(), match[2]
        line = text.count("\n", 0, match.start(2)) + 1
        name = NAMED.match(block.split("\n", 1)[0])
        if language == "text":
            if not program:
                sys.exit(f"{guide}:{line}: output of nothing")
            (folder / f"{program}.expected").write_text(block, encoding="utf-8")
            continue
        if name:
            program = name[1]
            (folder / program).write_text(block, encoding="utf-8")
            print(program)
        elif language in ("c", "cpp"):
            defines = re.search(r"^(?!(?:if|for|while|switch)\b)\w[^;\n]*\)\s*\{", block, re.MULTILINE)
            start = f'#line {line} "{guide}"\n'
            head = HEAD if language == "c" else HEAD + "#include <mapengine.hpp>\n"
            whole = head + start + block if defines else head + BODY + start + block + "}\n"
            snippet = f"snippet-{line}.{language}"
            (folder / snippet).write_text(whole, encoding="utf-8")
            print(snippet)
        else:
            sys.exit(f"{guide}:{line}: a block of {language or 'no language'} that no test looks at")


if __name__ == "__main__":
    main()
