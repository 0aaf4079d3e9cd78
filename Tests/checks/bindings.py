#!/usr/bin/env python3
"""The declarations for ctypes say what abi.json says; with a library, that it has all functions and takes the structures.

    PYTHONPATH=FOLDER_OF_MAPENGINE_ABI bindings.py ABI.JSON [LIBRARY]
"""
import ctypes
import json
import sys

import mapengine_abi as abi


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        interface = json.load(file)
    for name, one in interface["structures"].items():
        kind = getattr(abi, name)
        assert ctypes.sizeof(kind) == one["size"], name
        for field in one["fields"]:
            there = getattr(kind, field["name"])
            assert (there.offset, there.size) == (field["offset"], field["size"]), f"{name}.{field['name']}"
        made = kind()
        if "struct_size" in (field["name"] for field in one["fields"]):
            assert made.struct_size == one["size"], name
    for values in interface["enums"].values():
        for name, value in values.items():
            assert getattr(abi, name) == value, name
    for name, one in interface["constants"].items():
        value = one["value"]
        assert getattr(abi, name) == (value.encode() if isinstance(value, str) else value), name
    assert abi.MAPE_SECONDS(1.5) == 1_500_000_000
    assert abi.mape_event().result.struct_size == ctypes.sizeof(abi.mape_result)
    assert list(abi.FUNCTIONS) == list(interface["functions"])
    if len(sys.argv) > 2:
        lib = abi.load(sys.argv[2])
        assert lib.mape_version() == abi.MAPE_VERSION
        pool, stats = abi.mape_pool(), abi.mape_stats()
        assert lib.mape_pool_create(abi.byref(pool), abi.byref(abi.mape_pool_config(workers=3))) == abi.MAPE_OK
        assert lib.mape_pool_stats(abi.byref(stats), pool) == abi.MAPE_OK and stats.workers == 3
        try:
            lib.mape_job_wait(pool, 0)
        except ctypes.ArgumentError:
            pass
        else:
            raise AssertionError("a pool was taken for a job")
        assert lib.mape_pool_release(pool) == abi.MAPE_OK
        assert lib.mape_pool_release(pool) == abi.MAPE_E_HANDLE


if __name__ == "__main__":
    main()
