#!/usr/bin/env python3
"""Modules kinesis and firehose against a faulty AWS: after each script every record has arrived, what arrived twice is counted, and the ledger balances."""
import base64
import collections
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EVENTS = 600
PARTS = 3
KILLS = 5
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "pad": {"type": "string"}}}
FAST = {"retry": {"base": "20ms", "max": "200ms"}, "batch": {"linger": "5ms"}, "timeout": "1500ms", "connect_timeout": "1s"}

# name, faults, what else is expected: "exact" (each once) or "counted" (twice only where put_items_unknown_total says so)
BOTH = [
    ("plain", [], "exact"),
    ("half of the records of each second call", [{"do": "records", "every": 2, "times": 6}], "exact"),
    ("all records of three calls", [{"do": "records", "part": 1, "times": 3}], "exact"),
    ("a few records of every call at first", [{"do": "records", "part": 0.05, "times": 8}], "exact"),
    ("records that fail inside of the service", [{"do": "records", "code": "InternalFailure", "message": "Internal service failure.", "times": 4}], "exact"),
    ("throttled calls", [{"do": "throttle", "times": 4}], "exact"),
    ("errors before anything was done", [{"do": "error", "times": 3}], "counted"),
    ("errors after it was done", [{"do": "error", "after": True, "times": 2}], "counted"),
    ("503", [{"do": "error", "code": "ServiceUnavailable", "status": 503, "times": 3}], "counted"),
    ("closed connections", [{"do": "close", "times": 3}], "counted"),
    ("closed connections after it was done", [{"do": "close", "after": True, "times": 2}], "counted"),
    ("answers that are cut", [{"do": "cut", "times": 2}], "counted"),
    ("answers that are cut at once", [{"do": "cut", "part": 0, "times": 2}], "counted"),
    ("no answer in time", [{"do": "hang", "delay_ms": 4000, "times": 1}], "counted"),
    ("no answer in time after it was done", [{"do": "hang", "delay_ms": 4000, "after": True, "times": 1}], "counted"),
    ("slow answers", [{"do": "slow", "delay_ms": 300, "times": 3}], "exact"),
    ("a page instead of an answer", [{"do": "garbage", "times": 2}], "counted"),
    ("a page instead of an answer after it was done", [{"do": "garbage", "after": True, "times": 2}], "counted"),
    ("a page with 502", [{"do": "garbage", "status": 502, "times": 2}], "counted"),
    ("an expired token that is none", [{"do": "expired_token", "times": 1}], "exact"),
    ("everything at once", [{"do": "records", "chance": 0.4, "times": 6}, {"do": "throttle", "chance": 0.2, "times": 3},
                            {"do": "cut", "chance": 0.1, "times": 2}, {"do": "error", "chance": 0.1, "times": 2}], "counted"),
]


def faulted(faults, op, match):
    return [dict(fault, op=op, match=match) for fault in faults]


def module(use, stream, **more):
    return {"use": use, "stream": stream, "region": "eu-central-1", **FAST, **more}


def name_of(i, use):
    return f"{use[0]}{i}"


def send(server, first, count):
    body = "".join(json.dumps({"id": f"e{n}", "n": n, "pad": "x" * (n % 97)}) + "\n" for n in range(first, first + count))
    answer = server.post("/events/click", body, [("Content-Type", "application/x-ndjson")])
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def numbers(fake, use, stream):
    if use == "kinesis":
        return [json.loads(r[3])["n"] for r in fake.service(use).stored(stream)]
    return [json.loads(line)["n"] for record in fake.service(use).stored(stream) for line in record.splitlines()]


def metric(server, name, instance):
    return sum(v for k, v in server.metrics().items() if name in k and f'"{instance}"' in k)


def run_scripts(t, use, op):
    fake = Fake(seed=7)
    t.defer(fake.close)
    modules = {}
    for i, (_, faults, _) in enumerate(BOTH):
        stream = name_of(i, use)
        fake.service(use).make(stream, **({"shards": 3} if use == "kinesis" else {}))
        fake.script.add(faulted(faults, op, {"StreamName" if use == "kinesis" else "DeliveryStreamName": stream}))
        modules[stream] = module(use, stream, batch={"records": 60, "linger": "5ms"})
    server = t.server(config={"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}}}}, modules=modules, env=fake.env())
    for part in range(PARTS):
        send(server, part * EVENTS // PARTS, EVENTS // PARTS)
    for i, (what, faults, promise) in enumerate(BOTH):
        stream = name_of(i, use)
        until(lambda s=stream: set(numbers(fake, use, s)) == set(range(EVENTS)), 60 * slow(), f"all events of '{what}'", 0.1)
        until(lambda s=stream: state(server, s)["cursor"] >= EVENTS, 30 * slow(), f"the end of '{what}'", 0.1)
        counts = collections.Counter(numbers(fake, use, stream))
        twice = sum(counts.values()) - EVENTS
        if promise == "exact":
            equal(twice, 0, what)
        else:
            check(twice <= metric(server, "put_items_unknown_total", stream), f"{what}: {twice} came twice, fewer were counted")
        check(not faults or any(f["done"] for f in fake.script.state() if f["match"].get("StreamName", f["match"].get("DeliveryStreamName")) == stream),
              f"{what}: no fault was made")
    equal(fake.refused, [])
    server.verify()
    equal(server.stop(), 0)


def state(server, name):
    return next(m for m in server.status()["modules"] if m["name"] == name)


def said(server, name):
    return next(p.get("state", "") for p in server.status()["processes"] if p["name"] == f"module {name}")


@test("kinesis: every record arrives, whatever goes wrong")
def _(t):
    run_scripts(t, "kinesis", "PutRecords")


@test("firehose: every record arrives, whatever goes wrong")
def _(t):
    run_scripts(t, "firehose", "PutRecordBatch")


def one(t, use, fake=None, start=True, size=1, **options):
    """A server with one module, and the fake with its stream."""
    fake = fake or Fake(seed=3)
    t.defer(fake.close)
    if use:
        fake.service(use).make("s", **({"shards": 3} if use == "kinesis" else {}))
    name = use or "kinesis"
    server = t.server(config={"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}}}},
                      modules={"out": module(options.pop("module", name), "s", **options)}, env=fake.env(), start=start)
    return fake, server


@test("a stream that is not there: paused with its name, everything is kept and comes when it is made")
def _(t):
    for use in ("kinesis", "firehose"):
        fake, server = one(t, None, module=use)
        send(server, 0, 50)
        until(lambda: "stream s: " in said(server, "out") and "ResourceNotFound" in said(server, "out"), 20 * slow(), "the reason")
        fake.service(use).make("s")
        until(lambda: sorted(numbers(fake, use, "s")) == list(range(50)), 20 * slow(), "all events")
        server.verify()


@test("wrong keys: paused, nothing lost; check --connect names stream and reason")
def _(t):
    fake, server = one(t, "kinesis", start=False)
    server.env.update(AWS_SECRET_ACCESS_KEY="wrong")
    result = server.verb("check", "--connect")
    check(result.returncode != 0 and "stream s" in result.stdout + result.stderr and "InvalidSignatureException" in result.stdout + result.stderr,
          result.stdout + result.stderr)
    server.start()
    send(server, 0, 20)
    until(lambda: "Signature" in said(server, "out"), 20 * slow(), "the reason")
    equal(fake.service("kinesis").stored("s"), [])
    server.stop()
    server.env.update(fake.env())
    equal(server.verb("check", "--connect").returncode, 0)
    server.start()
    until(lambda: sorted(numbers(fake, "kinesis", "s")) == list(range(20)), 20 * slow(), "all events")


@test("a record that is too large goes into quarantine with size and limit, the others arrive")
def _(t):
    for use, limit in (("kinesis", 1024 * 1024), ("firehose", 1000 * 1024)):
        fake, server = one(t, use)
        large = json.dumps({"id": "big", "n": 99, "pad": "y" * limit})
        server.config["server"]["max_event_bytes"] = "1900KiB"
        server.write_config()
        server.restart()
        send(server, 0, 10)
        equal(server.post("/events/click", large).status, 200)
        send(server, 10, 10)
        until(lambda: sorted(numbers(fake, use, "s")) == list(range(20)), 20 * slow(), "the others")
        until(lambda: server.verb("quarantine", "list", "out", check=True).stdout, 20, "the quarantine")
        told = server.verb("quarantine", "show", "out", 11, check=True).stdout
        check(str(limit) in told and "bytes" in told, told)
        server.verify()


@test("a call that is refused for one record: only that one is quarantined")
def _(t):
    fake, server = one(t, "kinesis", batch={"records": 200, "linger": "500ms"})
    kinesis = fake.service("kinesis")
    true = kinesis.PutRecords

    def picky(arguments):
        if any(json.loads(base64.b64decode(r["Data"]))["n"] == 77 for r in arguments["Records"]):
            from tests.fakes.aws.core import Failure
            raise Failure("InvalidArgumentException", "77 is not liked")
        return true(arguments)

    kinesis.PutRecords = picky
    send(server, 0, 200)
    until(lambda: sorted(numbers(fake, "kinesis", "s")) == [n for n in range(200) if n != 77], 30 * slow(), "the others")
    told = until(lambda: server.verb("quarantine", "list", "out", check=True).stdout, 20, "the quarantine")
    check("77 is not liked" in told, told)
    server.verify()


@test("order: key keeps the order of each key, also where records are refused and sent again")
def _(t):
    fake, server = one(t, "kinesis", order="key", partition_key="k{json:n}", batch={"records": 100, "linger": "20ms"})
    fake.script.add({"op": "PutRecords", "do": "records", "chance": 0.7, "times": 40})
    body = "".join(json.dumps({"id": f"e{n}", "n": n % 7, "pad": str(n)}) + "\n" for n in range(300))
    equal(server.post("/events/click", body, [("Content-Type", "application/x-ndjson")]).status, 200)
    stored = lambda: fake.service("kinesis").stored("s")
    until(lambda: len(stored()) == 300, 60 * slow(), "all events")
    by_key = collections.defaultdict(list)
    for sequence, _, key, data in sorted(stored()):
        event = json.loads(data)
        equal(key, f"k{event['n']}")
        by_key[key].append(int(event["pad"]))
    equal(len(by_key), 7)
    for key, pads in by_key.items():
        equal(pads, sorted(pads), key)
    server.verify()


@test("killed while it sends: nothing is lost, and only what was in flight may come twice")
def _(t):
    fake, server = one(t, "kinesis", batch={"records": 50, "linger": "1ms"})
    fake.script.add({"op": "PutRecords", "do": "slow", "delay_ms": 20})
    kills = 0
    for part in range(KILLS):
        send(server, part * 100, 100)
        before = len(fake.service("kinesis").stored("s"))
        until(lambda: len(fake.service("kinesis").stored("s")) > before, 20 * slow(), "progress")
        kills += server.kill_child("module out") is not None
        server.child("module out")
    until(lambda: set(numbers(fake, "kinesis", "s")) == set(range(KILLS * 100)), 60 * slow(), "all events")
    equal(kills, KILLS)
    server.verify()
    check(len(numbers(fake, "kinesis", "s")) - KILLS * 100 < KILLS * 100, "all came twice: positions are not kept")


@test("AWS is away and comes back: everything arrives once, in full calls")
def _(t):
    fake, server = one(t, "kinesis")
    outage = fake.script.add({"op": "PutRecords", "do": "throttle"})[0]
    send(server, 0, 100)
    until(lambda: outage.done > 0, 20 * slow(), "the outage")
    for part in range(1, 60):
        send(server, part * 100, 100)
    calls_before = len(fake.calls)
    fake.script.clear()
    until(lambda: set(numbers(fake, "kinesis", "s")) == set(range(6000)), 60 * slow(), "all events")
    equal(len(numbers(fake, "kinesis", "s")), 6000)
    calls = [c for c in fake.calls[calls_before:] if c[2] == "PutRecords"]
    check(len(calls) <= 14, f"{len(calls)} calls for 6,000 records")
    server.verify()


@test("firehose packs several events into a record, and they can be told apart")
def _(t):
    fake, server = one(t, "firehose", pack="4KiB", batch={"linger": "300ms"})
    fake.script.add({"op": "PutRecordBatch", "do": "records", "times": 3})
    send(server, 0, 500)
    until(lambda: sorted(numbers(fake, "firehose", "s")) == list(range(500)), 30 * slow(), "all events")
    records = fake.service("firehose").stored("s")
    check(len(records) < 60 and all(len(r) <= 4096 and r.endswith(b"\n") for r in records), f"{len(records)} records")
    server.verify()


if __name__ == "__main__":
    main()
