#!/usr/bin/env python3
# timeout: 300
"""Receiver kinesis against the fake: each record is one event, whatever happens to shards, iterators and processes."""
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.lib import kpl, lake
from tests.lib.server import ROOT, slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
MODULES = {"lake": {"path": "lake", "types": ["click"], "roll": {"age": "1s"}},
           "failed": {"use": "lake", "path": "failed", "types": ["quarantine"], "roll": {"age": "1s"}}}


def config(**options):
    return {"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}},
                          "clicks": {"use": "kinesis", "stream": "clicks", "parser": "events", "poll": "220ms", "connect_timeout": "1s", **options}}}


def make_server(t, fake, run=True, **options):
    return t.server(config=config(**options), modules=MODULES, env=fake.env(), start=run)


def metric(server, name):
    return sum(v for n, v in server.metrics().items() if n.startswith(f"streamsteam_kinesis_{name}{{"))


class Producer:
    """Events with numbers, some packed, over many keys; what it put is in `sent`."""

    def __init__(self, fake, stream="clicks", seed=1):
        self.kinesis, self.stream, self.rng = fake.service("kinesis"), stream, random.Random(seed)
        self.sent, self.stopping, self.thread = [], threading.Event(), None

    def event(self):
        name = f"e{len(self.sent):06d}"
        self.sent.append(name)
        return f"k{self.rng.randrange(50)}", json.dumps({"type": "click", "id": name, "n": len(self.sent)}).encode()

    def put(self, count=1):
        for _ in range(count):
            self.kinesis.put(self.stream, *self.event())

    def put_packed(self, count):
        pairs = [self.event() for _ in range(count)]
        self.kinesis.put(self.stream, pairs[0][0], kpl.packed(pairs))

    def run(self):
        while not self.stopping.is_set():
            if self.rng.random() < 0.3:
                self.put_packed(self.rng.randint(1, 30))
            else:
                self.put(self.rng.randint(1, 10))
            self.stopping.wait(0.02)

    def start(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        if self.thread:
            self.thread.join()


def stored(server):
    return [e["event_id"] for e in lake.lines(server.lake)]


def wait_for(server, names, timeout_s=40):
    wanted = set(names)
    until(lambda: wanted <= set(stored(server)), timeout_s * slow(), f"{len(wanted)} events in the lake", 0.2)


def exactly(server, names):
    """After a stop: each once."""
    got = stored(server)
    missing, doubled = set(names) - set(got), len(got) - len(set(got))
    equal((sorted(missing)[:5], doubled, sorted(set(got) - set(names))[:5]), ([], 0, []), "missing, doubled, foreign")


@test("records become events, in the order of their shards, packed ones too; what cannot be read is kept")
def _(t):
    with Fake() as fake:
        kinesis, producer = fake.service("kinesis"), Producer(fake)
        kinesis.make("clicks", shards=2)
        producer.put(50)
        producer.put_packed(7)
        kinesis.put("clicks", "k", b"not json")
        kinesis.put("clicks", "k", kpl.packed([("k", b"x")])[:-1] + b"\0")  # its MD5 is wrong: a record like any other
        server = make_server(t, fake)
        producer.put_packed(40)
        wait_for(server, producer.sent)
        until(lambda: metric(server, "messages_total") == 99, 10, "99 messages")
        equal((metric(server, "packed_records_total"), metric(server, "millis_behind_latest")), (2, 0))
        server.stop()
        exactly(server, producer.sent)
        server.verify()
        for shard in kinesis.streams["clicks"].shards.values():
            order = [json.loads(r[3])["id"] for r in shard.records if r[3].startswith(b"{")]
            got = [e for e in stored(server) if e in set(order)]
            equal(got, order)


@test("what was read is not read again after a restart, and what came meanwhile is")
def _(t):
    with Fake() as fake:
        fake.service("kinesis").make("clicks", shards=3)
        producer = Producer(fake)
        server = make_server(t, fake)
        for _ in range(3):
            producer.put(40)
            producer.put_packed(20)
            wait_for(server, producer.sent)
            server.stop()
            producer.put(10)
            server.start()
        wait_for(server, producer.sent)
        server.stop()
        exactly(server, producer.sent)
        server.verify()


@test("latest begins where it was first started, even if nothing came before a restart")
def _(t):
    with Fake() as fake:
        kinesis = fake.service("kinesis")
        kinesis.make("clicks", shards=2)
        old = Producer(fake)
        old.put(20)
        time.sleep(1.1)  # the service's clock in its answers has whole seconds
        server = make_server(t, fake, start="latest")
        until(lambda: fake.count("GetRecords") >= 2, 20, "reads")
        server.stop()
        kinesis.put("clicks", "a", b'{"type":"click","id":"new-1"}')
        server.start()
        kinesis.put("clicks", "b", b'{"type":"click","id":"new-2"}')
        wait_for(server, ["new-1", "new-2"])
        server.stop()
        exactly(server, ["new-1", "new-2"])


@test("split and merged shards: children begin when their parents are read, and closed shards leave the position")
def _(t):
    with Fake() as fake:
        kinesis, producer = fake.service("kinesis"), Producer(fake)
        stream = kinesis.make("clicks", shards=2)
        kinesis.get_records_max = 10  # many reads for a shard
        producer.put(60)
        server = make_server(t, fake)
        a, b = list(stream.shards)
        a1, a2 = kinesis.split("clicks", a)
        producer.put(60)
        b1, b2 = kinesis.split("clicks", b)
        producer.put(60)
        kinesis.children_told = False
        m = kinesis.merge("clicks", a2, b1)
        producer.put(60)
        wait_for(server, producer.sent, 90)

        until(lambda: metric(server, "shards") == 3, 30, "three shards in the position: the open ones")
        for shard in stream.shards.values():  # for each parent the children come later in the lake's order
            for parent in shard.parents:
                last = [json.loads(r[3])["id"] for r in stream.shards[parent].records][-1:]
                first = [json.loads(r[3])["id"] for r in shard.records][:1]
                order = stored(server)
                if last and first:
                    check(order.index(last[0]) < order.index(first[0]), f"{shard.id} began before the end of {parent}")
        server.stop()
        fake.calls.clear()
        server.start()
        producer.put(5)
        wait_for(server, producer.sent)
        asked = {c[3]["ShardId"] for c in fake.calls if c[2] == "GetShardIterator"}
        equal(asked, {a1, m, b2}, "iterators after a restart")
        server.stop()
        exactly(server, producer.sent)
        server.verify()


@test("expired iterators, throttles, cut, slow and broken answers change nothing")
def _(t):
    with Fake(seed=7) as fake:
        kinesis = fake.service("kinesis")
        kinesis.make("clicks", shards=2)
        fake.script.add([{"op": "GetRecords", "do": "throttle", "chance": 0.1}, {"op": "GetRecords", "do": "cut", "chance": 0.1, "part": 0.7},
                         {"op": "GetRecords", "do": "error", "chance": 0.1}, {"op": "GetRecords", "do": "garbage", "chance": 0.05},
                         {"op": "GetRecords", "do": "close", "chance": 0.05, "after": True}, {"op": "GetRecords", "do": "slow", "chance": 0.1, "delay_ms": 300},
                         {"op": "GetShardIterator", "do": "throttle", "every": 2}, {"op": "ListShards", "do": "error", "times": 1}])
        producer = Producer(fake)
        server = make_server(t, fake)
        for _ in range(8):
            producer.put(20)
            producer.put_packed(10)
            kinesis.expire_iterators()
            time.sleep(0.3)
        wait_for(server, producer.sent, 90)
        check(metric(server, "expired_iterators_total") >= 2, "iterators expired")
        server.stop()
        exactly(server, producer.sent)
        server.verify()


@test("kill -9 of the puller, of ingest and of all at random moments, with resharding, expiry and throttles: none lost, none twice", timeout_s=280)
def _(t):
    rng = random.Random(11)
    with Fake(seed=3) as fake:
        kinesis = fake.service("kinesis")
        stream = kinesis.make("clicks", shards=2)
        kinesis.get_records_max = 25
        fake.script.add([{"op": "GetRecords", "do": "throttle", "chance": 0.05}, {"op": "GetRecords", "do": "cut", "chance": 0.05},
                         {"op": "GetRecords", "do": "close", "chance": 0.03, "after": True}])
        producer = Producer(fake).start()
        server = make_server(t, fake)
        for number in range(14):
            time.sleep(rng.uniform(0.15, 0.9))
            if number % 3 == 0:
                kinesis.expire_iterators()
            elif len(stream.open()) < 5:
                kinesis.split("clicks", rng.choice(stream.open()).id)
            else:
                neighbours = sorted(stream.open(), key=lambda s: s.start)
                at = rng.randrange(len(neighbours) - 1)
                kinesis.merge("clicks", neighbours[at].id, neighbours[at + 1].id)
            target = rng.choice(("receiver clicks", "receiver clicks", "ingest", "module lake", "all"))
            if target == "all":
                server.kill_all()
                server.start()
            else:
                server.kill_child(target)
        producer.stop()
        wait_for(server, producer.sent, 150)
        server.stop()
        exactly(server, producer.sent)
        server.verify()
        check(len(producer.sent) > 500, f"only {len(producer.sent)} events")
        check(len(stream.shards) >= 6, "shards were split and merged")


@test("a missing stream, a wrong key and a wrong region: check --connect names them, serving raises an alarm and keeps on")
def _(t):
    with Fake() as fake:
        kinesis = fake.service("kinesis")
        server = make_server(t, fake, run=False)

        def connect(**env):
            server.env.update(fake.env(), **env)
            result = server.verb("check", "--connect")
            return result.returncode, result.stdout + result.stderr
        code, said = connect()
        check(code != 0 and "ResourceNotFoundException" in said and "clicks" in said, said)
        code, said = connect(AWS_SECRET_ACCESS_KEY="wrong")
        check(code != 0 and "InvalidSignatureException" in said, said)
        code, said = connect(AWS_REGION="us-east-1")
        check(code != 0 and "us-east-1" in said, said)
        code, said = connect(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        check(code != 0 and "no AWS credentials" in said, said)
        kinesis.make("clicks")
        code, said = connect()
        equal(code, 0, said)
        check("wrong" not in server.log_text(), "a secret in the log")


@test("a stream that is not there pauses the receiver with an alarm that names it")
def _(t):
    with Fake() as fake:
        server = make_server(t, fake, run=False).start(wait=False)
        server.wait_ready()
        server.wait_log("Stream clicks under account 000000000000 not found")
        check(fake.count("ListShards") <= 3, "it does not hammer")
        server.stop()


@test("a shard that Kinesis no longer keeps is told of, and its children are read")
def _(t):
    with Fake() as fake:
        kinesis, producer = fake.service("kinesis"), Producer(fake)
        stream = kinesis.make("clicks", shards=1)
        producer.put(10)
        server = make_server(t, fake)
        wait_for(server, producer.sent)
        server.stop()
        kept = list(producer.sent)
        (only,) = stream.shards
        producer.put(5)
        lost = producer.sent[len(kept):]
        kinesis.split("clicks", only)
        producer.put(20)
        kinesis.forget_shard("clicks", only)
        server.start()
        wanted = [n for n in producer.sent if n not in lost]
        wait_for(server, wanted)
        server.wait_log("no longer kept by Kinesis")
        server.stop()
        exactly(server, wanted)
        server.verify()


@test("a clock that is wrong by an hour does not matter")
def _(t):
    with Fake() as fake:
        fake.skew_s = 3600
        fake.service("kinesis").make("clicks")
        producer = Producer(fake)
        producer.put(10)
        server = make_server(t, fake)
        wait_for(server, producer.sent)
        check("the clock of this machine is" in server.log_text(), "it is said")
        server.stop()


@test("the example is right")
def _(t):
    server = t.server(yaml=(ROOT / "config" / "examples" / "kinesis-receiver.yaml").read_text(), start=False)
    server.verb("check", check=True)


if __name__ == "__main__":
    sys.exit(main())
