#!/usr/bin/env python3
"""Writes C functions of every type that a typed function can have, and a program that calls each of them three ways: from C, over
columns, and by a proxy. What they give must be the same, bit for bit.

    generate.py FOLDER        writes cases.h, cases.c (the functions) and test_types.c (the program)

The mixes are random with a fixed seed, so that every run tests the same.
"""

import random
import sys
from pathlib import Path

ROWS = 5
NUMBERS = [
    # C's name, enum mape_type, what it becomes behind the dots
    ("_Bool", "BOOL", None),
    ("signed char", "INT8", None),
    ("unsigned char", "UINT8", None),
    ("short", "INT16", None),
    ("unsigned short", "UINT16", None),
    ("int", "INT32", "int"),
    ("unsigned", "UINT32", "unsigned"),
    ("long", "INT64", "long"),
    ("unsigned long", "UINT64", "unsigned long"),
    ("float", "FLOAT", None),
    ("double", "DOUBLE", "double"),
    ("long double", "LONG_DOUBLE", "long double"),
    ("float _Complex", "COMPLEX_FLOAT", "float _Complex"),
    ("double _Complex", "COMPLEX_DOUBLE", "double _Complex"),
    ("long double _Complex", "COMPLEX_LONG_DOUBLE", "long double _Complex"),
]
# Names that mean one of the above.
OTHER_NAMES = [
    ("char", "INT8 UINT8"), ("long long", "INT64"), ("unsigned long long", "UINT64"),
    ("int8_t", "INT8"), ("uint8_t", "UINT8"), ("int16_t", "INT16"), ("uint16_t", "UINT16"),
    ("int32_t", "INT32"), ("uint32_t", "UINT32"), ("int64_t", "INT64"), ("uint64_t", "UINT64"),
    ("size_t", "UINT64"), ("ssize_t", "INT64"), ("ptrdiff_t", "INT64"), ("intptr_t", "INT64"),
    ("uintptr_t", "UINT64"), ("intmax_t", "INT64"), ("uintmax_t", "UINT64"),
]
# Structures: chosen for the ways in which ABIs pass them (by classes of eight bytes, in memory, as vectors of floats, padded).
STRUCTURES = [
    "char a;", "signed char a; short b;", "unsigned char a[3];", "unsigned char a[16];", "char a[17];",
    "float a;", "float a, b;", "float a, b, c;", "float a[4];", "float a[5];", "float a[16];",
    "double a;", "double a, b;", "double a, b, c;", "double a[4];", "double a[12];",
    "int a; float b;", "float a; int b;", "float a, b; int c;", "long a; double b;", "double a; long b;",
    "int a, b;", "long a, b;", "long a, b, c;", "_Bool a; char b; short c; int d; long e;",
    "struct {int a; float b;} a; double b;", "struct {struct {float a, b;} a; float b[2];} a[2]; int b;",
    "long double a; int b;", "float _Complex a;", "double _Complex a;", "float _Complex a; float b;", "char a; double b;",
    "struct {char a;} a[5];", "short a[7]; char b;", "long double a;", "int a, b; float c;",
]


class Type:
    def __init__(self, name, kind, members=None, shown=None):
        self.name = name          # in C and in prototypes
        self.kind = kind          # enum mape_type
        self.members = members    # of a structure, as C
        self.shown = shown or name
        self.word = name.replace(" ", "_")


def types():
    all_types = [Type(name, kind) for name, kind, _ in NUMBERS]
    for i, members in enumerate(STRUCTURES):
        all_types.append(Type(f"struct s{i}", "STRUCT", members, "{" + members.strip() + "}"))
    return all_types


def leaves(members, path=""):
    """The numbers in a structure: (type, C expression) each."""
    found, at, depth, start = [], 0, 0, 0
    parts = []
    while at < len(members):
        c = members[at]
        depth += (c == "{") - (c == "}")
        if c == ";" and depth == 0:
            parts.append(members[start:at].strip())
            start = at + 1
        at += 1
    for part in parts:
        if part.startswith("struct"):
            inner, declarators = part[part.index("{") + 1:part.rindex("}")], part[part.rindex("}") + 1:]
            names = [d.strip() for d in declarators.split(",")]
            base = None
        else:
            first, *rest = part.split(",")
            base, name = first.rsplit(" ", 1)
            names = [name] + [r.strip() for r in rest]
            inner = None
        for name in names:
            count, plain = 1, name
            if "[" in name:
                plain, count = name[:name.index("[")], int(name[name.index("[") + 1:-1])
            for k in range(count):
                place = f"{path}.{plain}" + (f"[{k}]" if "[" in name else "")
                found += leaves(inner, place) if inner else [(base, place)]
    return found


class Parameter:
    def __init__(self, form, type_, length=1, counted=False):
        self.form, self.type, self.length, self.counted = form, type_, length, counted

    @property
    def is_in(self):
        return self.form in ("value", "in", "inout")

    @property
    def is_out(self):
        return self.form in ("out", "inout")

    def c(self, i):
        star = "" if self.form == "value" else "*"
        const = "const " if self.form == "in" else ""
        return f"{const}{self.type.name} {star}p{i}"

    def prototype(self, i):
        if self.form == "value":
            return f"{self.type.name} p{i}"
        word = {"in": "const ", "out": "", "inout": "inout "}[self.form]
        return f"{word}{self.type.name} *p{i} [{self.length}]"


class Case:
    def __init__(self, number, result, parameters, aspects, fixed=None):
        self.number, self.result, self.parameters, self.aspects, self.fixed = number, result, parameters, aspects, fixed

    @property
    def name(self):
        return f"case_{self.number}"

    def c_parameters(self, ellipsis=True):
        if self.fixed is not None:
            return ", ".join([p.c(i) for i, p in enumerate(self.parameters[:self.fixed])] + ["..."])
        return ", ".join(p.c(i) for i, p in enumerate(self.parameters)) or "void"

    def prototype(self):
        texts = [p.prototype(i) for i, p in enumerate(self.parameters)]
        if self.fixed is not None:
            texts.insert(self.fixed, "...")
        result = self.result.name if self.result else "void"
        used = {t.name: t for t in [self.result] + [p.type for p in self.parameters] if t and t.kind == "STRUCT"}
        before = "".join(f"{t.name} {{{t.members}}}; " for t in used.values())
        return f"{before}{result} {self.name}({', '.join(texts) or 'void'})"

    def function(self):
        lines = [f"{self.result.name if self.result else 'void'} {self.name}({self.c_parameters()}) {{",
                 f"    uint64_t h = {self.number};"]
        if self.fixed is not None:
            lines += ["    va_list list;", f"    va_start(list, p{self.fixed - 1});"]
            for i, p in enumerate(self.parameters[self.fixed:], self.fixed):
                lines.append(f"    {p.type.name} p{i} = va_arg(list, {p.type.name});")
            lines.append("    va_end(list);")
        for i, p in enumerate(self.parameters):
            if p.form == "value":
                lines.append(f"    h = mix_{p.type.word}(h, &p{i});")
            elif p.is_in:
                lines.append(f"    for (int k = 0; k < {p.length}; k++) h = mix_{p.type.word}(h, &p{i}[k]);")
            else:
                # What is written is zero before.
                lines.append(f"    for (size_t k = 0; k < {p.length} * sizeof *p{i}; k++) h += ((const uint8_t *)p{i})[k];")
        for i, p in enumerate(self.parameters):
            if p.is_out:
                lines.append(f"    for (int k = 0; k < {p.length}; k++) p{i}[k] = make_{p.type.word}(&h);")
        if self.result:
            lines.append(f"    return make_{self.result.word}(&h);")
        return "\n".join(lines + ["}"])

    def test(self):
        n = len(self.parameters)
        lines = [f"static int test_{self.number}(mape_function_id function) {{", f"    uint64_t seed = {self.number} * 77 + 1;"]
        for i, p in enumerate(self.parameters):
            lines.append(f"    static {p.type.name} a{i}[ROWS][{p.length}], w{i}[ROWS][{p.length}], g{i}[ROWS][{p.length}];")
        if self.result:
            lines.append(f"    static {self.result.name} want[ROWS], got[ROWS];")
        lines.append("    for (int i = 0; i < ROWS; i++) {")
        for i, p in enumerate(self.parameters):
            if p.is_in:
                lines.append(f"        for (int k = 0; k < {p.length}; k++) a{i}[i][k] = make_{p.type.word}(&seed);")
            if p.is_out:
                lines.append(f"        memcpy(w{i}[i], a{i}[i], sizeof w{i}[i]);")
        actual = ", ".join(f"a{i}[i][0]" if p.form == "value" else f"w{i}[i]" if p.is_out else f"a{i}[i]"
                           for i, p in enumerate(self.parameters))
        store = "want[i] = " if self.result else ""
        lines += [f"        {store}{self.name}({actual});", "    }"]
        inputs = [f"column(a{i}, sizeof a{i}[0], MAPE_TYPE_{p.type.kind})" for i, p in enumerate(self.parameters) if p.is_in]
        outputs = (["column(got, sizeof got[0], MAPE_TYPE_" + self.result.kind + ")"] if self.result else [])
        outputs += [f"column(g{i}, sizeof g{i}[0], MAPE_TYPE_{p.type.kind})" for i, p in enumerate(self.parameters) if p.is_out]
        lines.append(f"    mape_column in[] = {{{', '.join(inputs) or 'MAPE_COLUMN_INIT'}}};")
        lines.append(f"    mape_column out[] = {{{', '.join(outputs) or 'MAPE_COLUMN_INIT'}}};")
        lines.append(f"    if (!mapped(function, in, {len(inputs)}, out, {len(outputs)})) return 0;")
        lines += self.compare("over columns")
        # By a proxy; the last three rows are enough.
        result = self.result.name if self.result else "void"
        lines.append(f"    {result} (*proxy)({self.c_parameters()}) = ({result} (*)({self.c_parameters()}))proxy_of(function);")
        lines.append("    if (!proxy) return 0;")
        lines.append("    for (int i = 2; i < ROWS; i++) {")
        for i, p in enumerate(self.parameters):
            if p.is_out:
                lines.append(f"        memcpy(g{i}[i], a{i}[i], sizeof g{i}[i]);")
        actual = ", ".join(f"a{i}[i][0]" if p.form == "value" else f"g{i}[i]" if p.is_out else f"a{i}[i]"
                           for i, p in enumerate(self.parameters))
        store = "got[i] = " if self.result else ""
        lines += [f"        {store}proxy({actual});", "    }", "    mape_proxy_release((mape_native_fn)proxy);"]
        lines += self.compare("by a proxy")
        del n
        return "\n".join(lines + ["    return !proxy_failed;", "}"])

    def compare(self, how):
        lines = ["    for (int i = 0; i < ROWS; i++) {"]
        if self.result:
            lines.append(f"        if (mix_{self.result.word}(1, &want[i]) != mix_{self.result.word}(1, &got[i]))"
                         f" return wrong(\"{how}\", \"what it returns\", i);")
        for i, p in enumerate(self.parameters):
            if p.is_out:
                lines.append(f"        for (int k = 0; k < {p.length}; k++)")
                lines.append(f"            if (mix_{p.type.word}(1, &w{i}[i][k]) != mix_{p.type.word}(1, &g{i}[i][k]))"
                             f" return wrong(\"{how}\", \"p{i}\", i);")
        return lines + ["    }"]


def cases(all_types):
    found = []

    def add(result, parameters, *aspects, fixed=None):
        found.append(Case(len(found), result, parameters, aspects, fixed))

    by_name = {t.name: t for t in all_types}
    for t in all_types:
        add(t, [Parameter("value", t)], (t, "value"), (t, "returned"))
        add(by_name["long"], [Parameter("in", t, 3)], (t, "read"))
        add(None, [Parameter("value", by_name["int"]), Parameter("out", t, 2)], (t, "written"))
        add(by_name["double"], [Parameter("inout", t, 2)], (t, "inout"))
    dots = [by_name[name] for name, _, promoted in NUMBERS if promoted] + [t for t in all_types if t.kind == "STRUCT"]
    for t in dots:
        add(t, [Parameter("value", by_name["int"]), Parameter("value", t), Parameter("value", t)], (t, "dots"), fixed=1)
    numbers = all_types[:len(NUMBERS)]
    for first in numbers:
        for second in all_types:
            add(first, [Parameter("value", second), Parameter("value", first)], (first, "pair"), (second, "pair"))
    chance = random.Random(20240607)
    for _ in range(250):
        parameters = []
        for _ in range(chance.randint(3, 20)):
            form = chance.choice(["value"] * 8 + ["in", "out", "inout"])
            parameters.append(Parameter(form, chance.choice(all_types), 1 if form == "value" else chance.randint(1, 4)))
        add(chance.choice(all_types + [None]), parameters, *[(p.type, "mix") for p in parameters])
    for _ in range(40):
        fixed = chance.randint(1, 9)
        parameters = [Parameter("value", chance.choice(all_types)) for _ in range(fixed)]
        # What C promotes has no business behind or just before the dots.
        parameters[-1] = Parameter("value", chance.choice(dots))
        parameters += [Parameter("value", chance.choice(dots)) for _ in range(chance.randint(0, 11))]
        add(chance.choice(all_types), parameters, *[(p.type, "mix") for p in parameters], fixed=fixed)
    return found


def helpers(all_types):
    """make_T and mix_T: a value from a seed, and a seed from a value's bits."""
    texts = []
    for t in all_types:
        if t.kind == "STRUCT":
            its = leaves(t.members)
            makes = "".join(f"    v{place} = make_{base.replace(' ', '_')}(h);\n" for base, place in its)
            mixes = "".join(f"    h = mix_{base.replace(' ', '_')}(h, &v->{place[1:]});\n" for base, place in its)
            texts.append(f"{t.name} {{{t.members}}};\n"
                         f"static inline {t.name} make_{t.word}(uint64_t *h) {{\n    {t.name} v;\n    memset(&v, 0, sizeof v);\n"
                         f"{makes}    return v;\n}}\n"
                         f"static inline uint64_t mix_{t.word}(uint64_t h, const {t.name} *v) {{\n{mixes}    return h;\n}}\n")
            continue
        bare = t.name.replace(" _Complex", "")
        if "_Complex" in t.name:
            part = bare.replace(" ", "_")
            texts.append(f"static inline {t.name} make_{t.word}(uint64_t *h) {{\n    {t.name} v;\n    {bare} part[2];\n"
                         f"    memset(part, 0, sizeof part);\n    part[0] = make_{part}(h);\n    part[1] = make_{part}(h);\n"
                         f"    memcpy(&v, part, sizeof v);\n    return v;\n}}\n"
                         f"static inline uint64_t mix_{t.word}(uint64_t h, const {t.name} *v) {{\n    const {bare} *part = (const {bare} *)v;\n"
                         f"    return mix_{part}(mix_{part}(h, &part[0]), &part[1]);\n}}\n")
            continue
        if "float" in t.name or "double" in t.name:
            value = f"({t.name})(int64_t)next(h) / 7"
        elif t.name == "_Bool":
            value = "next(h) >> 40 & 1"
        else:
            value = f"({t.name})(next(h) >> 5)"
        size = "VALUE_BYTES_LONG_DOUBLE" if t.name == "long double" else f"sizeof({t.name})"
        texts.append(f"static inline {t.name} make_{t.word}(uint64_t *h) {{ return {value}; }}\n"
                     f"static inline uint64_t mix_{t.word}(uint64_t h, const {t.name} *v) {{ return mix(h, v, {size}); }}\n")
    texts.insert(0, f"static inline char make_char(uint64_t *h) {{ return (char)(next(h) >> 5); }}\n"
                    f"static inline uint64_t mix_char(uint64_t h, const char *v) {{ return mix(h, v, 1); }}\n")
    return "\n".join(texts)


def main():
    folder = Path(sys.argv[1])
    here = Path(__file__).parent
    all_types = types()
    all_cases = cases(all_types)
    note = "/* Written by generate.py. */\n"
    declarations = "\n".join(
        f"{c.result.name if c.result else 'void'} {c.name}({c.c_parameters()});" for c in all_cases)
    (folder / "cases.h").write_text(note + '#include "values.h"\n' + helpers(all_types) + declarations + "\n")
    (folder / "cases.c").write_text(note + '#include "cases.h"\n' + "\n\n".join(c.function() for c in all_cases) + "\n")
    index = {t.name: i for i, t in enumerate(all_types)}
    aspects = ["value", "returned", "read", "written", "inout", "dots", "pair", "mix"]
    rows = []
    for c in all_cases:
        marks = ", ".join(f"{{{index[t.name]}, {aspects.index(a)}}}" for t, a in dict.fromkeys(c.aspects))
        count = len(dict.fromkeys(c.aspects))
        rows.append(f'    {{"{c.prototype()}", test_{c.number}, {count}, {{{marks}}}}},')
    shown = "\n".join(f'    {{"{t.shown}", "{t.kind}", sizeof({t.name}), _Alignof({t.name})}},' for t in all_types)
    names = "\n".join(f'    {{"{name}", "{kind}"}},' for name, kind in OTHER_NAMES)
    text = (here / "test_types.c.in").read_text()
    text = text.replace("@TESTS@", "\n\n".join(c.test() for c in all_cases)).replace("@CASES@", "\n".join(rows))
    text = text.replace("@TYPES@", shown).replace("@ROWS@", str(ROWS)).replace("@OTHER_NAMES@", names)
    text = text.replace("@MOST@", str(max(len(dict.fromkeys(c.aspects)) for c in all_cases)))
    (folder / "test_types.c").write_text(note + text)
    print(f"{len(all_cases)} functions of {len(all_types)} types")


main()
