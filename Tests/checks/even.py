#!/usr/bin/env python3
"""The rules of names and arguments in mapengine.h, held against abi.json.

    even.py ABI.JSON
"""
import json
import re
import sys

OBJECTS = ("pool", "function", "buffer", "job", "stream", "proxy", "task", "zygote")
# These are about the library as a whole, or make jobs.
OTHERS = {"mape_version", "mape_status_string", "mape_message", "mape_apply", "mape_map", "mape_map_columns"}
# What a call writes to, under other names than out or out_SOMETHING.
DESTINATIONS = {"dst", "dst_size", "stride", "buffer", "size", "columns", "column_count", "capacity"}


def wrong(interface):
    for name, one in interface["functions"].items():
        if name not in OTHERS and not re.match(rf"mape_({'|'.join(OBJECTS)})_[a-z]", name):
            yield f"{name} begins with no object"
        parameters = [parameter["name"] for parameter in one["parameters"]]
        outputs = [k for k, parameter in enumerate(parameters) if re.match(r"out(_|$)", parameter)]
        for k in range(max(outputs, default=0)):
            if k not in outputs and parameters[k] not in DESTINATIONS:
                yield f"{name}: {parameters[k]} comes before an output"
        for k, parameter in enumerate(one["parameters"]):
            kind = parameter["type"]
            writes = kind.endswith("**") and "const" not in kind and kind != "char **" or \
                re.fullmatch(r"(mape_\w+|u?int\d+_t|size_t|int) \*", kind) and kind[:-2] not in interface["handles"]
            if writes and k not in outputs:
                yield f"{name}: {parameter['name']} is written to, and is not called out"
    for kind in ("structures", "callbacks", "types", "enums"):
        for name in interface[kind]:
            if name.endswith("_t"):
                yield f"{name} ends in _t"
    for name in interface["handles"]:
        if name.endswith("_t"):
            yield f"{name} ends in _t"
    for name, one in interface["structures"].items():
        end = 0
        for field in one["fields"]:
            if field["offset"] != end:
                yield f"{name}: a hole before {field['name']}"
            end = field["offset"] + field["size"]
        if end != one["size"]:
            yield f"{name}: a hole at its end"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(wrong(json.load(file)))
    print("\n".join(found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
