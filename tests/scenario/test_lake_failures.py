#!/usr/bin/env python3
"""What could not become an event, and events without a usable time: where the lake keeps them, exactly once."""
import base64
import json
import pathlib
import re
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import duckdb, lake
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

DAY = time.gmtime(1737658977)  # 2025-01-23, the event's
EVENT_DAY = time.strftime("year=%Y/month=%m/day=%d", DAY)
A4 = {"path": "lake", "partition": "raw_events/year=%Y/month=%m/day=%d/", "bad_time": "error", "time_field": "event_timestamp",
      "roll": {"age": "1h"}}
ERROR_KEYS = ["attemptsMade", "arrivalTimestamp", "errorCode", "errorMessage", "attemptEndingTimestamp", "rawData"]


def serve(t, **modules):
    receiver = str(build_dir() / "tests" / "contract" / "plugin_failing_receiver.so")
    return t.server(config={"receivers": {"matomo": None, "failing": {"use": receiver}}}, modules=modules)


def put(server, body=b"", **query):
    answer = server.post("/in/app-1?" + urllib.parse.urlencode(query), body)
    equal(answer.status, 204)


def folders(server, name="lake"):
    """{folder: its lines}"""
    found = {}
    root = server.data / name
    for path in lake.objects(root):
        folder = path.parent.relative_to(root).as_posix()
        found.setdefault(folder, []).extend(json.loads(line) for line in lake.raw(path).splitlines())
    return found


def marked(server, name="lake"):
    """The folders that manifests mark as errors."""
    return {pathlib.PurePath(entry["path"]).parent.as_posix() for path in lake.manifests(server.data / name)
            for entry in json.loads(path.read_text())["objects"] if entry.get("errors")}


@test("failed inputs go below errors by their code, in the same cut and manifest")
def _(t):
    server = serve(t, lake=A4)
    put(server, note="a", time="1737658977")
    put(server, b"\x00not json", fail="processing-failed")
    put(server, b"neither", fail="processing-failed")
    put(server, b"x", fail="format-conversion-failed")
    server.stop()
    found = folders(server)
    equal(sorted(found), ["firehose-errors/format-conversion-failed", "firehose-errors/processing-failed", f"raw_events/{EVENT_DAY}"])
    lines = found["firehose-errors/processing-failed"]
    equal([list(line) for line in lines], [ERROR_KEYS] * 2)
    equal([base64.b64decode(line["rawData"]) for line in lines], [b"\x00not json", b"neither"])
    equal({(line["attemptsMade"], line["errorCode"], line["errorMessage"]) for line in lines}, {(1, "processing-failed", "it was asked to")})
    equal(lake.check_manifests(server.lake), 1)
    equal(marked(server), {"firehose-errors/format-conversion-failed", "firehose-errors/processing-failed"})
    server.verify()


@test("without a usable time an event goes to metadata-extraction-failed; rawData decodes to it")
def _(t):
    server = serve(t, lake=A4)
    for note, when in (("null", "null"), ("absent", ""), ("text", '""'), ("list", "[1]"), ("bool", "true"), ("good", "1737658977.25")):
        put(server, note=note, **({"time": when} if when else {}))
    server.stop()
    found = folders(server)
    equal(sorted(found), ["firehose-errors/metadata-extraction-failed", f"raw_events/{EVENT_DAY}"])
    equal([line["note"] for line in found[f"raw_events/{EVENT_DAY}"]], ["good"])
    lines = found["firehose-errors/metadata-extraction-failed"]
    equal([json.loads(base64.b64decode(line["rawData"]))["note"] for line in lines], ["null", "absent", "text", "list", "bool"])
    equal([list(line) for line in lines], [ERROR_KEYS] * 5)
    check("event_timestamp" in lines[0]["errorMessage"], lines[0])
    now_ms = time.time() * 1000
    check(now_ms - 120000 < lines[0]["arrivalTimestamp"] <= now_ms, lines[0])
    lake.check_manifests(server.lake)


@test("by default such an event goes where it arrived: nothing is set aside")
def _(t):
    server = serve(t, lake={"path": "lake", "partition": "raw_events/year=%Y/month=%m/day=%d/"})
    put(server, note="null", time="null")
    server.stop()
    found = folders(server)
    equal(sorted(found), [time.strftime("raw_events/year=%Y/month=%m/day=%d", time.gmtime())])


@test("errors: off leaves them out, and the cursor passes them")
def _(t):
    server = serve(t, lake={"path": "lake", "partition": "e/", "errors": "off", "roll": {"age": "1h", "bytes": "1GiB"}})
    put(server, b"1", fail="processing-failed")
    put(server, b"2", fail="processing-failed")

    def passed():
        (module,) = server.status()["modules"]
        return module["cursor"] >= 2
    until(passed, 20, "the cursor behind two failed records")
    put(server, note="a")
    put(server, b"3", fail="processing-failed")
    server.restart()
    put(server, note="b")
    server.stop()
    found = folders(server)
    equal({folder: [line["note"] for line in lines] for folder, lines in found.items()}, {"e": ["a", "b"]})
    lake.check_manifests(server.lake)
    server.verify()


@test("error folders may have dates, which are those of the arrival")
def _(t):
    server = serve(t, lake=dict(A4, errors="bad/%Y/%m/%d/{type}/{app}/", roll={"age": "200ms"}))
    put(server, note="x", time="null")
    put(server, b"y", fail="processing-failed")
    put(server, note="z", time="1737658977")

    def counted():
        found = server.metrics()
        return [sum(value for name, value in found.items() if name.startswith(f"streamsteam_lake_{kind}_total")) for kind in ("errors", "records")]
    until(lambda: counted() == [2, 3], 20, "the metrics of the lake")
    server.stop()
    today = time.strftime("bad/%Y/%m/%d", time.gmtime())
    equal(sorted(folders(server)), [f"{today}/metadata-extraction-failed/app-1", f"{today}/processing-failed/app-1", f"raw_events/{EVENT_DAY}"])


@test("a backup is a second lake: the view's bytes, by arrival, beside the first")
def _(t):
    backup = {"use": "lake", "path": "lake", "view": "shout", "partition": "FirehoseS3SourceRecordBackup/year=%Y/month=%m/day=%d/",
              "partition_time": "receive", "errors": "FirehoseS3SourceRecordBackup/firehose-errors/%Y/%m/%d/{type}/"}
    server = serve(t, lake=A4, backup=backup)
    put(server, note="a", time="1737658977")
    put(server, note="b", time="null")
    put(server, b"c", fail="processing-failed")
    server.stop()
    found = folders(server)
    today = time.gmtime()
    copies = found[time.strftime("FirehoseS3SourceRecordBackup/year=%Y/month=%m/day=%d", today)]
    equal([copy["shout"]["note"] for copy in copies], ["a", "b"])
    (failed,) = found[time.strftime("FirehoseS3SourceRecordBackup/firehose-errors/%Y/%m/%d/processing-failed", today)]
    equal(base64.b64decode(failed["rawData"]), b"c")
    equal(len(found), 5)
    lake.check_manifests(server.lake)
    for name in ("lake", "backup"):
        lines = [line for path in lake.manifests(server.lake) if f"-{name}-" in path.name for line in [json.loads(path.read_text())]]
        check(sum(line["count"] for line in lines) == 3, lines)
    server.verify()


@test("killed in the middle, each failed input is there once")
def _(t):
    server = serve(t, lake=dict(A4, roll={"bytes": "1KiB", "age": "1h"}))
    for round_number in range(4):
        for i in range(20):
            put(server, f"{round_number}-{i}".encode(), fail="processing-failed")
            put(server, note=f"{round_number}-{i}", time="null")
        old = server.kill_child("module lake")
        until(lambda killed=old: server.children().get("module lake", killed) != killed, 60, "the module's next life")
    until(lambda: all(process["ready"] for process in server.status()["processes"]), 60, "the module ready")
    server.stop()
    found = folders(server)
    want = sorted(f"{r}-{i}" for r in range(4) for i in range(20))
    equal(sorted(base64.b64decode(line["rawData"]).decode() for line in found["firehose-errors/processing-failed"]), want)
    notes = [json.loads(base64.b64decode(line["rawData"]))["note"] for line in found["firehose-errors/metadata-extraction-failed"]]
    equal(sorted(notes), want)
    lake.check_manifests(server.lake)
    server.verify()


@test("options that contradict each other are refused with the remedy")
def _(t):
    cases = (({"bad_time": "error"}, "needs time_field"), ({"bad_time": "error", "time_field": "t", "errors": "off"}, "needs errors"),
             ({"bad_time": "error", "time_field": "t", "partition_time": "receive"}, "leave bad_time out"), ({"errors": "../x/"}, "errors: "))
    for options, words in cases:
        server = t.server(start=False, modules={"lake": options})
        said = server.verb("check")
        check(said.returncode != 0 and words in said.stderr, f"{options}: {said.stderr}")


@test("every example in docs/lake.md is right")
def _(t):
    receiver = str(build_dir() / "tests" / "contract" / "plugin_failing_receiver.so")
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "lake.md").read_text(), re.M | re.S)
    check(len(blocks) == 6, f"{len(blocks)} examples")
    library = duckdb.found()
    for block in blocks:
        if "libduckdb.so" in block and not library:
            continue  # without it check rightly refuses: test_lake_parquet.py
        block = block.replace("libduckdb.so", library or "")
        # Any receiver will do, with any view: what is proved is the lake's part.
        block = block.replace("view: stream", "view: shout") + f"receivers: {{game: {{use: {receiver}}}}}\n"
        server = t.server(yaml=f"server: {{data_dir: {t.tmp / 'data'}, listen: '127.0.0.1:0', admin: 'off'}}\n" + block, start=False)
        said = server.verb("check")
        equal(said.returncode, 0, block + said.stdout + said.stderr)


if __name__ == "__main__":
    sys.exit(main())
