"""Modules kinesis and firehose into Kinesis and Firehose as others wrote them: moto's server (PyPI), read back by boto3, and kinesalite (npm)."""
import base64
import collections
import json
import os
import sys

from tests.interop.peers import Peer, npm_package
from tests.interop.with_moto_kinesis import ENV, KINESALITE, python_folder
from tests.lib import lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

EVENTS = 1200
# One command a line on standard input; an answer a line.
READER = r'''
import base64, json, sys, time
import boto3
url = sys.argv[1]
if url == "moto":
    from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
kinesis, firehose, s3 = (boto3.client(name, endpoint_url=url) for name in ("kinesis", "firehose", "s3"))
print(json.dumps({"url": url}), flush=True)

def create(name):
    kinesis.create_stream(StreamName=name, ShardCount=3)
    while kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.05)

def deliver(name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    firehose.create_delivery_stream(DeliveryStreamName=name, DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={"RoleARN": "arn:aws:iam::000000000000:role/x", "BucketARN": f"arn:aws:s3:::{name}"})

def records(name):
    found = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        at = kinesis.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=at, Limit=1000)
            found += [[shard["ShardId"], r["PartitionKey"], base64.b64encode(r["Data"]).decode()] for r in answer["Records"]]
            if not answer["Records"]:
                break
            at = answer["NextShardIterator"]
    return found

def objects(name):
    keys = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name) for o in page.get("Contents", [])]
    return [base64.b64encode(s3.get_object(Bucket=name, Key=k)["Body"].read()).decode() for k in keys]

for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps({"answer": globals()[command["do"]](command["name"])}), flush=True)
'''
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "text": {"type": "string"}}}


class Reader:
    def __init__(self, t, url):
        self.peer = Peer(t, "reader", [sys.executable, "-c", READER, url], dict(os.environ, PYTHONPATH=str(python_folder(t)), **ENV))
        self.answers = 0
        self.url = self.answer()["url"]

    def answer(self):
        def lines():
            check(self.peer.process.poll() is None, self.peer.output())
            return [line for line in self.peer.output().splitlines() if line.startswith("{")][self.answers:self.answers + 1]
        (line,) = until(lines, 60, "the reader's answer")
        self.answers += 1
        return json.loads(line)

    def __call__(self, do, name):
        self.peer.process.stdin.write(json.dumps({"do": do, "name": name}).encode() + b"\n")
        self.peer.process.stdin.flush()
        return self.answer()["answer"]


def send(server):
    for first in range(0, EVENTS, 300):
        body = "".join(json.dumps({"id": f"e{n}", "n": n % 11, "text": f"Zürich 🎮 \" \\ {n}"}) + "\n" for n in range(first, first + 300))
        answer = server.post("/events/click", body.encode(), [("Content-Type", "application/x-ndjson")])
        equal((answer.status, json.loads(answer.body)["accepted"]), (200, 300))


def serve(t, url, modules):
    for options in modules.values():
        if options["use"] != "lake":
            options.update(endpoint=url)
    server = t.server(config={"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}}}},
                      modules=dict(modules, lake={"use": "lake", "path": "lake", "roll": {"age": "1s"}, "compression": "none"}), env=ENV, start=False)
    server.verb("check", "--connect", check=True)
    return server.start()


def stored_lines(server):
    """The lines as the lake keeps them: what the modules were given."""
    return sorted(line for path in server.lake.rglob("*.ndjson") for line in path.read_bytes().splitlines())


def kinesis_story(t, reader):
    reader("create", "clicks")
    server = serve(t, reader.url, {"clicks": {"use": "kinesis", "stream": "clicks", "partition_key": "k{json:n}", "order": "key", "batch": {"linger": "5ms"}}})
    send(server)
    until(lambda: len(reader("records", "clicks")) >= EVENTS, 120, "all records in the stream", 0.2)
    until(lambda: len(lake.lines(server.lake)) == EVENTS, 60, "all lines in the lake", 0.2)
    found = reader("records", "clicks")
    equal(sorted(base64.b64decode(data) for _, _, data in found), stored_lines(server))
    by_key = collections.defaultdict(list)
    for shard, key, data in found:
        event = json.loads(base64.b64decode(data))
        equal(key, f"k{event['n']}")
        by_key[key, shard].append(int(event["event_id"][1:]))
    equal(len(by_key), 11, "a key is in more than one shard")
    for key, numbers in by_key.items():
        equal(numbers, sorted(numbers), str(key))
    server.verify()
    equal(server.stop(), 0)


@test("moto: boto3 reads back what kinesis put, byte for byte, each key in its order", timeout_s=240)
def _(t):
    kinesis_story(t, Reader(t, "moto"))


@test("kinesalite: the same", timeout_s=240)
def _(t):
    modules = npm_package(t, "kinesalite", KINESALITE)
    folder = t.tmp / "kinesalite.js"
    folder.write_text("const s = require('kinesalite')({createStreamMs: 20, deleteStreamMs: 20, updateStreamMs: 20});"
                      "s.listen(0, '127.0.0.1', () => console.log('{\"port\":' + s.address().port + '}'));"
                      "process.stdin.on('end', () => process.exit(0)).resume();")
    peer = Peer(t, "kinesalite", ["node", folder], dict(os.environ, NODE_PATH=str(modules)))
    until(lambda: "port" in peer.output(), 30, "kinesalite")
    kinesis_story(t, Reader(t, f"http://127.0.0.1:{json.loads(peer.output().splitlines()[0])['port']}"))


@test("moto: boto3 reads back from S3 what firehose put, one event a record and packed", timeout_s=240)
def _(t):
    reader = Reader(t, "moto")
    reader("deliver", "plain")
    reader("deliver", "packed")
    server = serve(t, reader.url, {"plain": {"use": "firehose", "stream": "plain"}, "packed": {"use": "firehose", "stream": "packed", "pack": "16KiB"}})
    send(server)
    lines_of = lambda name: sorted(line for o in reader("objects", name) for line in base64.b64decode(o).splitlines())  # noqa: E731
    for name in ("plain", "packed"):
        until(lambda n=name: len(lines_of(n)) >= EVENTS, 120, f"all lines in {name}", 0.2)
    until(lambda: len(lake.lines(server.lake)) == EVENTS, 60, "all lines in the lake", 0.2)
    equal(lines_of("plain"), stored_lines(server))
    equal(lines_of("packed"), stored_lines(server))
    server.verify()
    equal(server.stop(), 0)
