#!/usr/bin/env python3
"""store: dynamodb: the guidance's own two tables behind one node and several, with faults and kills; and that an existing deployment's items count."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.lib.server import build_dir, merged
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

RECEIVER = {"receivers": {"app": {"use": str(build_dir() / "tests" / "contract" / "plugin_app_receiver.so")}}}
APPS, KEYS = "Applications", "Authorizations"
APP, KEY = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-0000000000aa"
STAMP = {"created_at": {"S": "2025-01-26T21:45:50Z"}, "updated_at": {"S": "2025-01-26T21:45:50Z"}}
DENIED = "ACCESS_DENIED"


def value(number):
    return base64.b64encode(bytes([number]) * 64).decode()


def app_item(app_id=APP, name="Old Game"):
    return {"application_id": {"S": app_id}, "application_name": {"S": name}, "description": {"S": "from before"}, **STAMP}


def key_item(key_id=KEY, app_id=APP, secret=value(1), enabled=True):
    return {"api_key_id": {"S": key_id}, "application_id": {"S": app_id}, "api_key_name": {"S": "old key"}, "api_key_value": {"S": secret},
            "api_key_description": {"S": ""}, "enabled": {"BOOL": enabled}, **STAMP}


class Cloud:
    def __init__(self, t, made=True):
        self.t, self.fake = t, Fake(seed=1)
        t.defer(self.fake.close)
        self.tables = self.fake.service("dynamodb")
        if made:
            self.node(start=False).verb("app", "setup", check=True)

    def node(self, start=True, env=None, **options):
        section = {"store": "dynamodb", "dynamodb": {"poll": "200ms", **options.pop("dynamodb", {})}}
        return self.t.server(config=merged(RECEIVER, {"server": {"applications": section}}), env={**self.fake.env(), **(env or {})}, start=start, **options)


def create(server, name="Game"):
    made = json.loads(server.verb("app", "create", name, "--with-key", "--json", check=True).stdout)
    return made["Application"]["ApplicationId"], made["Authorization"]


def word(server, app, key):
    answer = server.get(f"/ask/{app}?events=1", [("Authorization", key)])
    equal(answer.status, 200, answer)
    return answer.body.decode().split()[0]


def becomes(server, app, key, want):
    return until(lambda: (word(server, app, key) == "OK") == want, 15, f"a key that is {'allowed' if want else 'denied'}", 0.02)


def alarm(server):
    return next((v for name, v in server.metrics().items() if name.startswith("streamsteam_alarm{") and 'alarm="applications"' in name), 0)


@test("setup makes the guidance's tables, once; check --connect names what is missing")
def _(t):
    cloud = Cloud(t, made=False)
    server = cloud.node(start=False)
    said = server.verb("check", "--connect").stderr
    check("Applications not found" in said and "streamsteam app setup" in said, said)
    equal(server.verb("app", "setup", check=True).stdout, "table Applications was made\ntable Authorizations was made\n")
    equal(server.verb("app", "setup", check=True).stdout, "table Applications is there\ntable Authorizations is there\n")
    spec = cloud.tables.tables[KEYS]["spec"]
    equal([(i["IndexName"], [k["AttributeName"] for k in i["KeySchema"]], i["Projection"]["ProjectionType"]) for i in spec["GlobalSecondaryIndexes"]],
          [("ApplicationAuthorizations", ["application_id", "api_key_id"], "ALL"), ("ApiKeyValues", ["api_key_value", "application_id"], "ALL")])
    server.verb("check", "--connect", check=True)
    del spec["GlobalSecondaryIndexes"]
    said = server.verb("check", "--connect").stderr
    check("the index ApplicationAuthorizations" in said, said)
    wrong = cloud.node(start=False, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    said = wrong.verb("check", "--connect").stderr
    check("InvalidSignatureException" in said and "credentials" in said, said)


@test("keys: hashed is refused where others read the tables")
def _(t):
    cloud = Cloud(t)
    server = cloud.t.server(config=merged(RECEIVER, {"server": {"applications": {"store": "dynamodb", "keys": "hashed"}}}), env=cloud.fake.env(), start=False)
    said = server.verb("app", "list")
    check(said.returncode == 1 and "keys: hashed does not go with store: dynamodb" in said.stderr, said.stderr)


@test("an existing deployment's applications and keys work unchanged; what is changed here is there as the guidance has it")
def _(t):
    cloud = Cloud(t)
    cloud.tables.put(APPS, app_item())
    cloud.tables.put(KEYS, key_item())
    cloud.tables.put(KEYS, key_item("0a1b2c3d-0000-4000-8000-0000000000bb", secret=value(2), enabled=False))
    cloud.tables.put(KEYS, key_item("no-uuid", secret=value(3)))
    server = cloud.node()
    becomes(server, APP, value(1), True)
    equal([word(server, APP, value(n)) == "OK" for n in (2, 3, 4)], [False, False, False])
    (listed,) = json.loads(server.verb("app", "list", "--json", check=True).stdout)["Applications"]
    equal((listed["ApplicationName"], listed["Description"], listed["CreatedAt"]), ("Old Game", "from before", "2025-01-26T21:45:50Z"))
    server.verb("key", "disable", APP, KEY, check=True)
    becomes(server, APP, value(1), False)
    (item,) = [i for i in cloud.tables.items(KEYS) if i["api_key_id"]["S"] == KEY]
    equal(item, {**key_item(enabled=False), "updated_at": item["updated_at"]})
    app, key = create(server, "Zürich 🎮")
    becomes(server, app, key["ApiKeyValue"], True)
    (item,) = [i for i in cloud.tables.items(APPS) if i["application_id"]["S"] == app]
    equal(item, {"application_id": {"S": app}, "application_name": {"S": "Zürich 🎮"}, "created_at": item["created_at"], "updated_at": item["created_at"]})
    (item,) = [i for i in cloud.tables.items(KEYS) if i["application_id"]["S"] == app]
    equal((item["api_key_value"]["S"], item["enabled"], item["api_key_id"]["S"]), (key["ApiKeyValue"], {"BOOL": True}, key["ApiKeyId"]))
    server.verb("app", "set", app, "--tolerant", "on", "--quota", "7", check=True)
    (item,) = [i for i in cloud.tables.items(APPS) if i["application_id"]["S"] == app]
    equal((item["streamsteam_flags"], item["streamsteam_quota"], "streamsteam_rate" in item), ({"N": "1"}, {"N": "7"}, False))


@test("two nodes and the deployment's own API: what one changes the others know")
def _(t):
    cloud = Cloud(t)
    one, two = cloud.node(), cloud.node()
    app, key = create(one)
    becomes(one, app, key["ApiKeyValue"], True)
    becomes(two, app, key["ApiKeyValue"], True)
    two.verb("key", "delete", app, key["ApiKeyId"], check=True)
    becomes(one, app, key["ApiKeyValue"], False)
    cloud.tables.put(APPS, app_item())
    cloud.tables.put(KEYS, key_item())
    for node in (one, two):
        becomes(node, APP, value(1), True)
    cloud.tables.remove(KEYS, key_item())
    for node in (one, two):
        becomes(node, APP, value(1), False)
    equal(one.verb("app", "delete", app, check=True).returncode, 0)
    until(lambda: app not in two.verb("app", "list").stdout, 10, "the application gone on the other node")
    said = two.verb("app", "delete", app)
    check(said.returncode == 1 and "no such application" in said.stderr, said.stderr)
    equal(sorted(json.dumps(i, sort_keys=True) for i in cloud.tables.items(APPS)), [json.dumps(app_item(), sort_keys=True)])


@test("many applications with many keys: pages both ways, a deletion in batches with some left unprocessed")
def _(t):
    cloud = Cloud(t)
    for n in range(130):
        cloud.tables.put(APPS, app_item(f"0a1b2c3d-0000-4000-8000-{n:012x}", f"g{n}"))
        cloud.tables.put(KEYS, key_item(f"0a1b2c3d-0000-4000-9000-{n:012x}", "0a1b2c3d-0000-4000-8000-000000000000", value(n)))
    server = cloud.node()
    becomes(server, "0a1b2c3d-0000-4000-8000-000000000000", value(129), True)
    equal(len(json.loads(server.verb("app", "list", "--json", check=True).stdout)["Applications"]), 130)
    cloud.fake.script.add({"op": "BatchWriteItem", "do": "records", "part": 0.6, "times": 4})
    server.verb("app", "delete", "0a1b2c3d-0000-4000-8000-000000000000", check=True)
    equal((len(cloud.tables.items(KEYS)), len(cloud.tables.items(APPS))), (0, 129))
    becomes(server, "0a1b2c3d-0000-4000-8000-000000000000", value(129), False)


FAULTS = {
    "throttled": {"do": "throttle", "times": 2}, "an error of the service": {"do": "error", "times": 2}, "cut answers": {"do": "cut", "times": 2},
    "answers lost after the change": {"do": "close", "after": True, "times": 1}, "a hang": {"do": "hang", "delay_ms": 200, "times": 1},
    "errors after the change": {"do": "error", "after": True, "times": 1}, "a clock that is wrong": None,
}


@test("each fault script: a change is made once, or the verb fails and nothing was made")
def _(t):
    cloud = Cloud(t)
    server = cloud.node(start=False)
    for name, fault in FAULTS.items():
        cloud.fake.skew_s = 0 if fault else 3600
        for op in ("TransactWriteItems", "UpdateItem", "DeleteItem") if fault else ():
            cloud.fake.script.add(dict(fault, op=op, service="dynamodb"))
        app, key = create(server, name)
        server.verb("key", "disable", app, key["ApiKeyId"], check=True)
        stored = [i for i in cloud.tables.items(KEYS) if i["application_id"]["S"] == app]
        equal([(i["api_key_id"]["S"], i["enabled"]["BOOL"]) for i in stored], [(key["ApiKeyId"], False)], name)
        server.verb("key", "delete", app, key["ApiKeyId"], check=True)
        server.verb("app", "delete", app, check=True)
        equal((cloud.tables.items(KEYS), cloud.tables.items(APPS)), ([], []), name)
        cloud.fake.script.clear()
    cloud.fake.skew_s = 0
    cloud.fake.script.add({"op": "TransactWriteItems", "do": "error", "code": "AccessDeniedException", "status": 400})
    said = server.verb("app", "create", "never")
    check(said.returncode == 1 and "AccessDeniedException" in said.stderr and "credentials" in said.stderr, said.stderr)
    equal(cloud.tables.items(APPS), [])


@test("DynamoDB is away: keys that were read go on to count, an alarm tells it, changes are refused; then all is as before, also after a start meanwhile")
def _(t):
    cloud = Cloud(t)
    server = cloud.node()
    app, key = create(server)
    becomes(server, app, key["ApiKeyValue"], True)
    cloud.fake.script.add({"service": "dynamodb", "do": "error"})
    until(lambda: alarm(server) == 1, 30, "the alarm")
    equal(word(server, app, key["ApiKeyValue"]), "OK")
    equal(server.verb("app", "create", "no").returncode, 1)
    server.verb("iam", "create", check=True)  # this node's own: DynamoDB is not asked
    server.stop()
    server.start()
    becomes(server, app, key["ApiKeyValue"], True)
    cloud.fake.script.clear()
    until(lambda: alarm(server) == 0, 30, "the alarm's end")
    other, other_key = create(server, "later")
    becomes(server, other, other_key["ApiKeyValue"], True)


@test("kill -9 of a verb at each of its calls: what is half done is finished by the same verb again")
def _(t):
    cloud = Cloud(t)
    server = cloud.node(start=False)
    for op in ("Query", "BatchWriteItem", "DeleteItem"):
        app, _ = create(server, op)
        for _ in range(30):
            server.verb("key", "create", app, "k", check=True) if op == "Query" and len(cloud.tables.items(KEYS)) < 30 else None
        cloud.fake.script.add({"op": op, "do": "hang", "after": op != "Query", "delay_ms": 20000, "times": 1})
        before = cloud.fake.count(op)
        victim = subprocess.Popen([str(server.binary), "app", "delete", app, "-c", str(server.file)], env=server.environment(), cwd=server.folder,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.defer(victim.kill)
        until(lambda: cloud.fake.count(op) > before, 20, op)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        cloud.fake.script.clear()
        again = server.verb("app", "delete", app)
        check(again.returncode == 0 or "no such application" in again.stderr, again.stderr)
        equal(([i for i in cloud.tables.items(KEYS) if i["application_id"]["S"] == app], [i for i in cloud.tables.items(APPS) if i["application_id"]["S"] == app]), ([], []), op)
        check(app not in server.verb("app", "list", check=True).stdout, op)


@test("changes here while the tables are being read are not undone by that reading")
def _(t):
    cloud = Cloud(t)
    server = cloud.node()
    cloud.fake.script.add({"op": "Scan", "match": {"TableName": APPS}, "do": "slow", "delay_ms": 300})
    for n in range(12):
        app, key = create(server, f"g{n}")
        becomes(server, app, key["ApiKeyValue"], True)
        for _ in range(20):
            equal(word(server, app, key["ApiKeyValue"]), "OK")
        server.verb("app", "delete", app, check=True)
        becomes(server, app, key["ApiKeyValue"], False)
    equal(os.stat(server.data / "applications.db").st_mode & 0o777, 0o600)


if __name__ == "__main__":
    sys.exit(main())
