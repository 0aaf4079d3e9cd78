"""A real map with one slow item, one crash and a long copy: host.c, built against dist/, and its trace."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PREFIX = os.environ.get("MAPENGINE_PREFIX", os.path.join(ROOT, "dist"))


def trace(folder, workers, items, milliseconds):
    """The trace's file; the slow item is the one at three quarters of all, the one that crashes is 12."""
    library, program, file = (os.path.join(folder, name) for name in ("libscene.so", "render", "trace.json"))
    for words in (["-fPIC", "-shared", "-o", library, f"{HERE}/work.c"],
                  ["-o", program, f"{HERE}/host.c", f"-L{PREFIX}/lib", "-lmapengine", f"-Wl,-rpath,{PREFIX}/lib"]):
        subprocess.run(["cc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{PREFIX}/include", *words], check=True)
    # What the crash says on standard error is in the trace as well.
    subprocess.run([program, library, file, str(workers), str(items), str(milliseconds)], check=True, timeout=300, stderr=subprocess.DEVNULL)
    return file
