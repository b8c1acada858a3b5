#!/usr/bin/env python3
"""Compaction into Parquet is killed at every step, and by power cuts: the same multiset of events before and after, always; what is no
gzip, and what is no Parquet, stays where it is; memory does not grow with a partition."""
# timeout: 900
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.bench import compact_lake
from tests.lib import compact, duckdb, lake as lakes, spark
from tests.lib.server import ROOT, Server, build_dir, sanitized
from tests.lib.tap import check, equal, main, test
from tests.torture.power import Power

PASSAGES = (1, 2)
FOLDERS = [f"matomo/day={n:02d}/" for n in (20, 21)]
ELSEWHERE = {"compact.again_removed", "compact.chunk_copied", "compact.before_sync", "compact.after_sync"}  # test_compact_kills.py
MEMORY_MAX = 256 << 20


def points():
    folders = [*(ROOT / "modules" / "compact").glob("*.c"), ROOT / "plugins" / "common" / "parquet.c"]
    return sorted({name for path in folders for name in re.findall(r'FAULT_POINT\("([^"]+)"\)', path.read_text())} - ELSEWHERE)


class Verb:
    """`streamsteam compact` over a lake that no server writes."""

    def __init__(self, folder, library, faults=True, **options):
        settings = {"lake": "lake", "grace": "0s", "keep": "0s", "size": "64KiB", "format": "parquet", "parquet": {"library": library}, **options}
        self.server = Server(folder, config={"modules": {"compact": settings}}, faults=faults)
        self.server.write_config()
        self.library, self.folder = library, pathlib.Path(folder)
        self.lake = spark.Lake(self.server.data / "lake")
        self.expected = collections.Counter()

    def fill(self, folders, cuts, events=40):
        for _ in range(cuts):
            number = self.lake.through
            cut = {f: [{"event_id": f"{number + i}-{f[-3:-1]}", "n": number + i, "x": random.random(), "site_id": "7"} for i in range(events)] for f in folders}
            self.lake.cut({f: [(spark.at(f"2026-11-{f[-3:-1]}T12:00:00"), line) for line in lines] for f, lines in cut.items()})
            self.expected.update(json.dumps(line, sort_keys=True) for lines in cut.values() for line in lines)

    def run(self, good=False, preload=(), **env):
        words = [str(self.server.binary), "compact", "-c", str(self.server.file)]
        env = self.server.environment(**env) | ({"LD_PRELOAD": ":".join(map(str, preload))} if preload else {})
        result = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, cwd=self.server.folder)
        if good:
            equal(result.returncode, 0, result.stderr)
        return result

    def events(self, files):
        """{path: [event as text]}; Parquet through DuckDB, all at once."""
        found, columnar = {}, [f for f in files if f.suffix == ".parquet"]
        out = [self.folder / f"rows-{i}" for i in range(len(columnar))]
        if columnar:
            duckdb.run(self.library, *(f"COPY (SELECT * FROM read_parquet('{f}', hive_partitioning = false)) TO '{o}' (FORMAT json)" for f, o in zip(columnar, out)))
        for file, rows in zip(columnar, out):
            found[file] = [json.dumps(whole(json.loads(line)), sort_keys=True) for line in rows.read_text().splitlines()]
        for file in set(files) - set(columnar):
            found[file] = [json.dumps(json.loads(line), sort_keys=True) for line in lakes.raw(file).splitlines()]
        return found

    def wrong(self, end=False):
        """What is wrong with the lake. end: nothing is under way any more, and all of it is Parquet."""
        entries = {self.lake.path / path: entry for path, entry in compact.live(self.lake.path).items()}
        visible = lakes.objects(self.lake.path)
        rows = self.events(sorted({*entries, *visible}))
        found = [f"{f}: {len(rows[f])} rows, its manifest says {e['count']}" for f, e in entries.items() if (len(rows[f]), f.stat().st_size) != (e["count"], e["bytes"])]
        got, seen = (collections.Counter(text for f in files for text in rows[f]) for files in (entries, visible))
        if got != self.expected:
            found.append(f"by manifests {sum((got - self.expected).values())} too many, {sum((self.expected - got).values())} missing")
        if self.expected - seen or set(seen) - set(self.expected):
            found.append("by folders events are missing, or nobody's")
        if end and seen != self.expected:
            found.append("by folders events are there twice at the end")
        if end:
            found += [f"no Parquet: {f}" for f in entries if f.suffix != ".parquet"]
            found += [f"left over: {p}" for p in self.lake.path.glob("_compact/*/**/*") if p.is_file()]
        return found


def whole(row):
    return {**{k: v for k, v in row.items() if v is not None and k != "ss_extra"}, **(row.get("ss_extra") or {})}


def need_faults(t):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")


def at_point(t, library, point, passage):
    """Whether the point was passed: first with lines, then with small Parquet files."""
    killed = False
    verb = Verb(t.tmp / f"{point}-{passage}", library)
    for step in ("lines", "lines and Parquet"):
        what = f"{point}:{passage} {step}: "
        verb.fill(FOLDERS, 5)
        result = verb.run(STREAMSTEAM_FAULT=f"{point}:{passage}")
        killed |= result.returncode == -signal.SIGKILL
        check(result.returncode in (0, -signal.SIGKILL), what + result.stderr)
        equal(verb.wrong(), [], what + "after the kill")
        verb.fill(FOLDERS[:1], 2)  # the lake goes on
        verb.run(good=True)
        verb.run(good=True)
        equal(verb.wrong(end=True), [], what + "at the end")
    shutil.rmtree(verb.folder)
    return killed


@test("Parquet: a kill at every step, the same events", timeout_s=500)
def _(t):
    library = duckdb.library(t)
    need_faults(t)
    unreached = [p for p in points() if not any([at_point(t, library, p, n) for n in PASSAGES])]
    check(not unreached, f"never reached: {unreached}")


@test("Parquet: power cuts, what was synced is enough", timeout_s=400)
def _(t):
    library = duckdb.library(t)
    need_faults(t)
    rng = random.Random(7)
    for point in points():
        verb = Verb(t.tmp / point, library)
        verb.fill(FOLDERS, 4)
        verb.run(good=True)
        verb.fill(FOLDERS, 4)
        power = Power(verb.server.data, t.tmp / "shadow")
        verb.run(preload=[power.shim], **power.env, STREAMSTEAM_FAULT=f"{point}:{rng.choice((1, 2))}")
        power.cut(rng.choice((0.0, 0.5)), rng)
        equal(verb.wrong(), [], f"{point} after the cut")
        verb.run(good=True)
        verb.run(good=True)
        equal(verb.wrong(end=True), [], f"{point} at the end")
        shutil.rmtree(verb.folder)


@test("small Parquet files become few; those that are damaged stay, with their names in the messages")
def _(t):
    library = duckdb.library(t)
    verb = Verb(t.tmp / "s", library, faults=False, size="64MiB", unit="day")
    for _ in range(3):  # each run leaves a file of its own
        verb.fill(FOLDERS, 1, events=400)
        verb.run(good=True)
        verb.run(good=True)
    equal(verb.wrong(end=True), [])
    check(len(lakes.objects(verb.lake.path)) < 3 * len(FOLDERS), lakes.objects(verb.lake.path))
    verb.fill(FOLDERS, 1, events=3000)
    verb.run(good=True)
    whole_files = {}
    for folder in FOLDERS:  # the largest of each
        damaged = max((verb.lake.path / folder).glob("*"), key=lambda p: p.stat().st_size)
        whole_files[damaged] = damaged.read_bytes()
        damaged.write_bytes(whole_files[damaged][:-1])
    verb.fill(FOLDERS, 1, events=3000)
    said = "".join(r.stderr + r.stdout for r in (verb.run(), verb.run()))
    for damaged, data in whole_files.items():
        check(damaged.name in said, said[-4000:])
        check(damaged.is_file(), "it is gone")
        damaged.write_bytes(data)
    verb.run(good=True)
    verb.run(good=True)
    equal(verb.wrong(end=True), [])


@test("memory stays below 256 MB for lines of a whole day, and for many Parquet files", timeout_s=300)
def _(t):
    library = duckdb.library(t)
    if sanitized():
        t.skip("a sanitizer has memory of its own")
    server = Server(t.tmp / "s", config={"modules": {"compact": {"lake": "lake", "keep": "0s", "format": "parquet", "size": "128MiB",
                                                                 "parquet": {"library": library, "receivers": ["matomo"]}}}})
    compact_lake.fill(server.data / "lake", 200, 5000)
    _, resident = compact_lake.run(server)
    check(resident < MEMORY_MAX, f"{resident >> 20} MB for lines")
    equal({p.suffix for p in lakes.objects(server.lake)}, {".parquet"})


if __name__ == "__main__":
    sys.exit(main())
