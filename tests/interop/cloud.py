"""AWS as others wrote it: moto's server (PyPI) with boto3 beside it in one process that is asked through a line a question, and kinesalite (npm)."""
import json
import os
import sys

from tests.interop.peers import Peer, npm_package, pip_packages
from tests.lib.tap import check
from tests.lib.wait import until

MOTO, BOTO3, KINESALITE = "5.2.1", "1.43.11", "3.3.3"
ANSWER_TIMEOUT_S = 60
ENV = {"AWS_ACCESS_KEY_ID": "AKIDINTEROP", "AWS_SECRET_ACCESS_KEY": "interop", "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
       "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
# What each peer starts with: `url` is where the cloud is, an argument's or moto's own.
START = r'''
import base64, json, sys, time
import boto3
def tell(answer):
    print(json.dumps(answer, default=str), flush=True)
def questions():
    for line in sys.stdin:
        yield json.loads(line)
url = sys.argv[1]
if url == "moto":
    from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://%s:%s" % server.get_host_and_port()
def clients(*names):
    return [boto3.client(name, endpoint_url=url) for name in names]
'''


def python_folder(t):
    return pip_packages(t, f"moto-{MOTO}-boto3-{BOTO3}", f"moto[server]=={MOTO}", f"boto3=={BOTO3}")


class Cloud:
    """Runs START and then the script: it tells something about itself first, then answers each question."""

    def __init__(self, t, script, url="moto", *more):
        env = dict(os.environ, PYTHONPATH=str(python_folder(t)), **ENV)
        self.peer = Peer(t, "cloud", [sys.executable, "-c", START + script, url, *more], env, errors_apart=True)
        self.answers = 0
        self.about = self.answer()

    def answer(self):
        def line():
            check(self.peer.process.poll() is None, self.peer.output() + self.peer.errors())
            whole = self.peer.output().split("\n")[:-1]  # what has no line end yet is still being written
            return whole[self.answers:self.answers + 1]
        (text,) = until(line, ANSWER_TIMEOUT_S, "the cloud's answer")
        self.answers += 1
        return json.loads(text)

    def ask(self, question):
        self.peer.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.peer.process.stdin.flush()
        return self.answer()


STREAMS = r'''
kinesis, firehose, s3, glue = clients("kinesis", "firehose", "s3", "glue")
tell({"url": url})

def create(name):
    kinesis.create_stream(StreamName=name, ShardCount=3)
    while kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.05)

def deliver(name):
    bucket(name)
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
    return {k: base64.b64encode(s3.get_object(Bucket=name, Key=k)["Body"].read()).decode() for k in keys}

def bucket(name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

def partitions(name):
    database, table = name.split(".")
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
    return sorted(p["Values"] for page in pages for p in page["Partitions"])

for command in questions():
    tell(globals()[command["do"]](command["name"]))
'''


class Streams(Cloud):
    """Makes streams, delivery streams and buckets, and reads back what is in them."""

    def __init__(self, t, url="moto"):
        super().__init__(t, STREAMS, url)
        self.url = self.about["url"]

    def __call__(self, do, name):
        return self.ask({"do": do, "name": name})


def kinesalite(t):
    """Its address."""
    modules = npm_package(t, "kinesalite", KINESALITE)
    script = t.tmp / "kinesalite.js"
    script.write_text("const s = require('kinesalite')({createStreamMs: 20, deleteStreamMs: 20, updateStreamMs: 20});"
                      "s.listen(0, '127.0.0.1', () => console.log(s.address().port));"
                      "process.stdin.on('end', () => process.exit(0)).resume();")
    peer = Peer(t, "kinesalite", ["node", script], dict(os.environ, NODE_PATH=str(modules)))
    until(lambda: peer.output().endswith("\n"), 30, "kinesalite")
    return f"http://127.0.0.1:{int(peer.output())}"
