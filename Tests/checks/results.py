"""Counts tests from the XML that test runners write: xUnit's by `swift test --xunit-output`, cmocka's by CMOCKA_XML_FILE.

    results.py FILE...

Prints `N passed, N failed`, before it a line `FAILED name: why` per failed test. A test that was skipped counts as neither. Ends with
1, and prints no counts, when there is no file or one cannot be read: its runner ended in the middle.
"""

import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

# What no XML may hold, though a message can.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def results(path):
    """(name, None when it passed, a text when it failed) of each test."""
    text = CONTROL.sub("?", Path(path).read_text(encoding="utf-8", errors="replace"))
    for case in xml.fromstring(text).iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            why = " ".join(((bad[0].get("message") or "") + " " + (bad[0].text or "")).split())
            yield case.get("name"), why or "no message"
        elif case.find("skipped") is None:
            yield case.get("name"), None


def main():
    passed = failed = 0
    lines = []
    try:
        if len(sys.argv) < 2:
            raise OSError("no file is named")
        for path in sys.argv[1:]:
            for name, why in results(path):
                passed += why is None
                failed += why is not None
                lines += [f"FAILED {name}: {why}"] if why else []
    except (OSError, xml.ParseError) as error:
        print(f"results: {error}", file=sys.stderr)
        return 1
    print(*lines, f"{passed} passed, {failed} failed", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
