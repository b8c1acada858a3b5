#!/usr/bin/env python3
"""Module spark on this machine: each batch runs exactly once, whoever is killed, or is marked failed with the reason."""
import collections
import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import spark
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

ARGS = ["--batch", "{batch}", "--list", "{list}"]
POINTS = ["before_intent", "after_intent", "spawned", "after_submit", "after_answer", "after_poll", "after_find"]


def job(how="", **more):
    return {"file": "job.py", "args": ARGS + (["--how", how] if how else []), "grace": "0s", "backoff": "100ms", **more}


class Case:
    def __init__(self, t, jobs, faults=False, env=None, **more):
        self.t, self.runs_file = t, t.tmp / "runs"
        self.lake = spark.Lake(t.tmp / "the-lake")
        config = {"modules": {"lake": None, "spark": {"lake": str(self.lake.path), "local": {"spark_submit": str(spark.stand_in(t.tmp)), "log_bytes": "64KiB"},
                                        "poll": "100ms", "settle": "200ms", "jobs": jobs, **more}}}
        self.env = {"STAND_IN_RUNS": str(self.runs_file), **(env or {})}
        self.server = t.server(config=config, env=self.env, faults=faults)
        self.own = pathlib.Path(self.server.data) / "modules/spark"
        until(lambda: (self.own / "spark.db-wal").exists(), 20, "the module's state")

    def batches(self, *more):
        answer = self.server.verb("spark", "list", "--json", *more, check=True).stdout
        return [json.loads(line) for line in answer.splitlines()][::-1]

    def settled(self, count, timeout_s=30):
        def all_over():
            found = self.batches()
            return found if len(found) >= count and all(b["state"] in ("done", "failed", "rerun", "dropped") for b in found) else None
        return until(all_over, timeout_s, f"{count} batches at their end", 0.1)

    def runs(self):
        return spark.runs(self.runs_file)


def day(n, count=3):
    return {f"raw_events/year=2026/month=11/day={n:02d}/": [(spark.at(f"2026-11-{n:02d}T12:00:00"), {"n": i}) for i in range(count)]}


@test("a closed partition runs its job once; late files make one marked run more; a follower gets the same files")
def _(t):
    c = Case(t, {"etl": job(grace="1s"), "report": {**job(), "after": "etl"}})
    first = c.lake.cut(day(1)) + c.lake.cut(day(1))
    found = c.settled(2)
    equal([(b["job"], b["kind"], b["state"], b["files"], b["events"]) for b in found], [("etl", "closed", "done", 2, 6), ("report", "after", "done", 2, 6)])
    listed = json.loads((c.own / "lists" / f"{found[0]['batch']}.json").read_text())
    equal([os.path.relpath(p, c.lake.path) for p in listed["files"]], first)
    equal((listed["earlier"], listed["late"]), ([], False))
    late = c.lake.cut(day(1, 1))
    found = c.settled(4)
    equal([(b["kind"], b["late"], b["files"]) for b in found[2:]], [("late", True, 1)] * 2)
    listed = json.loads((c.own / "lists" / f"{found[2]['batch']}.json").read_text())
    equal(([os.path.relpath(p, c.lake.path) for p in listed["files"]], [os.path.relpath(p, c.lake.path) for p in listed["earlier"]]), (late, first))
    equal([run for _, run in c.runs()], [b["run"] for b in found])


@test("a run that fails is tried again under a new name, then given up with its last words; rerun and drop")
def _(t):
    c = Case(t, {"once": job("once", retries=2), "never": job("fail", retries=1)})
    c.lake.cut(day(2))
    found = {b["job"]: b for b in c.settled(2)}
    equal((found["once"]["state"], found["once"]["attempt"]), ("done", 2))
    equal((found["never"]["state"], found["never"]["attempt"]), ("failed", 2))
    check("the job says why" in found["never"]["reason"] and "ended with 3" in found["never"]["reason"], found["never"]["reason"])
    equal(len({run for _, run in c.runs()}), 4)
    c.server.verb("spark", "rerun", found["never"]["batch"], check=True)
    again = c.settled(3)[-1]
    equal((again["kind"], again["state"]), ("rerun", "failed"))
    equal({batch for batch, run in c.runs() if run.startswith(again["batch"])}, {found["never"]["batch"]})
    equal([b["state"] for b in c.batches() if b["batch"] == found["never"]["batch"]], ["rerun"])
    c.server.verb("spark", "drop", again["batch"], check=True)
    equal(c.batches()[-1]["state"], "dropped")
    check(c.server.verb("spark", "drop", again["batch"]).returncode == 1, "dropped twice")


@test("a run past its timeout is ended with all that it started; a noisy one fills no disk")
def _(t):
    c = Case(t, {"hang": job("hang", timeout="1s", retries=0), "noisy": job("noisy")})
    c.lake.cut(day(3))
    found = {b["job"]: b for b in c.settled(2)}
    equal((found["hang"]["state"], found["noisy"]["state"]), ("failed", "done"))
    check("timeout" in found["hang"]["reason"], found["hang"]["reason"])
    for pid in (t.tmp / "runs.pids").read_text().split():
        until(lambda: not os.path.exists(f"/proc/{pid}") or "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(), 5, "the hanging child's end")
    log = c.own / "runs" / found["noisy"]["run"] / "log"
    check(log.stat().st_size <= 64 * 1024 and log.read_bytes().endswith(b"the end\n"), f"{log.stat().st_size} bytes")


@test("manual and by amount; a job that is new begins with what the lake has")
def _(t):
    c = Case(t, {"hand": job(on="manual"), "many": job(on="amount", files=3)})
    c.lake.cut(day(4))
    c.lake.cut(day(5))
    until(lambda: c.server.verb("spark", "run", "hand").returncode == 0, 10, "files for the manual job")
    c.settled(1)
    c.lake.cut(day(6))
    found = c.settled(2)
    equal(sorted((b["job"], b["kind"], b["files"]) for b in found if b["job"] == "many"), [("many", "amount", 3)])
    check(c.server.verb("spark", "run", "nobody").returncode == 1, "a job that is none")


@test("ended batches are forgotten after keep, with lists and logs; failed ones stay; late files of theirs are set aside with the reason")
def _(t):
    c = Case(t, {"etl": job("once", retries=0), "all": job(on="amount", files=1)}, keep="2s")
    c.lake.cut(day(1))
    (failed,) = until(lambda: [b for b in c.batches() if b["state"] == "failed"], 30, "a failed batch")
    until(lambda: not [b for b in c.batches() if b["job"] == "all"], 30, "the other's being forgotten")
    equal([b["batch"] for b in c.batches()], [failed["batch"]])
    equal(([p.stem for p in (c.own / "lists").iterdir()], [p.name for p in (c.own / "runs").iterdir()]), ([failed["batch"]], [failed["run"]]))
    c.server.verb("spark", "rerun", failed["batch"], check=True)
    until(lambda: not c.batches(), 30, "all being forgotten")
    equal((list((c.own / "lists").iterdir()), list((c.own / "runs").iterdir())), ([], []))
    c.server.kill_child("module spark")
    c.lake.cut(day(1, 1))
    late = until(lambda: [b for b in c.batches() if b["state"] == "failed"], 30, "the late files' batch")
    equal([(b["job"], b["kind"], b["files"]) for b in late], [("etl", "late", 1)])
    check("forgotten (keep)" in late[0]["reason"], late[0]["reason"])
    equal(len([run for _, run in c.runs() if run.startswith(late[0]["batch"])]), 0)


@test("files of one unit in several folders are one partition where folders are together; one run of a partition at a time")
def _(t):
    c = Case(t, {"etl": job("slow", folders="together", concurrency=4)})
    folders = {f"site={n}/": [(spark.at(f"2026-11-01T{n:02d}:00:00"), {"n": n})] for n in range(3)}
    first = c.lake.cut(folders)
    (batch,) = c.settled(1)
    equal((batch["partition"], batch["files"]), ("@2026-11-01", 3))
    late = [c.lake.cut(day(1, 1))]
    until(lambda: len(c.batches()) == 2, 30, "the late batch")
    late.append(c.lake.cut(day(1, 1)))
    found = c.settled(3)
    c.server.verb("spark", "rerun", batch["batch"], check=True)
    c.settled(4)
    listed = json.loads((c.own / "lists" / f"{batch['batch']}.json").read_text())
    equal((sorted(os.path.relpath(p, c.lake.path) for p in listed["files"]), sorted(os.path.relpath(p, c.lake.path) for p in listed["earlier"])),
          (sorted(first), sorted(late[0] + late[1])))
    times = [(b["sent"], b["ended"]) for b in sorted(found, key=lambda b: b["sent"])]
    check(all(a[1] <= b[0] for a, b in zip(times, times[1:])), str(times))


@test("kill -9 at every point: each batch ran exactly once", timeout_s=180)
def _(t):
    for i, point in enumerate(POINTS):
        (t.tmp / point).mkdir()
        once = t.tmp / f"once-{point}"
        # after_find is passed only after another death
        env = {"STREAMSTEAM_FAULT": f"spark.{point}:1", "STREAMSTEAM_FAULT_ONCE": str(once)}
        sub = Case(Folder(t, t.tmp / point), {"etl": job("slow")}, faults=True, env=env)
        for n in (1, 2, 3):
            sub.lake.cut(day(n))
        if point == "after_find":
            continue_after_death(sub)
        found = sub.settled(3)
        check(point == "after_find" or once.exists(), f"{point} was never passed")
        equal([b["state"] for b in found], ["done"] * 3)
        ran = collections.Counter(batch for batch, _ in sub.runs())
        equal(ran, collections.Counter(b["batch"] for b in found))
        sub.server.stop()


def continue_after_death(c):
    until(lambda: c.runs(), 20, "a run")
    c.server.kill_child("module spark")


class Folder:
    """The test with a folder of its own below."""

    def __init__(self, t, tmp):
        self.t, self.tmp = t, tmp

    def server(self, **more):
        return self.t.server(**more)


@test("random kills of the module and of the whole server: each batch ran exactly once", timeout_s=180)
def _(t):
    c = Case(t, {"etl": job("slow", concurrency=4)})
    days = 24 if slow() else 12
    for n in range(1, days + 1):
        c.lake.cut(day(n))
        if n % 3 == 0:
            until(lambda: len(c.runs()) >= n // 3, 20, "runs")
            if n % 2:
                c.server.kill_child("module spark")
            else:
                c.server.kill_all()
                c.server.start()
    found = c.settled(days, 60)
    equal({b["state"] for b in found}, {"done"})
    equal(collections.Counter(batch for batch, _ in c.runs()), collections.Counter(b["batch"] for b in found))


@test("a damaged manifest is left out and told; the others count")
def _(t):
    c = Case(t, {"etl": job()})
    (c.lake.path / "_manifest" / "broken.json").write_text('{"objects":[{"path":"../../etc/passwd"}]}')
    c.lake.cut(day(7))
    equal([b["files"] for b in c.settled(1)], [1])
    until(lambda: re.search(r"manifests are damaged.*broken\.json", c.server.log_text()), 10, "the alarm")


@test("config/examples/spark.yaml is right")
def _(t):
    example = pathlib.Path(__file__).resolve().parents[2] / "config" / "examples" / "spark.yaml"
    server = t.server(yaml=example.read_text(), start=False)
    server.verb("check", check=True)


if __name__ == "__main__":
    main()
