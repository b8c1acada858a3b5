#!/usr/bin/env python3
"""Receiver kafka against a cluster of librdkafka's mock brokers: exactly once into the journal, whatever is killed."""
# timeout: 600
import collections
import json
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.kafka_mock import Cluster
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EVENTS = {"on_invalid": "reject", "types": {"a": {"schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
                         "on_invalid": "reject"}}}
FAST = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "20",
        "reconnect.backoff.max.ms": "300"}

LONG = {**FAST, "session.timeout.ms": "20000"}  # where others join the group, too


def cluster(t, parts=3):
    c = Cluster()
    t.defer(c.close)
    c.tell("topic", "t", parts)
    return c


def config(c, **options):
    options = {"brokers": c.brokers, "topics": ["t"], "group": "g", "parser": "events", "client": FAST, **options}
    return {"server": {"journal": {"retain": "1h"}}, "receivers": {"matomo": None, "events": EVENTS, "kafka": options}}


def dumped(server):
    return [json.loads(line) for line in server.verb("journal", "dump", check=True).stdout.splitlines()]


def numbers(server):
    return [r["event"]["n"] for r in dumped(server) if r["type"] == "a"]


def await_numbers(server, wanted, timeout_s=60):
    wanted, got = list(wanted), []
    end = time.monotonic() + timeout_s
    while len(got) < len(wanted) and time.monotonic() < end:
        time.sleep(0.2)
        got = numbers(server)
    missing, twice = sorted(set(wanted) - set(got)), sorted(n for n, times in collections.Counter(got).items() if times > 1)
    check(not missing and not twice and len(got) == len(wanted),
          f"{len(missing)} of {len(wanted)} are missing: {missing[:10]}; {len(twice)} came twice: {twice[:10]}; {len(got)} in all")


def state(server):
    return [p for p in server.status()["processes"] if p["name"] == "receiver kafka"][0]["state"]


def metric(server, name):
    return server.metrics().get(f'streamsteam_{name}{{process="receiver kafka",receiver="kafka"}}')


@test("messages become events; what cannot is kept as failed; tombstones are passed over; lag goes to 0")
def _(t):
    c = cluster(t)
    c.tell("produce", "t", 0, 300, 3)
    c.tell("say", "t", 1, '{"n":"no number"}')
    c.tell("say", "t", 2, "{broken")
    c.tell("tombstone", "t", 0)
    server = t.server(config=config(c), modules={})
    await_numbers(server, range(300))
    until(lambda: metric(server, "kafka_tombstones_total") == 1, 20, "the tombstone")
    until(lambda: metric(server, "kafka_partitions") == 3 and metric(server, "kafka_lag") == 0, 20, "the lag")
    failed = [r for r in dumped(server) if r["type"] == "processing-failed"]
    equal(len(failed), 2)
    until(lambda: any("kafka_partition_lag" in name and 'topic="t"' in name for name in server.metrics()), 20, "lag of a partition")
    equal(server.stop(), 0)
    server.verify()
    c.tell("produce", "t", 300, 400, 3)
    server.start()
    await_numbers(server, range(400))


@test("kill -9 of puller, ingest and supervisor at random moments: 0 lost, 0 twice", 400)
def _(t):
    c = cluster(t)
    server = t.server(config=config(c, max_messages=50), modules={})
    chance = random.Random(os.environ.get("STREAMSTEAM_SEED") or 7)
    made = 0
    for _ in range(7):
        c.tell("produce", "t", made, made + 1500, 3)
        made += 1500
        before = metric(server, "kafka_messages_total") or 0
        until(lambda: (metric(server, "kafka_messages_total") or 0) != before, 30, "some of them", 0.01)
        time.sleep(chance.random() * 0.05)
        victim = chance.choice(["receiver kafka", "ingest", "ingest", "all"])
        if victim == "all":
            server.kill_all()
            server.start()
        else:
            server.kill_child(victim)
            server.child(victim)
    await_numbers(server, range(made), 120)
    equal(server.stop(), 0)
    equal(sorted(numbers(server)), list(range(made)))
    server.verify()


@test("another consumer joins and leaves the group while messages come: nothing is lost, nothing comes twice", 300)
def _(t):
    c = cluster(t, 4)
    server = t.server(config=config(c, max_messages=20, client=LONG), modules={})
    made = 0
    for _ in range(2):
        c.tell("produce", "t", made, made + 2000, 4)
        made += 2000
        c.tell("join", "g", "t")
        until(lambda: c.tell("assigned") > 0, 40, "partitions of the other consumer")
        c.tell("produce", "t", made, made + 2000, 4)
        made += 2000
        c.tell("leave")
    await_numbers(server, range(made), 90)
    check(metric(server, "kafka_rebalances_total") >= 3, "no rebalance")


@test("brokers go down and come back: an alarm, and it goes on by itself", 300)
def _(t):
    c = cluster(t)
    server = t.server(config=config(c), modules={})
    c.tell("produce", "t", 0, 500, 3)
    await_numbers(server, range(500))
    for broker in (1, 2, 3):
        c.tell("down", broker)
    server.wait_log(r"alarm brokers: no broker of .* answers", 60)
    for broker in (1, 2, 3):
        c.tell("up", broker)
    server.wait_log(r"alarm brokers is over", 60)
    c.tell("produce", "t", 500, 1000, 3)
    await_numbers(server, range(1000))


def position_wins(t, offset):
    c = cluster(t, 1)
    server = t.server(config=config(c), modules={})
    c.tell("produce", "t", 0, 100, 1)
    await_numbers(server, range(100))
    equal(server.stop(), 0)
    c.tell("produce", "t", 100, 150, 1)
    c.tell("offset", "g", "t", 0, offset)
    server.config["receivers"]["kafka"]["client"] = LONG
    server.write_config()
    server.start()
    await_numbers(server, range(150))


@test("the journal's position wins over an older offset of the group")
def _(t):
    position_wins(t, 10)


@test("the journal's position wins over a newer offset of the group")
def _(t):
    position_wins(t, 120)


@test("a partition that this journal has never seen begins where the group stands, else where start says")
def _(t):
    c = cluster(t, 1)
    c.tell("produce", "t", 0, 100, 1)
    c.tell("offset", "g", "t", 0, 60)
    server = t.server(config=config(c, client=LONG), modules={})
    await_numbers(server, range(60, 100))
    other = t.server(config=config(c, client=FAST, group="late", start="latest"), modules={})
    other.wait_log("1 partitions are ours", 40)
    other.kill_child("receiver kafka")  # `latest` was written down before: what comes now is not passed over
    c.tell("produce", "t", 100, 120, 1)
    await_numbers(other, range(100, 120))


@test("a position behind the end of its partition: an alarm and a pause, until out_of_range decides")
def _(t):
    c = cluster(t, 1)
    server = t.server(config=config(c), modules={})
    c.tell("produce", "t", 0, 100, 1)
    await_numbers(server, range(100))
    equal(server.stop(), 0)
    c.close()
    again = cluster(t, 1)  # the topic is made anew
    again.tell("produce", "t", 500, 510, 1)
    server.config = {**server.config, **{"receivers": {**server.config["receivers"], "kafka": config(again)["receivers"]["kafka"]}}}
    server.write_config()
    server.start()
    until(lambda: "lies behind the end, 10" in state(server), 40, "the pause")
    equal(len(numbers(server)), 100)
    server.config["receivers"]["kafka"]["out_of_range"] = "earliest"
    server.write_config()
    server.verb("reload", check=True)
    await_numbers(server, list(range(100)) + list(range(500, 510)))


@test("wrong options are told by check, with what to do; secrets are not printed")
def _(t):
    c = cluster(t, 1)
    server = t.server(config=config(c), modules={}, start=False)

    def said(**options):
        server.config["receivers"]["kafka"] = {**config(c)["receivers"]["kafka"], **options}
        server.write_config()
        result = server.verb("check")
        return result.stdout + result.stderr
    check("client.enable.auto.commit: this plugin sets that itself" in said(client={"enable.auto.commit": "true"}), "reserved")
    check("client.no.such: No such configuration property" in said(client={"no.such": "1"}), "unknown")
    check("put it under client_secrets" in said(client={"ssl.key.password": "geheim"}), "secret")
    text = said(sasl={"mechanism": "PLAIN", "username": "u", "password": "geheim123"})
    check("geheim123" not in text, text)
    shown = server.verb("check", "--print").stdout
    check("geheim123" not in shown, shown)
    check("tls.enabled is not true" in said(tls={"ca": "/etc/x.pem"}), "tls")


main()
