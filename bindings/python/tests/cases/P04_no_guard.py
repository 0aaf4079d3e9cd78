"""No guard around __main__ is needed: the script's body runs once (pyBKT-examples#2, conductor python-sdk#489, pex#1236)."""

import os
import tempfile

from mapengine import Executor

count_file = os.environ.setdefault("COUNT_FILE", os.path.join(tempfile.mkdtemp(), "count"))
with open(count_file, "a") as file:
    file.write("x")


def successor(x):
    return x + 1


executor = Executor(2)
assert list(executor.map(successor, range(6))) == [1, 2, 3, 4, 5, 6]
executor.shutdown()
with open(count_file) as file:
    assert file.read() == "x"
print("OK")
