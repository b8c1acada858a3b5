#!/usr/bin/env python3
"""Windows: random streams against an independent reference, with and without crashes; and the real server."""
import json
import math
import pathlib
import random
import sqlite3
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import windows_reference
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SEEDS = 200
METRICS = [
    {"name": "TotalEvents", "by": {"A": "application_id", "V": "app_version"}, "dedupe": "event_id"},
    {"name": "Logins", "by": {"A": "application_id", "V": "app_version"}, "dedupe": "event_id", "filter": {"event_type": "login"},
     "_filter": lambda e: e["event_type"] == "login"},
    {"name": "Knockouts", "by": {"A": "application_id", "S": "event_data.spell_id"}, "having": {"gt": 1}, "_having": lambda v: v > 1,
     "filter": {"event_type": {"in": ["user_knockout", "login"]}, "event_data.spell_id": {"exists": True}},
     "_filter": lambda e: e["event_type"] in ("user_knockout", "login") and windows_reference.get(e, "event_data.spell_id") is not None},
    {"name": "Hopping", "by": {"A": "application_id"}, "size": 60, "every": 20},
    {"name": "Sum", "by": {"S": "event_data.spell_id"}, "value": "sum", "of": "event_data.n", "missing": "skip"},
    {"name": "Least", "by": {}, "value": "min", "of": "event_data.n", "size": 30},
    {"name": "Average", "by": {"V": "app_version"}, "value": "avg", "of": "event_data.n", "lateness": 5},
    {"name": "Different", "by": {"A": "application_id"}, "value": "distinct", "of": "event_data.n"},
]


def options_of(rng):
    return {"metrics": METRICS, "watermark": rng.choice(["application", "stream"]), "delay": rng.choice([0, 5, 15]),
            "lateness": rng.choice([0, 20, 120, 3600])}


def plain(options):
    """As the YAML has it."""
    def seconds(mapping):
        return {k: f"{v}s" if k in ("size", "every", "delay", "lateness") else v for k, v in mapping.items() if not k.startswith("_")}
    return {**seconds(options), "metrics": [seconds(m) for m in options["metrics"]]}


def stream(rng, count):
    """[(seq, receive us, event us, app, event)]: out of order, late, repeated, wrong clocks, malformed numbers."""
    now = 1_700_000_000_000_000 + rng.randrange(10**9)
    apps = [f"app-{i}" for i in range(rng.choice([1, 3, 8]))]
    ids, rows = [], []
    for seq in range(1, count + 1):
        now += rng.choice([0, 1000, 200_000, 2_000_000, 2_000_000, 30_000_000 if rng.random() < 0.05 else 0])
        shift = rng.choice([0, 0, 0, -rng.randrange(10**7), -rng.randrange(10**8), rng.randrange(5 * 10**6)])
        if rng.random() < 0.01:
            shift = rng.choice([7_200_000_000, 1_800_000_000, -7_200_000_000])
        event_id = rng.choice(ids[-30:]) if ids and rng.random() < 0.15 else str(uuid.UUID(int=rng.getrandbits(128), version=4))
        ids.append(event_id)
        app = rng.choice(apps)
        data = {}
        if rng.random() < 0.8:
            data["spell_id"] = rng.choice(["FIRE", "ICE", "EARTH \"x\"", "\u00e9\u4e2d", None])
        if rng.random() < 0.8:
            data["n"] = rng.choice([1, 2.5, -3, 0.1, 1e6, "7", True, None, rng.randrange(50)])
        event = {"event_id": event_id, "event_type": rng.choice(["login", "user_knockout", "logout"]), "app_version": rng.choice(["1.0", "2.0"]),
                 "application_id": app, "event_data": data}
        rows.append((seq, now, now + shift, app, event))
    return rows


def lines_of(rng, rows, saves, kills):
    for row in rows:
        yield "E {} {} {} {} {}".format(*row[:4], json.dumps(row[4], separators=(",", ":")))
        if rng.random() < saves:
            yield "S"
        if rng.random() < kills:
            yield "K"
    yield f"C {rows[-1][1] + 10 * 3600 * 10**6}"


def run(t, options, lines):
    """([(id, document)], {metric: late})"""
    path = t.tmp / "stream"
    path.write_text("\n".join(lines) + "\n")
    ran = subprocess.run([build_dir() / "tests" / "test_windows", "stream", json.dumps(plain(options)), path], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=60)
    equal(ran.returncode, 0, ran.stdout[-2000:])
    documents, late = [], {}
    for line in ran.stdout.splitlines():
        name, _, rest = line.partition(" ")
        if name == "=":
            words = rest.split()
            late[words[0]] = int(words[2])
        elif name != "#":
            documents.append((name, json.loads(rest)))
    return documents, late


DOCUMENT = {"METRIC_NAME": "{name}", "METRIC_TIMESTAMP": "{start}", "value": "{value}", "version": "{version}", "app": "{app}"}


def last_of(documents, options):
    """The highest version of each document, as the reference says it."""
    result, names = {}, {}
    dimensions = {m["name"]: list(m["by"]) for m in options["metrics"]}
    for name, d in documents:
        key = (d["METRIC_NAME"], d["METRIC_TIMESTAMP"], (d["app"], *(d[k] for k in dimensions[d["METRIC_NAME"]])))
        equal(names.setdefault(key, name), name, "one document, two ids")
        old = result.get(key)
        check(old is None or old[0] <= d["version"], f"{key}: version {d['version']} after {old}")
        result[key] = (d["version"], d["value"])
    return result


def with_documents(options):
    return {**options, "metrics": [{**m, "document": {**DOCUMENT, **{k: "{by.%s}" % k for k in m["by"]}}} for m in options["metrics"]]}


def reference_of(options, rows):
    reference = windows_reference.Reference(options)
    for row in rows:
        reference.event(*row)
    reference.clock(rows[-1][1] + 10 * 3600 * 10**6)
    reference.round()
    return reference


def same(got, want, hint):
    equal(sorted(map(str, got)), sorted(map(str, want)), hint)
    for key, (version, value) in want.items():
        equal(got[key][0], version, f"{hint}: {key}")
        close = got[key][1] == value or (value is not None and got[key][1] is not None and math.isclose(got[key][1], value, rel_tol=1e-12))
        check(close, f"{hint}: {key}: {got[key]} instead of {(version, value)}")


@test(f"{SEEDS} random streams give what the reference says, late ones and repeats counted alike", 600)
def _(t):
    total = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        options, rows = with_documents(options_of(rng)), stream(rng, rng.choice([50, 200, 400]))
        reference = reference_of(options, rows)
        documents, late = run(t, options, lines_of(rng, rows, rng.choice([0, 0.02]), 0))
        same(last_of(documents, options), reference.last(), f"seed {seed}")
        equal(late, reference.late, f"seed {seed}")
        total += len(documents)
    check(total > SEEDS * 10, f"{total} documents")


@test("crashes at random moments change nothing: no document is missing, different or twice", 600)
def _(t):
    for seed in range(1000, 1060):
        rng = random.Random(seed)
        options, rows = with_documents(options_of(rng)), stream(rng, 200)
        lines = list(lines_of(rng, rows, 0.05, 0.05))
        quiet, _ = run(t, options, [line for line in lines if line != "K"])
        killed, _ = run(t, options, lines)
        equal(sorted(map(str, killed)), sorted(map(str, quiet)), f"seed {seed}")
        same(last_of(killed, options), reference_of(options, rows).last(), f"seed {seed}")


@test("late revisions converge: with enough lateness the order of arrival does not matter", 300)
def _(t):
    for seed in range(2000, 2030):
        rng = random.Random(seed)
        options = with_documents({**options_of(rng), "lateness": 30 * 86400})
        options["metrics"] = [{k: v for k, v in m.items() if k != "lateness"} for m in options["metrics"] if m["name"] not in ("TotalEvents", "Logins")]
        rows = [row for row in stream(rng, 200) if row[2] <= row[1] + 3_000_000_000]
        ordered = sorted(rows, key=lambda row: row[2])
        ordered = [(i + 1, max(row[1], row[2]), *row[2:]) for i, row in enumerate(ordered)]
        last = [last_of(run(t, options, [*lines_of(rng, some, 0, 0)][:-1] + [f"C {rows[-1][1] + 40 * 86400 * 10**6}"])[0], options) for some in (rows, ordered)]
        equal(sorted(map(str, last[0])), sorted(map(str, last[1])), f"seed {seed}")
        for key in last[0]:
            a, b = last[0][key][1], last[1][key][1]
            check(a == b or math.isclose(a, b, rel_tol=1e-12), f"seed {seed}: {key}: {a} and {b}")


if __name__ == "__main__":
    sys.exit(main())
