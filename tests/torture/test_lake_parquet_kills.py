#!/usr/bin/env python3
"""The lake that makes Parquet is killed at every step of sealing, on disk and on S3: at the end each event is there once."""
# timeout: 900
import json
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.lib import duckdb, lake
from tests.lib.server import ROOT, Server, build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

PASSAGES = (1, 2, 4)
FILES = {"disk": ("columnar.c", "part.c", "disk.c", "lake.c"), "s3": ("columnar.c", "upload.c")}
TYPES = 3
EVENTS = 60
CONFIG = {"receivers": {"matomo": None, "events": {"types": {f"t{i}": {"schema": {"type": "object"}} for i in range(TYPES)}}}}


def points(kind):
    return sorted({name for file in FILES[kind] for name in re.findall(r'FAULT_POINT\("([^"]+)"\)', (ROOT / "modules" / "lake" / file).read_text())} |
                  set(re.findall(r'FAULT_POINT\("([^"]+)"\)', (ROOT / "plugins" / "common" / "parquet.c").read_text())))


def module(library, path):
    return {"path": path, "format": "parquet", "parquet": {"library": library, "row_group": 2048}, "partition": "{type}/",
            "roll": {"bytes": "3KiB", "age": "150ms"}, "retry": {"base": "10ms", "max": "50ms"}, "s3": {"timeout": "2s"}, "batch": {"linger": "5ms"}}


def send(server):
    for part in range(3):
        for kind in range(TYPES):
            body = "".join(json.dumps({"id": f"{kind}-{part}-{n}", "n": n}) + "\n" for n in range(EVENTS // 3))
            equal(server.post(f"/events/t{kind}", body, [("Content-Type", "application/x-ndjson")]).status, 200)


def manifest_entries(root):
    """Every object of every manifest; each file stands in exactly one."""
    entries = {}
    for path in lake.manifests(root):
        for entry in json.loads(path.read_text())["objects"]:
            check(entry["path"] not in entries, f"{entry['path']} is named twice")
            entries[entry["path"]] = entry
    equal(sorted(entries), sorted(p.relative_to(root).as_posix() for p in lake.objects(root)))
    return entries


def judge(t, library, root, what):
    found = []
    for path, entry in manifest_entries(root).items():
        check(path.endswith(".parquet"), path)
        rows = duckdb.rows(library, root / path, t.tmp)
        equal((len(rows), (root / path).stat().st_size), (entry["count"], entry["bytes"]), f"{what}: {path}")
        found += [row["event_id"] for row in rows]
    equal(sorted(found), sorted(f"{kind}-{part}-{n}" for kind in range(TYPES) for part in range(3) for n in range(EVENTS // 3)), what)


def run(t, library, kind, point, passage):
    """Whether the point was passed."""
    folder = t.tmp / f"{point}-{passage}-{kind}"
    with Fake(seed=passage) as fake:
        fake.service("s3").make("bkt")
        env = dict(fake.env(), STREAMSTEAM_FAULT=f"{point}:{passage}", STREAMSTEAM_FAULT_ONCE=str(folder / "once"))
        server = Server(folder / "s", config=CONFIG, modules={"lake": module(library, "lake" if kind == "disk" else "s3://bkt/lake")}, env=env, faults=True)
        try:
            server.start()
            send(server)
            until(lambda: server.status()["modules"][0]["cursor"] >= TYPES * EVENTS, 60, f"all events after a kill at {point}:{passage}", 0.05)
            server.verify()
            equal(server.stop(), 0)
        finally:
            server.destroy()
        root = server.lake
        if kind == "s3":
            below = {key[len("lake/"):]: body for key, body in fake.service("s3").stored("bkt").items()}
            root = lake.download(below, folder / "read")
            equal({k: n for k, n in fake.service("s3").puts("bkt").items() if n > 1}, {}, f"{point}:{passage}")
        judge(t, library, root, f"{point}:{passage}")
        equal(lake.temporaries(server.data), [], f"{point}:{passage}")
    reached = (folder / "once").exists()
    shutil.rmtree(folder)
    return reached


def all_points(t, kind):
    library = duckdb.library(t)
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    unreached = [point for point in points(kind) if not any([run(t, library, kind, point, passage) for passage in PASSAGES])]
    check(not unreached, f"never reached: {unreached}")


@test("Parquet on disk: a kill at every step, each event once", timeout_s=500)
def _(t):
    all_points(t, "disk")


@test("Parquet on S3: a kill at every step, each event once", timeout_s=400)
def _(t):
    all_points(t, "s3")


if __name__ == "__main__":
    sys.exit(main())
