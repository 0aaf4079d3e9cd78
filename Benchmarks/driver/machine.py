"""What was measured on, and with what."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from .paths import NEW

PACKAGES = {
    "Google Benchmark": "libbenchmark1debian", "oneTBB": "libtbb12", "ZeroMQ": "libzmq5", "OpenMP (libgomp)": "libgomp1",
    "valgrind": "valgrind",
}
MODULES = ("loky", "mpire", "pebble", "joblib", "numpy")


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def field(path, pattern):
    found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def library_version():
    header = NEW.dist / "include" / "mapengine" / "base.h"
    return ".".join(field(header, rf"^#define MAPE_VERSION_{part} (\d+)") for part in ("MAJOR", "MINOR", "PATCH"))


def package_version(package):
    return first_line("dpkg-query", "-W", "-f", "${Version}", package)


def description():
    """Pairs of a name and a text."""
    memory = int(field("/proc/meminfo", r"^MemTotal:\s*(\d+)")) / (1 << 20)
    model = field("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")
    virtual = " (virtual)" if "hypervisor" in Path("/proc/cpuinfo").read_text() else ""
    pages = field("/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]")
    peers = ", ".join(f"{name} {package_version(package)}" for name, package in PACKAGES.items())
    modules = ", ".join(f"{name} {metadata.version(name)}" for name in MODULES)
    release = field("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
    return [
        ("Processor", f"{model}, {len(os.sched_getaffinity(0))} cores{virtual}"),
        ("Memory", f"{memory:.0f} GiB, transparent huge pages: {pages}"),
        ("System", f"{release}, Linux {os.uname().release.split('-')[0]}"),
        ("MapEngine", library_version()),
        ("Compiler of the native peers", f"{first_line('c++', '--version')}, -O3"),
        ("Native peers", peers),
        ("Python peers", f"Python {platform.python_version()}, {modules}"),
    ]


def warnings():
    """What speaks against trusting the figures."""
    load = os.getloadavg()[0]
    if load > 0.7:
        yield f"the machine is not quiet (load {load:.1f}): figures will be worse than they could be"
    available = int(field("/proc/meminfo", r"^MemAvailable:\s*(\d+)")) / (1 << 20)
    if available < 6:
        yield f"only {available:.1f} GiB of memory are free: the rows with a host of 4 GiB may fail"
