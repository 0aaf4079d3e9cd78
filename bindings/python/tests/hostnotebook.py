"""A notebook in a kernel, as Jupyter runs it: cells, and what they show."""
import sys

import nbclient
import nbformat

# Each cell, and what it shows in the end.
CELLS = [
    ("""
import mapengine, threading
scale = 2
def square(x):
    return x * x * scale
mapengine.map(square, [1, 2, 3])
""", "[2, 8, 18]"),
    ("mapengine.hosts.find()", "'asyncio'"),
    # A later cell has changed a global, and the function.
    ("""
scale = 3
mapengine.map(square, [1, 2, 3])
""", "[3, 12, 27]"),
    ("""
def square(x):
    return -x
executor = mapengine.Executor(2)
await executor.amap(square, [1, 2])
""", "[-1, -2]"),
    ("[value async for value in executor.amap(square, range(3), buffersize=1)]", "[0, -1, -2]"),
    # A callback runs on the main thread, while no cell does anything.
    ("""
import asyncio
heard = asyncio.Event()
def hear(values):
    print(values, threading.current_thread() is threading.main_thread())
    heard.set()
handle = mapengine.map(square, [1, 2], callback=hear)
await asyncio.wait_for(heard.wait(), 60)
(handle.is_alive(), handle.result())
""", "(False, [-1, -2])"),
    ("""
executor.shutdown()
mapengine.shutdown()
""", None),
]


def shown(cell):
    """The value of a cell; raises when it has none, as after an exception."""
    values = [output["data"]["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    return values[0] if values else None


def main():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source, _ in CELLS])
    nbclient.NotebookClient(notebook, timeout=60).execute()
    for cell, (source, expected) in zip(notebook.cells, CELLS):
        assert shown(cell) == expected, (source, cell.outputs)
    printed = [output.text for output in notebook.cells[5].outputs if output.output_type == "stream"]
    assert printed == ["[-1, -2] True\n"], printed
    print("right")


if __name__ == "__main__":
    sys.exit(main())
