#!/usr/bin/env python3
"""Compaction is killed at every step and at random moments, while a lake writes late data, and by power cuts: the same
multiset of lines before and after, always; a reader of folders sees each line at least once at each moment."""
# timeout: 900
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import compact, lake as lakes, spark
from tests.lib.server import ROOT, Server, build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until
from tests.torture.power import Power

PASSAGES = (1, 2, 5)
KILLS = 60
FOLDERS = [f"raw/day={n:02d}/" for n in (20, 21)]
ELSEWHERE = {"compact.again_removed"}  # needs a cut that is made anew: a test of its own


def points():
    return sorted({name for path in (ROOT / "modules" / "compact").glob("*.c") if path.name != "convert.c"  # test_compact_parquet_kills.py
                   for name in re.findall(r'FAULT_POINT\("([^"]+)"\)', path.read_text())})


def wrong(lake, expected, whole=False):
    """What is wrong with a lake that nobody writes. whole: nothing is under way any more."""
    got, seen = compact.lines(lake), compact.visible(lake)
    found = []
    if got != expected:
        found.append(f"by manifests {sum((got - expected).values())} too many, {sum((expected - got).values())} missing")
    if expected - seen:
        found.append(f"by folders {sum((expected - seen).values())} missing")
    if set(seen) - set(expected):
        found.append("by folders lines that nobody wrote")
    if whole and seen != expected:
        found.append(f"by folders {sum((seen - expected).values())} are there twice at the end")
    left = [p for p in pathlib.Path(lake).glob("_compact/*/**/*") if p.is_file()] if whole else []
    return found + [f"left over: {p}" for p in left]


class Verb:
    """`streamsteam compact` over a lake that no server writes."""

    def __init__(self, folder, **options):
        self.server = Server(folder, config={"modules": {"compact": {"lake": "lake", "grace": "0s", "keep": "0s", "size": "64KiB", **options}}}, faults=True)
        self.server.write_config()
        self.lake = spark.Lake(self.server.data / "lake")
        self.expected = compact.lines(self.lake.path)

    def fill(self, folders, cuts, events=40):
        for cut in range(cuts):
            number = self.lake.through
            self.lake.cut({f: [(spark.at(f"2026-11-{f[-3:-1]}T12:00:00"), {"f": f, "n": number + i, "x": random.random()}) for i in range(events)] for f in folders})
        self.expected = compact.lines(self.lake.path)

    def run(self, check=False, preload=(), **env):
        words = [str(self.server.binary), "compact", "-c", str(self.server.file)]
        result = subprocess.run(words, env=self.server.environment(**env) | ({"LD_PRELOAD": ":".join(map(str, preload))} if preload else {}), capture_output=True, text=True, timeout=60, cwd=self.server.folder)
        if check:
            equal(result.returncode, 0, result.stderr)
        return result


def at_point(folder, point, passage):
    """Whether the point was passed."""
    verb = Verb(folder)
    verb.fill(FOLDERS, 6)
    verb.run(check=True)  # so that the next one has compacted files, too
    verb.fill(FOLDERS, 6)
    result = verb.run(STREAMSTEAM_FAULT=f"{point}:{passage}")
    killed = result.returncode == -signal.SIGKILL
    what = f"{point}:{passage} "
    check(killed or result.returncode == 0, what + result.stderr)
    equal(wrong(verb.lake.path, verb.expected), [], what + "after the kill")
    verb.fill(FOLDERS[:1], 3)  # the lake goes on
    equal(wrong(verb.lake.path, verb.expected), [], what + "with late data")
    verb.run(check=True)
    equal(wrong(verb.lake.path, verb.expected, whole=True), [], what + "at the end")
    shutil.rmtree(folder)
    return killed


@test("a kill at every step: the same lines", timeout_s=400)
def _(t):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    unreached = [p for p in points() if p not in ELSEWHERE and not any([at_point(t.tmp / f"{p}-{n}", p, n) for n in PASSAGES])]
    check(not unreached, f"never reached: {unreached}")


@test("power cuts at every step: what was synced is enough", timeout_s=400)
def _(t):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    rng = random.Random(7)
    for point in points():
        if point in ELSEWHERE:
            continue
        for chance in (0.0, 0.5):
            verb = Verb(t.tmp / f"{point}-{chance}")
            verb.fill(FOLDERS, 6)
            verb.run(check=True)
            verb.fill(FOLDERS, 6)
            power = Power(verb.server.data, t.tmp / "shadow")
            verb.run(preload=[power.shim], **power.env, STREAMSTEAM_FAULT=f"{point}:{rng.choice((1, 2, 3))}")
            power.cut(chance, rng)
            equal(wrong(verb.lake.path, verb.expected), [], f"{point} {chance} after the cut")
            verb.run(check=True)
            equal(wrong(verb.lake.path, verb.expected, whole=True), [], f"{point} {chance} at the end")
            shutil.rmtree(verb.server.folder)


@test("a cut that a crash made anew brings nothing back", timeout_s=120)
def _(t):
    verb = Verb(t.tmp / "s")
    verb.fill(FOLDERS, 4)
    last = max(verb.lake.path.glob("_manifest/*.json"))
    kept = {p: (verb.lake.path / p).read_bytes() for p in (e["path"] for e in json.loads(last.read_text())["objects"])}
    verb.run(check=True)
    equal(wrong(verb.lake.path, verb.expected, whole=True), [])
    for point in ("", "compact.again_removed:1"):
        for path, data in kept.items():  # as the module lake does it: the files, then the manifest by a rename
            (verb.lake.path / path).write_bytes(data)
        temporary = last.with_suffix(".tmp")
        temporary.write_text(last.read_text())
        os.rename(temporary, last)
        equal(wrong(verb.lake.path, verb.expected), [])
        verb.run(check=not point, **({"STREAMSTEAM_FAULT": point} if point else {}))
        verb.run(check=True)
        equal(wrong(verb.lake.path, verb.expected, whole=True), [])


class Writer:
    """A server whose lake gets events of closed days, and whose module compact works on them all the time."""

    def __init__(self, t, power=None):
        modules = {"lake": {"roll": {"age": "100ms", "bytes": "1MiB"}, "partition": "raw/day=%d/", "batch": {"linger": "5ms"}},
                   "compact": {"grace": "100ms", "keep": "300ms", "size": "64KiB", "every": "100ms", "unit": "hour"}}
        config = {"receivers": {"matomo": None, "events": {"types": {"e": {"schema": {"type": "object"}}}}}}
        self.server = t.server(config=config, modules=modules)
        self.sent, self.number = set(), 0

    def send(self, count):
        batch = [{"id": f"n-{self.number + i}", "type": "e", "time": f"2026-11-{20 + (self.number + i) % 3:02d}T12:{i % 60:02d}:00Z", "x": random.random()} for i in range(count)]
        self.number += count
        answer = self.server.post("/events", "".join(json.dumps(e) + "\n" for e in batch), [("Content-Type", "application/x-ndjson")])
        equal(answer.status, 200, answer.body)
        self.sent.update(e["id"] for e in batch)

    def wrong(self, whole=False):
        """Reads the lake while it may be written: units before manifests, and files within `keep`."""
        def ids(counter):
            return sorted(json.loads(line)["event_id"] for line in counter.elements())
        got = ids(compact.lines(self.server.lake))
        found = []
        if len(set(got)) != len(got):
            found.append(f"{len(got) - len(set(got))} lines twice")
        if whole and set(got) != self.sent:
            found.append(f"{len(self.sent - set(got))} lines missing, {len(set(got) - self.sent)} too many")
        if whole and ids(compact.visible(self.server.lake)) != got:
            found.append("readers of folders see something else")
        return found


@test(f"{KILLS} kills at random moments, with late data all the time", timeout_s=500)
def _(t):
    rng = random.Random(4)
    w = Writer(t)
    server = w.server
    kills = {"module compact": 0, "module lake": 0, "all": 0}
    for number in range(KILLS):
        for _ in range(rng.randint(1, 4)):
            w.send(rng.randint(5, 60))
            time.sleep(rng.random() * 0.15)
        target = rng.choice(("module compact", "module compact", "module compact", "module lake", "all"))
        kills[target] += 1
        if target == "all":
            server.kill_all()
            equal(w.wrong(), [], f"kill {number} of {target}")
            server.start()
        else:
            server.kill_child(target)
    total = len(w.sent)
    def quiet():
        return all(u["state"] == "done" for u in compact.units(server.lake).values()) and sum(e["count"] for e in compact.live(server.lake).values()) == total
    until(quiet, 60, "everything compacted", 0.2)
    equal(server.stop(), 0)
    equal(w.wrong(whole=True), [])
    made = len(compact.units(server.lake))
    print(f"# {kills}, {total} lines, {made} units")
    check(made > 10, f"only {made} compactions: the kills met nothing")


if __name__ == "__main__":
    sys.exit(main())
