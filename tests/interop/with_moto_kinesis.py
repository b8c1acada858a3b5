"""Receiver kinesis on Kinesis as others wrote it: moto's server (PyPI) and kinesalite (npm), with boto3 as the producer."""
import base64
import json

from tests.interop.cloud import ENV, Cloud, kinesalite
from tests.lib import kpl, lake
from tests.lib.tap import equal, test
from tests.lib.wait import until

STREAM = "clicks"
PRODUCER = r'''
(kinesis,) = clients("kinesis")
stream = sys.argv[2]

def active():
    while True:
        about = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
        if about["StreamStatus"] == "ACTIVE":
            return
        time.sleep(0.05)

def shards():
    return kinesis.list_shards(StreamName=stream)["Shards"]

def opened():
    parents = {s.get(k) for s in shards() for k in ("ParentShardId", "AdjacentParentShardId")}
    return sorted((s for s in shards() if s["ShardId"] not in parents), key=lambda s: int(s["HashKeyRange"]["StartingHashKey"]))

tell({"url": url})
for command in questions():
    what = command["do"]
    if what == "create":
        kinesis.create_stream(StreamName=stream, ShardCount=command["shards"])
    elif what == "put":
        records = [{"Data": base64.b64decode(d), "PartitionKey": k} for k, d in command["records"]]
        answer = kinesis.put_records(StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == 0, answer
    elif what == "split":
        shard = opened()[0]
        at = (int(shard["HashKeyRange"]["StartingHashKey"]) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2
        kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(at))
    elif what == "merge":
        a, b = opened()[:2]
        kinesis.merge_shards(StreamName=stream, ShardToMerge=a["ShardId"], AdjacentShardToMerge=b["ShardId"])
    active()
    tell({"open": len(opened())})
'''


class Producer(Cloud):
    def __init__(self, t, url="moto"):
        super().__init__(t, PRODUCER, url, STREAM)
        self.sent, self.url = [], self.about["url"]

    def __call__(self, **command):
        return self.ask(command)

    def put(self, count, packed=False):
        records = []
        for _ in range(count):
            name = f"e{len(self.sent):05d}"
            self.sent.append(name)
            records.append((f"k{len(self.sent) % 17}", json.dumps({"type": "click", "id": name, "text": "Zürich 🎮"}).encode()))
        if packed:
            records = [(records[0][0], kpl.packed(records))]
        self(do="put", records=[(k, base64.b64encode(d).decode()) for k, d in records])


def story(t, producer, reshards=True):
    def reshard(what, shards):
        if reshards:
            equal(producer(do=what)["open"], shards)

    producer(do="create", shards=2)
    producer.put(30)
    config = {"receivers": {"matomo": None, "events": {"types": {"click": {"schema": {"type": "object"}}}},
                            "clicks": {"use": "kinesis", "stream": STREAM, "parser": "events", "poll": "250ms", "endpoint": producer.url}}}
    server = t.server(config=config, env=ENV, start=False)
    server.verb("check", "--connect", check=True)
    server.start()
    producer.put(20, packed=True)
    reshard("split", 3)
    producer.put(30)
    server.kill_child("receiver clicks")
    reshard("merge", 2)
    producer.put(30)
    server.kill_child("ingest")
    producer.put(25, packed=True)
    names = lambda: [e["event_id"] for e in lake.lines(server.lake)]  # noqa: E731
    until(lambda: set(producer.sent) <= set(names()), 90, f"{len(producer.sent)} events in the lake", 0.2)
    server.stop()
    producer.put(10)
    server.start()
    until(lambda: set(producer.sent) <= set(names()), 60, "what came meanwhile", 0.2)
    server.stop()
    equal(sorted(names()), sorted(producer.sent))
    equal({e["extra_properties"]["text"] for e in lake.lines(server.lake)}, {"Zürich 🎮"})
    server.verify()


@test("moto: boto3's records, packed ones, kills: each event once", timeout_s=240)
def _(t):
    story(t, Producer(t), reshards=False)  # moto never ends a shard that was split: its last iterator leads to another


@test("kinesalite: the same with a split and a merge", timeout_s=240)
def _(t):
    story(t, Producer(t, kinesalite(t)))
