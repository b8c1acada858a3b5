#!/usr/bin/env python3
"""Module and verb compact: what becomes one and when, what readers see meanwhile, what is refused."""
import gzip
import json
import os
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import compact, lake as lakes, spark
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

DAY20, DAY21 = "raw/day=20/", "raw/day=21/"


class Case:
    def __init__(self, t, start=False, **options):
        self.options = {"lake": "lake", "grace": "0s", "keep": "0s", "size": "64KiB", **options}
        self.server = t.server(start=False, config={"modules": {"compact": self.options}})
        self.server.write_config()
        self.lake = spark.Lake(self.server.data / "lake")
        if start:
            self.server.start()

    def fill(self, folder, cuts=1, events=20, hour=12):
        return [p for _ in range(cuts) for p in self.lake.cut({folder: [(spark.at(f"2026-11-{folder[-3:-1]}T{hour:02d}:00:00"), {"n": self.lake.through + i, "x": random.random()}) for i in range(events)]})]

    def verb(self, *words, good=True):
        result = self.server.verb("compact", *words)
        equal(result.returncode, 0 if good else 1, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def files(self, folder=""):
        return [p.relative_to(self.lake.path).as_posix() for p in lakes.objects(self.lake.path / folder)] if not folder else [p for p in self.files() if p.startswith(folder)]


@test("the verb: what closed days hold becomes one file each, with the same lines; a second time there is nothing to do")
def _(t):
    c = Case(t)
    c.fill(DAY20, 5)
    c.fill(DAY21, 3)
    before = compact.lines(c.lake.path)
    said = c.verb("--dry-run")
    check(f"{DAY20}: 5 files" in said and f"{DAY21}: 3 files" in said and "would become one" in said, said)
    equal((compact.units(c.lake.path), len(c.files())), ({}, 8))
    said = c.verb()
    check("2 files of 8; 2 whose predecessors were removed" in said, said)
    equal((compact.lines(c.lake.path), compact.visible(c.lake.path), len(c.files())), (before, before, 2))
    check(all(re.fullmatch(r"raw/day=2[01]/compact-\d{8}T\d{6}-[0-9a-f]{16}\.ndjson\.gz", p) for p in c.files()), c.files())
    check("0 files of 0" in c.verb(), "a second time")
    names = {p: os.stat(c.lake.path / p).st_ino for p in c.files()}
    c.verb()
    equal({p: os.stat(c.lake.path / p).st_ino for p in c.files()}, names)


@test("--partition compacts that folder alone, closed or not; a wrong one nothing")
def _(t):
    c = Case(t, grace="30d")
    c.fill(DAY20, 3)
    c.fill(DAY21, 3)
    check("0 files of 0" in c.verb(), "nothing is closed")
    check("0 files of 0" in c.verb("--partition", "raw/day=2"), "no folder")
    c.verb("--partition", "raw/day=21")
    equal((len(c.files(DAY20)), len(c.files(DAY21))), (3, 1))


@test("while replaced files are kept, readers of folders have them and readers of manifests the new one; then all have that")
def _(t):
    c = Case(t, keep="1h")
    c.fill(DAY20, 4)
    before, files = compact.lines(c.lake.path), c.files()
    c.verb()
    equal((compact.lines(c.lake.path), c.files()), (before, files))
    live = list(compact.live(c.lake.path))
    check(len(live) == 1 and live[0].startswith("_compact/data/raw/day=20/compact-"), live)
    unit = next(iter(compact.units(c.lake.path).values()))
    equal((unit["state"], sorted(unit["replaces"])), ("written", sorted(files)))
    c.verb()
    equal(c.files(), files)
    c.options["keep"] = "0s"
    c.server.write_config()
    c.verb()
    equal((c.files(), list(compact.live(c.lake.path))), ([unit["final"]], [unit["final"]]))
    check(not (c.lake.path / "_compact" / "data" / "raw").exists(), "the hidden name")


@test("late files become one more; what is large is not written anew")
def _(t):
    c = Case(t)
    c.fill(DAY20, 4, events=400)
    c.verb()
    large = c.files()
    late = c.fill(DAY20, 2)
    c.fill("raw/day=19/", 1)
    before = compact.lines(c.lake.path)
    inode = os.stat(c.lake.path / large[0]).st_ino
    c.verb()
    equal(compact.lines(c.lake.path), before)
    check(not set(late) & set(c.files()) and set(large) <= set(c.files()) and os.stat(c.lake.path / large[0]).st_ino == inode, c.files())
    equal(len(c.files(DAY20)), 2)
    equal(compact.visible(c.lake.path), before)


@test("a damaged file is left where it is and told; the others of its day go on")
def _(t):
    c = Case(t)
    files = c.fill(DAY20, 6)
    before = compact.lines(c.lake.path)
    bad = c.lake.path / files[2]
    whole = bad.read_bytes()
    bad.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    said = c.verb(good=False)
    check("is damaged" in said and files[2] in said and "1 files are not what their manifests say" in said, said)
    equal((len(c.files()), files[2] in c.files()), (2, True))
    bad.write_bytes(whole)
    equal(compact.lines(c.lake.path), before)
    c.verb()
    equal((compact.lines(c.lake.path), compact.visible(c.lake.path)), (before, before))


@test("a damaged unit stops everything until it is put back")
def _(t):
    c = Case(t, keep="1h")
    c.fill(DAY20, 3)
    c.verb()
    unit = next(c.lake.path.glob("_compact/*.json"))
    whole = unit.read_text()
    unit.write_text(whole[:-20])
    c.fill(DAY21, 3)
    check(unit.name in c.verb(good=False), "its name")
    equal(len(c.files(DAY21)), 3)
    unit.write_text(whole)
    c.verb()
    equal(len(list(c.lake.path.glob("_compact/*.json"))), 2)


@test("the module does it by itself, with metrics; two compactors wait for each other")
def _(t):
    c = Case(t, start=True, every="100ms")
    c.fill(DAY20, 5)
    before = compact.lines(c.lake.path)
    until(lambda: len(c.files()) == 1, 20, "the compaction")
    equal((compact.lines(c.lake.path), compact.visible(c.lake.path)), (before, before))
    until(lambda: [v for k, v in c.server.metrics().items() if k.startswith("streamsteam_compact_replaced_total")] == [5.0], 10, "metrics")
    equal(len(list((c.lake.path / "_manifest").iterdir())), 5)  # a compaction adds nothing there
    c.fill(DAY20, 3)
    until(lambda: len(c.files()) in (1, 2), 20, "late files")
    equal(c.server.stop(), 0)
    import fcntl
    with open(c.lake.path / "_compact" / "lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check("by another process" in c.verb(good=False), "it is busy")
    c.verb()


class Spark(Case):
    """A module spark over the same lake, with a job that does nothing."""

    def __init__(self, t, **options):
        super().__init__(t, **options)
        self.server.config["modules"]["spark"] = {"lake": str(self.lake.path), "local": {"spark_submit": str(spark.stand_in(t.tmp))}, "poll": "100ms", "settle": "100ms",
                                                  "jobs": {"etl": {"file": "job.py", "grace": "0s", "args": ["--batch", "{batch}", "--list", "{list}"]}}}
        self.server.env["STAND_IN_RUNS"] = str(t.tmp / "runs")
        self.server.write_config()

    def batches(self):
        return [json.loads(line) for line in self.server.verb("spark", "list", "--json", check=True).stdout.splitlines()][::-1]

    def start(self):
        self.server.start()
        until(lambda: (self.server.data / "modules/spark/spark.db-wal").exists(), 20, "the module's state")

    def settled(self, count):
        return until(lambda: (lambda b: b if len(b) == count and all(x["state"] in ("done", "failed") for x in b) else None)(self.batches()), 30, f"{count} batches")

    def listed(self, batch):
        whole = json.loads((self.server.data / "modules/spark/lists" / f"{batch['batch']}.json").read_text())
        return [os.path.relpath(p, self.lake.path) for p in whole["files"]], [os.path.relpath(p, self.lake.path) for p in whole["earlier"]]


@test("a compaction is no new data for the module spark: each file was in one batch, before and after; a rerun reads the same lines")
def _(t):
    c = Spark(t, every="100ms", grace="1s")
    first = c.fill(DAY20, 5)
    lines = compact.lines(c.lake.path)
    c.start()
    c.settled(1)
    until(lambda: len(c.files()) == 1, 30, "the compaction")
    c.fill(DAY21)  # the stream goes on: whatever the module would take for new has its turn
    found = c.settled(2)
    equal([(b["kind"], b["state"], b["files"]) for b in found], [("closed", "done", 5), ("closed", "done", 1)])
    c.server.verb("spark", "rerun", found[0]["batch"], check=True)
    again = c.settled(3)[2]
    equal((again["state"], again["files"]), ("done", 5))
    files, earlier = c.listed(found[0])  # a rerun has the first one's name
    equal(sorted(files), [p for p in c.files(DAY20)])
    check(not set(first) & set(files) and not earlier, files)
    equal({line for p in files for line in gzip.decompress((c.lake.path / p).read_bytes()).splitlines()}, set(lines))
    equal(c.server.stop(), 0)


@test("a job that is new gets a lake that was compacted long ago; what can only be had with other lines is refused with the reason")
def _(t):
    c = Spark(t)
    c.fill(DAY20, 3)
    c.verb()
    c.fill(DAY20, 3)
    c.verb()  # one after the other, and then both in one
    c.fill(DAY20, 4, events=200)
    c.verb()
    before = compact.lines(c.lake.path)
    c.start()
    found = c.settled(1)[0]
    equal((found["state"], found["files"]), ("done", 10))
    equal({line for p in c.listed(found)[0] for line in gzip.decompress((c.lake.path / p).read_bytes()).splitlines()}, set(before))
    c.fill(DAY20)
    late = c.settled(2)[1]
    equal((late["kind"], late["files"]), ("late", 1))
    c.options["size"] = "4MiB"
    c.server.write_config()
    c.fill(DAY20, events=6000)
    c.settled(3)
    c.verb("--partition", "raw")
    equal(len(c.files()), 1)
    c.server.verb("spark", "rerun", late["batch"], check=True)
    again = c.settled(4)[3]
    equal(again["state"], "failed")
    check("compacted with others" in again["reason"], again["reason"])
    equal(c.server.stop(), 0)


@test("a file that is there no more is told, and nothing is lost of the rest; no lake yet is no error")
def _(t):
    c = Case(t)
    check("0 files of 0" in c.verb(), "an empty lake")
    files = c.fill(DAY20, 4)
    (c.lake.path / files[0]).unlink()
    said = c.verb(good=False)
    check("is not there, though a manifest names it" in said, said)
    equal(len(c.files()), 1)


@test("S3, unknown modules and wrong use are refused with a sentence; config/examples/compact.yaml is right")
def _(t):
    c = Case(t)
    c.options["lake"] = "s3://bucket/lake"
    c.server.write_config()
    check("on S3 cannot be compacted yet" in c.server.verb("check").stderr, "S3")
    c.options["lake"] = "lake"
    c.server.write_config()
    check("no module 'x'" in c.server.verb("compact", "--module", "x").stderr, "module")
    for words in (("--partition", "/abs"), ("what",), ("--partition",)):
        equal(c.server.verb("compact", *words).returncode, 2, words)
    example = pathlib.Path(__file__).resolve().parents[2] / "config" / "examples" / "compact.yaml"
    t.server(yaml=example.read_text(), start=False).verb("check", check=True)


if __name__ == "__main__":
    main()
