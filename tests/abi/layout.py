"""The layout of include/streamsteam/plugin.h as lines, from the compiler, and what may change in it.

The header is parsed for names and declarations; offsets, sizes and values come from a compiled program. One line a field:

    0.1 ss_error.code offset 4 size 4 uint32_t code
    0.1 ss_error size 512
    0.1 SS_RETRY = 1

The first word is the contract's version in which the line came in. docs/abi.md says what the rules are for."""
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "streamsteam" / "plugin.h"
GOLDEN = ROOT / "tests" / "abi" / "layout.txt"
# Macros whose values are part of the contract.
CONSTANTS = ("SS_NO_FIELD",)
TEXTS = ("SS_PLUGIN_ENTRY",)


class Field:
    def __init__(self, path, declaration):
        self.path, self.declaration = path, declaration


def strip_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def split_top(text, separator):
    """Splits at separators outside of brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "({[") - (c in ")}]")
        if c == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def members(body, above=""):
    """Each member of a struct body, with those of inner unions."""
    for declaration in split_top(body, ";"):
        declaration = squeeze(declaration)
        if not declaration:
            continue
        inner = re.match(r"(?:union|struct)\s*\{(.*)\}\s*(\w+)$", declaration)
        if inner:
            yield Field(above + inner.group(2), "union")
            yield from members(inner.group(1), above + inner.group(2) + ".")
            continue
        function = re.search(r"\(\*(\w+)\)\s*\(", declaration)
        if function:
            yield Field(above + function.group(1), declaration)
            continue
        first, *others = [p.strip() for p in split_top(declaration, ",")]
        base = re.match(r"(.*?[\s*])(\w+(?:\[\w+\])?)$", first)
        if not base:
            raise ValueError(f"{declaration} is not understood")
        for name in [base.group(2)] + others:
            stars = name.count("*")
            name = name.lstrip("* ")
            yield Field(above + re.sub(r"\[.*", "", name), squeeze(base.group(1).rstrip() + "*" * stars + " " + name))


def parse(header):
    """{struct: [Field]}, [enumerators]"""
    text = strip_comments(header)
    structs = {}
    for match in re.finditer(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*\1\s*;", text, re.S):
        structs[match.group(1)] = list(members(match.group(2)))
    enums = [squeeze(e).split(" ")[0] for m in re.finditer(r"\benum\s+\w*\s*\{(.*?)\}", text, re.S) for e in m.group(1).split(",") if e.strip()]
    if len(structs) != len(re.findall(r"\bstruct\s*\w*\s*\{", text)):
        raise ValueError("a struct of the header was not understood: write it as typedef struct NAME {...} NAME;")
    return structs, enums


def program(structs, enums):
    out = ['#include "streamsteam/plugin.h"', "int main(void)", "{"]
    for name, fields in structs.items():
        for f in fields:
            out.append(f'printf("{name}.{f.path} %zu %zu %zu\\n", offsetof({name}, {f.path}), sizeof(({name} *)0)->{f.path}), '
                       f'_Alignof(__typeof__((({name} *)0)->{f.path})));'.replace("sizeof((", "sizeof((("))
        out.append(f'printf("{name} %zu\\n", sizeof({name}));')
    for e in enums + list(CONSTANTS):
        out.append(f'printf("{e} %lld\\n", (long long){e});')
    for t in TEXTS:
        out.append(f'printf("{t} %s\\n", {t});')
    return "\n".join(out + ["return 0;", "}", ""])


def measure(header_path, compiler="cc"):
    """(version, {key: facts}) of a header; facts are (offset, size, declaration) of a field, (size,) of a struct, (value,) else."""
    text = pathlib.Path(header_path).read_text()
    structs, enums = parse(text)
    with tempfile.TemporaryDirectory(prefix="streamsteam-abi-") as folder:
        folder = pathlib.Path(folder)
        (folder / "streamsteam").mkdir()
        (folder / "streamsteam" / "plugin.h").write_text(text)
        (folder / "layout.c").write_text(program(structs, enums))
        built = subprocess.run([compiler, "-std=gnu11", "-Wno-unused-function", f"-I{folder}", "-o", folder / "layout", folder / "layout.c"],
                               capture_output=True, text=True)
        if built.returncode:
            raise ValueError(f"the header does not compile: {built.stderr[:2000]}")
        said = subprocess.run([folder / "layout"], capture_output=True, text=True, check=True).stdout
    facts, declared = {}, {f"{n}.{f.path}": f.declaration for n, fields in structs.items() for f in fields}
    ends = {}
    for line in said.splitlines():
        key, *values = line.split(" ")
        if key in declared:
            offset, size, align = map(int, values)
            struct = key.split(".")[0]
            if key.count(".") == 1:
                if offset != (ends.get(struct, 0) + align - 1) // align * align:
                    raise ValueError(f"there is something before {key} that was not understood")
                ends[struct] = offset + size
            facts[key] = (offset, size, declared[key])
        else:
            facts[key] = (int(values[0]),) if re.fullmatch(r"-?\d+", values[0]) else (values[0],)
    return version(text), facts


def version(header):
    return tuple(int(re.search(rf"#define SS_ABI_{w} (\d+)u", header).group(1)) for w in ("MAJOR", "MINOR"))


def line_of(minor, key, facts):
    since = "%d.%d" % minor
    if len(facts) == 3:
        return f"{since} {key} offset {facts[0]} size {facts[1]} {facts[2]}"
    return f"{since} {key} size {facts[0]}" if key.startswith("ss_") else f"{since} {key} = {facts[0]}"


def read_golden(text):
    """{key: (minor, facts)}"""
    golden = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        field = re.fullmatch(r"(\d+)\.(\d+) (ss_\w+\.[\w.]+) offset (\d+) size (\d+) (.+)", line)
        struct = re.fullmatch(r"(\d+)\.(\d+) (ss_\w+) size (\d+)", line)
        value = re.fullmatch(r"(\d+)\.(\d+) (\w+) = (.+)", line)
        match = field or struct or value
        if not match:
            raise ValueError(f"line {number} is not understood: {line}")
        since = (int(match.group(1)), int(match.group(2)))
        if match.group(3) in golden:
            raise ValueError(f"line {number}: {match.group(3)} stands there twice")
        if field:
            golden[field.group(3)] = (since, (int(field.group(4)), int(field.group(5)), field.group(6)))
        else:
            text = match.group(4)
            golden[match.group(3)] = (since, (int(text) if re.fullmatch(r"-?\d+", text) else text,))
    return golden


def spare(key):
    return key.count(".") == 1 and key.split(".")[1].startswith("spare")


def problems(now, facts, golden):
    """What the header does against the promise; nothing = it keeps it."""
    for key, (since, old) in golden.items():
        new = facts.get(key)
        if since > now:
            yield f"{key} came in {since[0]}.{since[1]}, but the header says {now[0]}.{now[1]}: raise SS_ABI_MINOR"
        if new is not None and len(new) == 3:
            yield from place_problems(key, since, new, golden)
        if new == old:
            continue
        if spare(key):
            yield from spare_problems(key, old, new, golden)
        elif new is None:
            yield f"{key} of {since[0]}.{since[1]} is gone: what was published stays"
        elif len(old) == 1 and key.startswith("ss_"):
            yield from size_problems(key, old[0], new[0], golden)
        else:
            yield f"{key} changed: {line_of(since, key, old)!r} became {line_of(since, key, new)!r}"
    for key, new in facts.items():
        if key not in golden:
            yield f"{key} is new: raise SS_ABI_MINOR and write it into tests/abi/layout.txt: {line_of(now, key, new)}"


def published_problems(now, facts, golden):
    """The lines up to a published version must be exactly those of its header."""
    until = {key: old for key, (since, old) in golden.items() if since <= now}
    for key in facts.keys() - until.keys():
        yield f"{key} of the published {now[0]}.{now[1]} is not in layout.txt"
    for key in until.keys() - facts.keys():
        yield f"{key} is not in the header of the published {now[0]}.{now[1]}: it came later"
    for key in until.keys() & facts.keys():
        if until[key] != facts[key] and not spare(key) and not (len(facts[key]) == 1 and key.startswith("ss_")):
            yield f"{key} is not what the header of the published {now[0]}.{now[1]} has: {line_of(now, key, facts[key])!r}"


def struct_of(key):
    return key.split(".")[0]


def newer_fields(struct, golden):
    """(offset, size) of the fields of a struct that came in after it."""
    return [f[:2] for key, (since, f) in golden.items() if key.count(".") == 1 and struct_of(key) == struct and since > golden[struct][0]]


def place_problems(key, since, new, golden):
    """A newer field stands behind the older ones, or in their spare room: never in a hole, which nobody has set to zero."""
    struct = struct_of(key)
    if key.count(".") != 1 or struct not in golden or since <= golden[struct][0]:
        return
    older = [(k, f) for k, (s, f) in golden.items() if k.count(".") == 1 and struct_of(k) == struct and s < since]
    in_spare = any(spare(k) and f[0] <= new[0] and new[0] + new[1] <= f[0] + f[1] for k, f in older)
    if not in_spare and new[0] < max(f[0] + f[1] for _, f in older):
        yield f"{key} stands among older fields, at {new[0]}: append it, or take spare room"


def size_problems(struct, old, new, golden):
    if new < old:
        yield f"{struct} became smaller: {old} to {new} bytes"
    elif not any(offset + size > old for offset, size in newer_fields(struct, golden)):
        yield f"{struct} grew from {old} to {new} bytes without a newer field at its end"


def spare_problems(key, old, new, golden):
    """Newer fields may take spare room from its front; its end stays where it was."""
    end = old[0] + old[1]
    start = new[0] if new else end
    if new and new[0] + new[1] != end:
        yield f"{key}: the end of the spare room moved from {end} to {new[0] + new[1]}"
        return
    covered = sum(size for offset, size in newer_fields(struct_of(key), golden) if old[0] <= offset < end)
    if covered != start - old[0]:
        yield f"{key}: {start - old[0]} spare bytes were taken, but newer fields account for {covered}"


def whole_text(path, compiler="cc"):
    """The lines of a header: the first golden file of a major version, or to look at."""
    now, facts = measure(path, compiler)
    return "".join(line_of(now, key, f) + "\n" for key, f in facts.items())


if __name__ == "__main__":
    print(whole_text(HEADER), end="")
