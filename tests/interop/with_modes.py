"""The six modes with their parts for AWS at the peers: moto (PyPI) for Kinesis, Firehose, S3 and Glue, a real Kafka for MSK. Each
part's module is told where its peer is by the environment alone, as an administrator would."""
import base64
import collections
import gzip
import json

from tests.interop.cloud import ENV, Streams
from tests.lib import kafka, kcat
from tests.lib.modes import DAYS, NAMES, PARTS, application, event, parts_of, post, preset, serve
from tests.lib.tap import equal, test
from tests.lib.wait import until

EVENTS = 30
BUCKET, STREAM, DELIVERY = "the-lake", "game-analytics-pipeline-stream", "game-analytics-pipeline-delivery"


def on_s3(yaml):
    return yaml.replace("  lake:\n    receivers: [game]\n", f"  lake:\n    path: s3://{BUCKET}/lake\n    receivers: [game]\n").replace("age: 900s", "age: 1s")


def records(cloud):
    return sorted(json.loads(base64.b64decode(data))["event"]["event_id"] for _, _, data in cloud("records", STREAM))


def delivered(cloud):
    lines = [line for body in cloud("objects", DELIVERY).values() for line in base64.b64decode(body).splitlines()]
    return sorted(json.loads(line)["event"]["event_id"] for line in lines)


def objects(cloud):
    """event ids by folder, of the lake's objects."""
    found = collections.defaultdict(list)
    for key, body in cloud("objects", BUCKET).items():
        if key.endswith(".gz"):
            lines = gzip.decompress(base64.b64decode(body)).splitlines()
            found[key.rpartition("/")[0]] += [json.loads(line)["event_id"] for line in lines]
    return {folder: sorted(ids) for folder, ids in found.items()}


for mode_name in NAMES:
    @test(f"mode {mode_name}: its parts for AWS deliver to the peers", timeout_s=240)
    def _(t, name=mode_name):
        parts = parts_of(name) & {"firehose", "glue", "kinesis", "msk", "windows"}
        cloud = Streams(t)
        cloud("bucket", BUCKET)
        cloud("deliver", DELIVERY)
        cloud("create", STREAM)
        env = dict(ENV, AWS_ENDPOINT_URL=cloud.url, STREAMSTEAM_GLUE_LOCATION=f"s3://{BUCKET}/lake")
        broker = kafka.Broker(t) if "msk" in parts else None
        if broker:
            env["STREAMSTEAM_BROKERS"] = broker.brokers
        server = serve(t, on_s3(preset(name)), start=False, env=env)
        (server.file.parent / "conf.d").mkdir()
        for part in parts:
            text = (PARTS / f"{part}.yaml").read_text()
            if part == "glue":  # partitions that can be read back, beside those that Athena computes
                text += "    partitions: both\n"
            if part == "msk":  # an existing deployment has it
                text += "    create: {enabled: true, partitions: 2, replication: 1}\n"
            (server.file.parent / "conf.d" / f"{part}.yaml").write_text(text)
        if "glue" in parts:
            server.verb("module", "setup", "glue", check=True)
        server.verb("check", "--connect", check=True)
        server.start()
        app_id, key = application(server)
        events = [event(DAYS[i % len(DAYS)], i) for i in range(EVENTS)]
        post(server, app_id, key, events)
        ids = sorted(e["event_id"] for e in events)
        if "kinesis" in parts:
            until(lambda: len(records(cloud)) >= EVENTS, 60, "all records in the stream", 0.2)
            equal(records(cloud), ids)
        if "firehose" in parts:
            until(lambda: len(delivered(cloud)) >= EVENTS, 60, "all records delivered", 0.2)
            equal(delivered(cloud), ids)
            until(lambda: sum(map(len, objects(cloud).values())) >= EVENTS, 60, "all events in the lake on S3", 0.2)
            equal(sorted(i for found in objects(cloud).values() for i in found), ids)
            until(lambda: len(cloud("partitions", "game_analytics.raw_events")) >= len(DAYS), 60, "the partitions", 0.2)
            equal([f"lake/raw_events/year={y}/month={m}/day={d}" for y, m, d in cloud("partitions", "game_analytics.raw_events")], sorted(objects(cloud)))
        if broker:
            said = lambda: kcat.consume(broker.brokers, "game-analytics-pipeline")  # noqa: E731
            until(lambda: len(said()) >= EVENTS, 60, "all records in the topic", 0.3)
            equal(sorted(json.loads(m.value)["event"]["event_id"] for m in said()), ids)
        equal(server.stop(), 0)
        server.verify()
