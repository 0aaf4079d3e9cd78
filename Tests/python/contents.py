#!/usr/bin/env python3
"""What a wheel holds, as pip will install it, and what it weighs.

    contents.py WHEEL
"""
import base64
import hashlib
import sys
import zipfile
from email.parser import Parser

# In bytes. Users download the wheel; of the command line two thirds are the Swift libraries that are linked into it.
LIMIT_WITHOUT_COMMAND_LINE = 4_000_000
LIMIT = 9_000_000
COMMAND_LINE = "mapengine/_native/bin/mapengine"
NEEDED = ("mapengine/__init__.py", "mapengine/_abi.py", "mapengine/py.typed", "mapengine/_vendor/cloudpickle/cloudpickle.py",
          "mapengine/_vendor/cloudpickle/LICENSE", "mapengine/_native/include/mapengine.h", "mapengine/_native/include/mapengine/qt.hpp",
          "mapengine/_native/lib/cmake/mapengine/mapengineConfig.cmake", "mapengine/_native/share/mapengine/templates/c/work.c.in")
PROGRAMS = ("mapengine/_native/libexec/mapengine-zygote", COMMAND_LINE)


def main() -> None:
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        entries = {entry.filename: entry for entry in wheel.infolist()}
        for name in NEEDED:
            assert name in entries, f"{name} is missing"
        assert "mapengine/_native/share/mapengine/report.html" in entries, "there is no page of reports"
        assert any(name.startswith("mapengine/_native/lib/libmapengine.so.") for name in entries), "there is no library"
        for name in PROGRAMS:
            assert name != COMMAND_LINE or name in entries, f"{name} is missing; was dist/ built with MAPENGINE_TOOL=0?"
            assert entries[name].external_attr >> 16 & 0o111 == 0o111, f"{name} cannot be run"
        for name in entries:
            top = name.split("/")[0]
            assert top == "mapengine" or top.endswith(".dist-info"), f"{name} would lie beside the package"
            assert not name.endswith((".c", ".pyc")), f"{name} is of no use there"
        folder = next(name for name in entries if name.endswith(".dist-info/METADATA")).split("/")[0]
        metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
        assert f"mapengine-{metadata['Version']}.dist-info" == folder
        made = {}
        exec(compile(wheel.read("mapengine/_abi.py"), "_abi.py", "exec"), made)
        assert made["VERSION"] == metadata["Version"], (made["VERSION"], metadata["Version"])
        assert not [one for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one], "it depends on other packages"
        for line in wheel.read(f"{folder}/RECORD").decode().splitlines():
            name, digest, _ = line.rsplit(",", 2)
            if digest:
                there = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
                assert digest == f"sha256={there}", name
        weight = sum(entry.compress_size for entry in entries.values())
        without = weight - entries[COMMAND_LINE].compress_size
    assert without <= LIMIT_WITHOUT_COMMAND_LINE, f"{without} bytes without the command line"
    assert weight <= LIMIT, f"{weight} bytes"
    print(f"{weight} bytes, {without} without the command line")


if __name__ == "__main__":
    main()
