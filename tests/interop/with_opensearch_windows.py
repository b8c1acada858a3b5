"""Windows into a real OpenSearch 2.19: the last documents are the reference's, whatever is killed and however late events come; and how
long it takes from a window's end to the document that can be found."""
import json
import random
import time

from tests.lib import opensearch, windows_game
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

FAST = {"retry": {"base": "50ms", "max": "500ms"}, "replicas": 0, "shards": 1}
VERSIONED = {"op": "index", "id": "{json:METRIC_ID}", "version": "{json:METRIC_VERSION}", "index": "game_metrics", "templates": ["metrics"]}
BATCHES, BATCH, STEP_S = 40, 40, 20
LATENESS_S, LATE_S = 3600, 900
KILLED = {5: "module search", 12: "module windows", 18: "module raw", 26: "ingest", 33: "module search"}
NODE_KILLED, NODE_STARTED = (8, 22), (15, 30)
SIZE_S, DELAY_S, LIVE_S = 5, 5, 32
TARGET_S, BOUND_S = DELAY_S + 2, 60


def server_for(t, node, **metrics):
    modules = {"search": {"use": "opensearch", "receivers": ["metrics"], "url": node.url, **VERSIONED, **FAST},
               "raw": {"use": "opensearch", "receivers": ["game"], "url": node.url, "index": "events-%Y.%m.%d", "templates": ["game"], **FAST}}
    server = t.server(config={"receivers": {"matomo": None, "game": {"stage": "live"}}, "server": {"journal": {"retain": "1d"}}}, modules=modules, start=False)
    windows_game.add_metrics(server, **metrics)
    for name in modules:
        server.verb("module", "setup", name, check=True)
    return server.start()


def application(server):
    from tests.scenario.test_modes import application as made
    return made(server)


@test("real OpenSearch and windows: the node, modules and ingest killed, late events revise: exactly the reference's documents and every raw event once", 600)
def _(t):
    rng = random.Random(12)
    node = opensearch.Node(t)
    server = server_for(t, node, lateness_s=LATENESS_S)
    app, key = application(server)
    base, known = int(time.time()) // 60 * 60 - 7200, []
    for i in range(BATCHES):
        windows_game.post(server, app, key, windows_game.batch(rng, BATCH, base + i * STEP_S, STEP_S, known, LATE_S))
        if i in NODE_KILLED:
            node.kill()
        if i in NODE_STARTED:
            node.start()
        if i in KILLED:
            server.kill_child(KILLED[i])
    windows_game.post(server, app, key, [windows_game.event(rng, base + BATCHES * STEP_S + 300)])
    want = windows_game.expected(server, LATENESS_S)
    found = lambda: windows_game.as_expected(source for _, _, source in node.documents("game_metrics*"))
    windows_game.until_equal(found, want, 240, f"the last of {len(want)} documents")
    said = windows_game.journal(server, "metrics")
    check(len(said) > len(want), "no late event revised anything")
    events = {row["event"]["event_id"] for row in windows_game.journal(server, "game")}
    until(lambda: len(node.documents("events-*")) == len(events), 120, "the raw events", 0.5)
    equal({source["event_id"] for _, _, source in node.documents("events-*")}, events)
    print(f"# {len(want)} documents, {len(said)} with revisions, {len(events)} raw events", flush=True)
    server.stop()
    server.verify()


@test("real OpenSearch and windows: from a window's end to its document", 300)
def _(t):
    rng = random.Random(13)
    node = opensearch.Node(t)
    server = server_for(t, node, lateness_s=0, idle="1s", delay=f"{DELAY_S}s")
    metrics = [{"name": "Live", "by": {"DIMENSION_APPLICATION_ID": "application_id"}, "size": f"{SIZE_S}s", "dedupe": "event_id"}]
    file = server.file.parent / "conf.d" / "game.yaml"
    text = file.read_text()
    file.write_text(text[:text.index("    metrics:")] + f"    metrics: {json.dumps(metrics)}\n")
    server.reload()
    app, key = application(server)
    windows_game.post(server, app, key, [windows_game.event(rng, int(time.time()))])
    seen, began, sent, due = {}, time.monotonic(), 0, 0.0

    def look():
        for _, name, source in node.documents("game_metrics*"):
            seen.setdefault(name, (time.time(), source))
    while time.monotonic() - began < LIVE_S:
        if time.monotonic() - began >= due:
            windows_game.post(server, app, key, [windows_game.event(rng, int(time.time())) for _ in range(10)])
            sent, due = sent + 10, due + 0.25
        look()
    total = lambda: sum(source["METRIC_UNIT_VALUE_INT"] for _, source in seen.values())
    until(lambda: look() or total() == sent + 1, BOUND_S, "the last window", 0.02)
    late = []
    for when, source in seen.values():
        end = time.mktime(time.strptime(source["METRIC_TIMESTAMP"] + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")) - time.timezone + SIZE_S
        late.append(when - end)
    check(len(late) >= LIVE_S // SIZE_S - 1, f"{len(late)} windows")
    late.sort()
    print(f"# from a window's end to its document: median {late[len(late) // 2]:.2f} s, most {late[-1]:.2f} s, aim {TARGET_S} s (delay {DELAY_S} s)", flush=True)
    check(late[-1] <= BOUND_S, f"{late}")
