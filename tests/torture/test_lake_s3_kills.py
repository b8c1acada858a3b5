#!/usr/bin/env python3
"""The module lake is killed at every step of an upload to S3, also right after the store took an object: at the end each line is there once."""
# timeout: 600
import json
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.lib import lake
from tests.lib.server import ROOT, Server, build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

PASSAGES = (1, 2, 4, 7)
ON_DISK = {"disk.c", "columnar.c"}  # of modules/lake: what a lake of lines on S3 does not come to
TYPES, EVENTS = 4, 60
CONFIG = {"receivers": {"matomo": None, "events": {"types": {f"t{i}": {"schema": {"type": "object"}} for i in range(TYPES)}}}}
LAKE = {"path": "s3://bkt/lake", "partition": "{type}/", "roll": {"bytes": "3KiB", "age": "150ms"}, "retry": {"base": "10ms", "max": "50ms"},
        "s3": {"timeout": "2s"}, "batch": {"linger": "5ms"}}


def points():
    return sorted({name for path in (ROOT / "modules" / "lake").glob("*.c") if path.name not in ON_DISK
                   for name in re.findall(r'FAULT_POINT\("([^"]+)"\)', path.read_text())})


def run(t, point, passage, faults=()):
    """Whether the point was passed."""
    folder = t.tmp / f"{point}-{passage}-{len(faults)}"
    with Fake(seed=passage) as fake:
        fake.service("s3").make("bkt")
        fake.script.add([dict({"op": "PutObject"}, **fault) for fault in faults])
        env = dict(fake.env(), STREAMSTEAM_FAULT=f"{point}:{passage}", STREAMSTEAM_FAULT_ONCE=str(folder / "once"))
        server = Server(folder / "s", config=CONFIG, modules={"lake": LAKE}, env=env, faults=True)
        try:
            server.start()
            for part in range(3):
                for kind in range(TYPES):
                    body = "".join(json.dumps({"id": f"{kind}-{part}-{n}", "n": n}) + "\n" for n in range(EVENTS // 3))
                    equal(server.post(f"/events/t{kind}", body, [("Content-Type", "application/x-ndjson")]).status, 200)
            until(lambda: server.status()["modules"][0]["cursor"] >= TYPES * EVENTS, 60, f"all lines after a kill at {point}:{passage}", 0.05)
            server.verify()
            equal(server.stop(), 0)
        finally:
            server.destroy()
        what = f"{point}:{passage}"
        below = {key[len("lake/"):]: body for key, body in fake.service("s3").stored("bkt").items()}
        lake.download(below, folder / "read")
        lake.check_manifests(folder / "read")
        equal(sorted(e["event_id"] for e in lake.lines(folder / "read")),
              sorted(f"{kind}-{part}-{n}" for kind in range(TYPES) for part in range(3) for n in range(EVENTS // 3)), what)
        equal({k: n for k, n in fake.service("s3").puts("bkt").items() if n > 1}, {}, what)
    reached = (folder / "once").exists()
    shutil.rmtree(folder)
    return reached


def all_points(t, faults=()):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    unreached = [point for point in points() if not any([run(t, point, passage, faults) for passage in PASSAGES])]
    check(not unreached, f"never reached: {unreached}")


@test("a kill at every step: exactly once", timeout_s=300)
def _(t):
    all_points(t)


@test("a kill at every step, and answers that get lost", timeout_s=300)
def _(t):
    all_points(t, [{"do": "close", "after": True, "every": 3, "times": 2}, {"do": "throttle", "skip": 1, "every": 4, "times": 2}])


if __name__ == "__main__":
    sys.exit(main())
