#!/usr/bin/env python3
"""Events declared with JSON Schema: the manual's story, quarantine that survives, reload, schema-check."""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.server import ROOT, build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EXAMPLE = ROOT / "config" / "examples" / "events.yaml"
MANUAL = ROOT / "docs" / "events.md"
SIGNUP = {"type": "object", "required": ["user"], "properties": {"user": {"type": "string"}, "age": {"type": "integer", "minimum": 13}}}
LAKES = {"lake": {"path": "lake", "types": ["signup"], "roll": {"age": "1s"}},
         "quarantine": {"use": "lake", "path": "quarantine", "types": ["quarantine"], "roll": {"age": "1s"}}}


def config(**options):
    return {"receivers": {"matomo": None, "events": {"types": {"signup": {"schema": SIGNUP}}, **options}}}


def send(server, body, path="/events/signup", headers=()):
    answer = server.post(path, body if isinstance(body, (str, bytes)) else json.dumps(body), headers)
    return answer.status, json.loads(answer.body) if answer.body else None


def example_server(t):
    """The example as it is: only addresses and the data directory come from the environment."""
    server = t.server(yaml=EXAMPLE.read_text(), start=False)
    server.env.update(STREAMSTEAM_LISTEN="127.0.0.1:0", STREAMSTEAM_ADMIN="127.0.0.1:0", STREAMSTEAM_DATA=str(server.data))
    return server.start()


@test("the example is right")
def _(t):
    server = t.server(yaml=EXAMPLE.read_text(), start=False)
    server.verb("check", check=True)


@test("the manual's story: each command gives the answer that is printed below it")
def _(t):
    t.need("curl")
    server = example_server(t)
    ran = 0
    for command, wanted in re.findall(r"```sh\n(curl .*?)\n```\n```json\n(.*?)```", MANUAL.read_text(), re.S):
        command = command.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.port}")
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        equal(json.loads(result.stdout), json.loads(wanted), command)
        ran += 1
    equal(ran, 4)
    server.verify()
    server.stop()
    line = json.loads(re.search(r"```json line\n(.*?)```", MANUAL.read_text(), re.S).group(1))
    stored = next(e for e in lake.lines(server.lake) if e["event_id"] == "s-1")
    stored.pop("received_at")
    equal(list(stored.items()), list(line.items()))
    equal(sorted(e["event_type"] for e in lake.lines(server.lake)), ["order", "signup", "signup"])
    equal([e.get("invalid_type") for e in lake.lines(server.data / "quarantine")], ["signup", None])
    check((server.lake / "events" / "order").is_dir(), "the types have no folders of their own")


@test("the manual's schema-check says what is printed below it")
def _(t):
    server = t.server(start=False)
    command, wanted = re.search(r"```sh\nstreamsteam (schema-check .*?)\n```\n```text\n(.*?)```", MANUAL.read_text(), re.S).groups()
    schema = {"properties": {"user": {"pattern": "^u_[a-z0-9]+$"}}}
    (server.folder / "signup.json").write_text(json.dumps(schema))
    (server.folder / "events.ndjson").write_text('{"user":"u_1"}\n{"user":"Ann"}\n')
    result = server.verb(*command.split(), config=False)
    equal((result.returncode, result.stdout), (1, wanted))


@test("schema-check: valid 0, errors 1, no schema 2, unsupported 3")
def _(t):
    server = t.server(start=False)
    cases = [({"type": "integer"}, "5", 0, "valid\n"), ({"type": "integer"}, "5.5", 1, '(the value): type: expected "integer", got 5.5\n'),
             ({"items": {"unevaluatedItems": False}}, "5", 3, "unsupported keyword unevaluatedItems at /items/unevaluatedItems\n"),
             ({"$ref": "https://example.org/x"}, "5", 3, 'unsupported keyword $ref to another document, "https://example.org/x", at the root\n'),
             ({"type": "whole"}, "5", 2, ""), ({}, "{", 1, "not JSON: the text ends inside a container at byte 2\n"),
             ({"format": "ipv4"}, '"1.2.3"', 1, '(the value): format: expected "ipv4", got "1.2.3"\n')]
    for schema, data, code, said in cases:
        (server.folder / "s").write_text(json.dumps(schema))
        (server.folder / "d").write_text(data + "\n")
        result = server.verb("schema-check", "--schema", "s", "--data", "d", config=False)
        equal((result.returncode, result.stdout), (code, said), schema)
    equal(server.verb("schema-check", "--schema", "s", "--data", "d", "--no-format", config=False).returncode, 0)
    equal(server.verb("schema-check", "--schema", "s", "--data", "-", stdin='"1.2.3.4"', config=False).stdout, "valid\n")
    equal(server.verb("schema-check", "--schema", "absent", "--data", "d", config=False).returncode, 2)
    equal(server.verb("schema-check", "--data", "d", config=False).returncode, 2)
    result = server.verb("schema-check", "--cases", "-", config=False, stdin='{"schema":{"const":1},"data":1}\n{"schema":false,"data":1}\n'
                         '{"schema":{"$vocabulary":{}},"data":1}\n{"schema":1,"data":1}\n')
    equal([line.split()[0] for line in result.stdout.splitlines()], ["valid", "invalid", "unsupported", "broken"])


@test("what was answered as quarantined survives kill -9, with its reasons, and the ledger balances")
def _(t):
    server = t.server(config=config(), modules=LAKES)
    for n in range(20):
        status, said = send(server, [{"user": f"u{n}", "age": 20}, {"user": n}])
        equal((status, said["accepted"], said["quarantined"]), (200, 1, 1))
    server.kill_all()
    server.start()
    until(lambda: len(lake.lines(server.data / "quarantine")) == 20, 30, "20 events in the quarantine", 0.1)
    server.verify()
    server.stop()
    equal(sorted(e["user"] for e in lake.lines(server.lake)), sorted(f"u{n}" for n in range(20)))
    kept = lake.lines(server.data / "quarantine")
    equal(sorted(json.loads(e["invalid_input"])["user"] for e in kept), list(range(20)))
    check(all(e["invalid_reasons"][0]["path"] == "/user" and e["invalid_type"] == "signup" for e in kept), kept[0])


@test("rejected inputs are listed, and counted")
def _(t):
    server = t.server(config=config(on_invalid="reject"))
    equal(send(server, {"age": 5})[0], 400)
    equal(send(server, [{"user": "a"}, {}])[0], 207)
    said = server.verb("tail", "--rejected", check=True).stdout
    check("signup: /age minimum: expected 13, got 5 (and more)" in said, said)
    until(lambda: server.metrics().get('streamsteam_events_rejected_total{receiver="events"}') == 2 or
          any("events_rejected_total" in k and v == 2 for k, v in server.metrics().items()), 10, "the counter", 0.1)
    server.stop()
    equal([e["user"] for e in lake.lines(server.lake)], ["a"])


@test("a schema in a file, a key in a file, paths of one's own, gzip, two instances")
def _(t):
    server = t.server(start=False, config={"receivers": {"matomo": None, "shop": {
        "use": "events", "routes": {"/events": "/shop", "/events/{type}": "/shop/{type}/new"}, "keys": [{"secret": "${file:shop.key}", "app": "shop"}],
        "types": {"order": {"schema": "${file:order.json}"}}}, "events": {"types": {"signup": {"schema_file": str(t.tmp / "signup.json")}}}}})
    (server.folder / "shop.key").write_text("open-sesame\n")
    (server.folder / "order.json").write_text(json.dumps({"properties": {"total": {"type": "number", "multipleOf": 0.1}}}))
    (t.tmp / "signup.json").write_text(json.dumps(SIGNUP))
    server.start()
    key = [("X-API-Key", "open-sesame")]
    equal(send(server, {"total": 0.3}, "/shop")[0], 401)
    equal(send(server, {"total": 0.3}, "/shop", key)[1]["accepted"], 1)
    equal(send(server, {"total": 0.35}, "/shop/order/new", key)[1]["results"][0]["errors"][0]["keyword"], "multipleOf")
    equal(server.post("/shop", http.gzipped('[{"total":1}]'), key + [("Content-Encoding", "gzip")]).status, 200)
    equal(send(server, {"user": "u"}, "/events")[1]["accepted"], 1)
    equal(server.post("/events/order/new", "{}").status, 404)
    check("open-sesame" not in server.log_text(), "the key is in the log")
    server.stop()
    stored = lake.lines(server.lake)
    equal(sorted(e["event_type"] for e in stored), ["order", "order", "quarantine", "signup"])
    equal({e["app_id"] for e in stored if e["event_type"] == "order"}, {"shop"})


@test("a reload takes new schemas over, and refuses broken ones without losing the old")
def _(t):
    server = t.server(config=config())
    equal(send(server, {"user": "u", "age": 14})[1]["accepted"], 1)
    types = server.config["receivers"]["events"]["types"]
    stricter = json.loads(json.dumps(SIGNUP))
    stricter["properties"]["age"]["minimum"] = 18
    types["signup"] = {"schema": stricter}
    types["login"] = {"schema": {"properties": {"device": {"type": "string"}}}}
    server.write_config()
    equal(server.reload().returncode, 0)
    equal(send(server, {"user": "u", "age": 14})[1]["quarantined"], 1)
    equal(send(server, {"device": "d"}, "/events/login")[1]["accepted"], 1)
    types["login"] = {"schema": {"$dynamicRef": "#x"}}
    server.write_config()
    result = server.reload()
    check(result.returncode != 0, "a broken schema was taken over")
    said = server.verb("check")
    check("types.login: unsupported keyword $dynamicRef at /$dynamicRef" in said.stdout + said.stderr, said)
    equal(send(server, {"device": "d"}, "/events/login")[1]["accepted"], 1)
    devices = lambda: [e["device"] for e in lake.lines(server.lake) if e["event_type"] == "login"]  # noqa: E731
    until(lambda: len(devices()) == 2, 30, "both in the lake: the reload started its module anew")
    server.stop()
    equal(devices(), ["d", "d"])


@test("enrichers know the declared properties by name, and may drop an event")
def _(t):
    paint = build_dir() / "tests" / "contract" / "plugin_enricher.so"
    server = t.server(config={"enrichers": {"paint": {"use": str(paint), "colour": "blue", "drop": "spam"}}, "receivers": {"matomo": None, "events": {
        "enrich": ["paint"], "types": {"note": {"schema": {"properties": {"text": {"type": "string"}}}}}}}})
    status, said = send(server, [{"text": "hello"}, {"text": "spam"}], "/events")
    equal((status, said["accepted"], said["dropped"]), (200, 1, 1))
    equal([r["status"] for r in said["results"]], ["accepted", "dropped"])
    server.verify()
    server.stop()
    equal([(e["text"], e["colour"]) for e in lake.lines(server.lake)], [("hello", "blue")])


@test("browsers: preflight, allowed and other origins")
def _(t):
    server = t.server(config=config(origins=["https://shop.example"]))
    with server.connect() as connection:
        answer = connection.request("OPTIONS", "/events", [("Origin", "https://shop.example"), ("Access-Control-Request-Method", "POST"),
                                                           ("Access-Control-Request-Headers", "content-type")])
    equal((answer.status, answer.header("Access-Control-Allow-Origin")), (204, "https://shop.example"))
    check("Content-Type" in answer.header("Access-Control-Allow-Headers"), answer)
    answer = server.post("/events/signup", '{"user":"u"}', [("Origin", "https://shop.example")])
    equal((answer.status, answer.header("Access-Control-Allow-Origin")), (200, "https://shop.example"))
    answer = server.post("/events/signup", '{"user":"u"}', [("Origin", "https://other.example")])
    equal((answer.status, answer.header("Access-Control-Allow-Origin")), (403, None))
    server.stop()
    equal(len(lake.lines(server.lake)), 1)


@test("bad input of every sort is one event with a reason, never an error of the server")
def _(t):
    server = t.server(config=config())
    inputs = [b'{"user":"a","user":"b"}', b'{"user":"\\ud800"}', b'{"user":"\xff\xfe"}', b'{"user":"u","x":1e999}', b"[" * 100, b'{"user":', b"\x00", b'"', b"{}" * 3]
    for body in inputs:
        status, said = send(server, body, headers=[("Content-Type", "application/x-ndjson")])
        equal((status, said["quarantined"]), (200, 1), body)
        check(said["results"][0]["errors"], said)
    status, said = send(server, b"\n".join(inputs) + b'\n{"user":"u"}', headers=[("Content-Type", "application/x-ndjson")])
    equal((status, said["quarantined"], said["accepted"]), (200, len(inputs), 1))
    server.verify()
    server.stop()
    stored = lake.lines(server.lake)
    equal(len(stored), 2 * len(inputs) + 1)


@test("an event beyond the server's own limit is told, and kept as far as it goes")
def _(t):
    server = t.server(config=dict(config(), server={"max_event_bytes": "4KiB"}))
    status, said = send(server, {"user": "u" * 6000})
    equal((status, said["quarantined"], said["results"][0]["errors"][0]["keyword"]), (200, 1, "max_event_bytes"))
    equal(send(server, {"user": "u" * 3000})[1]["accepted"], 1)
    server.stop()
    kept = next(e for e in lake.lines(server.lake) if e["event_type"] == "quarantine")
    equal(kept["invalid_input_bytes"], 6012)
    check(1000 < len(kept["invalid_input"]) < 4096, len(kept["invalid_input"]))


if __name__ == "__main__":
    sys.exit(main())
