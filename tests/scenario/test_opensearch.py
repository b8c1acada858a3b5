#!/usr/bin/env python3
"""Module opensearch against a faulty OpenSearch: after each script exactly the documents that shall be there, and a ledger that balances."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.opensearch import Fake
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EVENTS, KILLS = 400, 4
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "pad": {"type": "string"}, "doc": {"type": "string"}, "version": {"type": "integer"}}}
FAST = {"use": "opensearch", "retry": {"base": "20ms", "max": "200ms"}, "timeout": "1500ms", "connect_timeout": "1s"}
SMALL = {"batch": {"records": 100, "linger": "5ms"}}

SCRIPTS = [
    ("plain", []),
    ("half of the documents of several calls", [{"do": "items", "times": 5}]),
    ("all documents of three calls", [{"do": "items", "part": 1, "times": 3}]),
    ("429", [{"do": "429", "times": 3, "headers": [("Retry-After", "1")]}]),
    ("503", [{"do": "503", "times": 3}]),
    ("500", [{"do": "500", "times": 2}]),
    ("closed connections", [{"do": "close", "times": 3}]),
    ("closed connections after it was done", [{"do": "close after", "times": 2}]),
    ("answers that are cut", [{"do": "cut", "times": 3}]),
    ("a page in place of an answer, after it was done", [{"do": "garbage", "times": 2}]),
    ("an answer with an item too few", [{"do": "short", "times": 2}]),
    ("no answer in time, after it was done", [{"do": "hang", "times": 1}]),
    ("everything at once", [{"do": "items", "chance": 0.5, "times": 6}, {"do": "429", "chance": 0.2, "times": 2},
                            {"do": "cut", "chance": 0.3, "times": 2}, {"do": "close after", "chance": 0.2, "times": 2}]),
]


def config():
    return {"receivers": {"matomo": None, "events": {"types": {"click": {"schema": SCHEMA}}}}}


def send(server, first, count, **more):
    body = "".join(json.dumps({"id": f"e{n}", "n": n, "pad": "x" * (n % 97), **more}) + "\n" for n in range(first, first + count))
    answer = server.post("/events/click", body, [("Content-Type", "application/x-ndjson")])
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def numbers(fake):
    with fake.lock:
        return sorted(d["n"] for d in fake.documents.values())


def state(server, name):
    return next(m for m in server.status()["modules"] if m["name"] == name)


def said(server, name):
    return next(p.get("state", "") for p in server.status()["processes"] if p["name"] == f"module {name}")


def metric(server, name, instance="out"):
    return sum(v for k, v in server.metrics().items() if name in k and f'"{instance}"' in k)


def fake_for(t, **options):
    fake = Fake(**options)
    t.defer(fake.close)
    return fake


def one(t, fake, start=True, **options):
    return t.server(config=config(), modules={"out": {**FAST, "url": fake.url, **options}}, start=start)


@test("every document is there exactly once, whatever goes wrong")
def _(t):
    fakes, modules = [], {}
    for i, (_, faults) in enumerate(SCRIPTS):
        fake = fake_for(t, seed=i)
        fake.faults = [dict(f) for f in faults]
        fakes.append(fake)
        modules[f"o{i}"] = {**FAST, **SMALL, "url": fake.url}
    server = t.server(config=config(), modules=modules)
    for part in range(4):
        send(server, part * EVENTS // 4, EVENTS // 4)
    for i, (what, faults) in enumerate(SCRIPTS):
        until(lambda i=i: state(server, f"o{i}")["cursor"] >= EVENTS, 60 * slow(), f"the end of '{what}'", 0.1)
        equal(numbers(fakes[i]), list(range(EVENTS)), what)
        check(not faults or fakes[i].made, f"{what}: no fault was made")
        equal(fakes[i].nameless, 0, what)
    server.verify()
    equal(server.stop(), 0)


@test("what the mapping refuses goes into quarantine with its reason, the rest is there")
def _(t):
    fake = fake_for(t, refuse=lambda d: d["n"] % 10 == 7)
    fake.faults = [{"do": "items", "times": 4}]
    server = one(t, fake, **SMALL)
    send(server, 0, 200)
    until(lambda: state(server, "out")["cursor"] >= 200, 30 * slow(), "the end")
    equal(numbers(fake), [n for n in range(200) if n % 10 != 7])
    told = server.verb("quarantine", "show", "out", 8, check=True).stdout
    check("mapper_parsing_exception" in told and "field [n]" in told and "out of range" in told, told)
    equal(metric(server, "documents_refused_total"), 20)
    check("quarantine retry" in json.dumps(server.status()) + server.log_text(), "no alarm with a remedy")
    server.verify()
    fake.refuse = None
    server.verb("quarantine", "retry", "out", "--all", check=True)
    until(lambda: numbers(fake) == list(range(200)), 30 * slow(), "all of them")


@test("413: calls are split until they fit; a document that is too large alone is refused")
def _(t):
    fake = fake_for(t, limit=100_000)
    server = one(t, fake, gzip=False, batch={"linger": "300ms"})
    server.config["server"]["max_event_bytes"] = "1MiB"
    server.write_config()
    server.restart()
    send(server, 0, 1000)
    equal(server.post("/events/click", json.dumps({"id": "big", "n": 5000, "pad": "y" * 300_000})).status, 200)
    send(server, 1000, 1000)
    until(lambda: state(server, "out")["cursor"] >= 2001, 60 * slow(), "the end")
    equal(numbers(fake), list(range(2000)))
    told = server.verb("quarantine", "list", "out", check=True).stdout
    check("too large" in told, told)
    server.verify()


@test("a wrong password: paused with the reason, check --connect says so; nothing is lost when it is mended")
def _(t):
    fake = fake_for(t, user="me:right")
    secret = t.tmp / "password"
    secret.write_text("wrong\n")
    server = one(t, fake, start=False, user="me", password=f"${{file:{secret}}}")
    result = server.verb("check", "--connect")
    check(result.returncode != 0 and "401" in result.stderr + result.stdout and "user and password" in result.stderr + result.stdout, result.stderr)
    server.start()
    send(server, 0, 50)
    until(lambda: "401" in said(server, "out"), 20 * slow(), "the reason")
    check("wrong" not in server.log_text(), "the password is in the log")
    secret.write_text("right\n")
    until(lambda: numbers(fake) == list(range(50)), 30 * slow(), "all events")
    server.verify()


@test("a host that is away: the others take its share, and nothing is lost")
def _(t):
    first, second = fake_for(t), fake_for(t)
    second.documents, second.lock = first.documents, first.lock
    server = one(t, first, **SMALL, more_urls=[second.url])
    send(server, 0, 300)
    until(lambda: len(numbers(first)) == 300, 30 * slow(), "the first part")
    first.close()
    for part in range(3, 9):
        send(server, part * 100, 100)
    until(lambda: numbers(first) == list(range(900)), 30 * slow(), "the rest")
    server.verify()


@test("killed while it writes: each document once, the ledger balances")
def _(t):
    fake = fake_for(t, delay_s=0.02)
    server = one(t, fake, batch={"records": 50, "linger": "1ms"})
    kills = 0
    for part in range(KILLS):
        before = len(fake.documents)
        send(server, part * 200, 200)
        until(lambda b=before: len(fake.documents) > b, 20 * slow(), "progress")
        kills += server.kill_child("module out") is not None
        server.child("module out")
    until(lambda: numbers(fake) == list(range(KILLS * 200)), 60 * slow(), "all events")
    equal(kills, KILLS)
    server.verify()


@test("documents with a version: the newest stays, whatever comes again; the index is that of the event's day")
def _(t):
    fake = fake_for(t)
    fake.faults = [{"do": "close after", "times": 1}, {"do": "items", "times": 2}]
    server = one(t, fake, **SMALL, op="index", id="{json:doc}", version="{json:version}", index="m-{type}-%Y.%m")
    rows = [("a", 1), ("a", 4), ("a", 2), ("b", 3), ("b", 3), ("a", 3)]
    for n, (doc, version) in enumerate(rows):
        send(server, n, 1, doc=doc, version=version, time="2026-02-03T04:05:06Z")
    send(server, 90, 1, doc="c", time="1950-01-01T00:00:00Z", version=-5)
    until(lambda: state(server, "out")["cursor"] >= 7, 30 * slow(), "the end")
    equal({key: d["version"] for key, d in fake.documents.items()}, {("m-click-2026.02", "a"): 4, ("m-click-2026.02", "b"): 3})
    check("version" in server.verb("quarantine", "list", "out", check=True).stdout, "no reason")
    server.verify()


@test("setup makes template, policy and dashboards, twice the same; check reports a difference; teardown takes them away, no document")
def _(t):
    fake = fake_for(t)
    options = {**FAST, "url": fake.url, "templates": ["events"], "retain": "720h", "dashboards": {"game": ["TotalEvents", "Knockouts/DIMENSION_SPELL_ID"]}}
    server = t.server(config=config(), modules={"out": {**options, "dashboards_url": fake.url}}, start=False)
    first = server.verb("module", "setup", "out", check=True)
    check("made" in first.stdout + first.stderr, first.stdout + first.stderr)
    (template,) = fake.templates.values()
    equal(template["index_patterns"], ["events-events-*"])
    mappings = template["template"]["mappings"]
    equal(mappings["dynamic"], False)
    check("event_id" in mappings["properties"] and template["template"]["settings"]["index.mapping.total_fields.limit"] < 1000, template)
    (policy,) = fake.policies.values()
    equal(policy["policy"]["states"][0]["transitions"][0]["conditions"], {"min_index_age": "720h"})
    equal(sorted(name.split("/")[0] for name in fake.objects), ["dashboard", "index-pattern", "visualization", "visualization"])
    for thing in fake.objects.values():
        for reference in thing["references"]:
            check(f"{reference['type']}/{reference['id']}" in fake.objects, reference)
        for name in ("visState", "panelsJSON", "uiStateJSON", "optionsJSON"):
            if name in thing["attributes"]:
                json.loads(thing["attributes"][name])
    puts = len([r for r in fake.requests if r[0] == "PUT"])
    server.verb("module", "setup", "out", check=True)
    equal(len([r for r in fake.requests if r[0] == "PUT"]), puts)
    equal(server.verb("check", "--connect").returncode, 0)
    server.config["modules"]["out"]["shards"] = 3
    server.write_config()
    drift = server.verb("check", "--connect")
    check(drift.returncode != 0 and "differs from the configuration" in drift.stdout + drift.stderr, drift.stdout + drift.stderr)
    server.verb("module", "teardown", "out", check=True)
    equal((fake.templates, fake.policies, fake.objects), ({}, {}, {}))
    del server.config["modules"]["out"]["dashboards_url"]
    server.write_config()
    server.verb("module", "setup", "out", check=True)
    lines = (server.data / "opensearch-dashboards.ndjson").read_text().splitlines()
    equal([json.loads(line)["type"] for line in lines], ["index-pattern", "visualization", "visualization", "dashboard"])
    check("opensearch-dashboards.ndjson" in server.verb("module", "howto", "out", check=True).stdout, "howto")


@test("Serverless: signed with the body's hash, no gzip, no policy; a time series collection gets no ids")
def _(t):
    fake = fake_for(t, keys={"AKIDEXAMPLE": "s3cr3t"}, service="aoss")
    server = one(t, fake, **SMALL, sign="aoss", serverless="timeseries", region="eu-central-1", access_key="AKIDEXAMPLE", secret_key="s3cr3t")
    send(server, 0, 150)
    until(lambda: numbers(fake) == list(range(150)), 30 * slow(), "all events")
    equal((fake.nameless, fake.unsigned), (150, []))
    for method, path, headers in fake.requests:
        names = {name.lower(): value for name, value in headers.items()}
        check("/aoss/aws4_request" in names.get("authorization", "") and len(names.get("x-amz-content-sha256", "")) == 64, headers)
        check("content-encoding" not in names and (method, path) == ("POST", "/_bulk"), (method, path))


def certificate(t):
    """(certificate, key) of 127.0.0.1 that nobody signed."""
    t.need("openssl")
    files = t.tmp / "certificate.pem", t.tmp / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files[1], "-out", files[0]], check=True, capture_output=True)
    return files


@test("TLS: a certificate that nobody signed is refused with the reason, nothing is sent, and trusted with ca_file")
def _(t):
    files = certificate(t)
    fake = fake_for(t, tls=files, user="me:secret")
    server = one(t, fake, start=False, user="me", password="secret")
    said_first = server.verb("check", "--connect")
    check(said_first.returncode != 0 and "certificate" in (said_first.stdout + said_first.stderr).lower(), said_first.stdout + said_first.stderr)
    equal(fake.requests, [])
    server.config["modules"]["out"]["ca_file"] = str(files[0])
    server.write_config()
    server.verb("check", "--connect", check=True)
    server.start()
    send(server, 0, 100)
    until(lambda: numbers(fake) == list(range(100)), 30 * slow(), "all events")
    server.verify()


@test("a managed domain: every request over TLS with a signature that holds, gzip too; a wrong secret pauses with the reason")
def _(t):
    files = certificate(t)
    fake = fake_for(t, tls=files, keys={"AKIDEXAMPLE": "s3cr3t"})
    signed = {"sign": "es", "region": "eu-central-1", "access_key": "AKIDEXAMPLE", "ca_file": str(files[0])}
    server = one(t, fake, start=False, **SMALL, **signed, secret_key="wrong", templates=["events"])
    refused = server.verb("check", "--connect")
    check(refused.returncode != 0 and "403" in refused.stdout + refused.stderr, refused.stdout + refused.stderr)
    check(fake.unsigned and not fake.requests, "the wrong secret passed")
    server.config["modules"]["out"]["secret_key"] = "s3cr3t"
    server.write_config()
    fake.unsigned.clear()
    server.verb("module", "setup", "out", check=True)
    server.start()
    send(server, 0, 300)
    until(lambda: numbers(fake) == list(range(300)), 30 * slow(), "all events")
    equal(fake.unsigned, [])
    check(any({k.lower(): v for k, v in headers.items()}.get("content-encoding") == "gzip" for _, path, headers in fake.requests if path.startswith("/_bulk")),
          "no gzip")
    server.verify()


@test("options that contradict each other are refused with what to change")
def _(t):
    fake = fake_for(t)
    for options, words in (({"version": "{json:v}"}, "op: index"), ({"data_stream": True}, "without a date"), ({"retain": "24h", "index": "x"}, "date"),
                           ({"index": "x-%H"}, "%Y"), ({"templates": ["events", "metrics"], "index": "x"}, "{receiver}"),
                           ({"url": "http://u:p@h"}, "user and password")):
        server = t.server(config=config(), modules={"out": {**FAST, "url": fake.url, **options}}, start=False)
        result = server.verb("check")
        check(result.returncode != 0 and words in result.stderr, f"{options}: {result.stderr}")


if __name__ == "__main__":
    sys.exit(main())
