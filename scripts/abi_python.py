"""Makes declarations for Python's ctypes of the interface as scripts/abi.py describes it."""
import re

PLAIN = {"char": "c_char", "int": "c_int", "double": "c_double", "size_t": "c_size_t", "ptrdiff_t": "c_ssize_t",
         "int32_t": "c_int32", "int64_t": "c_int64", "uint32_t": "c_uint32", "uint64_t": "c_uint64"}

HEAD = '''"""The interface of libmapengine {version} for ctypes. Made by scripts/abi.py from the library's headers; do not edit.

    import mapengine_abi as abi
    lib = abi.load()                  # {soname}, with the types of all functions
    pool = abi.mape_pool()
    status = lib.mape_pool_create(abi.byref(pool), None)

A structure that is made has its size in `struct_size`, and those within it have theirs. A handle is a c_void_p of its own type: two
are the same when their `value` is. What the calls do, and what belongs to whom, is said in the headers.
"""
import ctypes
from ctypes import byref, sizeof
from typing import Any

VERSION = "{version}"
SONAME = "{soname}"

'''

SIZED = '''
class Sized(ctypes.Structure):
    """A structure that begins with its size."""

    def __init__(self, **fields: Any) -> None:
        for name, kind, *_ in self._fields_:
            if isinstance(kind, type) and issubclass(kind, Sized):
                fields.setdefault(name, kind())
        fields.setdefault("struct_size", sizeof(self))
        super().__init__(**fields)

'''

LOAD = '''

def load(path: str = SONAME) -> ctypes.CDLL:
    """Loads the library and tells ctypes the types of its functions."""
    library = ctypes.CDLL(path)
    for name, (returned, parameters) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returned, parameters
    return library
'''


def spelled(kind, interface):
    """A C type as ctypes has it."""
    base = re.sub(r"\bconst\b|\*", "", kind).strip()
    stars = kind.count("*")
    if base == "void":
        if not stars:
            return "None"
        base, stars = "ctypes.c_void_p", stars - 1
    elif base == "char" and stars:
        base, stars = "ctypes.c_char_p", stars - 1
    elif base in interface["handles"]:
        stars -= 1
    elif base in interface["types"]:
        base = "ctypes." + PLAIN[interface["types"][base]]
    elif base in PLAIN:
        base = "ctypes." + PLAIN[base]
    elif base not in interface["structures"] and base not in interface["callbacks"]:
        raise ValueError(f"abi: no ctypes for {kind}")
    return "ctypes.POINTER(" * stars + base + ")" * stars


def module(interface):
    """The text of the module."""
    out = [HEAD.format(**interface)]
    for name, one in interface["constants"].items():
        value = one["value"]
        out.append(f"{name} = {value.encode() if isinstance(value, str) else value}\n")
    for name, values in interface["enums"].items():
        out.append(f"\n# {name}\n")
        out += [f"{value} = {number}\n" for value, number in values.items()]
    for name, scale in interface["nanoseconds"].items():
        out.append(f'\n\ndef {name}(n: float) -> int:\n    """n {name[5:].lower()} in nanoseconds."""\n    return int(n * {scale})\n')
    out.append("\n")
    for name in interface["handles"]:
        out.append(f'\nclass {name}(ctypes.c_void_p):\n    """A handle."""\n\n')
    out.append(SIZED)
    structures = interface["structures"]
    for name, one in structures.items():
        base = "Sized" if one["fields"][0]["name"] == "struct_size" else "ctypes.Structure"
        out.append(f'\nclass {name}({base}):\n    """{one["size"]} bytes."""\n\n')
    out.append("\n")
    for name, one in interface["callbacks"].items():
        types = [one["returns"]] + [parameter["type"] for parameter in one["parameters"]]
        out.append(f"{name} = ctypes.CFUNCTYPE({', '.join(spelled(kind, interface) for kind in types)})\n")
    for name, one in structures.items():
        out.append(f"{name}._fields_ = [\n")
        out += [f'    ("{field["name"]}", {spelled(field["type"], interface)}),\n' for field in one["fields"]]
        out.append("]\n")
    out.append("\nFUNCTIONS: dict[str, tuple[Any, list[Any]]] = {\n")
    for name, one in interface["functions"].items():
        types = ", ".join(spelled(parameter["type"], interface) for parameter in one["parameters"])
        out.append(f'    "{name}": ({spelled(one["returns"], interface)}, [{types}]),\n')
    out.append("}\n")
    out.append(LOAD)
    return "".join(out)
