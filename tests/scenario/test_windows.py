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
from tests.lib.server import build_dir, sanitized, slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SEEDS, LATE_SEEDS = 200, 100
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
    {"name": "Roughly", "by": {"A": "application_id"}, "value": "approximate_distinct", "of": "event_data.n", "every": 30},
    {"name": "Largest", "by": {"V": "app_version"}, "value": "max", "of": "event_data.n", "having": {"gt": 3}, "_having": lambda v: v > 3},
    {"name": "Half", "by": {"A": "application_id"}, "value": "quantile", "quantile": 0.5, "of": "event_data.n"},
    {"name": "Spells", "by": {"V": "app_version"}, "value": "top", "top": 3, "of": "event_data.spell_id"},
    {"name": "Capped", "by": {"A": "application_id", "S": "event_data.spell_id", "V": "app_version"}, "max_groups": 2},
    {"name": "Chosen", "by": {"T": "event_type"}, "filter": {"or": [{"event_data.n": {"gt": 2, "le": 40}}, {"event_type": {"prefix": "log"}}], "not": {"app_version": "2.0"}},
     "_filter": lambda e: (between(e, 2, 40) or e["event_type"].startswith("log")) and e["app_version"] != "2.0"},
]
ROUGHLY = {"Half": 0.0101}  # relative: what the quantile's sketch promises


BY_ARRIVAL = ("TotalEvents", "Logins", "Capped")  # who came first decides for them


def between(e, low, high):
    n = windows_reference.get(e, "event_data.n")
    return isinstance(n, (int, float)) and not isinstance(n, bool) and low < n <= high


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


def run(t, options, lines, how="stream"):
    """([(id, document)], {metric: late})"""
    path = t.tmp / "stream"
    path.write_text("\n".join(lines) + "\n")
    ran = subprocess.run([build_dir() / "tests" / "test_windows", how, json.dumps(plain(options)), path], stdout=subprocess.PIPE,
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


def reference_of(options, rows, lines):
    """lines: where rounds are, what they say in between is said."""
    reference = windows_reference.Reference(options)
    rows = iter(rows)
    for line in lines:
        if line[0] == "E":
            reference.event(*next(rows))
        elif line[0] == "S":
            reference.round()
        elif line[0] == "C":
            reference.clock(int(line[2:]))
    reference.round()
    return reference


def same(got, want, hint):
    equal(got.keys() ^ want.keys(), set(), f"{hint}: missing, or nobody asked for")
    for key, (version, value) in want.items():
        equal(got[key][0], version, f"{hint}: {key}")
        close = got[key][1] == value or (value is not None and got[key][1] is not None and not isinstance(value, list) and
                                               math.isclose(got[key][1], value, rel_tol=ROUGHLY.get(key[0], 1e-12)))
        check(close, f"{hint}: {key}: {got[key]} instead of {(version, value)}")


@test(f"{SEEDS} random streams give what the reference says, late ones and repeats counted alike", 600)
def _(t):
    total = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        options, rows = with_documents(options_of(rng)), stream(rng, rng.choice([50, 200, 400]))
        lines = list(lines_of(rng, rows, rng.choice([0, 0.02]), 0))
        reference = reference_of(options, rows, lines)
        documents, late = run(t, options, lines)
        same(last_of(documents, options), reference.last(), f"seed {seed}")
        equal(late, reference.late, f"seed {seed}")
        total += len(documents)
    check(total > SEEDS * 10, f"{total} documents")


@test("crashes at random moments change nothing: no document is missing, different or twice", 600)
def _(t):
    for seed in range(1000, 1000 + SEEDS):
        rng = random.Random(seed)
        options, rows = with_documents(options_of(rng)), stream(rng, 200)
        lines = list(lines_of(rng, rows, 0.05, 0.05))
        quiet, _ = run(t, options, [line for line in lines if line != "K"])
        killed, _ = run(t, options, lines)
        equal(sorted(map(str, killed)), sorted(map(str, quiet)), f"seed {seed}")
        same(last_of(killed, options), reference_of(options, rows, lines).last(), f"seed {seed}")


@test("late revisions converge: with enough lateness the order of arrival does not matter", 300)
def _(t):
    for seed in range(2000, 2000 + LATE_SEEDS):
        rng = random.Random(seed)
        options = with_documents({**options_of(rng), "lateness": 30 * 86400})
        options["metrics"] = [{k: v for k, v in m.items() if k != "lateness"} for m in options["metrics"] if m["name"] not in BY_ARRIVAL]
        rows = [row for row in stream(rng, 200) if row[2] <= row[1] + 3_000_000_000]
        ordered = sorted(rows, key=lambda row: row[2])
        ordered = [(i + 1, max(row[1], row[2]), *row[2:]) for i, row in enumerate(ordered)]
        last = [last_of(run(t, options, [*lines_of(rng, some, 0, 0)][:-1] + [f"C {rows[-1][1] + 40 * 86400 * 10**6}"])[0], options) for some in (rows, ordered)]
        equal(last[0].keys() ^ last[1].keys(), set(), f"seed {seed}: in one of them")
        for key in last[0]:
            a, b = last[0][key][1], last[1][key][1]
            check(a == b or (not isinstance(a, list) and math.isclose(a, b, rel_tol=1e-12)), f"seed {seed}: {key}: {a} and {b}")


@test("a backfill says what the reference says with full lateness, with the same ids and versions", 300)
def _(t):
    total = 0
    for seed in range(3000, 3000 + LATE_SEEDS):
        rng = random.Random(seed)
        options = with_documents({**options_of(rng), "lateness": 30 * 86400})
        options["metrics"] = [{k: v for k, v in m.items() if k != "lateness"} for m in options["metrics"]]
        rows = stream(rng, rng.choice([50, 200, 400]))
        lines = list(lines_of(rng, rows, 0, 0))
        held, _ = run(t, options, [line for line in lines if line[0] == "E"], "hold")
        having = {m["name"]: m.get("_having", lambda v: True) for m in options["metrics"]}
        nothing = {m["name"] for m in options["metrics"] if "dedupe" in m}  # a group whose events turned out to be repeats of another's
        want = {key: last for key, last in reference_of(options, rows, lines).last().items()
                if having[key[0]](last[1]) and not (key[0] in nothing and last[1] == 0)}
        got = last_of(held, options)
        same(got, want, f"seed {seed}")
        equal(len(held), len(got), f"seed {seed}: a document is there twice")
        total += len(got)
    check(total > LATE_SEEDS * 10, f"{total} documents")


@test("100,000 live groups with their event ids take at most 100 MB, saved and read again")
def _(t):
    options = {"metrics": [{"name": "TotalEvents", "by": {"A": "application_id", "V": "app_version"}, "dedupe": "event_id"}]}
    event = {"application_id": "", "app_version": "", "event_id": ""}
    lines = []
    for i in range(1, 100_001):
        event.update(application_id=str(uuid.UUID(int=i % 1000)), app_version=f"1.{i // 1000}.0", event_id=f"e{i}")
        lines.append(f"E {i} 1700000000000000 1700000000000000 app {json.dumps(event, separators=(',', ':'))}")
    def measured(*more):
        """(documents, KiB at the most): of a process of its own, so that the peak is that one's."""
        path = t.tmp / "stream"
        path.write_text("\n".join([*lines, *more]) + "\n")
        ran = subprocess.run([sys.executable, "-c", "import resource, subprocess, sys\n"
                              "ran = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)\n"
                              "print(ran.returncode, ran.stdout.count(b'METRIC_NAME'), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                              build_dir() / "tests" / "test_windows", "stream", json.dumps(options), path], stdout=subprocess.PIPE, text=True, timeout=60 * slow())
        code, documents, kilobytes = map(int, ran.stdout.split())
        equal(code, 0)
        return documents, kilobytes
    documents, kilobytes = measured("S", "K")
    equal(documents, 0)
    if not sanitized():
        check(kilobytes <= 100 * 1024, f"{kilobytes} KiB")
    equal(measured("S", "K", "C 1700000090000000", "S")[0], 100_000)



# ---- the real server ----

GAME = f"""
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", data_dir: "%s", plugin_dirs: ["%s"], applications: {{api: {{stage: live}}}}, journal: {{segment_bytes: 1MiB}}}}
receivers: {{game: {{stage: live}}}}
modules: {{warehouse: {{receivers: [game, metrics]}}}}
"""
FOUR = ROOT / "config" / "metrics" / "game.yaml"


def game_server(t):
    server = t.server(start=False, yaml="x: 1")
    server.file.write_text(GAME % (server.data, build_dir() / "plugins"))
    folder = server.file.parent / "conf.d"
    folder.mkdir()
    # The events are of the past: only they may move the watermark, not the clock.
    (folder / "game.yaml").write_text(FOUR.read_text().replace("delay: 5s", "delay: 5s\n    idle: 0s"))
    server.verb("check", check=True)
    return server.start()


def rows_of(server):
    path = server.data / "warehouse.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute("SELECT * FROM metrics")]
        except sqlite3.OperationalError:
            return []


def game_event(rng, when, known):
    kind = rng.choice(["login", "user_knockout", "iap_transaction", "logout"])
    data = {"user_knockout": {"spell_id": rng.choice(["FIRE", "ICE"])}, "iap_transaction": {"currency_type": rng.choice(["USD", "EUR"])}}.get(kind, {})
    event_id = rng.choice(known) if known and rng.random() < 0.1 else str(uuid.UUID(int=rng.getrandbits(128), version=4))
    known.append(event_id)
    return {"event_id": event_id, "event_type": kind, "event_name": kind, "event_version": "1.0.0", "event_timestamp": when, "app_version": rng.choice(["1.0.0", "2.0.0"]),
            "event_data": data}


def four(app, events):
    """The guidance's metrics, counted plainly: {(name, minute, version, detail): value}"""
    counts, seen = {}, {}
    for e in events:
        minute = e["event_timestamp"] // 60 * 60
        for name, kind in (("TotalEvents", None), ("TotalLogins", "login")):
            if kind in (None, e["event_type"]):
                first = seen.get((name, minute, e["event_id"]))
                if first is None or e["event_timestamp"] < first["event_timestamp"]:
                    seen[(name, minute, e["event_id"])] = e
        for name, kind, field in (("KnockoutsBySpell", "user_knockout", "spell_id"), ("Purchases", "iap_transaction", "currency_type")):
            if e["event_type"] == kind:
                key = (name, minute, e["app_version"], e["event_data"][field])
                counts[key] = counts.get(key, 0) + 1
    counts = {key: count for key, count in counts.items() if count > 1}
    for (name, minute, _), e in seen.items():
        key = (name, minute, e["app_version"], None)
        counts[key] = counts.get(key, 0) + 1
    return counts


def found(server):
    import calendar
    return {(r["METRIC_NAME"], calendar.timegm(time.strptime(r["METRIC_TIMESTAMP"], "%Y-%m-%dT%H:%M:%SZ")), r["DIMENSION_APP_VERSION"],
             r["DIMENSION_SPELL_ID"] or r["DIMENSION_CURRENCY_TYPE"]): r["METRIC_UNIT_VALUE_INT"] for r in rows_of(server)}


@test("the shipped sets pass check, one beside the other")
def _(t):
    server = t.server(start=False, yaml="x: 1")
    server.file.write_text((GAME % (server.data, build_dir() / "plugins")).replace("{game:", "{matomo: {}, game:"))
    folder = server.file.parent / "conf.d"
    folder.mkdir()
    for path in sorted((ROOT / "config" / "metrics").glob("*.yaml")):
        (folder / path.name).write_text(path.read_text())
    check(len(list(folder.iterdir())) == 2, "two sets")
    server.verb("check", check=True)


@test("the guidance's four metrics on a real server: exact, whatever is killed", 300)
def _(t):
    from tests.scenario.test_modes import application, post
    rng = random.Random(7)
    server = game_server(t)
    app, key = application(server)
    base = int(time.time()) // 60 * 60 - 3600
    sent, known = [], []
    for i in range(40):
        batch = [game_event(rng, base + i * 15 + rng.randrange(15), known if rng.random() < 0.5 else []) for _ in range(25)]
        # From one batch to the next time only rises, so that the kill cannot make an event late.
        until(lambda: try_post(server, app, key, batch), 60, "a batch to be taken", 0.1)
        sent += batch
        if i % 6 == 5:
            server.kill_child(rng.choice(["module windows", "ingest", "module windows"]))
    want = four(app, sent)
    last = game_event(rng, base + 40 * 15 + 120, [])  # its own window stays open
    until(lambda: try_post(server, app, key, [last]), 60, "the last event to be taken", 0.1)
    until(lambda: len(found(server)) >= len(want), 60, "all documents", 0.2)
    equal(found(server), want)
    rows = rows_of(server)
    equal(len(rows), len(want), "a document is there twice")
    equal(len({r["METRIC_ID"] for r in rows}), len(rows))
    equal({r["OUTPUT_TYPE"] for r in rows}, {"metrics"})
    equal({r["DIMENSION_APPLICATION_ID"] for r in rows}, {app})
    server.stop()
    server.verify()
    dumped = server.verb("journal", "dump", "--raw", check=True).stdout
    (line,) = [line for line in dumped.splitlines() if "KnockoutsBySpell" in line][:1]
    got = json.loads(line)
    equal([k for k in got if k not in ("METRIC_ID", "METRIC_VERSION")], ["METRIC_NAME", "METRIC_TIMESTAMP", "METRIC_UNIT_VALUE_INT", "METRIC_UNIT",
          "DIMENSION_APPLICATION_ID", "DIMENSION_APP_VERSION", "DIMENSION_COUNTRY_ID", "DIMENSION_CURRENCY_TYPE", "DIMENSION_SPELL_ID", "DIMENSION_MISSION_ID",
          "DIMENSION_ITEM_ID", "OUTPUT_TYPE"])


def try_post(server, app, key, batch):
    """Idempotent only where the server did not answer before it was killed: then the batch may be there already, so
    kills happen between batches."""
    try:
        answer = server.post(f"/live/applications/{app}/events", json.dumps({"events": batch}), [("Authorization", key), ("Content-Type", "application/json")])
    except OSError:
        return False
    return answer.status == 200 and json.loads(answer.body)["FailedRecordCount"] == 0


if __name__ == "__main__":
    sys.exit(main())
