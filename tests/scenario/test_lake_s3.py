#!/usr/bin/env python3
"""The lake on S3 against a faulty AWS: after each script the exact lines are there once, the manifests say so, and the ledger balances."""
import collections
import json
import pathlib
import shutil
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.fakes.aws import Fake
from tests.lib import lake
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EVENTS = 240
ROUNDS = 3
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "pad": {"type": "string"}}}
CONFIG = {"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}, "view": {"schema": SCHEMA}}}}}
S3 = {"timeout": "1500ms", "connect_timeout": "1s", "region": "eu-central-1"}
FAST = {"retry": {"base": "20ms", "max": "200ms"}, "batch": {"linger": "5ms"}, "roll": {"bytes": "4KiB", "age": "300ms"},
        "partition": "{receiver}/type={type}/year=%Y/"}

# name, faults (of PutObject where nothing else is said)
SCRIPTS = [
    ("plain", []),
    ("SlowDown", [{"do": "throttle", "times": 5}]),
    ("500", [{"do": "error", "code": "InternalError", "times": 5}]),
    ("500 after it was done", [{"do": "error", "code": "InternalError", "after": True, "times": 5}]),
    ("503 after it was done, each second time", [{"do": "error", "code": "ServiceUnavailable", "status": 503, "after": True, "every": 2, "times": 6}]),
    ("closed before it was done", [{"do": "close", "times": 4}]),
    ("closed after it was done", [{"do": "close", "after": True, "times": 4}]),
    ("answers that are cut", [{"do": "cut", "times": 4}]),
    ("no answer in time", [{"do": "hang", "delay_ms": 4000, "times": 1}]),
    ("no answer in time after it was done", [{"do": "hang", "delay_ms": 4000, "after": True, "times": 1}]),
    ("409", [{"do": "error", "code": "ConditionalRequestConflict", "status": 409, "times": 4}]),
    ("409 after it was done", [{"do": "error", "code": "ConditionalRequestConflict", "status": 409, "after": True, "times": 2}]),
    ("an expired token that is none", [{"do": "expired_token", "times": 1}]),
    ("a checksum that is another", [{"do": "checksum", "times": 2}]),
    ("damaged on the way", [{"do": "error", "code": "BadDigest", "status": 400, "times": 2}]),
    ("a page instead of an answer", [{"do": "garbage", "times": 3}]),
    ("a page instead of an answer after it was done", [{"do": "garbage", "after": True, "times": 3}]),
    ("a page with 502", [{"do": "garbage", "status": 502, "times": 3}]),
    ("slow answers", [{"do": "slow", "delay_ms": 300, "times": 5}]),
    ("a HEAD that fails, too", [{"do": "close", "after": True, "times": 3}, {"op": "HeadObject", "do": "error", "code": "InternalError", "times": 2},
                                {"op": "HeadObject", "do": "throttle", "times": 2}, {"op": "HeadObject", "do": "garbage", "times": 1}]),
    ("everything at once", [{"do": "throttle", "chance": 0.2, "times": 4}, {"do": "close", "after": True, "chance": 0.2, "times": 4},
                            {"do": "cut", "chance": 0.2, "times": 3}, {"do": "error", "chance": 0.2, "times": 3}]),
]


def send(server, first, count):
    for kind in ("click", "view"):
        body = "".join(json.dumps({"id": f"{kind}{n}", "n": n, "pad": "x" * (n % 97)}) + "\n" for n in range(first, first + count))
        answer = server.post(f"/events/{kind}", body, [("Content-Type", "application/x-ndjson")])
        equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def wanted(count):
    return sorted(f"{kind}{n}" for kind in ("click", "view") for n in range(count))


def below(fake, bucket, prefix):
    return {key[len(prefix):]: body for key, body in fake.service("s3").stored(bucket).items() if key.startswith(prefix)}


def read(t, fake, bucket, prefix=""):
    """The ids in the bucket, after the manifests were checked against the objects."""
    folder = t.tmp / f"read-{bucket}-{prefix.replace('/', '-')}"
    shutil.rmtree(folder, ignore_errors=True)
    lake.download(below(fake, bucket, prefix), folder)
    check(lake.check_manifests(folder) > 0, f"{bucket}: no manifest")
    return sorted(event["event_id"] for event in lake.lines(folder))


def check_metadata(fake, bucket):
    for key, body in fake.service("s3").stored(bucket).items():
        about = fake.service("s3").about(bucket, key)
        meta = about["metadata"]
        equal(sorted(meta), ["count", "crc32", "from", "journal", "module", "through"], key)
        check(about.get("checksum"), f"{key} was sent without a checksum")
        if "_manifest/" in key:
            manifest = json.loads(body)
            equal([str(manifest[k]) for k in ("journal", "module", "from", "through", "count")], [meta[k] for k in ("journal", "module", "from", "through", "count")])


def state(server, name):
    return next(m for m in server.status()["modules"] if m["name"] == name)


def said(server, name):
    return next(p.get("state", "") for p in server.status()["processes"] if p["name"] == f"module {name}")


def module(bucket, prefix="", s3=None, **more):
    return dict({"use": "lake", "path": f"s3://{bucket}{prefix}", "s3": dict(S3, **(s3 or {}))}, **{**FAST, **more})


def make(t, modules, fake=None, start=True, config=None):
    fake = fake or Fake(seed=5)
    t.defer(fake.close)
    return fake, t.server(config=dict(CONFIG, **(config or {})), modules=modules, env=fake.env(), start=start)


@test("every line arrives once, whatever goes wrong", timeout_s=240)
def _(t):
    fake = Fake(seed=7)
    modules = {}
    for i, (_, faults) in enumerate(SCRIPTS):
        fake.service("s3").make(f"bucket{i}")
        fake.script.add([dict({"op": "PutObject"}, **fault, match={"Bucket": f"bucket{i}"}) for fault in faults])
        modules[f"m{i}"] = module(f"bucket{i}", "/a/lake")
    fake, server = make(t, modules, fake)
    for part in range(ROUNDS):
        send(server, part * EVENTS // ROUNDS, EVENTS // ROUNDS)
    for i, (what, faults) in enumerate(SCRIPTS):
        until(lambda name=f"m{i}": state(server, name)["cursor"] >= 2 * EVENTS, 90 * slow(), f"the end of '{what}'", 0.2)
        equal(read(t, fake, f"bucket{i}", "a/lake/"), wanted(EVENTS), what)
        check_metadata(fake, f"bucket{i}")
        check(not faults or any(f["done"] for f in fake.script.state() if f["match"]["Bucket"] == f"bucket{i}"), f"{what}: no fault was made")
        twice = {k: n for k, n in fake.service("s3").puts(f"bucket{i}").items() if n > 1}
        check(not twice or what == "a checksum that is another", f"{what}: written more than once: {twice}")
    equal(fake.refused, [])
    equal(list((server.data / "modules").rglob("*.tmp")), [])
    server.verify()
    equal(server.stop(), 0)


@test("a foreign object under the name: paused, nothing is overwritten, everything comes when it is gone")
def _(t):
    fake = Fake(seed=1)
    fake.service("s3").make("bkt")
    fake, server = make(t, {"out": module("bkt", roll={"bytes": "1GiB", "age": "1h"}, partition="x/")}, fake)
    send(server, 0, 10)
    until(lambda: server.metrics(), 10, "metrics")
    fake.script.add({"op": "PutObject", "do": "error", "code": "InternalError", "times": 3})
    true = fake.service("s3").PutObject
    taken = []

    def squat(arguments):
        if not taken:
            fake.service("s3").put("bkt", arguments["Key"], b"somebody else's", {"count": "20"})
            taken.append(arguments["Key"])
        return true(arguments)
    fake.service("s3").PutObject = squat
    server.stop()  # its flush meets the object
    equal(fake.service("s3").stored("bkt"), {taken[0]: b"somebody else's"})
    check("is there already and is not this cut's" in server.log_text() and taken[0] in server.log_text(), server.log_tail())
    server.start()
    until(lambda: taken[0] in server.log_text(), 30 * slow(), "the alarm that names the object")
    with fake.service("s3").lock:
        del fake.service("s3").buckets["bkt"]["objects"][taken[0]]
    until(lambda: state(server, "out")["cursor"] >= 20, 60 * slow(), "the cut")
    equal(read(t, fake, "bkt"), wanted(10))
    server.verify()


@test("a store without If-None-Match: said once, every line there once")
def _(t):
    fake = Fake(seed=2)
    fake.service("s3").make("bkt", conditional=False)
    fake.script.add({"op": "PutObject", "do": "close", "after": True, "skip": 2, "every": 3, "times": 3})
    fake, server = make(t, {"out": module("bkt")}, fake)
    for part in range(3):
        send(server, part * 20, 20)
        until(lambda n=(part + 1) * 40: state(server, "out")["cursor"] >= n, 60 * slow(), "the cut")
    equal(read(t, fake, "bkt"), wanted(60))
    equal(server.log_text().count("does not know If-None-Match"), 1)
    server.verify()


@test("if_none_match: on pauses at such a store")
def _(t):
    fake = Fake(seed=2)
    fake.service("s3").make("bkt", conditional=False)
    fake, server = make(t, {"out": module("bkt", s3={"if_none_match": "on"})}, fake)
    send(server, 0, 5)
    until(lambda: "does not know If-None-Match" in server.log_text(), 30 * slow(), "the reason")
    equal(fake.service("s3").stored("bkt"), {})


@test("no bucket, wrong keys, another region, another owner: check --connect names it; at run time everything is kept")
def _(t):
    fake = Fake(seed=3)
    fake.service("s3").make("there")
    fake.service("s3").make("far", region="us-west-2")
    cases = (({}, "b-missing", "no bucket b-missing"), ({}, "far", "us-west-2"), ({"expected_bucket_owner": "111111111111"}, "there", "AccessDenied"),
             ({"access_key": "AKIDFAKE", "secret_key": "wrong"}, "there", "SignatureDoesNotMatch"),
             ({"access_key": "AKIDNOBODY", "secret_key": "wrong"}, "there", "InvalidAccessKeyId"))
    for s3, bucket, words in cases:
        fake, server = make(t, {"out": module(bucket, s3=s3)}, fake, start=False)
        result = server.verb("check", "--connect")
        check(result.returncode != 0 and words in result.stderr, f"{words}: {result.stdout}{result.stderr}")
    fake, server = make(t, {"out": module("late", batch={"linger": "5ms"})}, fake)
    send(server, 0, 20)
    until(lambda: "NoSuchBucket" in server.log_text(), 30 * slow(), "the reason")
    equal(state(server, "out")["cursor"], 0)
    fake.service("s3").make("late")
    until(lambda: state(server, "out")["cursor"] >= 40, 60 * slow(), "the lines after the bucket was made")
    equal(read(t, fake, "late"), wanted(20))
    equal(server.verb("check", "--connect").returncode, 0)
    server.verify()


@test("a clock that is wrong is corrected")
def _(t):
    fake = Fake(seed=4)
    fake.skew_s = 3600
    fake.service("s3").make("bkt")
    fake, server = make(t, {"out": module("bkt")}, fake)
    send(server, 0, 20)
    until(lambda: state(server, "out")["cursor"] >= 40, 60 * slow(), "the lines")
    equal(read(t, fake, "bkt"), wanted(20))
    check("the clock of this machine" in server.log_text(), server.log_tail())


@test("what objects get: encryption, class, tags, metadata; virtual hosts; plain lines")
def _(t):
    fake = Fake(seed=4)
    fake.service("s3").make("bkt")
    s3 = {"sse": "aws:kms", "kms_key": "alias/lake", "storage_class": "STANDARD_IA", "tags": {"team": "games & more", "cost": "42"},
          "path_style": False, "endpoint": fake.url.replace("127.0.0.1", "localhost")}
    fake, server = make(t, {"out": module("bkt", "/x y", s3=s3, compression="none")}, fake)
    send(server, 0, 3)
    until(lambda: state(server, "out")["cursor"] >= 6, 60 * slow(), "the lines")
    equal(read(t, fake, "bkt", "x y/"), wanted(3))
    for key in fake.service("s3").stored("bkt"):
        about = fake.service("s3").about("bkt", key)
        equal(about["tags"], {"team": "games & more", "cost": "42"}, key)
        equal({k: v for k, v in about["headers"].items() if k != "content-type"},
              {"x-amz-storage-class": "STANDARD_IA", "x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "alias/lake"}, key)
    check_metadata(fake, "bkt")


@test("kills while objects are sent: each line once, nothing written twice")
def _(t):
    fake = Fake(seed=6)
    fake.service("s3").make("bkt")
    fake.script.add({"op": "PutObject", "do": "slow", "delay_ms": 40})
    fake, server = make(t, {"out": module("bkt", roll={"bytes": "2KiB", "age": "200ms"})}, fake)
    for part in range(8):
        send(server, part * 20, 20)
        time.sleep(0.05 * (part % 4))
        old = server.kill_child("module out")
        until(lambda killed=old: server.children().get("module out", killed) != killed, 60, "its next life")
    until(lambda: state(server, "out")["cursor"] >= 320, 90 * slow(), "all lines")
    equal(read(t, fake, "bkt"), wanted(160))
    equal({k: n for k, n in fake.service("s3").puts("bkt").items() if n > 1}, {})
    server.verify()
    equal(server.stop(), 0)


@test("an outage while it stops: the plan is kept and done again")
def _(t):
    fake = Fake(seed=6)
    fake.service("s3").make("bkt")
    fake, server = make(t, {"out": module("bkt", roll={"bytes": "1GiB", "age": "1h"})}, fake, config={"server": {"drain": "3s"}})
    send(server, 0, 20)
    fake.script.add({"op": "PutObject", "do": "close"})
    server.stop()
    equal(fake.service("s3").stored("bkt"), {})
    fake.script.clear()
    server.start()
    until(lambda: state(server, "out")["cursor"] >= 40, 60 * slow(), "the lines")
    equal(read(t, fake, "bkt"), wanted(20))
    server.verify()


@test("a replay goes below a prefix of its own")
def _(t):
    fake = Fake(seed=6)
    fake.service("s3").make("bkt")
    fake, server = make(t, {"out": module("bkt", "/p/")}, fake)
    send(server, 0, 20)
    until(lambda: state(server, "out")["cursor"] >= 40, 60 * slow(), "the lines")
    result = server.verb("journal", "replay", "--module", "out", "--from", "1", "--to", "40")
    equal(result.returncode, 0, result.stdout + result.stderr)
    until(lambda: any(k.startswith("p/replay/") and "_manifest" in k for k in fake.service("s3").stored("bkt")), 60 * slow(), "the replay")
    folders = {k.split("/")[2] for k in fake.service("s3").stored("bkt") if k.startswith("p/replay/")}
    equal(len(folders), 1)
    until(lambda: len(read(t, fake, "bkt", f"p/replay/{next(iter(folders))}/")) == 40, 30 * slow(), "all of it")
    server.verify()


@test("options that cannot be are refused with the remedy")
def _(t):
    cases = (({"path": "s3://"}, "no name of a bucket"), ({"path": "s3://bkt/a//b"}, "no empty part"), ({"path": "s3://bucket/../x"}, "no . or .."),
             ({"path": "s3://bucket", "roll": {"bytes": "6GB"}}, "5GB or less"), ({"path": "s3://bucket", "s3": {"kms_key": "k"}}, "sse: aws:kms"),
             ({"path": "s3://bucket", "s3": {"access_key": "A"}}, "set both"))
    for options, words in cases:
        server = t.server(start=False, modules={"lake": options})
        result = server.verb("check", *(["--connect"] if "access_key" in json.dumps(options) else []))
        check(result.returncode != 0 and words in result.stderr, f"{options}: {result.stderr}")


if __name__ == "__main__":
    sys.exit(main())
