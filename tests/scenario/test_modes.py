#!/usr/bin/env python3
"""The six modes of the Game Analytics Pipeline: each preset is right, runs, and puts events where its mode says."""
import json
import pathlib
import re
import sqlite3
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import lake
from tests.lib.modes import DAYS, INGEST, MODES, NAMES, PARTS, STACKS, TOKEN, WANTED_PARTS, application, environment, event, parts_of, post, preset, serve, split
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

TABLES = {"data-lake": "raw_events", "redshift": "event_data"}
def rows(server, table):
    path = server.data / "warehouse.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        try:
            return db.execute(f'SELECT event_id, application_id, application_name FROM "{table}"').fetchall()
        except sqlite3.OperationalError:  # not made yet
            return []


@test("there are the six, and each names the parts of its mode")
def _(t):
    equal(sorted(path.stem for path in MODES.glob("*.yaml")), sorted(NAMES))
    for name in NAMES:
        equal(set(re.findall(r"^#   (\w+)\.yaml ", preset(name), re.M)), parts_of(name), name)
    equal({path.stem for path in PARTS.glob("*.yaml")}, set().union(*WANTED_PARTS.values()))


for preset_name in NAMES:
    @test(f"{preset_name}: passes check, and is what `init --from-guidance` makes of that mode")
    def _(t, name=preset_name):
        stack, ingest = split(name)
        server = t.server(yaml=preset(name), env=environment(t), start=False)
        want = server.verb("check", "--print", check=True).stdout
        old = t.tmp / "config.yaml"
        old.write_text(f"WORKLOAD_NAME: x\nINGEST_MODE: {INGEST[ingest]}\nDATA_STACK: {STACKS[stack]}\nEVENTS_DATABASE: game_analytics\n"
                       "RAW_EVENTS_TABLE: raw_events\nRAW_EVENTS_PREFIX: raw_events\nAPI_STAGE_NAME: live\nDEV_MODE: false\n")
        server.file.unlink()
        server.verb("init", "--from-guidance", old, "-o", server.file, config=False, check=True)
        equal(server.verb("check", "--print", check=True).stdout, want)

    @test(f"{preset_name}: runs, and events land where the mode says")
    def _(t, name=preset_name):
        stack, ingest = split(name)
        server = serve(t, preset(name))
        app_id, key = application(server)
        events = [event(DAYS[i % 3], i) for i in range(10)]
        post(server, app_id, key, events)
        until(lambda: len(rows(server, TABLES[stack])) == 10, 30, "ten rows in the warehouse")
        equal(sorted(rows(server, TABLES[stack])), sorted((e["event_id"], app_id, "TestGame") for e in events))
        setup = server.post("/live/redshift/setup", "", [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")])
        equal(setup.status, 400 if stack == "data-lake" else 200, setup.body.decode())
        server.stop()  # which seals the lake's cut
        if stack == "data-lake":
            folders = {}
            for path in lake.objects(server.lake):
                folders.setdefault(path.parent.relative_to(server.lake).as_posix(), []).extend(json.loads(line)["event_id"] for line in lake.raw(path).splitlines())
            want = {time.strftime("raw_events/year=%Y/month=%m/day=%d", time.gmtime(day)): sorted(e["event_id"] for e in events[i::3]) for i, day in enumerate(DAYS)}
            equal({folder: sorted(ids) for folder, ids in folders.items()}, want)
            lake.check_manifests(server.lake)
        else:
            check(not server.lake.exists(), "a lake where the mode has none")
        server.verify()
        dumped = server.verb("journal", "dump", "--raw", check=True).stdout
        equal(dumped.count("\n"), 10)  # nothing is retired within a segment, whatever retain says


def uncommented(yaml):
    """The preset with its S3_BACKUP_MODE block."""
    lines, inside = [], False
    for line in yaml.splitlines():
        inside = inside and line.startswith("  # ")
        lines.append("  " + line[4:] if inside else line)
        inside = inside or line.startswith("  # S3_BACKUP_MODE")
    return "\n".join(lines) + "\n"


@test("the backup in the presets is the view `stream`, by arrival")
def _(t):
    yaml = uncommented(preset("data-lake-direct-batch"))
    check("\n  backup:\n    use: lake\n" in yaml, yaml)
    server = serve(t, yaml)
    app_id, key = application(server)
    post(server, app_id, key, [event(DAYS[0], 1)])
    server.stop()
    today = time.strftime("FirehoseS3SourceRecordBackup/year=%Y/month=%m/day=%d", time.gmtime())
    (path,) = [path for path in lake.objects(server.lake) if "Backup" in path.as_posix()]
    equal(path.parent.relative_to(server.lake).as_posix(), today)
    (record,) = [json.loads(line) for line in lake.raw(path).splitlines()]
    equal(list(record), ["event", "aws_ga_api_validated_flag", "aws_ga_api_requestId", "aws_ga_api_requestTimeEpoch", "application_id"])
    equal(record["event"], event(DAYS[0], 1))
    lake.check_manifests(server.lake)


@test("CONVERT_TIMESTAMP in the presets is the view processed_iso; folders stay those of the event's day")
def _(t):
    server = serve(t, preset("data-lake-direct-batch").replace("    # view: processed_iso", "    view: processed_iso"))
    app_id, key = application(server)
    post(server, app_id, key, [event(DAYS[0], 1)])
    server.stop()
    (path,) = lake.objects(server.lake)
    equal(path.parent.relative_to(server.lake).as_posix(), time.strftime("raw_events/year=%Y/month=%m/day=%d", time.gmtime(DAYS[0])))
    (line,) = lake.lines(server.lake)
    equal((line["event_id"], line["event_timestamp"]), (event(DAYS[0], 1)["event_id"], "2025-01-23T19:02:57.000Z"))


@test("every part loads where its module is installed; else that is all that is said against it")
def _(t):
    for name in NAMES:
        for part in parts_of(name):
            folder = t.tmp / f"{name}-{part}"
            (folder / "conf.d").mkdir(parents=True)
            (folder / "streamsteam.yaml").write_text(preset(name))
            text = (PARTS / f"{part}.yaml").read_text()
            (folder / "conf.d" / f"{part}.yaml").write_text(text)
            plugin = (re.search(r"^    use: (\w+)", text, re.M) or re.search(r"^modules:\n  (\w+):", text, re.M)).group(1)
            if part == "opensearch":  # it delivers what the windows emit
                (folder / "conf.d" / "windows.yaml").write_text((PARTS / "windows.yaml").read_text())
            server = t.server(yaml="", env=environment(t), start=False)
            server.file = folder / "streamsteam.yaml"
            said = server.verb("check")
            there = (build_dir() / "plugins" / f"module-{plugin}.so").exists()
            lines = said.stderr.splitlines()
            missing = [line for line in lines if ": no plugin '" in line]
            if part == "opensearch" and there:  # what emits the documents may be missing, too
                plugin, there = "windows", (build_dir() / "plugins" / "module-windows.so").exists()
            if there:
                equal(lines, [], f"{name} with {part}")
            else:
                check(missing and f"no plugin '{plugin}'" in said.stderr, said.stderr)
                equal([line for line in lines if line not in missing and "receivers" not in line], [], f"{name} with {part}")


if __name__ == "__main__":
    sys.exit(main())
