#!/usr/bin/env python3
"""The admin API: every row of the guidance's tables (status, body, headers), who is let in, and that nothing tampered with is."""
import base64
import concurrent.futures
import gzip
import json
import os
import pathlib
import re
import sqlite3
import stat
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, postgres, sigv4
from tests.lib.server import ROOT, build_dir, merged
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

APPS = "/live/applications"
SETUP = "/live/redshift/setup"
UNKNOWN = "d76d064f-ca8b-41ff-839f-4735e9a4b69d"
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
DENIED = {"error": "AccessDenied"}
NO_APP = {"error": "NotFoundException", "error_detail": "The application does not exist."}
APP_KEYS = {"create": ["ApplicationId", "ApplicationName", "Description", "UpdatedAt", "CreatedAt"],
            "get": ["ApplicationId", "ApplicationName", "CreatedAt", "Description", "UpdatedAt"]}
KEY_KEYS = {"ApiKeyId", "ApiKeyValue", "ApiKeyName", "ApplicationId", "ApiKeyDescription", "CreatedAt", "UpdatedAt", "Enabled"}


def error(code, detail):
    return {"error": code, "error_detail": detail}


def invalid(detail):
    return error("InvalidParameterException", detail)


class Api:
    """A server with an access key, and calls signed with it."""

    def __init__(self, t, policy="admin", config=None, api=None, **options):
        self.server = t.server(config=merged(config or {}, {"server": {"applications": {"api": api or {}}}}), **options)
        self.key = new_key(self.server, policy)

    def headers(self, method, target, body=b"", key=None, **more):
        """The same call twice in a second is the same signature: a header makes them differ."""
        key = key or self.key
        return sigv4.sign(key, method, target, body or b"", headers=[("X-Amz-Meta-Test", os.urandom(8).hex())], **more)

    def raw(self, method, target, body=None, headers=None, key=None):
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        headers = self.headers(method, target, body, key) if headers is None else headers
        with self.server.connect() as c:
            return c.request(method, target, headers, body)

    def __call__(self, method, target, body=None, **more):
        answer = self.raw(method, target, body, **more)
        equal(answer.header("Access-Control-Allow-Origin"), "*", f"CORS of {method} {target}")
        equal(answer.header("Content-Type"), "application/json", f"type of {method} {target}")
        return answer.status, json.loads(answer.body)

    def app(self, name="TestGame"):
        status, body = self("POST", APPS, {"Name": name, "Description": "d"})
        equal(status, 200, str(body))
        return body["ApplicationId"]

    def authorization(self, app, name="k"):
        status, body = self("POST", f"{APPS}/{app}/authorizations", {"Name": name, "Description": "d"})
        equal(status, 200, str(body))
        return body


def new_key(server, *words):
    words = ("--policy", words[0]) + words[1:] if words else ()
    made = json.loads(server.verb("iam", "create", "--json", *words, check=True).stdout)
    return sigv4.Key(made["AccessKeyId"], made["SecretAccessKey"], made.get("SessionToken"))


# ---- A1, row by row ----------------------------------------------------------------------------------------

@test("applications: create, list, get, delete; the seed's statuses, bodies and order of keys")
def _(t):
    api = Api(t)
    equal(api("GET", APPS), (404, error("NotFoundException", "No applications are registered with the solution.")))
    status, made = api("POST", APPS, {"Name": "TestGame", "Description": "d"})
    equal((status, list(made)), (200, APP_KEYS["create"]))
    check(UUID.match(made["ApplicationId"]), made["ApplicationId"])
    check(TIME.match(made["CreatedAt"]) and made["CreatedAt"] == made["UpdatedAt"], made["CreatedAt"])
    equal((made["ApplicationName"], made["Description"]), ("TestGame", "d"))
    one = f"{APPS}/{made['ApplicationId']}"
    status, got = api("GET", one)
    equal((status, list(got), got), (200, APP_KEYS["get"], made))
    status, listed = api("GET", APPS)
    equal((status, listed), (200, {"Applications": [made], "Count": 1}))
    equal(list(listed["Applications"][0]), APP_KEYS["create"])
    equal(api("GET", APPS + "/"), (200, listed), "a trailing slash")
    answer = api.raw("DELETE", one)
    equal((answer.status, answer.body), (200, b'"Delete successful"'))
    equal(api("DELETE", one), (200, "Delete successful"), "again")
    equal(api("DELETE", f"{APPS}/{UNKNOWN}"), (200, "Delete successful"), "one that never was")
    equal(api("GET", one), (404, NO_APP))
    equal(api("GET", f"{APPS}/not-even-an-id"), (404, NO_APP))
    equal(api("GET", APPS)[0], 404, "none is left")


@test("applications: names and descriptions, one rule after the other")
def _(t):
    api = Api(t)
    name, text = invalid("Name is required and must be string"), invalid("Description must be string")
    for body, wanted in [({}, name), ({"Name": ""}, name), ({"Name": 5}, name), ({"Name": None}, name), ({"Name": ["a"]}, name),
                         ({"Name": {}}, name), ({"Description": "d"}, name), ([], name), ("", name),
                         ({"Name": "x", "Description": 5}, text), ({"Name": "x", "Description": {}}, text),
                         ({"Name": "x", "Description": []}, text), ({"Name": "x", "Description": True}, text),
                         ({"Name": 5, "Description": 5}, name)]:
        equal(api("POST", APPS, body), (400, wanted), repr(body))
    for body in ({"Name": "x"}, {"Name": "x", "Description": None}, {"Name": "x", "Description": 0}, {"Name": "x", "Description": False}):
        status, made = api("POST", APPS, body)
        equal((status, "Description" in made), (200, False), repr(body))
        equal("Description" in api("GET", f"{APPS}/{made['ApplicationId']}")[1], False)
    status, made = api("POST", APPS, {"Name": "Robert'); DROP TABLE applications;--", "Description": "\u2028 \"quoted\" \\ \U0001F3AE\n"})
    equal(status, 200)
    equal(api("GET", f"{APPS}/{made['ApplicationId']}")[1], made, "what came in comes out")
    equal(api("POST", APPS, {"Name": "same"})[0], api("POST", APPS, {"Name": "same"})[0], "names need not be unique")
    status, body = api("POST", APPS, {"Name": "n" * 2000})
    equal((status, body["error"]), (400, "InvalidParameterException"), "a name that is too long")


@test("applications: malformed JSON is 400 with the parser's reason; more than 100 kB is 400")
def _(t):
    api = Api(t)
    for body in (b"{", b'{"Name":"x"', b'{"Name":}', b"nope", b'"x"', b'{"Name":"\xff"}', b"\x00", b"[" * 50000, b'{"a":1}}'):
        status, answer = api("POST", APPS, body)
        equal((status, answer["error"], sorted(answer)), (400, "BadRequest", ["error", "error_detail"]), repr(body[:20]))
        check(answer["error_detail"], "it says why")
    big = json.dumps({"Name": "x", "Description": "d" * (100 * 1024)})
    equal(api("POST", APPS, big), (400, error("BadRequest", "request entity too large")))
    just = json.dumps({"Name": "x", "pad": "p" * (100 * 1024 - 24)})
    equal((len(just), api("POST", APPS, just)[0]), (100 * 1024, 200))
    equal(api("GET", APPS)[1]["Count"], 1, "nothing else was made")


@test("authorizations: create, list, get, switch, delete")
def _(t):
    api = Api(t)
    app, other = api.app(), api.app("Other")
    keys = f"{APPS}/{app}/authorizations"
    equal(api("GET", keys), (200, {"Authorizations": [], "Count": 0}))
    status, made = api("POST", keys, {"Name": "TestKey", "Description": "d"})
    equal((status, set(made), made["Enabled"]), (200, KEY_KEYS, True))
    check(UUID.match(made["ApiKeyId"]), made["ApiKeyId"])
    equal((len(made["ApiKeyValue"]), made["ApiKeyValue"][-2:], len(base64.b64decode(made["ApiKeyValue"], validate=True))), (88, "==", 64))
    equal((made["ApiKeyName"], made["ApiKeyDescription"], made["ApplicationId"]), ("TestKey", "d", app))
    check(TIME.match(made["CreatedAt"]) and TIME.match(made["UpdatedAt"]), "times")
    one = f"{keys}/{made['ApiKeyId']}"
    equal(api("GET", one), (200, made))
    equal(api("GET", keys), (200, {"Authorizations": [made], "Count": 1}))
    until(lambda: sigv4.stamp() > made["UpdatedAt"].replace("-", "").replace(":", ""), 5, "the next second")
    status, changed = api("PUT", one, {"Enabled": False})
    equal((status, set(changed), changed["Enabled"], changed["CreatedAt"]), (200, KEY_KEYS, False, made["CreatedAt"]))
    check(changed["UpdatedAt"] > made["UpdatedAt"], "UpdatedAt moves")
    equal(api("GET", one)[1], changed)
    equal(api("PUT", one, {"Enabled": True})[1]["Enabled"], True)
    for body in ({}, {"Enabled": "false"}, {"Enabled": 0}, {"Enabled": None}, [], ""):
        equal(api("PUT", one, body), (400, invalid("Enabled field is required and must be boolean value")), repr(body))
    equal(api("PUT", one, b"{")[1]["error"], "BadRequest")
    equal(api("PUT", f"{keys}/{UNKNOWN}", {"Enabled": True}), (500, error("InternalFailure", "Error modifying authorization")))
    equal(api("PUT", f"{APPS}/{other}/authorizations/{made['ApiKeyId']}", {"Enabled": True})[0], 500, "a key of another application")
    equal(api("GET", f"{keys}/{UNKNOWN}"), (404, error("NotFoundException", "Authorization not found")))
    equal(api("GET", f"{APPS}/{other}/authorizations/{made['ApiKeyId']}")[0], 404)
    for _ in range(2):
        equal(api("DELETE", one), (200, {"Result": "Deleted"}))
    equal(api("GET", one)[0], 404)
    failed = (500, error("InternalFailure", "Error occurred while attempting to delete authorization"))
    equal(api("DELETE", keys), failed)
    equal(api("DELETE", keys + "/"), failed)
    equal(api("POST", f"{APPS}/{UNKNOWN}/authorizations", {"Name": "k"}), (404, NO_APP))
    equal(api("GET", f"{APPS}/{UNKNOWN}/authorizations"), (200, {"Authorizations": [], "Count": 0}))
    equal(api("POST", keys, {"Name": ""}), (400, invalid("Name is required and must be string")))
    equal(api("POST", keys, {"Name": "k", "Description": 7}), (400, invalid("Description must be string")))
    equal("ApiKeyDescription" in api("POST", keys, {"Name": "k"})[1], False)


@test("deleting an application takes its authorizations along")
def _(t):
    api = Api(t)
    app, other = api.app(), api.app("Other")
    key, kept = api.authorization(app), api.authorization(other)
    equal(api("DELETE", f"{APPS}/{app}")[0], 200)
    equal(api("GET", f"{APPS}/{app}/authorizations")[1]["Count"], 0)
    equal(api("GET", f"{APPS}/{app}/authorizations/{key['ApiKeyId']}")[0], 404)
    equal(api("GET", f"{APPS}/{other}/authorizations/{kept['ApiKeyId']}")[1], kept)


@test("OPTIONS is answered without credentials, with the seed's headers")
def _(t):
    api = Api(t)
    for path in (APPS, f"{APPS}/{UNKNOWN}", f"{APPS}/{UNKNOWN}/authorizations", f"{APPS}/{UNKNOWN}/authorizations/{UNKNOWN}", SETUP):
        answer = api.raw("OPTIONS", path, headers=[("Origin", "https://a.example")])
        equal((answer.status, answer.body), (200, b""), path)
        equal(answer.header("Access-Control-Allow-Origin"), "*")
        equal(answer.header("Access-Control-Allow-Methods"), "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT")
        equal(answer.header("Access-Control-Allow-Headers"), "Content-Type,Authorization,X-Amz-Date,X-Api-Key,X-Amz-Security-Token")


@test("unknown routes, and calls without credentials, are 403 AccessDenied")
def _(t):
    api = Api(t)
    for method, path in [("GET", "/live/nope"), ("GET", "/live"), ("GET", "/live/"), ("PUT", APPS), ("DELETE", APPS), ("PATCH", APPS),
                         ("POST", f"{APPS}/{UNKNOWN}"), ("POST", f"{APPS}/{UNKNOWN}/authorizations/{UNKNOWN}"), ("GET", SETUP),
                         ("GET", f"{APPS}/{UNKNOWN}/nope"), ("GET", f"{APPS}/{UNKNOWN}/authorizations/{UNKNOWN}/more"),
                         ("GET", "/live//applications"), ("GET", "/live/redshift"), ("OPTIONS", "/live/nope")]:
        equal(api(method, path), (403, DENIED), f"{method} {path}, signed")
        equal(api(method, path, headers=[]), (403, DENIED), f"{method} {path}")
    for method, path in [("GET", APPS), ("POST", APPS), ("GET", f"{APPS}/{UNKNOWN}"), ("DELETE", f"{APPS}/{UNKNOWN}"), ("POST", SETUP),
                         ("PUT", f"{APPS}/{UNKNOWN}/authorizations/{UNKNOWN}")]:
        equal(api(method, path, headers=[]), (403, DENIED), f"{method} {path} without credentials")
        equal(api(method, path, headers=[("Authorization", "nonsense")]), (403, DENIED), f"{method} {path} with nonsense")
    equal(api.raw("GET", "/livelier", headers=[]).status, 404, "another path is not below the stage")
    equal(api.raw("GET", "/healthz", headers=[]).status, 200)


@test("HEAD is GET without its body, and a large list is complete")
def _(t):
    api = Api(t)
    for i in range(5):
        api.app(f"Game {i}")
    answer = api.raw("HEAD", APPS)
    length = int(answer.header("Content-Length"))
    equal((answer.status, length), (200, len(api.raw("GET", APPS).body)))
    names = {f"Many {i}" for i in range(1200)}  # more than two of the store's pages
    headers = [api.headers("POST", APPS, json.dumps({"Name": n, "Description": "d"})) for n in sorted(names)]
    with api.server.connect() as c:
        for name, head in zip(sorted(names), headers):
            equal(c.request("POST", APPS, head, json.dumps({"Name": name, "Description": "d"})).status, 200)
    listed = api("GET", APPS)[1]
    equal((listed["Count"], len(listed["Applications"])), (1205, 1205))
    check(names < {a["ApplicationName"] for a in listed["Applications"]}, "all are there")


@test("what the front end refuses is 400 BadRequest below the stage, as a gateway's")
def _(t):
    api = Api(t, config={"server": {"max_body_bytes": "200KiB", "max_header_bytes": "4KiB"}})
    big = b"x" * (300 * 1024)
    for path in (APPS, f"{APPS}/{UNKNOWN}/events"):
        for what, headers, body in (("too large a body", [], big), ("an unknown encoding", [("Content-Encoding", "br")], b"{}"),
                                    ("no gzip", [("Content-Encoding", "gzip")], b"{}"), ("large headers", [("X-Pad", "p" * 5000)], b"")):
            answer = api.raw("POST", path, body, headers=headers)
            equal((answer.status, json.loads(answer.body)["error"]), (400, "BadRequest"), f"{what}, {path}")
            equal(answer.header("Access-Control-Allow-Origin"), "*", what)
    equal(api.raw("POST", "/matomo.php", big, headers=[]).status, 413, "elsewhere it is as it was")
    many = api.headers("GET", APPS) + [(f"X-{i}", "1") for i in range(100)]
    equal(api.raw("GET", APPS, headers=many).status, 400, "more headers than can be signed")
    answer = api.raw("POST", APPS, gzip.compress(b'{"Name":"' + b"n" * (150 * 1024) + b'"}'), headers=[("Content-Encoding", "gzip"), ("Authorization", "x")])
    equal((answer.status, json.loads(answer.body)["error_detail"]), (400, "request entity too large"), "counted after decompression")


@test("a stage of another name")
def _(t):
    api = Api(t, api={"stage": "prod_2"})
    equal(api("GET", "/prod_2/applications")[0], 404)
    equal(api.raw("GET", APPS).status, 404, "live is not ours then")
    for name, value in (("stage", "a/b"), ("stage", ""), ("bearer_token", "short"), ("clock_skew", "2h")):
        bad = t.server(config={"server": {"applications": {"api": {name: value}}}}, start=False)
        result = bad.verb("check")
        equal(result.returncode, 1, f"{name}: {value}")
        check(f"server.applications.api.{name}" in result.stderr + result.stdout, result.stderr + result.stdout)
    for value in ("", "${env:NO_SUCH_TOKEN:-}"):
        equal(t.server(config={"server": {"applications": {"api": {"bearer_token": value}}}}, start=False).verb("check").returncode, 0, value)


# ---- who is let in -----------------------------------------------------------------------------------------

@test("closed while there is no credential: 403, and the log says once how to open it")
def _(t):
    server = t.server(config={"server": {"applications": {}}})
    key = sigv4.Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    for headers in ([], sigv4.sign(key, "GET", APPS), [("Authorization", "Bearer x")], [("Authorization", "Bearer ")]):
        answer = server.get(APPS, headers)
        equal((answer.status, json.loads(answer.body)), (403, DENIED))
    server.wait_log(r"streamsteam iam create")
    equal(len(re.findall(r"is closed \(403\)", server.log_text())), 1)
    key = new_key(server, "admin")
    equal(server.get(APPS, sigv4.sign(key, "GET", APPS)).status, 404, "open at once")


@test("keys: created once with their secret, listed without, disabled, enabled, deleted; a running server follows at once")
def _(t):
    api = Api(t)
    server = api.server
    made = server.verb("iam", "create", "--name", "ci", check=True)
    access, secret = re.search(r"access key +(AKIA[A-Z2-7]{16})\n", made.stdout).group(1), re.search(r"secret +(\S{40})\n", made.stdout).group(1)
    listed = server.verb("iam", "list", check=True).stdout
    check(access in listed and "ci" in listed and secret not in listed, listed)
    listed = json.loads(server.verb("iam", "list", "--json", check=True).stdout)
    equal([k["Name"] for k in listed if k["AccessKeyId"] == access], ["ci"])
    check(all("SecretAccessKey" not in k for k in listed), "no secret")
    key = sigv4.Key(access, secret)
    equal(api("GET", APPS, key=key)[0], 404)
    server.verb("iam", "disable", access, check=True)
    equal(api("GET", APPS, key=key), (400, error("BadRequest", "The security token included in the request is invalid.")))
    server.verb("iam", "enable", access, check=True)
    equal(api("GET", APPS, key=key)[0], 404)
    server.verb("iam", "delete", access, check=True)
    equal(api("GET", APPS, key=key)[0], 400)
    for words in (("delete", access), ("disable", "AKIAAAAAAAAAAAAAAAAA")):
        equal(server.verb("iam", *words).returncode, 1)
    for words in (("create", "--policy", "root"), ("create", "--policy", ""), ("create", "--session", "soon"), ("create", "x"), ("frob",),
                  ("delete",)):
        equal(server.verb("iam", *words).returncode, 2, words)
    text = server.log_text() + listed.__repr__()
    check(secret not in text and api.key.secret not in text, "no secret in the log")
    for path in server.data.rglob("*"):
        if path.is_file() and api.key.secret.encode() in path.read_bytes():
            equal(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, f"mode of {path}")


@test("policies: read-only may read, events: keys may not use the admin API")
def _(t):
    api = Api(t)
    app = api.app()
    reader = new_key(api.server, "read-only")
    equal(api("GET", APPS, key=reader)[0], 200)
    for method, path in (("POST", APPS), ("DELETE", f"{APPS}/{app}"), ("POST", SETUP), ("POST", f"{APPS}/{app}/authorizations")):
        equal(api(method, path, {"Name": "x"}, key=reader), (403, DENIED), f"{method} {path}")
    for policy in (f"events:{app}", "events:*"):
        equal(api("GET", APPS, key=new_key(api.server, policy)), (403, DENIED))
    equal(api.server.reload().returncode, 0)
    both = new_key(api.server, f"read-only,events:{app}")
    equal(api("GET", f"{APPS}/{app}", key=both)[0], 200)


@test("temporary keys: the session token is needed, must be theirs, and ends")
def _(t):
    api = Api(t)
    key = new_key(api.server, "admin", "--session", "1h")
    check(key.access.startswith("ASIA") and key.token, "a temporary key")
    equal(api("GET", APPS, key=key)[0], 404)
    equal(api.raw("GET", sigv4.presign(key, "GET", APPS), headers=[]).status, 404, "presigned")
    wrong = (400, error("BadRequest", "The security token included in the request is invalid."))
    equal(api("GET", APPS, key=sigv4.Key(key.access, key.secret)), wrong, "without the token")
    equal(api("GET", APPS, key=sigv4.Key(key.access, key.secret, key.token[:-3] + "x==")), wrong, "with another token")
    equal(api("GET", APPS, key=sigv4.Key(api.key.access, api.key.secret, key.token)), wrong, "a lasting key has none")
    short = new_key(api.server, "admin", "--session", "2s")
    until(lambda: api("GET", APPS, key=short) == (400, error("BadRequest", "The security token included in the request is expired.")), 10,
          "its end")


@test("the bearer token: from the configuration or a file, whole or not at all")
def _(t):
    path = t.tmp / "token"
    path.write_text("from-a-file-0123456789\n")
    for value, good in (("in-the-configuration-42", "in-the-configuration-42"), (f"${{file:{path}}}", "from-a-file-0123456789")):
        server = t.server(config={"server": {"applications": {"api": {"bearer_token": value}}}})
        equal(server.get(APPS, [("Authorization", f"Bearer {good}")]).status, 404)
        equal(server.get(APPS, [("Authorization", f"bearer {good}")]).status, 404, "the scheme has no case")
        for bad in (good[:-1], good + "x", good.upper(), "", " ", "x" * 5000):
            answer = server.get(APPS, [("Authorization", f"Bearer {bad}")])
            equal((answer.status, json.loads(answer.body)), (403, DENIED), repr(bad[:30]))
        equal(server.post(APPS, json.dumps({"Name": "x"}), [("Authorization", f"Bearer {good}")]).status, 200)
        equal(server.post(APPS, json.dumps({"Name": "x"}), [("Authorization", f"Bearer {good}")]).status, 200, "as often as one likes")
        check(good not in server.log_text(), "not in the log")
        check(good not in server.verb("check", "--print").stdout, "not printed")
        equal(server.get(APPS, sigv4.sign(sigv4.Key("AKIAIOSFODNN7EXAMPLE", "x" * 40), "GET", APPS)).status, 400, "keys beside it")
        server.stop()


# ---- tampering ---------------------------------------------------------------------------------------------

TARGET = f"{APPS}?b=2&a=1"


def swap(headers, name, change):
    return [(k, change(v) if k.lower() == name.lower() else v) for k, v in headers]


def tampered(api):
    """name -> (method, target, headers, body, statuses that will do)"""
    key, body = api.key, b'{"Name":"x","Description":"d"}'

    def post(**more):
        return sigv4.sign(key, "POST", TARGET, body, headers=[("Content-Type", "application/json"), ("X-Amz-Meta", os.urandom(4).hex())], **more)

    def auth(change):
        return swap(post(), "Authorization", change)

    other = sigv4.Key(key.access, "x" * 40)
    cases = {
        "the method": ("PUT", TARGET, post(), body, (400, 403)),
        "the path": ("POST", f"{APPS}/{UNKNOWN}/authorizations?b=2&a=1", post(), body),
        "a pair added to the query": ("POST", TARGET + "&c=3", post(), body),
        "a pair taken out of the query": ("POST", f"{APPS}?b=2", post(), body),
        "a value of the query": ("POST", f"{APPS}?b=2&a=2", post(), body),
        "the whole query": ("POST", APPS, post(), body),
        "a byte of the body": ("POST", TARGET, post(), body.replace(b"x", b"y")),
        "no body": ("POST", TARGET, post(), b""),
        "a longer body": ("POST", TARGET, post(), body + b" "),
        "the hash of the body": ("POST", TARGET, post(payload_hash="0" * 64), body),
        "a hash in a header that is not the body's": ("POST", TARGET, sigv4.sign(
            key, "POST", TARGET, body, headers=[("X-Amz-Content-Sha256", "0" * 64)], payload_hash="0" * 64), body),
        "an unsigned payload": ("POST", TARGET, sigv4.sign(
            key, "POST", TARGET, body, headers=[("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")], payload_hash="UNSIGNED-PAYLOAD"), body),
        "the date": ("POST", TARGET, swap(post(), "X-Amz-Date", lambda v: sigv4.stamp(-7)), body),
        "the day": ("POST", TARGET, swap(post(), "X-Amz-Date", lambda v: sigv4.stamp(-86400)), body),
        "a signed header": ("POST", TARGET, swap(post(), "X-Amz-Meta", lambda v: v + "x"), body),
        "the content type": ("POST", TARGET, swap(post(), "Content-Type", lambda v: "text/plain"), body),
        "a signed header gone": ("POST", TARGET, [h for h in post() if h[0] != "X-Amz-Meta"], body),
        "a signed header twice": ("POST", TARGET, post() + [("X-Amz-Meta", "more")], body),
        "an x-amz- header that is not signed": ("POST", TARGET, post() + [("X-Amz-Target", "x")], body),
        "an x-amz- header left out of the list": ("POST", TARGET, sigv4.sign(
            key, "POST", TARGET, body, headers=[("X-Amz-Meta", "m")], without=("x-amz-meta",)), body),
        "the host": ("POST", TARGET, post(host="evil.example.org"), body),
        "another region in the scope": ("POST", TARGET, auth(lambda v: v.replace("us-east-1", "eu-west-1")), body),
        "another service in the scope": ("POST", TARGET, auth(lambda v: v.replace("execute-api", "s3")), body),
        "signed for another service": ("POST", TARGET, post(service="dynamodb"), body),
        "another terminator": ("POST", TARGET, auth(lambda v: v.replace("aws4_request", "aws5_request")), body),
        "the list of headers shorter": ("POST", TARGET, auth(lambda v: v.replace("content-type;", "")), body),
        "the list of headers longer": ("POST", TARGET, auth(lambda v: v.replace("content-type;", "accept;content-type;")), body),
        "the signature cut": ("POST", TARGET, auth(lambda v: v[:-1]), body),
        "the signature longer": ("POST", TARGET, auth(lambda v: v + "0"), body),
        "the signature empty": ("POST", TARGET, auth(lambda v: v[:v.index("Signature=") + 10]), body),
        "the signature in capitals": ("POST", TARGET, auth(lambda v: v[:-64] + v[-64:].upper()), body),
        "one digit of the signature": ("POST", TARGET, auth(lambda v: v[:-1] + ("0" if v[-1] != "0" else "1")), body),
        "another access key": ("POST", TARGET, auth(lambda v: v.replace(key.access, "AKIAIOSFODNN7EXAMPLE")), body),
        "the access key in small letters": ("POST", TARGET, auth(lambda v: v.replace(key.access, key.access.lower())), body),
        "another secret": ("POST", TARGET, sigv4.sign(other, "POST", TARGET, body), body),
        "two Authorization headers": ("POST", TARGET, post() + [("Authorization", "AWS4-HMAC-SHA256 Credential=x")], body),
        "signed twice, in header and query": ("POST", TARGET + "&X-Amz-Signature=" + "0" * 64, post(), body),
        "another algorithm": ("POST", TARGET, auth(lambda v: v.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), body),
        "no date at all": ("POST", TARGET, [h for h in post() if h[0] != "X-Amz-Date"], body),
        "too old": ("POST", TARGET, post(date=sigv4.stamp(-310)), body),
        "from the future": ("POST", TARGET, post(date=sigv4.stamp(310)), body),
    }
    get = sigv4.presign(key, "GET", TARGET)
    cases |= {
        "presigned: expired": ("GET", sigv4.presign(key, "GET", TARGET, 60, date=sigv4.stamp(-70)), [], None),
        "presigned: a longer life written in": ("GET", get.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), [], None),
        "presigned: a life of more than a week": ("GET", sigv4.presign(key, "GET", TARGET, 604801), [], None),
        "presigned: for another method": ("DELETE", sigv4.presign(key, "GET", f"{APPS}/{UNKNOWN}"), [], None),
        "presigned: a pair added": ("GET", get + "&c=3", [], None),
        "presigned: the signature twice": ("GET", get + "&X-Amz-Signature=" + "0" * 64, [], None),
        "presigned: the date": ("GET", re.sub(r"X-Amz-Date=[^&]*", "X-Amz-Date=" + sigv4.stamp(-3), get), [], None),
        "presigned: a header that is not signed": ("GET", get, [("X-Amz-Meta", "x")], None),
        "presigned: with a body": ("POST", sigv4.presign(key, "POST", TARGET), [], body),
        "presigned: no such key": ("GET", get.replace(key.access, "AKIAIOSFODNN7EXAMPLE"), [], None),
        "presigned: the algorithm gone": ("GET", get.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""), [], None),
    }
    return cases


@test("what was tampered with is refused: 400 or 403, nothing is done, the log has the reason and no secret")
def _(t):
    api = Api(t)
    cases = tampered(api)
    for name, (method, target, headers, body, *statuses) in cases.items():
        answer = api.raw(method, target, body, headers=headers)
        check(answer.status in (statuses or [(400,)])[0], f"{name}: {answer}")
        equal(answer.header("Access-Control-Allow-Origin"), "*", name)
        wanted = "BadRequest" if answer.status == 400 else "AccessDenied"
        equal(json.loads(answer.body)["error"], wanted, name)
    check(len(cases) >= 50, f"{len(cases)} kinds")
    equal(api("GET", APPS)[0], 404, "nothing was made")
    log = api.server.log_text()
    check("admin: refused" in log and "does not match" in log, "the reason is in the log")
    check(api.key.secret not in log, "the secret is not")
    good = api.headers("POST", TARGET, b'{"Name":"x"}')
    bad = swap(good, "X-Amz-Meta-Test", lambda v: v + "0")
    equal(api.raw("POST", TARGET, b'{"Name":"x"}', headers=bad).status, 400)
    expected = dict(good)["Authorization"][-64:]
    check(expected not in api.server.log_text(), "nor is the signature that would have been right")
    equal(api.raw("POST", TARGET, b'{"Name":"x"}', headers=good).status, 200, "the true one is accepted still")


@test("the same bytes in another spelling are the same request")
def _(t):
    api = Api(t)
    for signed, sent in ((f"{APPS}?a=1&b=2", f"{APPS}?b=2&a=1"), (f"{APPS}?a=%7E", f"{APPS}?a=~"), (f"{APPS}?a=", f"{APPS}?a")):
        equal(api.raw("GET", sent, headers=api.headers("GET", signed)).status, 404, sent)
    headers = [(k.upper(), f"  {v}  " if k == "X-Amz-Meta-Test" else v) for k, v in api.headers("GET", APPS)]
    equal(api.raw("GET", APPS, headers=headers).status, 404)
    equal(api.raw("GET", APPS, headers=api.headers("GET", APPS, service="")).status, 404, "an empty service")
    equal(api.raw("GET", APPS, headers=api.headers("GET", APPS, region="eu-west-3")).status, 404, "any region")
    equal(api.raw("GET", APPS, headers=api.headers("GET", APPS, date=sigv4.stamp(-290))).status, 404, "within the skew")
    for age, status in ((0, 404), (-290, 404), (-310, 400)):
        link = sigv4.presign(api.key, "GET", APPS, None, date=sigv4.stamp(age))
        equal(api.raw("GET", link, headers=[]).status, status, f"presigned without a life, {age} s old")
    empty = [("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")]
    equal(api.raw("GET", APPS, headers=sigv4.sign(api.key, "GET", APPS, headers=empty, payload_hash="UNSIGNED-PAYLOAD")).status, 404,
          "nothing is nothing, unsigned too")


@test("paths are signed as they are on the wire: encoded, with a trailing slash; bodies as they are sent: compressed")
def _(t):
    api = Api(t)
    for target in (f"{APPS}/%6eot-an-id", f"{APPS}/a%20b", f"{APPS}/%C3%BC", f"{APPS}/{UNKNOWN}/", f"/%6Cive/applications/{UNKNOWN}"):
        equal(api("GET", target), (404, NO_APP), target)
    equal(api("GET", f"{APPS}/a%2Fb"), (403, DENIED), "no id has a slash: that is another route")
    body = gzip.compress(json.dumps({"Name": "small"}).encode())
    headers = sigv4.sign(api.key, "POST", APPS, body, headers=[("Content-Encoding", "gzip")])
    equal(api("POST", APPS, body, headers=headers)[1]["ApplicationName"], "small")
    raw = json.dumps({"Name": "small"}).encode()
    headers = sigv4.sign(api.key, "POST", APPS, raw, headers=[("Content-Encoding", "gzip")])
    equal(api("POST", APPS, gzip.compress(raw), headers=headers)[0], 400, "signed before it was compressed")


@test("replays: a POST or PUT works once, also after a restart; GET, DELETE and presigned GET as often as they are valid")
def _(t):
    api = Api(t)
    body = b'{"Name":"once"}'
    headers = api.headers("POST", APPS, body)
    status, made = api("POST", APPS, body, headers=headers)
    equal(status, 200)
    for _ in range(2):
        status, answer = api("POST", APPS, body, headers=headers)
        equal((status, answer["error"]), (400, "BadRequest"))
        check("used before" in answer["error_detail"], answer)
    key = api.authorization(made["ApplicationId"])
    one = f"{APPS}/{made['ApplicationId']}/authorizations/{key['ApiKeyId']}"
    enable, disable = b'{"Enabled":true}', b'{"Enabled":false}'
    headers_put = api.headers("PUT", one, enable)
    equal(api("PUT", one, enable, headers=headers_put)[0], 200)
    equal(api("PUT", one, disable)[1]["Enabled"], False)
    equal(api("PUT", one, enable, headers=headers_put)[0], 400, "an old switch-on must not undo a switch-off")
    equal(api("GET", one)[1]["Enabled"], False)
    for method, path in (("GET", APPS), ("DELETE", one)):
        again = api.headers(method, path)
        for _ in range(3):
            equal(api(method, path, headers=again)[0], 200, method)
    link = sigv4.presign(api.key, "GET", APPS)
    for _ in range(3):
        equal(api("GET", link, headers=[])[0], 200)
    api.server.restart()
    equal(api("POST", APPS, body, headers=headers)[0], 400, "after a restart")
    equal(api("GET", APPS)[1]["Count"], 1)


@test("refuse_replays: false is as AWS")
def _(t):
    api = Api(t, api={"refuse_replays": False})
    headers = api.headers("POST", APPS, b'{"Name":"x"}')
    for _ in range(2):
        equal(api("POST", APPS, b'{"Name":"x"}', headers=headers)[0], 200)


@test("a fixed region, and clocks that may differ by a minute only")
def _(t):
    api = Api(t, api={"region": "eu-central-1", "clock_skew": "1m"})
    equal(api.raw("GET", APPS, headers=api.headers("GET", APPS, region="eu-central-1")).status, 404)
    equal(api.raw("GET", APPS, headers=api.headers("GET", APPS, region="us-east-1")).status, 400)
    equal(api.raw("GET", APPS, headers=api.headers("GET", APPS, region="eu-central-1", date=sigv4.stamp(-70))).status, 400)


@test("curl signs: --aws-sigv4, as Debian's curl does it")
def _(t):
    t.need("curl")
    api = Api(t)
    url = f"http://127.0.0.1:{api.server.port}{APPS}"
    sign = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", f"{api.key.access}:{api.key.secret}"]

    def curl(*words):
        out = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *sign, *words], capture_output=True, text=True, timeout=60)
        equal(out.returncode, 0, out.stderr)
        body, status = out.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)

    equal(curl(url)[0], 404)
    status, made = curl(url, "-H", "Content-Type: application/json", "-d", '{"Name":"TestGame","Description":"d"}')
    equal((status, made["ApplicationName"]), (200, "TestGame"))
    equal(curl(url), (200, {"Applications": [made], "Count": 1}))
    one = f"{url}/{made['ApplicationId']}"
    status, key = curl(f"{one}/authorizations", "-d", '{"Name":"k"}')
    equal(status, 200)
    equal(curl(f"{one}/authorizations/{key['ApiKeyId']}", "-X", "PUT", "-d", '{"Enabled":false}')[1]["Enabled"], False)
    equal(curl(one, "-X", "DELETE"), (200, "Delete successful"))
    sign[-1] = f"{api.key.access}:{'x' * 40}"
    equal(curl(url)[0], 400)


# ---- signed events -----------------------------------------------------------------------------------------

GATE = '''
#include <streamsteam/plugin.h>
static const ss_host *lent;
static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{ (void)cfg; (void)err; static int one; *inst = &one; lent = host; return SS_OK; }
static void destroy(void *inst) { (void)inst; }
static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst;
    ss_app app = {.struct_size = sizeof app};
    int32_t status = lent->app_check(request, request->path_params[0].value, SS_PROOF_KEY | SS_PROOF_SIGV4, 1, &app, err);
    response->status = status == SS_OK ? 200 : status == SS_REJECT ? 403 : 503;
    response->body = ss_cstr(status == SS_OK ? "in" : "out");
    if (status != SS_OK)
        ss_logf(lent, SS_INFO, "gate: %s", err->text);
    return SS_OK;
}
static const ss_route routes[] = {{.path = "/live/applications/{id}/events", .methods = "POST", .doc = "Events."}, {.path = NULL}};
static const ss_receiver receiver = {.struct_size = sizeof receiver, .route_size = sizeof(ss_route), .view_size = sizeof(ss_view),
    .routes = routes, .receive = receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "gate", .version = "1", .summary = "A test.", .license = "MIT",
    .receiver = &receiver, .create = create, .destroy = destroy};
SS_PLUGIN(plugin);
'''


@test("events may be signed: by a key with the policy events:<application>, as they are on the wire")
def _(t):
    t.need("gcc")
    (t.tmp / "gate.c").write_text(GATE)
    so = t.tmp / "receiver-gate.so"
    subprocess.run(["gcc", "-shared", "-fPIC", f"-I{ROOT / 'include'}", "-o", so, t.tmp / "gate.c"], check=True)
    api = Api(t, config={"receivers": {"gate": {"use": str(so)}}})
    app, other = api.app(), api.app("Other")
    events, elsewhere = f"{APPS}/{app}/events", f"{APPS}/{other}/events"
    writer, reader, temporary = (new_key(api.server, *w) for w in ((f"events:{app}",), ("read-only",), ("events:*", "--session", "1h")))
    body = b'{"events":[]}' * 50

    def send(key, path=events, signed=None, sent=body, target=None, headers=()):
        target = target or path
        return api.raw("POST", target, sent, headers=sigv4.sign(key, "POST", path, sent if signed is None else signed, headers=list(headers))).status

    for key in (writer, temporary):  # made last: then all are known
        until(lambda k=key: send(k) == 200, 10, "the keys to be known on the event loops")
    equal(send(writer, elsewhere), 403, "of another application")
    equal(send(reader), 403, "without the policy")
    equal(send(api.key), 200, "an administrator's")
    equal(send(sigv4.Key(temporary.access, temporary.secret)), 403, "without its token")
    equal(send(writer, signed=body + b" "), 403, "another body")
    equal(send(sigv4.Key(writer.access, "x" * 40)), 403, "another secret")
    equal(send(sigv4.Key("AKIAIOSFODNN7EXAMPLE", writer.secret)), 403, "no such key")
    packed = gzip.compress(body)
    equal(send(writer, sent=packed, headers=[("Content-Encoding", "gzip")]), 200, "compressed, and signed so")
    equal(send(writer, sent=packed, signed=body, headers=[("Content-Encoding", "gzip")]), 403, "compressed after signing")
    equal(send(writer, path=f"/live/applications/{app}/%65vents"), 200, "a path that is spelled otherwise")
    equal(send(writer, path=events, target=f"/live/applications/{app}/%65vents"), 403, "... and signed as another")
    link = sigv4.presign(writer, "POST", events, body=body)
    equal([api.raw("POST", link, body, headers=[]).status for _ in range(2)], [200, 200], "presigned")
    equal(api.raw("POST", link.replace(app, other), body, headers=[]).status, 403)
    headers = sigv4.sign(writer, "POST", events, body)
    equal([api.raw("POST", events, body, headers=headers).status for _ in range(3)], [200] * 3, "retries of the same second are no replays")
    value = api.authorization(app)["ApiKeyValue"]
    equal(api.raw("POST", events, body, headers=[("Authorization", value)]).status, 200, "API keys beside it")
    api.server.verb("iam", "disable", writer.access, check=True)
    until(lambda: send(writer) == 403, 10, "the end of a disabled key")
    equal(api.raw("GET", events, headers=[]).status, 403, "another method is an unknown route")
    log = api.server.log_text()
    check("has no policy events:" in log and writer.secret not in log, "the log has the reason and no secret")


# ---- the manual --------------------------------------------------------------------------------------------

EXAMPLE = ROOT / "config" / "examples" / "game-admin.yaml"
MANUAL = ROOT / "docs" / "admin-api.md"
VOLATILE = [(re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "<id>"),
            (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"), (re.compile(r"[A-Za-z0-9+/]{86}=="), "<value>")]


def steady(text):
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return json.dumps(json.loads(text))  # with the order of keys


@test("the manual's story: each curl line, on the example's configuration, gives the answer that is printed below it")
def _(t):
    t.need("curl")
    server = t.server(yaml=EXAMPLE.read_text(), start=False)
    server.env.update(STREAMSTEAM_LISTEN="127.0.0.1:0", STREAMSTEAM_ADMIN="127.0.0.1:0", STREAMSTEAM_DATA=str(server.data))
    server.verb("check", check=True)
    server.start()
    key = new_key(server, "admin")
    (t.tmp / "admin.curl").write_text(f'aws-sigv4 = "aws:amz:us-east-1:execute-api"\nuser = "{key.access}:{key.secret}"\n')
    env = {**os.environ, "U": f"http://127.0.0.1:{server.port}/live", "APP": "", "KEY": ""}
    ran = 0
    for command, wanted in re.findall(r"```sh\n(curl .*?)\n```\n```json\n(.*?)```", MANUAL.read_text(), re.S):
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=t.tmp, env=env)
        equal(steady(result.stdout), steady(wanted), command)
        made = json.loads(result.stdout)
        if isinstance(made, dict):
            env["APP"] = env["APP"] or made.get("ApplicationId", "")
            env["KEY"] = env["KEY"] or made.get("ApiKeyId", "")
        ran += 1
    equal(ran, 11)


# ---- load and life -----------------------------------------------------------------------------------------

@test("many clients at once: every call is answered, those beyond the queue with 503, and events go on meanwhile")
def _(t):
    api = Api(t, api={"refuse_replays": False})

    def one(i):
        try:
            return api("POST", APPS, {"Name": f"Game {i}"})[0]
        except http.Closed:
            return 0
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(one, range(400)))
    check(set(statuses) <= {200, 503}, f"{sorted(set(statuses))}")
    equal(api("GET", APPS)[1]["Count"], statuses.count(200))
    equal(api.server.hit("during").status, 200)


@test("clients that go away before their answer, and a stop in the middle, harm nothing")
def _(t):
    api = Api(t)
    for i in range(50):
        c = api.server.connect()
        body = json.dumps({"Name": f"gone {i}"}).encode()
        c.send(http.encode("POST", APPS, api.headers("POST", APPS, body), body))
        c.close()
    until(lambda: api("GET", APPS)[0] == 200 and api("GET", APPS)[1]["Count"] == 50, 20, "all were done all the same")
    open_ones = []
    for i in range(10):
        c = api.server.connect()
        body = json.dumps({"Name": f"late {i}"}).encode()
        c.send(http.encode("POST", APPS, api.headers("POST", APPS, body), body))
        open_ones.append(c)
    equal(api.server.stop(), 0)
    api.server.start()
    count = api("GET", APPS)[1]["Count"]
    check(50 <= count <= 60, f"{count}")


@test("a store that is locked, then damaged: 500 InternalFailure in its time, and hits go on")
def _(t):
    api = Api(t)
    app = api.app()
    store = sqlite3.connect(api.server.data / "applications.db", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    equal(api("GET", APPS)[0], 200, "reading goes on")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        change = pool.submit(api, "POST", f"{APPS}/{app}/authorizations", {"Name": "k"})
        begun = time.monotonic()
        for i in range(20):
            equal(api.server.hit(f"meanwhile {i}").status, 200)
        check(time.monotonic() - begun < 2, "the event loops do not wait for the store")
        status, answer = change.result(30)
    equal((status, answer["error"]), (500, "InternalFailure"))
    store.execute("ROLLBACK")
    store.close()
    equal(api("POST", f"{APPS}/{app}/authorizations", {"Name": "k"})[0], 200, "as soon as it is free")
    api.server.stop()
    for path in api.server.data.glob("applications.db*"):
        path.unlink() if path.suffix != ".db" else path.write_bytes(b"this is no database" * 1000)
    api.server.start()
    equal(api("GET", APPS), (500, error("InternalFailure", "An error occurred on the server side.")))
    equal(api.server.hit("with a damaged store").status, 200)
    api.server.wait_log("admin: access keys: .*applications.db")


@test("two nodes on one PostgreSQL: keys, applications and used signatures are those of both")
def _(t):
    pg = postgres.Postgres(t)
    store = {"server": {"applications": {"store": "postgres", "postgres": {"connection": pg.conninfo(), "poll": "100ms"}}}}
    one = Api(t, config=store)
    two = t.server(config=store)
    body = b'{"Name":"shared"}'
    headers = one.headers("POST", APPS, body)
    status, made = one("POST", APPS, body, headers=headers)
    equal(status, 200)
    again = two.post(APPS, body, headers)
    equal((again.status, "used before" in again.body.decode()), (400, True), "a replay on the other node")
    path = f"{APPS}/{made['ApplicationId']}"
    equal(json.loads(two.get(path, one.headers("GET", path)).body), made)
    one.server.verb("iam", "disable", one.key.access, check=True)
    equal(two.get(path, one.headers("GET", path)).status, 400)
    one.server.verb("iam", "enable", one.key.access, check=True)
    equal(json.loads(one.server.verb("iam", "list", "--json", check=True).stdout)[0]["Status"], "Active")
    equal(two.get(path, one.headers("GET", path)).status, 200)


# ---- redshift/setup ----------------------------------------------------------------------------------------

NOT_DEPLOYED = (400, error("BadRequest", "Redshift is not deployed and can not be configured."))


@test("redshift/setup: 400 in the lake's mode and where no such module is configured")
def _(t):
    equal(Api(t)("POST", SETUP), NOT_DEPLOYED, "no module")
    mark = t.tmp / "mark"
    module = setup_module(t, "warehouse", f'FILE *f = fopen("{mark}", "w"); if (f) fclose(f); return SS_OK;')
    equal(Api(t, config={"server": {"mode": "data-lake"}}, modules={"wh": module})("POST", SETUP), NOT_DEPLOYED, "mode data-lake")
    check(not mark.exists(), "nothing was set up")


def setup_module(t, name, body):
    """A plugin whose setup does what `body` says, under the name of the seed's."""
    t.need("gcc")
    source = t.tmp / f"module-{name}.c"
    source.write_text(f'''
#include <streamsteam/plugin.h>
#include <stdlib.h>
#include <unistd.h>
static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{{ (void)host; (void)cfg; (void)err; static int one; *inst = &one; return SS_OK; }}
static void destroy(void *inst) {{ (void)inst; }}
static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{{ (void)inst; (void)batch; (void)err; ss_mark_all(result, SS_RECORD_OK); return SS_OK; }}
static int32_t setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{{ (void)host; (void)cfg; (void)out; (void)err; {body} }}
static const ss_module module = {{.struct_size = sizeof module, .deliver = deliver}};
static const ss_option options[] = {{{{.name = "mark", .type = SS_T_PATH, .dflt = "mark", .doc = "A file."}}, {{.name = NULL}}}};
static const ss_plugin plugin = {{SS_PLUGIN_HEADER, .kind = SS_MODULE, .name = "{name}", .version = "1", .summary = "A test.", .license = "MIT",
    .options = options, .module = &module, .create = create, .destroy = destroy, .setup = setup}};
SS_PLUGIN(plugin);
''')
    out = t.tmp / f"module-{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", f"-I{ROOT / 'include'}", "-o", out, source], check=True)
    return {"use": str(out)}


@test("redshift/setup runs the module's setup in a process of its own: OK, again OK; a crash is 500 and takes nobody down")
def _(t):
    mark = t.tmp / "mark"
    body = f'FILE *f = fopen("{mark}", "a"); if (f) {{ fprintf(f, "%d\\n", (int)getpid()); fclose(f); }} return SS_OK;'
    modules = {"wh": setup_module(t, "warehouse", body)}
    api = Api(t, modules=modules)
    pids = {api.server.pid, *api.server.children().values()}
    for _ in range(2):
        equal(api("POST", SETUP), (200, {"Result": "OK"}))
    ran = [int(line) for line in mark.read_text().split()]
    equal(len(ran), 2)
    check(not pids & set(ran), "not in a process of the server's")
    equal(api.raw("POST", SETUP, headers=[]).status, 403)
    crash = Api(t, modules={"wh": setup_module(t, "redshift", "abort();")}, config={"server": {"mode": "redshift"}})
    pid = crash.server.child("ingest")
    equal(crash("POST", SETUP)[1]["error"], "InternalFailure")
    refused = Api(t, modules={"wh": setup_module(t, "redshift", 'return ss_fail(err, SS_REJECT, "no such cluster");')})
    status, answer = refused("POST", SETUP)
    equal((status, answer["error"]), (500, "InternalFailure"))
    refused.server.wait_log("no such cluster")
    equal(crash.server.child("ingest"), pid, "ingest lives on")
    slow = Api(t, modules={"wh": setup_module(t, "redshift", "sleep(60); return SS_OK;")})
    c = slow.server.connect()
    c.send(http.encode("POST", SETUP, slow.headers("POST", SETUP)))
    until(lambda: any("setup" in name for name in slow.server.children()), 20, "the setup's process")
    equal(slow("GET", APPS)[0], 404, "other calls do not wait for it")
    begun = time.monotonic()
    equal(slow.server.stop(), 0)
    check(time.monotonic() - begun < 20, "a stop does not wait for it")


@test("redshift/setup makes the warehouse's tables and views, twice; they can be queried")
def _(t):
    if not (build_dir() / "plugins" / "module-warehouse.so").exists():
        t.skip("the module warehouse is not built")
    api = Api(t, config={"receivers": {"game": {}}, "server": {"mode": "redshift"}}, modules={"wh": {"use": "warehouse"}})
    for _ in range(2):
        equal(api("POST", SETUP), (200, {"Result": "OK"}))
    app = api.app()
    value = api.authorization(app)["ApiKeyValue"]
    events = [{"event_id": str(uuid.uuid4()), "event_type": name, "event_name": name, "event_timestamp": int(time.time()),
               "event_data": {"level_id": "3"}} for name in ("level_started", "level_completed")]
    sent = api.raw("POST", f"{APPS}/{app}/events", {"events": events}, headers=[("Authorization", value), ("Content-Type", "application/json")])
    equal(sent.status, 200, repr(sent))
    equal(api("POST", SETUP), (200, {"Result": "OK"}), "while it loads")

    def loaded():
        result = api.server.verb("query", "SELECT * FROM level_completion_rate")
        return result.returncode == 0 and "50" in result.stdout
    until(loaded, 30, "the events in the view")


if __name__ == "__main__":
    sys.exit(main())
