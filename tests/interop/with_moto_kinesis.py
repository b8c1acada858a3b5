"""Receiver kinesis on Kinesis as others wrote it: moto's server (PyPI) and kinesalite (npm), with boto3 as the producer."""
import base64
import json
import os
import shutil
import subprocess
import sys

from tests.interop.peers import INSTALL_TIMEOUT_S, Peer, cache, npm_package
from tests.lib import kpl, lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

MOTO, BOTO3, KINESALITE = "5.2.1", "1.43.11", "3.3.3"
STREAM = "clicks"
ENV = {"AWS_ACCESS_KEY_ID": "AKIDINTEROP", "AWS_SECRET_ACCESS_KEY": "interop", "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
       "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}

# One command a line on standard input; an answer a line.
PRODUCER = r'''
import base64, json, sys, time
import boto3
url = sys.argv[1]
if url == "moto":
    from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
kinesis = boto3.client("kinesis", endpoint_url=url)
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

print(json.dumps({"url": url}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
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
    print(json.dumps({"open": len(opened())}), flush=True)
'''


def python_folder(t):
    folder = cache() / f"moto-{MOTO}-boto3-{BOTO3}"
    if not folder.is_dir():
        work = folder.with_name(f"new-moto-{os.getpid()}")
        t.defer(shutil.rmtree, work, True)
        try:
            result = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(work),
                                     f"moto[server]=={MOTO}", f"boto3=={BOTO3}"], capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            t.skip(f"pip did not install moto within {INSTALL_TIMEOUT_S} s")
        if result.returncode != 0:
            t.skip(f"pip cannot install moto: {result.stderr.strip().splitlines()[-1:]}")
        work.rename(folder)
    return folder


class Producer:
    def __init__(self, t, url):
        self.peer = Peer(t, "producer", [sys.executable, "-c", PRODUCER, url, STREAM], dict(os.environ, PYTHONPATH=str(python_folder(t)), **ENV))
        self.answers, self.sent = 0, []
        self.url = self.answer()["url"]

    def answer(self):
        def lines():
            check(self.peer.process.poll() is None, self.peer.output())
            found = [line for line in self.peer.output().splitlines() if line.startswith("{")]
            return found[self.answers:self.answers + 1]
        (line,) = until(lines, 60, "the producer's answer")
        self.answers += 1
        return json.loads(line)

    def __call__(self, **command):
        self.peer.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.peer.process.stdin.flush()
        return self.answer()

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
    story(t, Producer(t, "moto"), reshards=False)  # moto never ends a shard that was split: its last iterator leads to another


@test("kinesalite: the same with a split and a merge", timeout_s=240)
def _(t):
    modules = npm_package(t, "kinesalite", KINESALITE)
    folder = t.tmp / "kinesalite.js"
    folder.write_text("const s = require('kinesalite')({createStreamMs: 20, deleteStreamMs: 20, updateStreamMs: 20});"
                      "s.listen(0, '127.0.0.1', () => console.log('{\"port\":' + s.address().port + '}'));"
                      "process.stdin.on('end', () => process.exit(0)).resume();")
    peer = Peer(t, "kinesalite", ["node", folder], dict(os.environ, NODE_PATH=str(modules)))
    until(lambda: "port" in peer.output(), 30, "kinesalite")
    story(t, Producer(t, f"http://127.0.0.1:{json.loads(peer.output().splitlines()[0])['port']}"))
