#!/usr/bin/env python3
"""The lake as Parquet: what check says without the library, what a row holds that fits no column, what stays lines, memory."""
import json
import pathlib
import re
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import duckdb, lake, windows_game
from tests.lib.server import ROOT, build_dir, sanitized
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

MEMORY_MAX_KB = 256 << 10


def module(library, **more):
    return {"path": "lake", "format": "parquet", "parquet": {"library": library}, "roll": {"age": "1h"}, **more}


def entries(server):
    return [entry for path in lake.manifests(server.lake) for entry in json.loads(path.read_text())["objects"]]


def rows(t, library, server):
    return [row for path in lake.objects(server.lake) if path.suffix == ".parquet" for row in duckdb.rows(library, path, t.tmp)]


@test("check names the missing library and what to do; lines need none")
def _(t):
    for name, options in (("lake", module("/nowhere/libduckdb.so")), ("compact", {"format": "parquet", "parquet": {"library": "/nowhere/libduckdb.so"}})):
        server = t.server(start=False, modules={name: options})
        said = server.verb("check")
        check(said.returncode != 0, "it is taken")
        for words in (f"{name}: format: parquet", "/nowhere/libduckdb.so", "install libduckdb", "`library`"):
            check(words in said.stdout + said.stderr, f"{words} is not in: {said.stdout}{said.stderr}")
        server.config["modules"][name]["format"] = "ndjson" if name == "lake" else "same"
        server.write_config()
        server.verb("check", check=True)


@test("what is no such library is told apart from one that is missing")
def _(t):
    server = t.server(start=False, modules={"lake": module("libc.so.6")})
    said = server.verb("check")
    check(said.returncode != 0 and "too old" in said.stdout + said.stderr, said.stdout + said.stderr)


@test("objects are structs, one of nothing but nulls is null; a number that does not fit is in ss_extra as it was written")
def _(t):
    from tests.scenario.test_enrichers import config, database, send  # here, so that their tests are not ours
    from tests.scenario.test_modes import application
    library = duckdb.library(t)
    more = config(database(t), ["geoip"])
    more["receivers"]["game"] = {"stage": "live"}
    server = t.server(config=more, modules={"lake": module(library)})
    send(server, "Bonn", "198.51.100.7")
    send(server, "nowhere", "192.0.2.1")
    app, key = application(server)
    windows_game.post(server, app, key, [{"event_id": f"00000000-0000-4000-8000-00000000000{n}", "event_type": "login", "event_name": "login", "event_timestamp": at}
                                         for n, at in enumerate((1737658977, 1737658977.5))])
    server.stop()
    found = {row.get("event_value_name") or row["event_id"][-1]: row for row in rows(t, library, server)}
    equal(found["Bonn"]["geo_info"], {"city": "Bonn", "country": "DE", "ip": "198.51.100.7", "loc": {"longitude": 7.5, "latitude": 50.5}})
    equal((found["nowhere"].get("geo_info"), found["nowhere"].get("ss_extra")), (None, None))
    equal([(found[n]["event_timestamp"], found[n].get("ss_extra")) for n in "01"], [(1737658977, None), (1737658977, {"event_timestamp": 1737658977.5})])


@test("failed inputs stay lines, in the same cut and manifest, also where their folder is that of events")
def _(t):
    library = duckdb.library(t)
    receiver = str(build_dir() / "tests" / "contract" / "plugin_failing_receiver.so")
    server = t.server(config={"receivers": {"matomo": None, "failing": {"use": receiver}}}, modules={"lake": module(library, partition="all/", errors="all/")})
    for note in "ab":
        equal(server.post("/in/app-1?" + urllib.parse.urlencode({"note": note}), b"").status, 204)
        equal(server.post("/in/app-1?fail=processing-failed", b"\x00no").status, 204)
    server.stop()
    equal(sorted((pathlib.PurePath(e["path"]).suffixes[-1], e["count"], e.get("errors", False)) for e in entries(server)), [(".gz", 2, True), (".parquet", 2, False)])
    equal(len(rows(t, library, server)), 2)


@test("many partitions and long values in one cut: each row once, memory below 256 MB", timeout_s=180)
def _(t):
    library = duckdb.library(t)
    server = t.server(config={"receivers": {"matomo": None, "events": {"types": {f"t{n}": {"schema": {"type": "object"}} for n in range(80)}}}},
                      modules={"lake": module(library, partition="{type}/", roll={"age": "1h", "bytes": "100MB"})})
    wanted = []
    for n in range(80):
        body = "".join(json.dumps({"id": f"{n}-{i}", "text": chr(97 + (n + i) % 26) * 200000}) + "\n" for i in range(4))
        wanted += [f"{n}-{i}" for i in range(4)]
        equal(server.post(f"/events/t{n}", body, [("Content-Type", "application/x-ndjson")]).status, 200)
    pid = server.child("module lake")
    peak = 0

    def sealed():
        nonlocal peak
        peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
        return server.status()["modules"][0]["cursor"] >= len(wanted)
    for i in range(0, 300, 4):
        body = "".join(json.dumps({"id": f"more-{i + k}", "text": "z" * 200000}) + "\n" for k in range(4))
        equal(server.post("/events/t0", body, [("Content-Type", "application/x-ndjson")]).status, 200)
    until(sealed, 90, "the first cut", 0.02)
    server.stop()
    equal(sorted(row["event_id"] for row in rows(t, library, server)), sorted(wanted + [f"more-{i}" for i in range(300)]))
    check(peak < MEMORY_MAX_KB or sanitized(), f"{peak >> 10} MB")


@test("a change of the format begins with the next cut")
def _(t):
    library = duckdb.library(t)
    server = t.server(modules={"lake": {"path": "lake", "roll": {"age": "1h"}}})
    server.hit("line")
    server.stop()
    server.config["modules"]["lake"] = module(library)
    server.write_config()
    server.start()
    server.hit("row")
    server.stop()
    equal(sorted(pathlib.PurePath(e["path"]).suffixes[-1] for e in entries(server)), [".gz", ".parquet"])
    equal([row["event_value_name"] for row in rows(t, library, server)], ["row"])


@test("config/examples/lake-parquet.yaml is right, and runs")
def _(t):
    library = duckdb.library(t)
    env = {"STREAMSTEAM_LISTEN": "127.0.0.1:0", "STREAMSTEAM_ADMIN": "127.0.0.1:0", "STREAMSTEAM_DUCKDB": library}
    server = t.server(yaml=(ROOT / "config" / "examples" / "lake-parquet.yaml").read_text(), env=dict(env, STREAMSTEAM_DATA=str(t.tmp / "var")), start=False)
    server.data = t.tmp / "var"
    server.verb("check", check=True)
    server.start()
    server.hit("a")
    server.stop()
    equal([row["event_value_name"] for row in rows(t, library, server)], ["a"])


if __name__ == "__main__":
    sys.exit(main())
