"""Module opensearch against a real OpenSearch 2.19: setup, events of several days, a node killed under load, documents that are refused,
versions, a data stream; at the end exactly the documents that shall be there."""
import json

from tests.lib import opensearch
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "when": {"type": "string"}}}
METRIC = {"type": "object", "properties": {"doc": {"type": "string"}, "version": {"type": "integer"}, "value": {"type": "integer"},
                                                "METRIC_TIMESTAMP": {"type": "string"}, "DIMENSION_SPELL_ID": {"type": ["string", "null"]}}}
EVENTS = {"types": {"click": {"schema": SCHEMA}, "metric": {"schema": METRIC}}}
FAST = {"retry": {"base": "50ms", "max": "500ms"}, "batch": {"records": 500, "linger": "5ms"}, "replicas": 0, "shards": 1}
DAYS = ("2026-01-30", "2026-01-31", "2026-02-01")


def server_with(t, **modules):
    return t.server(config={"receivers": {"matomo": None, "events": EVENTS}}, modules=modules, start=False)


def send(server, first, count):
    body = "".join(json.dumps({"id": f"e{n}", "n": n, "time": f"{DAYS[n % 3]}T12:00:00Z"}) + "\n" for n in range(first, first + count))
    answer = server.post("/events/click", body, [("Content-Type", "application/x-ndjson")])
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def state(server, name):
    return next(m for m in server.status()["modules"] if m["name"] == name)


@test("real OpenSearch: setup, events by their day, the node killed and restarted under load: each event once, the ledger balances", 600)
def _(t):
    node = opensearch.Node(t)
    server = server_with(t, search={"use": "opensearch", "url": node.url, "templates": ["events"], "retain": "720h", **FAST})
    said = server.verb("module", "setup", "search", check=True)
    check("index template streamsteam-search-events: made" in said.stdout + said.stderr, said.stdout + said.stderr)
    check("no index state management" in said.stdout + said.stderr, said.stdout + said.stderr)
    said = server.verb("module", "setup", "search", check=True)
    check("is there" in said.stdout + said.stderr, said.stdout + said.stderr)
    server.verb("check", "--connect", check=True)
    server.start()
    for part in range(40):
        send(server, part * 500, 500)
        if part in (8, 24):
            node.kill()
        if part in (16, 32):
            node.start()
    until(lambda: state(server, "search")["cursor"] >= 20000, 240, "all events", 0.2)
    documents = node.documents("events-events-*")
    equal(sorted(source["n"] for _, _, source in documents), list(range(20000)))
    equal({index for index, _, _ in documents}, {f"events-events-{day.replace('-', '.')}" for day in DAYS})
    for index, _, source in documents:
        equal(index, f"events-events-{DAYS[source['n'] % 3].replace('-', '.')}")
    server.verify()
    mapping = node.ask("GET", f"/events-events-{DAYS[0].replace('-', '.')}/_mapping")
    equal([m["mappings"]["dynamic"] for m in mapping.values()], ["false"])
    said = server.verb("module", "teardown", "search", check=True)
    check("taken away" in said.stdout + said.stderr, said.stdout + said.stderr)
    equal(len(node.documents("events-events-*")), 20000)


@test("real OpenSearch: what its mapping refuses goes into quarantine with the reason, a full write queue only delays", 600)
def _(t):
    node = opensearch.Node(t, **{"thread_pool.write.queue_size": 1, "thread_pool.write.size": 1})
    node.ask("PUT", "/strict", {"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": {"properties": {"n": {"type": "byte"}}}})
    busy = {**FAST, "batch": {"records": 10000, "linger": "500ms"}, "calls_in_flight": 16, "call_bytes": "64KiB"}
    server = server_with(t, strict={"use": "opensearch", "url": node.url, "index": "strict", **FAST}, busy={"use": "opensearch", "url": node.url, "index": "busy", **busy})
    server.start()
    send(server, 0, 300)
    until(lambda: state(server, "strict")["cursor"] >= 300, 120, "all events", 0.2)
    equal(sorted(source["n"] for _, _, source in node.documents("strict")), list(range(128)))  # a byte ends at 127
    told = server.verb("quarantine", "list", "strict", check=True).stdout
    check("mapper_parsing_exception" in told and "[n]" in told, told[:600])
    for part in range(20):
        send(server, 300 + part * 500, 500)
    until(lambda: state(server, "busy")["cursor"] >= 10300, 240, "all events", 0.2)
    equal(sorted(source["n"] for _, _, source in node.documents("busy")), list(range(10300)))
    check(any("opensearch_busy_total" in k and '"busy"' in k and v > 0 for k, v in server.metrics().items()), "the queue was never full")
    check(any("refused" in k and '"strict"' in k and v >= 172 for k, v in server.metrics().items() if "documents_refused" in k), "refusals")
    server.verify()


@test("real OpenSearch: a newer version replaces, an older one never does; a data stream takes events", 600)
def _(t):
    node = opensearch.Node(t)
    node.ask("PUT", "/_index_template/s", {"index_patterns": ["stream"], "data_stream": {}, "template": {"settings": {"number_of_replicas": 0}}})
    versions = {"use": "opensearch", "url": node.url, "index": "game_metrics", "op": "index", "id": "{json:doc}", "version": "{json:version}",
                "templates": ["metrics"], **FAST}
    server = server_with(t, metrics={**versions}, stream={"use": "opensearch", "url": node.url, "index": "stream", "data_stream": True, **FAST})
    server.verb("module", "setup", "metrics", check=True)
    server.start()
    rows = [("a", 1, 10), ("b", 5, 50), ("a", 3, 30), ("a", 2, 20), ("b", 5, 51)]
    body = "".join(json.dumps({"id": f"{d}{v}{x}", "doc": d, "version": v, "value": x, "METRIC_TIMESTAMP": "2026-01-30T12:00:00Z", "DIMENSION_SPELL_ID": d}) + "\n"
                   for d, v, x in rows)
    equal(server.post("/events/metric", body, [("Content-Type", "application/x-ndjson")]).status, 200)
    for name in ("metrics", "stream"):
        until(lambda n=name: state(server, n)["cursor"] >= len(rows), 60, f"the end of {name}", 0.2)
    equal([(i, s["version"], s["value"]) for _, i, s in node.documents("game_metrics")], [("a", 3, 30), ("b", 5, 51)])
    (mapping,) = node.ask("GET", "/game_metrics/_mapping").values()
    properties = mapping["mappings"]["properties"]
    equal((properties["DIMENSION_SPELL_ID"]["type"], properties["METRIC_TIMESTAMP"]["type"]), ("keyword", "date"))
    stored = node.documents("stream")
    equal(len(stored), len(rows))
    check(all("@timestamp" in source for _, _, source in stored), stored[:1])
    server.verify()
