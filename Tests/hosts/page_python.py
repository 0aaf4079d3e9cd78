"""Whether the Python that a page shows is Python: page_python.py PAGE

For code that only runs in applications that are not here.
"""
import re
import sys

blocks = re.findall(r"^```python\n(.*?)^```", open(sys.argv[1], encoding="utf-8").read(), re.MULTILINE | re.DOTALL)
assert blocks, "the page shows none"
for block in blocks:
    compile(block, sys.argv[1], "exec")
print(len(blocks), "blocks")
