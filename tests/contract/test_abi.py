#!/usr/bin/env python3
"""docs/abi.md, held: the layout of plugin.h, and plugins that were built with the headers of the past."""
# timeout: 300
import pathlib
import re
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.abi import layout
from tests.lib import lake
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

PUBLISHED = {tuple(map(int, p.parent.name.split("."))): p for p in (ROOT / "tests" / "abi").glob("*/plugin.h")}
HEADER = layout.HEADER.read_text()
GOLDEN = layout.GOLDEN.read_text()


def judge(t, header, golden=GOLDEN):
    if struct.calcsize("P") != 8:
        t.skip("the layout of 64-bit machines")
    path = t.tmp / "plugin.h"
    path.write_text(header)
    now, facts = layout.measure(path)
    return list(layout.problems(now, facts, layout.read_golden(golden)))


@test("the header keeps the layout that was published")
def _(t):
    equal(judge(t, HEADER), [])


@test("gcc and clang lay it out alike")
def _(t):
    found = [layout.measure(layout.HEADER, compiler) for compiler in ("gcc", "clang") if shutil.which(compiler)]
    check(all(f == found[0] for f in found), "they differ")


@test("the golden lines of each published version are those of its header")
def _(t):
    golden = layout.read_golden(GOLDEN)
    check(PUBLISHED, "no published header in tests/abi")
    for version, path in PUBLISHED.items():
        now, facts = layout.measure(path)
        equal(now, version)
        equal(list(layout.published_problems(now, facts, golden)), [])


@test("every older minor's header is kept, with plugins of its time")
def _(t):
    major, minor = layout.version(HEADER)
    for old in range(1 if major == 0 else 0, minor):
        check((major, old) in PUBLISHED, f"tests/abi/{major}.{old}/plugin.h is missing: take it from the last commit before SS_ABI_MINOR was raised")
    for path in PUBLISHED.values():
        equal(sorted(p.name for p in path.parent.iterdir()), ["enricher.c", "module.c", "plugin.h", "receiver.c"])


def swap(text, a, b):
    check(a in text and b in text, f"{a!r} or {b!r} is not in the header: mend this test")
    return text.replace(a, "\0").replace(b, a).replace("\0", b)


def edit(text, old, new):
    check(old in text, f"{old!r} is not in the header: mend this test")
    return text.replace(old, new, 1)


MAJOR, MINOR = layout.version(HEADER)
NEXT = f"{MAJOR}.{MINOR + 1}"
BUMPED = edit(HEADER, f"#define SS_ABI_MINOR {MINOR}u", f"#define SS_ABI_MINOR {MINOR + 1}u")
PLUGIN_END = "} ss_plugin;"
REVIEW = "    int32_t (*review)(void *inst);\n"
ENRICHER_SPARE = "    int32_t (*enrich)(void *inst, ss_event *event, ss_error *err);\n    void *spare[4];"

# what an author of the header might do -> what the gate says
MOVES = [
    ("two fields swapped", swap(HEADER, "ss_str method;    ", "ss_str path;      "), "ss_request.method changed"),
    ("a field in the middle", edit(HEADER, "    ss_str app; ", "    ss_str tenant;\n    ss_str app; "), "ss_event.app changed"),
    ("a field in the middle, bumped", edit(BUMPED, "    ss_str app; ", "    ss_str tenant;\n    ss_str app; "), "ss_event.app changed"),
    ("a field removed", edit(HEADER, "    uint32_t close; ", "    // "), "ss_response.close of 0.1 is gone"),
    ("another type of the same size", edit(HEADER, "int64_t (*now_us)(void *self)", "uint64_t (*now_us)(void *self)"), "ss_host.now_us changed"),
    ("one more parameter", edit(HEADER, "bool (*stopping)(void *self)", "bool (*stopping)(void *self, int32_t why)"), "ss_host.stopping changed"),
    ("a status renumbered", edit(HEADER, "SS_RETRY = 1, ", "SS_RETRY = 9, "), "SS_RETRY changed"),
    ("a status removed", edit(HEADER, "SS_DECLINE = 4,", ""), "SS_DECLINE of 0.1 is gone"),
    ("a shorter text", edit(HEADER, "char text[504]", "char text[496]"), "ss_error.text changed"),
    ("a string that grew", edit(HEADER, "    size_t len;\n} ss_str;", "    size_t len;\n    size_t room;\n} ss_str;"), "ss_str.room is new"),
    ("another entry", edit(HEADER, '"ss_plugin_v0"', '"ss_plugin_v1"'), "SS_PLUGIN_ENTRY changed"),
    ("appended without a bump", edit(HEADER, PLUGIN_END, REVIEW + PLUGIN_END), "ss_plugin.review is new: raise SS_ABI_MINOR"),
    ("a new status without a bump", edit(HEADER, "SS_LIMIT = 8 ", "SS_LIMIT = 8, SS_LATER = 9 "), "SS_LATER is new: raise SS_ABI_MINOR"),
    ("spare room taken from its end", edit(BUMPED, ENRICHER_SPARE, ENRICHER_SPARE.replace("[4];", "[3];\n" + REVIEW)), "the end of the spare room moved"),
    ("spare room given away", edit(HEADER, ENRICHER_SPARE, ENRICHER_SPARE.replace("[4]", "[3]")), "ss_enricher became smaller"),
]


@test("each move that breaks the promise is named")
def _(t):
    for name, header, text in MOVES:
        found = judge(t, header)
        check(any(text in f for f in found), f"{name}: the gate says {found}")


def appended_line(t, header):
    """What the gate asks to write, and it is one line."""
    asked = [re.search(r"layout\.txt: (.*)", f) for f in judge(t, header)]
    asked = [a.group(1) for a in asked if a]
    equal(len(asked), 1)
    return asked[0] + "\n"


@test("a field appended with a raised minor and its one line is allowed; so is spare room taken from its front")
def _(t):
    for header in (edit(BUMPED, PLUGIN_END, REVIEW + PLUGIN_END), edit(BUMPED, "SS_LIMIT = 8 ", "SS_LIMIT = 8, SS_LATER = 9 "),
                   edit(BUMPED, ENRICHER_SPARE, ENRICHER_SPARE.replace("    void *spare[4]", REVIEW + "    void *spare[3]"))):
        line = appended_line(t, header)
        check(line.startswith(NEXT + " "), line)
        equal(judge(t, header, GOLDEN + line), [])
        late = GOLDEN + line.replace(NEXT, "%d.%d" % max(PUBLISHED), 1)
        golden = layout.read_golden(late)
        told = judge(t, header, late) + [p for v, path in PUBLISHED.items() for p in layout.published_problems(*layout.measure(path), golden)]
        check(told, "a line dated back to a published version passes")


@test("a newer field in a hole between older ones is refused")
def _(t):
    golden = "0.1 ss_x.a offset 0 size 4 uint32_t a\n0.1 ss_x.b offset 8 size 8 int64_t b\n0.1 ss_x size 16\n0.2 ss_x.%s offset %d size 2 uint16_t %s\n"
    for name, offset, told in (("hole", 4, ["ss_x.hole stands among older fields, at 4: append it, or take spare room"]), ("end", 16, [])):
        lines = layout.read_golden(golden % (name, offset, name))
        facts = {key: f for key, (_, f) in lines.items()}
        facts["ss_x"] = (max(16, offset + 8),)
        equal(list(layout.problems((0, 2), facts, lines)), told)


@test("a header that is not understood is refused, not passed over")
def _(t):
    for header, text in ((edit(HEADER, "typedef struct ss_pair {", "struct ss_pair_tag { int x; };\ntypedef struct ss_pair {"), "a struct of the header"),
                         (edit(HEADER, "    ss_str key, value;\n} ss_pair;", "    ss_str key; value;\n} ss_pair;"), "value is not understood")):
        try:
            judge(t, header)
        except ValueError as why:
            check(text in str(why), why)
        else:
            check(False, "it passed")


def build_old(t, version, folder):
    """The samples of that version with its own header, as they were built at the time."""
    include = t.tmp / f"include-{version[0]}.{version[1]}"
    (include / "streamsteam").mkdir(parents=True)
    shutil.copy(PUBLISHED[version], include / "streamsteam" / "plugin.h")
    for kind in ("receiver", "enricher", "module"):
        source = PUBLISHED[version].parent / f"{kind}.c"
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation", "-fPIC", "-fvisibility=hidden",
                        "-shared", "-Wl,-z,defs", f"-I{include}", "-o", folder / f"{kind}-old.so", source], check=True)


def run_old(t, version):
    folder, out = t.tmp / f"plugins-{version[1]}", t.tmp / f"out-{version[1]}"
    folder.mkdir()
    build_old(t, version, folder)
    from tests.lib.server import build_dir
    modules = {"lake": {"path": "lake", "roll": {"age": "1s"}, "max_bytes": "4GiB"},
               "old": {"file": str(out), "view": "short", "max_bytes": "1GiB"}}
    server = t.server(config={"server": {"plugin_dirs": [str(folder), str(build_dir() / "plugins")]},
                              "receivers": {"old": {"enrich": ["old"], "words": ["x", "y"]}, "matomo": None}, "enrichers": {"old": {}}}, modules=modules)
    answer = server.get("/old/shop?text=one", headers=[("User-Agent", "ua")])
    equal((answer.status, answer.body, dict(answer.headers).get("X-Old") or dict(answer.headers).get("x-old")), (200, b"old\n", "0.1"))
    equal(server.get("/old/shop?text=drop").status, 200)
    equal(server.get("/old/shop?reject=no").status, 422)
    server.get("/old/shop?text=refuse")
    until(lambda: out.exists() and out.read_text().count("view:") == 2, 30, "two records in the old module")
    until(lambda: len(lake.lines(server.lake)) == 2, 30, "two events in the lake")
    event = next(e for e in lake.lines(server.lake) if e["text"] == "one")
    equal(event, {"text": "one", "agent": "ua", "number": 7, "share": 0.5, "yes": True, "at": "2025-12-01T03:24:05.000Z",
                  "tree": {"depth": 3, "wait": 2000, "kind": "one", "second": "y"}, "note": "seen", "old_length": 3})
    equal(out.read_text().splitlines(), ["start 0", "old shop old k 3 1 view:shop", "old shop old k 3 1 view:shop"])
    until(lambda: "asked for it" in server.verb("quarantine", "list").stdout, 30, "the refused record in the quarantine")
    check(any("old_events_total" in name for name in server.metrics()), "its metric")
    server.restart()
    until(lambda: "start 2" in out.read_text(), 30, "the state after the restart")
    equal(server.stop(), 0)
    server.verify()
    listed = server.verb("plugins").stdout
    equal(len(re.findall(rf"^\w+ +old .*contract {version[0]}\.{version[1]} ", listed, re.M)), 3, listed)


@test("receiver, enricher and module built with each published header load and work", timeout_s=240)
def _(t):
    for version in PUBLISHED:
        if version[0] == layout.version(HEADER)[0]:
            run_old(t, version)


if __name__ == "__main__":
    sys.exit(main())
