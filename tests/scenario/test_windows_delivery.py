#!/usr/bin/env python3
# timeout: 300
"""Windows through every output at once: lake, Kinesis and OpenSearch, the last two faulty, while processes are killed and late events
revise what was said. At the end each holds exactly what an independent reference makes of the journal."""
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake as Aws
from tests.fakes.opensearch import Fake as Search
from tests.lib import lake, windows_game
from tests.lib.server import slow
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
    until(lambda: found() == want, 90 * slow(), f"the last of {len(want)} documents in OpenSearch", 0.2)

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
        until(lambda: last() == want, 30 * slow(), f"{point}:{passage}: the reference's documents", 0.1)
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
    until(lambda: last() == want, 30 * slow(), "the reference's documents", 0.1)
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
    until(lambda: last() == want, 30 * slow(), "the reference's documents again", 0.1)
    server.stop()
    server.verify()


if __name__ == "__main__":
    sys.exit(main())
