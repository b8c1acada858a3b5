"""Receiver kafka against a real broker of Apache Kafka: exactly once into the journal while broker, puller, ingest and the whole
server are killed under load."""
import collections
import json
import random
import threading
import time

from tests.lib import kafka
from tests.lib.kafka_mock import Cluster
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

EVENTS = {"on_invalid": "reject", "types": {"a": {"schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}}}
FAST = {"session.timeout.ms": "3000", "heartbeat.interval.ms": "300", "topic.metadata.refresh.interval.ms": "1000",
        "reconnect.backoff.max.ms": "500"}


def config(broker):
    return {"server": {"journal": {"retain": "1h", "segment_bytes": "8MiB"}},
            "receivers": {"matomo": None, "events": EVENTS,
                          "kafka": {"brokers": broker.brokers, "topics": ["^t.*"], "group": "g", "parser": "events", "max_messages": 200,
                                    "client": FAST}}}


def numbers(server):
    lines = server.verb("journal", "dump", check=True).stdout.splitlines()
    return [record["event"]["n"] for record in map(json.loads, lines) if record["type"] == "a"]


def await_numbers(server, count, timeout_s=120):
    got, end = [], time.monotonic() + timeout_s
    while len(got) < count and time.monotonic() < end:
        time.sleep(0.5)
        got = numbers(server)
    missing, twice = sorted(set(range(count)) - set(got)), sorted(n for n, times in collections.Counter(got).items() if times > 1)
    check(not missing and not twice and len(got) == count,
          f"{len(missing)} of {count} are missing: {missing[:10]}; {len(twice)} came twice: {twice[:10]}; {len(got)} in all")


@test("a real broker: messages come, the group's offsets follow, a regular expression takes topics that come later")
def _(t):
    broker = kafka.Broker(t)
    client = Cluster(broker.brokers)
    t.defer(client.close)
    client.tell("produce", "t1", 0, 1000, 3)
    server = t.server(config=config(broker), modules={})
    await_numbers(server, 1000)
    client.tell("produce", "t2", 1000, 2000, 3)
    await_numbers(server, 2000)
    until(lambda: server.metrics().get('streamsteam_kafka_lag{process="receiver kafka",receiver="kafka"}') == 0, 20, "no lag")
    equal(server.stop(), 0)
    server.start()
    client.tell("produce", "t1", 2000, 2100, 3)
    await_numbers(server, 2100)


@test("broker, puller, ingest and server are killed under load: 0 lost, 0 twice", 600)
def _(t):
    broker = kafka.Broker(t)
    client = Cluster(broker.brokers)
    t.defer(client.close)
    client.tell("produce", "t1", 0, 100, 3)
    server = t.server(config=config(broker), modules={})
    await_numbers(server, 100)
    made = [100]
    stop = threading.Event()

    def load():
        while not stop.is_set():
            client.tell("produce", "t1", made[0], made[0] + 500, 3)
            made[0] += 500
            time.sleep(0.05)
    thread = threading.Thread(target=load)
    thread.start()
    chance = random.Random(11)
    try:
        for victim in ["receiver kafka", "broker", "ingest", "all", "broker", "ingest", "receiver kafka", "all"]:
            time.sleep(0.5 + chance.random())
            if victim == "broker":
                broker.restart()
            elif victim == "all":
                server.kill_all()
                server.start()
            else:
                server.child(victim)
                server.kill_child(victim)
    finally:
        stop.set()
        thread.join()
    print(f"# {made[0]} messages")
    await_numbers(server, made[0], 180)
    equal(server.stop(), 0)
    server.verify()
