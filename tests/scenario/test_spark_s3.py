#!/usr/bin/env python3
"""Module spark over a lake in a bucket, at a faulty AWS: each file is in one batch, whatever fails and whoever is killed; a look costs two requests."""
import collections
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.lib import spark
from tests.lib.server import sanitized, slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

BUCKET, PREFIX = "the-lake", "all/events"
MANY = 6000 if slow() else 2500
AHEAD = 16  # what one look has under way when its time is over
FAULTS = [{"op": op, "do": act, "times": 1} for op in ("ListObjectsV2", "GetObject") for act in ("throttle", "close", "garbage", "cut", "error")]


class Bucket(spark.Lake):
    """Cuts are made in a folder and put into the bucket, the manifest last."""

    def __init__(self, folder, s3):
        super().__init__(folder)
        self.s3 = s3
        s3.make(BUCKET)

    def cut(self, parts):
        files = super().cut(parts)
        for name in files + [str(p.relative_to(self.path)) for p in (self.path / "_manifest").glob("[!.]*.json")]:
            if f"{PREFIX}/{name}" not in self.s3.stored(BUCKET):
                self.s3.put(BUCKET, f"{PREFIX}/{name}", (self.path / name).read_bytes())
        return files


def job(**more):
    return {"file": "job.py", "args": ["--batch", "{batch}", "--list", "{list}"], "grace": "0s", "backoff": "100ms", "concurrency": 4, **more}


class Case:
    def __init__(self, t, fake, jobs, lake=None, s3=None, **more):
        self.t, self.fake = t, fake
        module = {"lake": f"s3://{BUCKET}/{PREFIX}/", "s3": {"region": fake.region, "every": "200ms", "timeout": "2s", **(s3 or {})}, "jobs": jobs, "poll": "100ms",
                  "settle": "200ms", "concurrency": 4, "local": {"spark_submit": str(spark.stand_in(t.tmp))}, **more}
        self.server = t.server(config={"modules": {"lake": lake, "spark": module}}, env={**fake.env(), "STAND_IN_RUNS": str(t.tmp / "runs")})

    def batches(self):
        answer = self.server.verb("spark", "list", "--json")
        return [json.loads(line) for line in answer.stdout.splitlines()][::-1] if answer.returncode == 0 else []

    def done(self, count):
        def over():
            found = self.batches()
            return found if len(found) >= count and all(b["state"] == "done" for b in found) else None
        return until(over, 90, f"{count} batches done", 0.1)


def day(n, count=3):
    return {f"day={n:02d}/": [(spark.at(f"2026-11-{n:02d}T12:00:00"), {"n": i}) for i in range(count)]}


@test("a lake in a bucket: each file in one batch, with every fault of listing and getting, and with kills; lists go to the bucket", timeout_s=180)
def _(t):
    with Fake(seed=5) as fake:
        s3 = fake.service("s3")
        lake = Bucket(t.tmp / "made", s3)
        fake.script.add(FAULTS)
        c = Case(t, fake, {"etl": job()}, lists=f"s3://{BUCKET}/lists")
        c.server.verb("check", "--connect")
        wanted = []
        for n in range(1, 13):
            wanted += [f"s3://{BUCKET}/{PREFIX}/{name}" for name in lake.cut(day(n))]
            if n % 4 == 0:
                c.server.kill_child("module spark")
            elif n % 4 == 2:
                c.server.kill_all()
                fake.script.add(FAULTS[n % len(FAULTS)])
                c.server.start()
        def all_in():
            found = c.batches()
            return found if sum(b["files"] for b in found) >= len(wanted) else None
        until(all_in, 90, "all files in batches", 0.2)
        found = c.done(len(c.batches()))
        stored = s3.stored(BUCKET)
        lists = {b["batch"]: json.loads(stored[f"lists/{b['batch']}.json"]) for b in found}
        equal(collections.Counter(name for whole in lists.values() for name in whole["files"]), collections.Counter(wanted))
        equal(collections.Counter(batch for batch, _ in spark.runs(t.tmp / "runs")), collections.Counter(b["batch"] for b in found))
        check(not fake.refused, str(fake.refused))


@test("a bucket that may not be read: an alarm with the reason, nothing is closed meanwhile; then everything is there")
def _(t):
    with Fake(seed=6) as fake:
        s3 = fake.service("s3")
        lake = Bucket(t.tmp / "made", s3)
        lake.cut(day(1))
        fake.script.add({"op": "GetObject", "do": "error", "code": "AccessDenied", "status": 403, "times": 3})
        c = Case(t, fake, {"etl": job()})
        c.server.wait_log(r"alarm spark: s3://the-lake.*AccessDenied")
        equal([b["files"] for b in c.done(1)], [1])


@test("thousands of manifests: each is got, some once more at the end of a look; then a look costs two LIST requests, and memory stays bounded", timeout_s=240)
def _(t):
    with Fake(seed=7) as fake:
        s3 = fake.service("s3")
        s3.make(BUCKET)
        name = f"{spark.JOURNAL}-lake-{{:020d}}-{{:020d}}"
        for n in range(MANY):
            path = f"day=01/{name.format(n, n + 1)}.ndjson.gz"
            item = {"path": path, "bytes": 100, "raw_bytes": 200, "count": 1, "crc32": "00000000", "event_min": "2026-11-01T12:00:00.000Z", "event_max": "2026-11-01T12:00:00.000Z"}
            s3.put(BUCKET, f"{PREFIX}/_manifest/{name.format(n, n + 1)}.json", json.dumps({"version": 1, "objects": [item]}).encode())
        c = Case(t, fake, {"etl": job()})
        (batch,) = c.done(1)
        equal((batch["files"], batch["kind"]), (MANY, "closed"))
        gets = collections.Counter(call[3]["Key"] for call in fake.calls if call[2] == "GetObject")
        first = [call for call in fake.calls if call[2] == "ListObjectsV2"]
        before = len(first)
        equal(len(gets), MANY)
        check(sum(gets.values()) <= MANY + AHEAD * before, f"{sum(gets.values())} objects were got in {before} listings")
        until(lambda: [call[2] for call in fake.calls].count("ListObjectsV2") >= before + 10, 30, "more looks")
        later = [call[3]["query"] for call in list(fake.calls) if call[2] == "ListObjectsV2"][len(first):]
        starts = collections.Counter("start-after" in query for query in later)
        check(abs(starts[True] - starts[False]) <= 1, f"two requests a look, one from the beginning and one behind what is known: {starts}")
        pid = c.server.child("module spark")
        kib = int(next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")))
        check(kib < 48 * 1024 or sanitized(), f"{kib} KiB")


@test("the module lake writes the bucket that the module spark reads")
def _(t):
    with Fake(seed=8) as fake:
        fake.service("s3").make(BUCKET)
        s3 = {"region": fake.region}
        lake = {"path": f"s3://{BUCKET}/{PREFIX}", "s3": s3, "roll": {"age": "300ms"}}
        c = Case(t, fake, {"etl": job(on="amount", events=5)}, lake=lake)
        for n in range(5):
            equal(c.server.hit(f"e{n}").status, 200)
        (batch,) = c.done(1)
        equal(batch["events"], 5)
        listed = json.loads((pathlib.Path(c.server.data) / "modules/spark/lists" / f"{batch['batch']}.json").read_text())["files"]
        equal(sorted(listed), sorted(f"s3://{BUCKET}/{key}" for key in fake.service("s3").stored(BUCKET) if "/_manifest/" not in key))


@test("a bucket's name or prefix that cannot be is told with the option")
def _(t):
    server = t.server(config={"modules": {"spark": {"lake": "s3://a/b", "jobs": {"etl": job()}}}}, start=False)
    said = server.verb("check")
    check(said.returncode != 0 and "no name of a bucket" in said.stdout + said.stderr, said.stdout + said.stderr)


if __name__ == "__main__":
    main()
