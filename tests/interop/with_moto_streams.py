"""Modules kinesis and firehose into Kinesis and Firehose as others wrote them: moto's server (PyPI), read back by boto3, and kinesalite (npm)."""
import base64
import collections
import json

from tests.interop.cloud import ENV, Streams, kinesalite
from tests.lib import lake
from tests.lib.tap import equal, test
from tests.lib.wait import until

EVENTS = 1200
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "text": {"type": "string"}}}


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
    kinesis_story(t, Streams(t))


@test("kinesalite: the same", timeout_s=240)
def _(t):
    kinesis_story(t, Streams(t, kinesalite(t)))


@test("moto: boto3 reads back from S3 what firehose put, one event a record and packed", timeout_s=240)
def _(t):
    reader = Streams(t)
    reader("deliver", "plain")
    reader("deliver", "packed")
    server = serve(t, reader.url, {"plain": {"use": "firehose", "stream": "plain"}, "packed": {"use": "firehose", "stream": "packed", "pack": "16KiB"}})
    send(server)
    lines_of = lambda name: sorted(line for o in reader("objects", name).values() for line in base64.b64decode(o).splitlines())  # noqa: E731
    for name in ("plain", "packed"):
        until(lambda n=name: len(lines_of(n)) >= EVENTS, 120, f"all lines in {name}", 0.2)
    until(lambda: len(lake.lines(server.lake)) == EVENTS, 60, "all lines in the lake", 0.2)
    equal(lines_of("plain"), stored_lines(server))
    equal(lines_of("packed"), stored_lines(server))
    server.verify()
    equal(server.stop(), 0)
