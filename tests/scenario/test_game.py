#!/usr/bin/env python3
"""Game events over the real server: keys, refusals, backpressure, kills, views, the manual's story."""
import json
import pathlib
import re
import subprocess
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.server import ROOT
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EXAMPLE = ROOT / "config" / "examples" / "game.yaml"
MANUAL = ROOT / "docs" / "game.md"
DENIED = {"error": "AccessDenied"}
CORS = "access-control-allow-origin"
ROLL = {"roll": {"age": "1s"}, "max_bytes": "1GiB"}
VIEWS = {"lake": {"path": "lake", **ROLL}, **{name: {"use": "lake", "path": name, "view": name, **ROLL} for name in ("stream", "msk", "processed_iso")}}


def config(modules_limit=None, **options):
    return {"server": {"max_body_bytes": "10MiB", **(modules_limit or {})}, "receivers": {"matomo": None, "game": options}}


def event(**changes):
    made = {"event_id": str(uuid.uuid4()), "event_type": "client", "event_name": "login", "event_timestamp": 1737658977, "event_version": "1.0.0",
            "app_version": "1.0.0", "event_data": {"platform": "pc", "last_login_time": 1737658477}}
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


class App:
    """An application with a key, made by the shell."""

    def __init__(self, server, name="Test \"Game\""):
        made = json.loads(server.verb("app", "create", name, "--with-key", "--json", check=True).stdout)
        self.server, self.name = server, name
        self.id, self.key, self.key_id = made["Application"]["ApplicationId"], made["Authorization"]["ApiKeyValue"], made["Authorization"]["ApiKeyId"]
        self.path = f"/live/applications/{self.id}/events"
        until(lambda: self.post({"events": []})[0] == 400, 20, "the new key")  # a running server takes it over within a second

    def headers(self):
        return [("Content-Type", "application/json"), ("Authorization", self.key)]

    def post(self, body, path=None, headers=None):
        answer = self.server.post(path or self.path, body if isinstance(body, (str, bytes)) else json.dumps(body), self.headers() if headers is None else headers)
        equal(answer.header(CORS), "*")
        return answer.status, json.loads(answer.body)


def good(count):
    return 200, {"Total": count, "FailedRecordCount": 0, "Events": [{"Result": "Ok"}] * count}


def stored(server):
    result = server.verb("journal", "dump", "--raw", check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


@test("a batch is stored as the processed record, and the views give the stream's, the topic's and the converted one")
def _(t):
    server = t.server(config=config(), modules=VIEWS)
    app = App(server)
    sent = [event(), event(event_timestamp=1737658977.5, event_data=None), event(event_data={"half": "\ud800", "n": 1e2})]
    equal(app.post({"events": sent}), good(3))
    server.verify()
    server.stop()
    lines = {e["event_id"]: e for e in lake.lines(server.lake)}
    equal(len(lines), 3)
    line = lines[sent[0]["event_id"]]
    equal(list(line), ["metadata", "event_id", "event_type", "event_name", "event_version", "event_timestamp", "app_version", "event_data", "application_name",
                       "application_id"])
    equal(list(line["metadata"]), ["ingestion_id", "processing_timestamp", "api", "processing_result"])
    equal(line["metadata"]["processing_result"], {"status": "ok"})
    equal((line["application_name"], line["application_id"]), (app.name, app.id))
    equal(len({e["metadata"]["ingestion_id"] for e in lines.values()}), 1)
    equal(lines[sent[1]["event_id"]]["event_timestamp"], 1737658977.5)
    for record in lake.lines(server.data / "stream"):
        equal(list(record), ["event", "aws_ga_api_validated_flag", "aws_ga_api_requestId", "aws_ga_api_requestTimeEpoch", "application_id"])
        equal(record["event"], next(e for e in sent if e["event_id"] == record["event"]["event_id"]))
        api = lines[record["event"]["event_id"]]["metadata"]["api"]
        equal((record["aws_ga_api_requestId"], record["aws_ga_api_requestTimeEpoch"]), (api["request_id"], api["request_time_epoch"]))
    equal(sorted(json.dumps(e) for e in lake.lines(server.data / "msk")), sorted(json.dumps({"event": e, "application_id": app.id}) for e in
          ({name: e[name] for name in ("event_id", "event_type", "event_name", "event_version", "event_timestamp", "app_version", "event_data") if name in e}
           if "half" not in str(e) else e for e in sent)))
    equal({e["event_timestamp"] for e in lake.lines(server.data / "processed_iso")}, {"2025-01-23T19:02:57.000Z"})
    folders = {p.parent.relative_to(server.lake).as_posix() for p in lake.objects(server.lake)}
    equal(folders, {"game/year=2025/month=01/day=23"})  # by the event's own time


@test("who may not send hears 403, what does not fit 400; nothing of it is stored")
def _(t):
    server = t.server(config=config())
    app, other = App(server), App(server, "other")
    batch = {"events": [event()]}
    json_type = ("Content-Type", "application/json")
    for headers in ([json_type], [json_type, ("Authorization", "nobody's")], [json_type, ("Authorization", other.key)]):
        equal(app.post(batch, headers=headers), (403, DENIED), headers)
    equal(app.post(batch, path="/live/applications/nobody/events"), (403, DENIED))
    equal(json.loads(server.get(app.path, headers=app.headers()).body), DENIED)
    equal(app.post(batch, headers=[("Content-Type", "text/plain"), ("Authorization", app.key)])[0], 400)
    for body in ("{", "[]", {}, {"events": {}}, {"events": []}, {"events": [event()] * 501}, {"events": [event(), event(event_id=None)]},
                 {"events": [event(application_id=app.id)]}, "[" * (10 << 20)):
        status, said = app.post(body)
        equal((status, said["error"], set(said)), (400, "BadRequest", {"error", "error_detail"}))
    equal(app.post({"events": [event(), event(event_type="a b")]})[1]["error_detail"], 'events[1].event_type must match pattern "^[A-Za-z0-9-_.]+$"')
    with server.connect() as connection:
        preflight = connection.request("OPTIONS", app.path, [("Origin", "https://game.example"), ("Access-Control-Request-Method", "POST")])
    equal((preflight.status, preflight.header("access-control-allow-methods")), (200, "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"))
    equal(stored(server), [])
    server.verb("key", "disable", app.id, app.key_id, check=True)
    until(lambda: app.post(batch) == (403, DENIED), 10, "the disabled key is refused")
    server.verb("key", "enable", app.id, app.key_id, check=True)
    until(lambda: app.post(batch) == good(1), 10, "the key is taken again")
    server.verb("app", "delete", app.id, check=True)
    until(lambda: app.post(batch) == (403, DENIED), 10, "the deleted application is refused")
    equal(other.post(batch), good(1))
    server.verify()


@test("a tolerant application: good events are stored, bad ones are kept with the reason")
def _(t):
    server = t.server(config=config())
    app = App(server)
    server.verb("app", "set", app.id, "--tolerant", "on", check=True)
    bad = event(event_name="no name")
    until(lambda: app.post({"events": [bad]})[0] == 200, 10, "the change")
    status, said = app.post({"events": [event(), bad, event()]})
    equal((status, said["Total"], said["FailedRecordCount"], [e["Result"] for e in said["Events"]]), (200, 3, 1, ["Ok", "Error", "Ok"]))
    equal((said["Events"][1]["ErrorCode"], said["Events"][1]["ErrorMessage"]),
          ("ValidationFailed", 'events[1].event_name must match pattern "^[A-Za-z0-9-_.]+$"'))
    lines = stored(server)
    failed = [e for e in lines if "errorCode" in e]
    equal((len(lines), len(failed)), (4, 2))
    equal((failed[1]["errorCode"], failed[1]["errorMessage"]), ("validation-failed", 'events[1].event_name must match pattern "^[A-Za-z0-9-_.]+$"'))
    server.verify()


@test("an event whose line is larger than the server takes: the batch is refused; a tolerant application keeps it as failed")
def _(t):
    server = t.server(config=config({"max_event_bytes": "2KiB"}))
    app = App(server)
    batch = {"events": [event(), event(event_data={"x": "y" * 1700}), event()]}
    equal(app.post(batch), (400, {"error": "BadRequest", "error_detail": "events[1] is larger than the server's max_event_bytes allows"}))
    equal(stored(server), [])
    server.verb("app", "set", app.id, "--tolerant", "on", check=True)
    until(lambda: app.post(batch)[0] == 200, 10, "the change")
    status, said = app.post(batch)
    equal((status, said["FailedRecordCount"], [e["Result"] for e in said["Events"]]), (200, 1, ["Ok", "Error", "Ok"]))
    equal(said["Events"][1]["ErrorMessage"], "events[1] is larger than the server's max_event_bytes allows")
    equal([e.get("errorCode") for e in stored(server)], [None, "validation-failed", None] * 2)


@test("a limit of rate, a full journal: 200 with the stream's error for each event, or 503 and 429")
def _(t):
    busy = {"Result": "Error", "ErrorCode": "ProvisionedThroughputExceededException"}
    for status, throttled, full in (("seed", 200, 200), ("http", 429, 503)):
        server = t.server(config=config({"journal": {"segment_bytes": "64KiB", "max_bytes": "1MiB", "retain": "0s"}}, status=status),
                          modules={"lake": {"path": "lake", "max_bytes": "1GiB", "roll": {"age": "1h", "bytes": "1GiB"}}})
        app, slow = App(server), App(server, "slow")
        server.verb("app", "set", slow.id, "--rate", "1", "--burst", "1", check=True)
        batch = {"events": [event(), event()]}
        until(lambda: slow.post(batch)[1].get("FailedRecordCount") != 0, 20, "the limit")
        equal(slow.post(batch)[0], throttled)
        large = {"events": [event(event_data={"x": "y" * 5000}) for _ in range(20)]}
        taken = 0
        while (said := app.post(large)) == good(20):
            taken += 20
            check(taken < 2000, "the journal takes without an end")
        equal(said[0], full)
        if status == "seed":
            equal(said[1], {"Total": 20, "FailedRecordCount": 20, "Events": [busy] * 20})
            equal(slow.post(batch)[1], {"Total": 2, "FailedRecordCount": 2, "Events": [busy] * 2})
        equal(len(stored(server)) >= taken, True)
        server.kill_all()


@test("SIGKILL after 200 answers: each of their events is there once")
def _(t):
    server = t.server(config=config(), modules=VIEWS)
    app, sent = App(server), []
    with server.connect() as connection:
        for _ in range(200):
            batch = [event(), event(), event()]
            equal(connection.post(app.path, json.dumps({"events": batch}), app.headers()).status, 200)
            sent += [e["event_id"] for e in batch]
    server.kill_all()
    server.start()
    equal(App.post(app, {"events": [event()]}), good(1))
    server.stop()
    for name in ("lake", "stream"):
        found = [e.get("event_id") or e["event"]["event_id"] for e in lake.lines(server.data / name)]
        equal((len(found), set(sent) - set(found)), (601, set()))


@test("the example and the default configuration take events of a game")
def _(t):
    server = t.server(yaml=EXAMPLE.read_text(), start=False)
    server.verb("check", check=True)
    default = t.server(yaml=(ROOT / "config" / "streamsteam.yaml").read_text(), start=False)
    default.env.update(STREAMSTEAM_LISTEN="127.0.0.1:0", STREAMSTEAM_ADMIN="127.0.0.1:0", STREAMSTEAM_DATA=str(default.data))
    default.start()
    equal(App(default).post({"events": [event()]}), good(1))


@test("the manual's story: each command gives the answer that is printed below it")
def _(t):
    t.need("curl")
    server = t.server(yaml=EXAMPLE.read_text(), start=False)
    server.env.update(STREAMSTEAM_LISTEN="127.0.0.1:0", STREAMSTEAM_ADMIN="127.0.0.1:0", STREAMSTEAM_DATA=str(server.data))
    server.start()
    app, ran = App(server, "My game"), 0
    for command, wanted in re.findall(r"```sh\n(curl .*?)\n```\n```json\n(.*?)```", MANUAL.read_text(), re.S):
        command = command.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.port}")
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin", "APP": app.id, "KEY": app.key})
        equal(json.loads(result.stdout), json.loads(wanted), command)
        ran += 1
    equal(ran, 4)
    server.stop()
    wanted = json.loads(re.search(r"```json line\n(.*?)```", MANUAL.read_text(), re.S).group(1))
    line = next(e for e in lake.lines(server.lake) if e["event_id"] == wanted["event_id"])
    equal((list(line), list(line["metadata"])), (list(wanted), list(wanted["metadata"])))
    for name in set(wanted) - {"metadata", "application_id"}:
        equal(line[name], wanted[name])


if __name__ == "__main__":
    sys.exit(main())
