"""Every system call that the headers of this machine name is decided in fork_sandbox_calls.h: refused by a line, or
allowed in the list below them with the reason; none is in neither, and none in both. What is newer than LAST_KNOWN is refused
by its number.

    sandbox_calls.py FILE [HEADER]

SPDX-License-Identifier: Apache-2.0
"""

import re
import subprocess
import sys


def numbers(header):
    """Names and numbers of calls, as the compiler sees them."""
    text = f"#include <{header}>\n"
    made = subprocess.run(["cc", "-E", "-dM", "-"], input=text, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)\n", made)}


def main():
    source = open(sys.argv[1], encoding="utf-8").read()
    calls = numbers(sys.argv[2] if len(sys.argv) > 2 else "asm/unistd.h")
    last = int(re.search(r"#define LAST_KNOWN +(\d+)", source).group(1))
    table = source[source.index("lines[] = {") :]
    table, allowed = table.split("/* Allowed, and why.")
    ruled = re.findall(r"\{(?:SYS|NR)_(\w+), (\w+),", table)
    refused = {name for name, rule in ruled} | set(re.findall(r"(?:FILES|NEVER)\((\w+)\)", table))
    wholly = {name for name, rule in ruled if rule == "REFUSE"} | set(re.findall(r"(?:FILES|NEVER)\((\w+)\)", table))
    allowed = allowed.split("Newer than LAST_KNOWN")[0]
    named = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", allowed)))
    wrong = [f"{name} is in neither list" for name, number in calls.items() if number <= last and name not in refused | named]
    wrong += [f"{name} is refused, and in the list of what is allowed" for name in sorted(wholly & named)]
    wrong += [f"{name} is newer than LAST_KNOWN, and named" for name, number in calls.items() if number > last and name in refused]
    # Lines of one call stand together: the filter goes by that.
    order = [name for name, rule in ruled]
    for i, name in enumerate(order):
        if name in order[:i] and order[i - 1] != name:
            wrong.append(f"the lines of {name} do not stand together")
    if len(calls) < 200 or len(refused) < 50:
        wrong.append(f"read {len(calls)} calls and {len(refused)} lines: this check sees nothing")
    for text in wrong:
        print(text)
    return 1 if wrong else 0


sys.exit(main())
