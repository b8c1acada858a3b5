#!/usr/bin/env python3
"""The lake's files: where they are, when they are rolled, and that the manifests are right."""
import gzip
import json
import time
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake, load
from tests.lib.server import wait_until_lake_holds
from tests.lib.tap import check, equal, main, test


@test("the default path has the receiver and the event's date")
def _(t):
    server = t.server()
    server.hit("a")
    server.stop()
    (path,) = lake.objects(server.lake)
    want = time.strftime("matomo/year=%Y/month=%m/day=%d", time.gmtime())
    equal(path.parent.relative_to(server.lake).as_posix(), want)
    check(path.name.endswith(".ndjson.gz"), path.name)
    check(lake.check_manifests(server.lake) == 1, "one manifest")


@test("StreamSteam's old layout is one line of YAML")
def _(t):
    server = t.server(modules={"lake": {"path": "lake", "partition": "events/enriched/%Y/%m/%d/%H/"}})
    server.hit("a")
    server.stop()
    (path,) = lake.objects(server.lake)
    equal(path.parent.relative_to(server.lake).as_posix(), time.strftime("events/enriched/%Y/%m/%d/%H", time.gmtime()))


@test("partitions follow the time of the event, not of its arrival")
def _(t):
    server = t.server()
    past = time.time() - 20 * 3600
    server.hit("past", cdt=int(past))
    server.hit("now")
    server.stop()
    folders = {path.parent.name for path in lake.objects(server.lake)}
    equal(folders, {time.strftime("day=%d", time.gmtime(past)), time.strftime("day=%d", time.gmtime())})
    lake.check_manifests(server.lake)


@test("a file is rolled by age while nothing else comes")
def _(t):
    server = t.server(modules={"lake": {"path": "lake", "roll": {"age": "1s"}}})
    server.hit("a")
    wait_until_lake_holds(server, ["a"], 15)


@test("files are rolled by size under load; the manifests match; the gzip files are whole")
def _(t):
    server = t.server(modules={"lake": {"path": "lake", "roll": {"bytes": "64KiB", "age": "1h"}}})
    with load.Load(server, clients=2) as clients:
        clients.wait_acknowledged(1500, 60)
    server.stop()
    check(len(lake.objects(server.lake)) > 3, lake.objects(server.lake))
    equal(load.problems(clients, server.lake), [])
    check(lake.check_manifests(server.lake) > 3, "several cuts")
    equal(lake.temporaries(server.lake), [])
    server.verify()


@test("a restart starts no file anew and repeats none")
def _(t):
    server = t.server()
    for i in range(5):
        server.hit(f"a{i}")
        server.restart()
    server.stop()
    equal(sorted(lake.names(server.lake)), [f"a{i}" for i in range(5)])
    lake.check_manifests(server.lake)


@test("path templates cannot leave the lake")
def _(t):
    for bad in ("../out/", "/abs/../../x/", "a/../../b/"):
        server = t.server(start=False, modules={"lake": {"path": "lake", "partition": bad}})
        check(server.verb("check").returncode != 0, f"{bad} is taken")


if __name__ == "__main__":
    sys.exit(main())
