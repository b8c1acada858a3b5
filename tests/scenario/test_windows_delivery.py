#!/usr/bin/env python3
# timeout: 300
"""Windows through every output at once: lake, Kinesis and OpenSearch, the last two faulty, while processes are killed and late events
revise what was said. At the end each holds exactly what an independent reference makes of the journal."""
import json
import pathlib
import random
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake as Aws
from tests.fakes.opensearch import Fake as Search
from tests.lib import lake, windows_game
from tests.lib.server import ROOT, slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

FAST = {"retry": {"base": "20ms", "max": "200ms"}, "timeout": "1500ms", "connect_timeout": "1s"}
VERSIONED = {"op": "index", "id": "{json:METRIC_ID}", "version": "{json:METRIC_VERSION}", "index": "game_metrics"}
BATCHES, BATCH, STEP_S = 36, 30, 20
LATENESS_S, LATE_S = 3600, 900
KILLED = ("module windows", "ingest", "module search", "module stream", "module windows", "module lake", "module raw")


def config(search):
    modules = {"lake": {"path": "lake", "receivers": ["game", "metrics"], "roll": {"age": "1s"}},
               "stream": {"use": "kinesis", "receivers": ["metrics"], "view": "document", "stream": "metrics", "region": "eu-central-1", **FAST},
               "search": {"use": "opensearch", "receivers": ["metrics"], "url": search.url, **VERSIONED, **FAST},
               "raw": {"use": "opensearch", "receivers": ["game"], "url": search.url, "index": "events", **FAST}}
    return {"config": {"receivers": {"matomo": None, "game": {"stage": "live"}}, "server": {"journal": {"retain": "1d"}}}, "modules": modules}


def of_index(search, index):
    with search.lock:
        return [d for (where, _), d in search.documents.items() if where == index]


def plain(document):
    """As `view: document` has it."""
    return json.dumps({k: v for k, v in document.items() if k not in ("METRIC_ID", "METRIC_VERSION")}, sort_keys=True)


@test("late revisions and kills: lake, Kinesis and OpenSearch hold what the reference says of the journal", 240)
def _(t):
    from tests.scenario.test_modes import application  # here, so that its tests are not ours
    rng = random.Random(11)
    aws, search = Aws(seed=3), Search(seed=4)
    t.defer(aws.close)
    t.defer(search.close)
    aws.service("kinesis").make("metrics", shards=2)
    aws.script.add({"service": "kinesis", "op": "PutRecords", "do": "records", "every": 3, "times": 5})
    search.faults = [{"do": "items", "chance": 0.3, "times": 6}, {"do": "close after", "chance": 0.1, "times": 3}, {"do": "429", "chance": 0.1, "times": 3}]
    server = t.server(**config(search), env=aws.env(), start=False)
    windows_game.add_metrics(server, LATENESS_S)
    server.start()
    app, key = application(server)
    base, known = int(time.time()) // 60 * 60 - 7200, []
    for i in range(BATCHES):
        windows_game.post(server, app, key, windows_game.batch(rng, BATCH, base + i * STEP_S, STEP_S, known, LATE_S), 60 * slow())
        if i % 5 == 4:
            server.kill_child(KILLED[i // 5])
    windows_game.post(server, app, key, [windows_game.event(rng, base + BATCHES * STEP_S + 300)], 60 * slow())  # its own window stays open

    want = windows_game.expected(server, LATENESS_S)
    check(len(want) > 100, f"{len(want)} documents")
    found = lambda: windows_game.as_expected(of_index(search, "game_metrics"))
    windows_game.until_equal(found, want, 90 * slow(), f"the last of {len(want)} documents in OpenSearch")

    events = [row["event"]["event_id"] for row in windows_game.journal(server, "game")]
    until(lambda: len(of_index(search, "events")) == len(set(events)), 60 * slow(), "the raw events in OpenSearch", 0.2)
    equal({d["event_id"] for d in of_index(search, "events")}, set(events))

    said = windows_game.journal(server, "metrics")
    check(len(said) > len(want), "no late event revised anything")
    equal(len({(row["event"]["METRIC_ID"], row["event"]["METRIC_VERSION"]) for row in said}), len(said), "a document is in the journal twice")
    in_lake = lambda: [e for e in lake.lines(server.lake) if "METRIC_ID" in e]
    until(lambda: len(in_lake()) == len(said), 60 * slow(), "the documents in the lake", 0.2)
    equal(windows_game.as_expected(windows_game.newest(in_lake())), want, "lake")
    equal(sorted(e["event_id"] for e in lake.lines(server.lake) if "METRIC_ID" not in e), sorted(events), "raw events in the lake")

    streamed = lambda: {json.dumps(json.loads(r[3]), sort_keys=True) for r in aws.service("kinesis").stored("metrics")}
    wanted = {plain(row["event"]) for row in said}
    until(lambda: streamed() == wanted, 60 * slow(), "the documents in Kinesis", 0.2)
    equal({json.loads(d)["OUTPUT_TYPE"] for d in wanted}, {"metrics"})
    server.stop()
    server.verify()


@test("killed at each step of a round: every document is in the journal once, and the last ones are the reference's", 240)
def _(t):
    from tests.scenario.test_modes import application
    for point, passage in [(f"windows.{name}", n) for name in ("saved", "committed", "hand", "handed") for n in (1, 4)]:
        rng, once = random.Random(passage), t.tmp / f"{point}-{passage}"
        server = t.server(config={"receivers": {"matomo": None, "game": {"stage": "live"}}}, modules={}, faults=True, start=False,
                          env={"STREAMSTEAM_FAULT": f"{point}:{passage}", "STREAMSTEAM_FAULT_ONCE": str(once)})
        windows_game.add_metrics(server, LATENESS_S)
        server.start()
        app, key = application(server)
        base, known, versions = int(time.time()) // 60 * 60 - 7200, [], lambda: {
            (row["event"]["METRIC_ID"], row["event"]["METRIC_VERSION"]) for row in windows_game.journal(server, "metrics")}
        for i in range(6):
            before = len(versions())
            windows_game.post(server, app, key, windows_game.batch(rng, 20, base + i * 90, 30, known, LATE_S))
            if i > 1:  # each batch closes the windows of the one before: a round of its own
                until(lambda b=before: len(versions()) > b, 30 * slow(), f"{point}:{passage}: documents after batch {i}", 0.1)
        want = windows_game.expected(server, LATENESS_S)
        last = lambda: windows_game.as_expected(windows_game.newest([row["event"] for row in windows_game.journal(server, "metrics")]))
        windows_game.until_equal(last, want, 30 * slow(), f"{point}:{passage}: the reference's documents")
        equal(len(windows_game.journal(server, "metrics")), len(versions()), f"{point}:{passage}: a document is there twice")
        check(once.exists(), f"{point}:{passage} was never reached")
        server.stop()
        server.verify()


@test("a damaged file of saved windows: the module says which and what to do, nothing else stops; put back, it goes on as if nothing had been", 120)
def _(t):
    from tests.scenario.test_modes import application
    rng = random.Random(5)
    server = t.server(config={"receivers": {"matomo": None, "game": {"stage": "live"}}, "server": {"journal": {"retain": "1d"}}}, modules={}, start=False)
    windows_game.add_metrics(server, LATENESS_S)
    server.start()
    app, key = application(server)
    base, known = int(time.time()) // 60 * 60 - 7200, []
    for i in range(3):
        windows_game.post(server, app, key, windows_game.batch(rng, 30, base + i * 90, 30, known))
    until(lambda: windows_game.journal(server, "metrics"), 30 * slow(), "documents")
    server.stop()
    (file,) = [path for path in server.data.rglob("windows-*") if path.is_file()]
    good = file.read_bytes()
    for damage in (good[:len(good) // 2], good[:100] + bytes([good[100] ^ 1]) + good[101:], b"", None):
        file.unlink(missing_ok=True)
        if damage is not None:
            file.write_bytes(damage)
        server.start()
        said = lambda: next((p.get("state", "") for p in server.status()["processes"] if p["name"] == "module windows"), "") + server.log_text()
        until(lambda: "saved windows cannot be read" in said(), 20 * slow(), "the reason")
        check(file.name in said() and "module forget" in said(), said()[-800:])
        windows_game.post(server, app, key, windows_game.batch(rng, 5, base + 300, 30, known))
        server.stop()
    file.write_bytes(good)
    server.start()
    windows_game.post(server, app, key, [windows_game.event(rng, base + 900)])
    want = windows_game.expected(server, LATENESS_S)
    last = lambda: windows_game.as_expected(windows_game.newest([row["event"] for row in windows_game.journal(server, "metrics")]))
    windows_game.until_equal(last, want, 30 * slow(), "the reference's documents")
    equal(len(windows_game.journal(server, "metrics")), len({(row["event"]["METRIC_ID"], row["event"]["METRIC_VERSION"])
                                                             for row in windows_game.journal(server, "metrics")}), "a document is there twice")
    server.stop()
    # The other remedy that was named: all of it is counted again, under the same ids.
    (file,) = [path for path in server.data.rglob("windows-*") if path.is_file()]
    file.write_bytes(b"nothing")
    parts = server.file.parent / "conf.d"
    parts.rename(parts.with_name("taken out"))
    server.verb("module", "forget", "windows", "--yes", check=True)
    windows_game.add_metrics(server, LATENESS_S, start="earliest")
    server.start()
    windows_game.post(server, app, key, [windows_game.event(rng, base + 1800)])
    want = windows_game.expected(server, LATENESS_S)
    windows_game.until_equal(last, want, 30 * slow(), "the reference's documents again")
    server.stop()
    server.verify()


SITE = {"DIMENSION_SITE_ID": "site_id"}
WEB = [  # config/metrics/web.yaml
    {"name": "Hits", "by": SITE, "_filter": lambda e: e.get("event_type") not in ("ping", "bot")},
    {"name": "Visitors", "by": SITE, "value": "approximate_distinct", "of": "visitor_id"},
    {"name": "TopPages", "by": SITE, "value": "top", "top": 10, "of": "page_view_url_normalized"},
    {"name": "Sources", "by": {**SITE, "DIMENSION_SOURCE": "referrer_type"}, "_filter": lambda e: e.get("referrer_type") is not None},
    {"name": "Goals", "by": {**SITE, "DIMENSION_GOAL_ID": "goal_id"}, "_filter": lambda e: (e.get("goal_id") or 0) > 0},
    {"name": "Revenue", "by": SITE, "value": "sum", "of": "revenue",
     "_filter": lambda e: e.get("event_type") in ("goal", "ecommerce_order") and e.get("revenue") is not None},
]


def web_hit(rng, when):
    """The query of a page view, a goal, an order or a ping of one of two sites."""
    fields = {"idsite": rng.choice([1, 2]), "rec": 1, "cdt": when, "_id": f"{rng.randrange(12):016x}",
              "url": f"https://shop.example/{rng.choice('abcdefgh')}?x={rng.randrange(3)}",
              "urlref": rng.choice(["", "https://www.google.com/search?q=a", "https://elsewhere.example/"])}
    kind = rng.random()
    if kind < 0.2:
        fields.update(idgoal=rng.choice([1, 2]), revenue=rng.choice([0.5, 2, 10.25]))
    elif kind < 0.3:
        fields.update(idgoal=0, ec_id=f"o{rng.getrandbits(32)}", revenue=rng.choice([19.75, 100]))
    elif kind < 0.4:
        fields.update(ping=1)
    else:
        fields.update(action_name="A page")
    return "?" + urllib.parse.urlencode(fields)


@test("the web set: hits, visitors, pages, sources, goals and revenue are the reference's, late hits included", 120)
def _(t):
    rng = random.Random(21)
    config = {"receivers": {"matomo": {"tokens": [{"secret": "geheim", "role": "superuser"}]}}, "server": {"journal": {"retain": "1d"}}}
    server = t.server(config=config, modules={}, start=False)
    text = (ROOT / "config" / "metrics" / "web.yaml").read_text()
    (server.file.parent / "conf.d").mkdir()
    (server.file.parent / "conf.d" / "web.yaml").write_text(text.replace("    delay: 5s", "    delay: 5s\n    idle: 0s"))
    server.start()
    base = int(time.time()) // 60 * 60 - 7200

    def post(hits):
        answer = server.post("/matomo.php", json.dumps({"requests": hits, "token_auth": "geheim"}))
        equal((answer.status, json.loads(answer.body)["tracked"]), (200, len(hits)), answer.body)
    for i in range(20):
        post([web_hit(rng, base + i * 20 + rng.randrange(20) - (rng.randrange(400) if rng.random() < 1 / 6 else 0)) for _ in range(25)])
        if i in (6, 13):
            server.kill_child("module web_metrics")
    post([web_hit(rng, base + 3600).replace(f"idsite={3 - site}", f"idsite={site}") for site in (1, 2)])
    want = windows_game.expected(server, 600, receiver="matomo", metrics=WEB, watermark="application")
    equal({name for name, _, _ in want}, {m["name"] for m in WEB})
    last = lambda: windows_game.as_expected(windows_game.newest([row["event"] for row in windows_game.journal(server, "web_metrics")]), WEB)
    windows_game.until_equal(last, want, 30 * slow(), f"the reference's {len(want)} documents")
    check(len(windows_game.journal(server, "web_metrics")) > len(want), "no late hit revised anything")
    server.stop()
    server.verify()


if __name__ == "__main__":
    sys.exit(main())
