#!/usr/bin/env python3
"""Module kafka against a cluster of librdkafka's mock brokers: everything arrives, in order per key; what cannot is told."""
import collections
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import kcat
from tests.lib.kafka_mock import Cluster
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "k": {"type": "string"}, "text": {"type": "string"}}}
NOT_LEADER, TOO_LARGE, NO_SEQUENCE = 6, 10, 59  # 59: UNKNOWN_PRODUCER_ID


def cluster(t, parts=3):
    t.need("kcat")
    c = Cluster()
    t.defer(c.close)
    c.tell("topic", "t", parts)
    return c


def serve(t, c, start=True, **options):
    module = {"use": "kafka", "brokers": c.brokers, "topic": "t", "key": "{json:k}", "batch": {"linger": "5ms"}, "retry": {"base": "20ms", "max": "500ms"},
              "client": {"reconnect.backoff.max.ms": "300", "topic.metadata.refresh.interval.ms": "1000"}, **options}
    return t.server(config={"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}}}}, modules={"out": module}, start=start)


def send(server, first, count, text=""):
    body = "".join(json.dumps({"id": f"e{n}", "n": n, "k": f"k{n % 7}", "text": text}) + "\n" for n in range(first, first + count))
    answer = server.post("/events/click", body.encode(), [("Content-Type", "application/x-ndjson")])
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def numbers(messages):
    return [json.loads(m.value)["n"] for m in messages]


def arrived(c, count, topic="t"):
    return until(lambda: (lambda m: m if len(set(numbers(m))) >= count else None)(kcat.consume(c.brokers, topic)), 60, f"{count} messages", 0.3)


def in_order(messages):
    by_key = collections.defaultdict(list)
    for m in sorted(messages, key=lambda m: (m.partition, m.offset)):
        n = json.loads(m.value)["n"]
        if n not in by_key[m.key]:  # a repeat
            by_key[m.key].append(n)
    for key, found in by_key.items():
        equal(found, sorted(found), f"the order of {key}")


def module(server):
    return server.status()["modules"][0]


def settle(server, count):
    until(lambda: module(server)["cursor"] >= count, 60, "the cursor", 0.1)
    equal(server.stop(), 0)
    server.verify()


def metric(server, name):
    return next((v for k, v in server.metrics().items() if k.startswith(f"streamsteam_{name}{{")), None)


@test("messages have key, headers and the stored line; one key is one partition, in order")
def _(t):
    c = cluster(t)
    server = serve(t, c)
    for first in range(0, 2000, 500):
        send(server, first, 500)
    messages = arrived(c, 2000)
    equal(sorted(numbers(messages)), list(range(2000)))
    in_order(messages)
    equal({m.key for m in messages}, {f"k{i}" for i in range(7)})
    equal(len({(m.key, m.partition) for m in messages}), 7)
    sample = messages[0]
    event = json.loads(sample.value)
    equal(sample.headers, {"event_id": event["event_id"], "event_type": "click"})
    equal(metric(server, "kafka_messages_total"), 2000)
    settle(server, 2000)


@test("topics, keys and headers as configured: a topic per application, no key, no headers")
def _(t):
    c = cluster(t)
    c.tell("topic", "click.events", 2)
    server = serve(t, c, topic="{type}.{receiver}", key="", headers=False, compression="zstd")
    send(server, 0, 50)
    messages = arrived(c, 50, "click.events")
    equal({(m.key, tuple(m.headers)) for m in messages}, {(None, ())})
    settle(server, 50)


@test("brokers go down and come back: nothing is lost, nothing overtakes, a reason is told meanwhile")
def _(t):
    c = cluster(t)
    server = serve(t, c, deadline="25s")
    send(server, 0, 300)
    arrived(c, 300)
    for broker in (1, 2, 3):
        c.tell("down", broker)
    for first in range(300, 1200, 300):
        send(server, first, 300)
    server.wait_log("come again in .*kafka at .*transport failure", 60)
    for broker in (1, 2, 3):
        c.tell("up", broker)
    messages = arrived(c, 1200)
    in_order(messages)
    equal(sorted(set(numbers(messages))), list(range(1200)))
    check(len(messages) - 1200 <= (metric(server, "kafka_unknown_total") or 0), "repeats that were not counted")
    settle(server, 1200)


@test("errors that pass are passed: not the leader, an unknown producer; each message once, in order")
def _(t):
    c = cluster(t)
    server = serve(t, c)
    for round, code in enumerate((NOT_LEADER, NO_SEQUENCE, NOT_LEADER)):
        c.tell("refuse", code, 3)
        send(server, round * 200, 200)
    messages = arrived(c, 600)
    in_order(messages)
    equal(sorted(set(numbers(messages))), list(range(600)))
    settle(server, 600)


@test("what is too large goes into quarantine with size and limit, by our limit and by the broker's; its neighbours arrive")
def _(t):
    c = cluster(t, parts=1)
    server = serve(t, c, message_max_bytes="2000")
    send(server, 0, 10)
    send(server, 10, 1, "x" * 3000)
    send(server, 11, 10)
    equal(sorted(numbers(arrived(c, 20))), [n for n in range(21) if n != 10])
    until(lambda: module(server)["cursor"] >= 21, 30, "the cursor", 0.1)
    said = server.verb("quarantine", "show", "out", 11, check=True).stdout
    check("more than message_max_bytes" in said, said)
    c.tell("refuse", TOO_LARGE, 2)  # the batch as a whole, then the first message alone
    send(server, 21, 5)
    until(lambda: module(server)["cursor"] >= 26, 30, "the cursor", 0.1)
    messages = kcat.consume(c.brokers, "t")
    equal(len(messages), 24, str(sorted(numbers(messages))))
    held = {line.split()[1] for line in server.verb("quarantine", "list", "out", check=True).stdout.splitlines()} - {"11"}
    said = server.verb("quarantine", "show", "out", *held, check=True).stdout
    check("max.message.bytes" in said, said)
    settle(server, 26)


@test("kill -9 of the module again and again: nothing is lost, repeats have equal ids, the ledger balances")
def _(t):
    c = cluster(t)
    server = serve(t, c)
    for first in range(0, 6000, 300):
        send(server, first, 300)
        if first % 900 == 0:
            server.kill_child("module out")
    messages = arrived(c, 6000)
    equal(sorted(set(numbers(messages))), list(range(6000)))
    check(all(m.headers["event_id"] == f"e{json.loads(m.value)['n']}" for m in messages), "ids")
    settle(server, 6000)


@test("check --connect names brokers that do not answer; a stop with brokers away ends in time and keeps everything")
def _(t):
    c = cluster(t)
    server = serve(t, c, start=False)
    server.verb("check", "--connect", check=True)
    good = c.brokers
    server.config["modules"]["out"]["brokers"] = "127.0.0.1:1"
    server.write_config()
    said = server.verb("check", "--connect").stderr
    check("127.0.0.1:1 do not answer" in said, said)
    server.start()
    send(server, 0, 100)
    server.stop()
    server.config["modules"]["out"]["brokers"] = good
    server.write_config()
    server.start()
    equal(sorted(set(numbers(arrived(c, 100)))), list(range(100)))
    settle(server, 100)


if __name__ == "__main__":
    sys.exit(main())
