"""The jobs of examples/spark on Apache Spark itself (PyPI pyspark), over lakes that the server wrote: what they find equals a count
in plain Python of the lake's lines, once and again, with late data, and after reruns."""
import collections
import datetime
import json
import math
import pathlib
import random
import subprocess
import sys
import urllib.parse

from tests.interop.with_spark import ROOT, SMALL, batches, python_folder, settled, spark_env
from tests.lib import game_events
from tests.lib.lake import lines as lake_lines
from tests.lib.tap import check, equal, test

SEED, VISITORS, SITES = 20250301, 12, 3
DAYS = ("2025-03-01", "2025-03-02")
GAP_S = 1800
RUN_TIMEOUT_S = 240

# Every row of a Parquet folder as JSON, with the values of its folders.
READER = r'''
import json, pathlib, sys, urllib.parse
import pyarrow.parquet as pq
root, rows = pathlib.Path(sys.argv[1]), []
for file in sorted(root.rglob("*.parquet")):
    if "_staging" not in file.parts:
        where = {k: urllib.parse.unquote(v) for k, v in (part.split("=", 1) for part in file.relative_to(root).parts[:-1])}
        rows += [{**row, **where} for row in pq.ParquetFile(file).read().to_pylist()]
print(json.dumps(rows, default=str))
'''


def rows(folder, output):
    result = subprocess.run([sys.executable, "-c", READER, str(output)], capture_output=True, text=True, env={"PYTHONPATH": str(folder), "PATH": ""})
    check(result.returncode == 0, result.stderr)
    return json.loads(result.stdout)


def files(output):
    return {str(p.relative_to(output)): p.stat().st_mtime_ns for p in output.rglob("*") if p.is_file()}


def job(name, output, **more):
    return {"file": str(ROOT / "examples/spark" / name), "args": ["--list", "{list}", "--output", str(output)], "grace": "2s", "conf": SMALL, "backoff": "1s",
            "timeout": "4m", **more}


def submit(folder, script, *words):
    conf = [word for key, value in SMALL.items() for word in ("--conf", f"{key}={value}")]
    result = subprocess.run([str(folder / "pyspark/bin/spark-submit"), *conf, str(ROOT / "examples/spark" / script), *map(str, words)],
                            capture_output=True, text=True, env=spark_env(folder), timeout=RUN_TIMEOUT_S)
    check(result.returncode == 0, result.stderr[-3000:])
    return result.stdout


# ---- a website ----

def hits(chance, count, day):
    """Walks of visitors: gaps around 30 minutes, several hits in one second, some without a page, around midnight."""
    start = int(datetime.datetime.fromisoformat(day + "T00:00:00+00:00").timestamp())
    for _ in range(count):
        visitor = chance.randrange(VISITORS)
        second = chance.choice([0, 1, 86399, 600 + visitor, chance.randrange(0, 86400, GAP_S // 2) + chance.choice([0, 0, 1]), chance.randrange(86400)])
        fields = {"idsite": chance.randint(1, SITES), "rec": 1, "_id": f"{0xabcdef0000000000 + visitor:016x}", "cdt": start + second}
        if chance.random() < 0.8:
            fields.update(url=f"https://example.org/{chance.choice(['', 'a', 'b?x=1', 'ü', 'c d'])}", action_name=chance.choice(["A", "B", "Über uns"]))
        else:
            fields.update(e_c="video", e_a="play")
        yield fields


def send(server, chosen):
    body = json.dumps({"requests": ["?" + urllib.parse.urlencode(h) for h in chosen]})
    equal(server.post("/matomo.php", body).status, 200)


def sent(h):
    time = datetime.datetime.fromtimestamp(h["cdt"], datetime.timezone.utc)
    return str(h["idsite"]), h["_id"], time.strftime("%Y-%m-%d %H:%M:%S"), h.get("url")


def visits(lines):
    """{(site, visitor, day, number): (started, ended, seconds, hits, pages, entry, exit)}"""
    walks, found = collections.defaultdict(list), {}
    for line in lines:
        walks[line["site_id"], line["visitor_id"], line["event_datetime"][:10]].append((line["event_datetime"], line["event_id"], line.get("page_view_url")))
    for (site, visitor, day), walk in walks.items():
        parts, before = [], None
        for step in sorted(walk):
            time = datetime.datetime.fromisoformat(step[0])
            if before is None or (time - before).total_seconds() > GAP_S:
                parts.append([])
            parts[-1].append(step)
            before = time
        for number, part in enumerate(parts, 1):
            first, last = (datetime.datetime.fromisoformat(part[i][0]) for i in (0, -1))
            pages = [page for _, _, page in part if page is not None]
            found[site, visitor, day, number] = (str(first), str(last), int((last - first).total_seconds()), len(part), len(set(pages)),
                                                 *((pages[0], pages[-1]) if pages else (None, None)))
    return found


def report(lines):
    """{(site, day, page): (hits, visitors)}; page None: the whole site's."""
    found = collections.defaultdict(list)
    for line in lines:
        site, day, page = line["site_id"], line["event_datetime"][:10], line.get("page_view_url")
        for key in {None, page}:
            found[site, day, key].append(line["visitor_id"])
    return {key: (len(seen), len(set(seen))) for key, seen in found.items()}


def website_is_counted(folder, data, lines):
    found = [((r["site_id"], r["visitor_id"], r["day"], r["number"]),
              (r["started"][:19], r["ended"][:19], r["seconds"], r["hits"], r["pages"], r["entry"], r["exit"])) for r in rows(folder, data / "sessions")]
    equal(len(found), len(dict(found)), "a visit twice")
    equal(dict(found), visits(lines))
    found = [((r["site_id"], r["day"], r["page"]), (r["hits"], r["visitors"])) for r in rows(folder, data / "daily")]
    equal(len(found), len(dict(found)), "a row twice")
    equal(dict(found), report(lines))


@test("sessions and daily_report: a seeded stream of hits, counted as plain Python does; late hits; reruns, also of the first batch; a second run does nothing",
      timeout_s=900)
def _(t):
    folder, chance = python_folder(t), random.Random(SEED)
    jobs = {name: job(file, t.tmp / name, folders="together", concurrency=2) for name, file in (("sessions", "sessions.py"), ("daily", "daily_report.py"))}
    server = t.server(config={"receivers": {"matomo": {"cdt_auth_after": "175200h"}}, "modules": {
        "lake": {"partition": "{receiver}/site={app}/%Y/%m/%d/%H/"},
        "spark": {"jobs": jobs, "poll": "500ms", "concurrency": 2, "local": {"spark_submit": str(folder / "pyspark/bin/spark-submit")}}}}, env=spark_env(folder))
    first = [h for day in DAYS for h in hits(chance, 150, day)]
    send(server, first)
    found = settled(server, 4)
    equal(sorted((b["job"], b["kind"], b["state"], b["partition"]) for b in found),
          sorted((name, "closed", "done", f"@{day}") for name in jobs for day in DAYS), str(found))
    lines = lake_lines(server.lake)
    equal(collections.Counter((x["site_id"], x["visitor_id"], x["event_datetime"], x.get("page_view_url")) for x in lines), collections.Counter(map(sent, first)))
    website_is_counted(folder, t.tmp, lines)
    late = list(hits(chance, 40, DAYS[0]))
    send(server, late)
    found = settled(server, 6)
    equal([(b["kind"], b["state"], b["partition"]) for b in found[4:]], [("late", "done", "@" + DAYS[0])] * 2)
    lines = lake_lines(server.lake)
    equal(len(lines), len(first) + len(late))
    website_is_counted(folder, t.tmp, lines)
    for b in found[:4]:
        if b["partition"].endswith(DAYS[0]):
            server.verb("spark", "rerun", b["batch"], check=True)
    found = settled(server, 8)
    equal([(b["kind"], b["state"]) for b in found[6:]], [("rerun", "done")] * 2)
    website_is_counted(folder, t.tmp, lines)
    before, late_one = files(t.tmp / "sessions"), next(b for b in found if b["job"] == "sessions" and b["kind"] == "late")
    submit(folder, "sessions.py", "--list", pathlib.Path(server.data) / "modules/spark/lists" / f"{late_one['batch']}.json", "--output", t.tmp / "sessions")
    equal(files(t.tmp / "sessions"), before)
    server.stop()


@test("actions.py: the query of the documentation counts what plain Python counts", timeout_s=400)
def _(t):
    folder, chance = python_folder(t), random.Random(SEED + 1)
    server = t.server(config={"receivers": {"matomo": {"cdt_auth_after": "175200h"}}})
    chosen = list(hits(chance, 200, DAYS[0]))
    send(server, chosen)
    server.stop()
    lines = lake_lines(server.lake)
    equal(len(lines), len(chosen))
    wanted = collections.Counter((str(int(x["received_at"][:4])), str(int(x["received_at"][5:7])), str(int(x["received_at"][8:10])), x.get("action_name") or "NULL") for x in lines)
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in submit(folder, "actions.py", server.lake).splitlines() if line.startswith("|")]
    equal(shown[0], ["year", "month", "day", "action_name", "city", "device", "type", "count"])
    equal({tuple(row[:4]): int(row[-1]) for row in shown[1:]}, dict(wanted))


# ---- a game ----

def processed(lines):
    """{(application, year, month, day): a Counter of its events}, of the lake's lines."""
    found = collections.defaultdict(collections.Counter)
    for e in lines:
        time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=e["event_timestamp"])
        found[e["application_id"], f"{time:%Y}", f"{time:%m}", f"{time:%d}"][
            e["event_id"], e["event_type"], math.floor(e["event_timestamp"]), e["application_name"], plain(e.get("event_data")), plain(e.get("metadata"))] += 1
    return found


def plain(value):
    return None if value is None else json.dumps(value, sort_keys=True)


def requests_of(apps):
    return game_events.published(apps, count=600) + game_events.odd(apps)


def publish(server, requests, made):
    with server.connect() as connection:
        for app, events in requests:
            answer = connection.post(f"/live/applications/{app}/events", json.dumps({"events": events}), [("Authorization", made[app][1]), ("Content-Type", "application/json")])
            equal(answer.status, 200, repr(answer))


@test("raw_to_processed.py: a game's odd events through the server become Parquet that equals an independent aggregation; twice, it is the same",
      timeout_s=600)
def _(t):
    folder = python_folder(t)
    lake = {"receivers": ["game"], "partition": "raw_events/year=%Y/month=%m/day=%d/", "errors": "firehose-errors/{type}/", "roll": {"age": "1s"}}
    count = sum(len(events) for _, events in requests_of(["a", "b"]))
    etl = job("raw_to_processed.py", t.tmp / "processed", on="amount", events=count, prefix="raw_events/")
    server = t.server(config={"receivers": {"game": {}}, "server": {"applications": {}}, "modules": {
        "lake": lake, "spark": {"jobs": {"etl": etl}, "poll": "500ms", "local": {"spark_submit": str(folder / "pyspark/bin/spark-submit")}}}}, env=spark_env(folder))
    made = game_events.applications(server, "one", "zwei")
    publish(server, requests_of(list(made)), made)
    (batch,) = settled(server, 1)
    lines = lake_lines(server.lake)
    equal((batch["state"], batch["reason"], batch["events"], len(lines)), ("done", "", count, count))
    found = collections.defaultdict(collections.Counter)
    for r in rows(folder, t.tmp / "processed"):
        data, metadata = (plain(json.loads(r[name])) if r[name] is not None else None for name in ("event_data", "metadata"))
        found[r["application_id"], r["year"], r["month"], r["day"]][r["event_id"], r["event_type"], r["event_timestamp"], r["application_name"], data, metadata] += 1
    wanted = processed(lines)
    equal(sorted(found), sorted(wanted))
    for where in wanted:
        equal((found[where] - wanted[where], wanted[where] - found[where]), (collections.Counter(), collections.Counter()), str(where))
    before = files(t.tmp / "processed")
    submit(folder, "raw_to_processed.py", "--list", pathlib.Path(server.data) / "modules/spark/lists" / f"{batch['batch']}.json", "--output", t.tmp / "processed")
    equal(files(t.tmp / "processed"), before)
    server.verb("spark", "rerun", batch["batch"], check=True)
    equal(settled(server, 2)[1]["state"], "done")
    again = collections.Counter(r["event_id"] for r in rows(folder, t.tmp / "processed"))
    equal(again, collections.Counter(e["event_id"] for e in lines))
    server.stop()
