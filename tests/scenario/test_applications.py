#!/usr/bin/env python3
"""Applications and keys: the verbs, what receivers hear, what happens when the store is locked, damaged or missing."""
import contextlib
import errno
import json
import os
import pathlib
import re
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import postgres
from tests.lib.server import build_dir, merged
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until
from tests.torture.faults import Faults

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNKNOWN = "d76d064f-ca8b-41ff-839f-4735e9a4b69d"
RECEIVER = {"receivers": {"app": {"use": str(build_dir() / "tests" / "contract" / "plugin_app_receiver.so")}}}


def server_of(t, applications=None, **options):
    config = merged(RECEIVER, {"server": {"applications": applications or {}}})
    return t.server(config=merged(config, options.pop("config", {})), **options)


def create(server, name="Game", *more):
    """(application, key) as the verb prints them."""
    made = json.loads(server.verb("app", "create", name, "--with-key", "--json", *more, check=True).stdout)
    return made["Application"], made["Authorization"]


def ask(server, app, key, events=1, how="ask"):
    """What app_check says: ["OK", id, name, flags, retry]."""
    headers = [("Authorization", key)] if key is not None else []
    answer = server.get(f"/{how}/{app}?events={events}", headers)
    equal(answer.status, 200, answer)
    return answer.body.decode().split()


def metric(server, start, label=""):
    return next((value for name, value in server.metrics().items() if name.startswith("streamsteam_" + start) and label in name), None)


def becomes(server, app, key, word, timeout_s=10):
    return until(lambda: ask(server, app, key)[0] == word, timeout_s, f"the answer {word}", 0.02)


@test("one command makes an application and a key, on a stopped server and on a running one")
def _(t):
    server = server_of(t, start=False)
    app, key = create(server, "Before")
    equal(len(key["ApiKeyValue"]), 88)
    equal(sorted(app), ["ApplicationId", "ApplicationName", "CreatedAt", "Limits", "Tolerant", "UpdatedAt"])
    equal((server.data / "applications.db").stat().st_mode & 0o777, 0o600)
    server.start()
    equal(ask(server, app["ApplicationId"], key["ApiKeyValue"]), ["OK", app["ApplicationId"], "Before", "0", "0"])
    later, later_key = create(server, "Later")
    began = time.monotonic()
    becomes(server, later["ApplicationId"], later_key["ApiKeyValue"], "OK")
    check(time.monotonic() - began < 1, "a verb's change took more than a second")
    equal(ask(server, app["ApplicationId"], later_key["ApiKeyValue"])[0], "REJECT", "the key of another application")
    equal(ask(server, app["ApplicationId"], None)[0], "REJECT", "no header")
    equal(ask(server, UNKNOWN, key["ApiKeyValue"])[0], "REJECT", "an unknown application")
    equal(ask(server, app["ApplicationId"], None, how="get")[:3], ["OK", app["ApplicationId"], "Before"])
    equal(ask(server, UNKNOWN, None, how="get")[0], "REJECT")
    equal(server.get(f"/auth/{app['ApplicationId']}", [("X-Key", key["ApiKeyValue"])]).body.split()[0], b"OK")
    equal(server.get(f"/auth/{app['ApplicationId']}", [("X-Key", "x")]).body.split()[0], b"REJECT")
    equal(server.get("/list").body.split(), [b"OK", b"2", b"0"])
    said = server.verb("app", "create", "Paste me", "--with-key", check=True).stdout
    check(f"http://127.0.0.1:{server.port}/live/applications/" in said and "Authorization: " in said, said)
    until(lambda: metric(server, "applications{") == 3, 5, "the metric")


@test("the verbs list, show, change and delete")
def _(t):
    server = server_of(t, start=False)
    check("no applications yet" in server.verb("app", "list", check=True).stdout, "an empty list")
    app, key = create(server, "Game", "--description", "all of it")
    a, k = app["ApplicationId"], key["ApiKeyId"]
    equal(app["Description"], "all of it")
    second = json.loads(server.verb("key", "create", a, "second", "--description", "d", "--json", check=True).stdout)
    equal(second["ApiKeyDescription"], "d")
    listed = json.loads(server.verb("key", "list", a, "--json", check=True).stdout)
    equal(listed["Count"], 2)
    equal({x["ApiKeyId"] for x in listed["Authorizations"]}, {k, second["ApiKeyId"]})
    said = server.verb("key", "list", a, check=True).stdout
    check(key["ApiKeyValue"][:8] in said and key["ApiKeyValue"] not in said, said)
    check(key["ApiKeyValue"] in server.verb("key", "show", a, k, check=True).stdout, "show")
    equal(json.loads(server.verb("key", "disable", a, k, "--json", check=True).stdout)["Enabled"], False)
    equal(json.loads(server.verb("key", "enable", a, k, "--json", check=True).stdout)["Enabled"], True)
    changed = json.loads(server.verb("app", "set", a, "--tolerant", "on", "--rate", "5", "--quota", "0", "--json", check=True).stdout)
    equal((changed["Tolerant"], changed["Limits"]), (True, {"rate": 5, "quota": 0}))
    changed = json.loads(server.verb("app", "set", a, "--rate", "default", "--json", check=True).stdout)
    equal(changed["Limits"], {"quota": 0})
    equal(json.loads(server.verb("key", "set", a, k, "--burst", "9", "--json", check=True).stdout)["Limits"], {"burst": 9})
    equal(json.loads(server.verb("app", "list", "--json", check=True).stdout)["Count"], 1)
    server.verb("key", "delete", a, k, check=True)
    equal(server.verb("key", "show", a, k).returncode, 1, "a deleted key")
    server.verb("app", "delete", a, check=True)
    for words in (["app", "show", a], ["app", "delete", a], ["key", "list", a], ["key", "create", a, "x"], ["app", "show", "nonsense"],
                  ["key", "delete", a, second["ApiKeyId"]]):
        result = server.verb(*words)
        equal((result.returncode, result.stdout), (1, ""), words)
        check("there is no such" in result.stderr, result)
    for words in (["app"], ["app", "create"], ["app", "create", "a", "b"], ["app", "set", a], ["app", "set", a, "--rate", "-1"],
                  ["app", "set", a, "--rate", "many"], ["app", "set", a, "--tolerant", "perhaps"], ["key"], ["key", "list"], ["key", "enable", a],
                  ["key", "set", a, k], ["key", "create", a, "n", "--description"]):
        equal(server.verb(*words).returncode, 2, words)
    for verb in ("app", "key"):
        said = server.verb(verb, "--help", config=False, check=True).stdout
        check("usage: streamsteam " + verb in said and "Exit code" in said, said)


@test("names hold whatever they like; nothing is run or shown raw")
def _(t):
    server = server_of(t)
    for name in ("'; DROP TABLE applications; --", '"quoted" \\ $1 %s', "☃ ü", "a\x1b[31mred\nline", "--help-not"):
        made = json.loads(server.verb("app", "create", "--json", "--", name).stdout or "{}") if name.startswith("--") else create(server, name)[0]
        if not made:
            continue
        equal(made["ApplicationName"], name)
        said = server.verb("app", "show", made["ApplicationId"], check=True).stdout
        check("\x1b" not in said, said)
    for app in ("'%20OR%201=1", "%00", "x" * 3000, "..%2f..", "D76D064F-CA8B-41FF-839F-4735E9A4B69D"):
        answer = server.get(f"/ask/{app}", [("Authorization", "' OR 1=1 --")])
        check(answer.status in (200, 400, 404, 414) and not answer.body.startswith(b"OK"), (app, answer))
    check(int(json.loads(server.verb("app", "list", "--json", check=True).stdout)["Count"]) >= 4, "applications are gone")


@test("without a cache a disabled key is refused at the next request; the seed's cache keeps it for its time")
def _(t):
    exact = server_of(t, {"authorizer_ttl": "0s"})
    app, key = create(exact)
    a, k, value = app["ApplicationId"], key["ApiKeyId"], key["ApiKeyValue"]
    becomes(exact, a, value, "OK")
    exact.verb("key", "disable", a, k, check=True)
    becomes(exact, a, value, "REJECT", 1)
    seed = server_of(t, {"authorizer_ttl": "3s", "authorizer_cache": "seed"})
    app, key = create(seed)
    a, k, value = app["ApplicationId"], key["ApiKeyId"], key["ApiKeyValue"]
    until(lambda: ask(seed, a, None, how="get")[0] == "OK", 5, "the application", 0.02)
    began = time.monotonic()
    equal(ask(seed, a, value)[0], "OK")
    seed.verb("key", "disable", a, k, check=True)
    if time.monotonic() - began < 2.5:
        equal(ask(seed, a, value)[0], "OK", "the answer is remembered")
    becomes(seed, a, value, "REJECT", 4)
    check(time.monotonic() - began >= 2.9, "it was forgotten too early")
    seed.verb("key", "enable", a, k, check=True)
    equal(ask(seed, a, value)[0], "REJECT", "a refusal is remembered, too")
    becomes(seed, a, value, "OK", 4)


@test("rates and quotas throttle; a quota's count survives a restart")
def _(t):
    server = server_of(t, {"per_application": {"quota": 12}, "per_key": {"rate": 100}})
    app, key = create(server)
    a, value = app["ApplicationId"], key["ApiKeyValue"]
    becomes(server, a, value, "OK")
    server.verb("app", "set", a, "--quota", "9", "--tolerant", "on", check=True)
    until(lambda: ask(server, a, None, how="get")[3] == "1", 5, "the flag", 0.02)
    equal(ask(server, a, value, 8)[0], "OK")
    word, _, _, _, retry = ask(server, a, value, 1)
    equal(word, "THROTTLE")
    check(0 < int(retry) <= 86400001, retry)
    server.restart()
    equal(ask(server, a, value, 1)[0], "THROTTLE")
    server.verb("app", "set", a, "--quota", "0", check=True)
    becomes(server, a, value, "OK")


@test("hashed keys are shown once and work; clear keys from before work on")
def _(t):
    server = server_of(t, start=False)
    app, old = create(server)
    server.write_config(merged(server.config, {"server": {"applications": {"keys": "hashed"}}}))
    new = json.loads(server.verb("key", "create", app["ApplicationId"], "new", "--json", check=True).stdout)
    equal(len(new["ApiKeyValue"]), 88)
    shown = json.loads(server.verb("key", "show", app["ApplicationId"], new["ApiKeyId"], "--json", check=True).stdout)
    equal((shown.get("ApiKeyValue"), shown["ApiKeyPrefix"]), (None, new["ApiKeyValue"][:8]))
    stored = b"".join(p.read_bytes() for p in server.data.glob("applications.db*"))
    check(new["ApiKeyValue"].encode() not in stored, "the value stands in the file")
    server.start()
    for value in (old["ApiKeyValue"], new["ApiKeyValue"]):
        equal(ask(server, app["ApplicationId"], value)[0], "OK")
    equal(ask(server, app["ApplicationId"], new["ApiKeyValue"][:8])[0], "REJECT", "the prefix is no key")


@test("config/examples/applications.yaml is right, and runs; the manual's options are those of the table")
def _(t):
    example = (ROOT / "config" / "examples" / "applications.yaml").read_text()
    server = t.server(yaml=example, env={"STREAMSTEAM_LISTEN": "127.0.0.1:0", "STREAMSTEAM_ADMIN": "127.0.0.1:0", "STREAMSTEAM_DATA": str(t.tmp / "data")}, start=False)
    server.verb("check", check=True)
    server.start()
    app = json.loads(server.verb("app", "create", "My game", "--with-key", "--json", check=True).stdout)
    shown = json.loads(server.verb("key", "list", app["Application"]["ApplicationId"], "--json", check=True).stdout)
    check("ApiKeyValue" not in shown["Authorizations"][0], shown)
    manual = (ROOT / "docs" / "applications.md").read_text()
    for text in re.findall(r"^```yaml\n(.*?)^```$", manual, re.M | re.S):
        given = merged(server_of(t, start=False).config, {})
        file = t.tmp / "manual.yaml"
        secret = t.tmp / "pg"
        secret.write_text("host=nowhere dbname=x")
        file.write_text(text.replace("/etc/streamsteam/pg", str(secret)) + f"  plugin_dirs: [{given['server']['plugin_dirs'][0]}]\n  data_dir: {t.tmp / 'data'}\nreceivers: {{matomo: {{}}}}\nmodules: {{lake: {{}}}}\n")
        result = server.verb("check", "-c", file, config=False)
        equal(result.returncode, 0, (text, result))


@test("a damaged file: a clear error and an alarm, other receivers go on, and it recovers")
def _(t):
    server = server_of(t, start=False)
    app, key = create(server)
    a, value = app["ApplicationId"], key["ApiKeyValue"]
    file = server.data / "applications.db"
    good = file.read_bytes()
    for left in server.data.glob("applications.db-*"):
        left.unlink()
    file.write_bytes(b"garbage " * 1000)
    server.start()
    equal(ask(server, a, value)[0], "RETRY")
    equal(server.hit("goes-on").status, 200)
    server.wait_log("alarm applications: .*applications.db.*not a database.*backup")
    result = server.verb("app", "list")
    equal(result.returncode, 1)
    check("applications.db" in result.stderr and "backup" in result.stderr and ".recover" in result.stderr, result)
    equal(metric(server, "alarm{", 'alarm="applications"'), 1.0)
    aside = server.data / "restored"
    aside.write_bytes(good)
    os.chmod(aside, 0o600)
    os.rename(aside, file)
    becomes(server, a, value, "OK")
    server.wait_log("alarm applications is over")


@test("a locked file: verbs say who to look for, the server answers from memory")
def _(t):
    server = server_of(t)
    app, key = create(server)
    becomes(server, app["ApplicationId"], key["ApiKeyValue"], "OK")
    with contextlib.closing(sqlite3.connect(server.data / "applications.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        result = server.verb("app", "create", "Blocked")
        equal(result.returncode, 1)
        check("locked" in result.stderr and "another process holds the file" in result.stderr, result)
        equal(ask(server, app["ApplicationId"], key["ApiKeyValue"])[0], "OK")
        other.execute("ROLLBACK")
    server.verb("app", "create", "Free", check=True)


@test("a file that another process has to itself: 503 for whoever needs keys, others go on, and it recovers")
def _(t):
    server = server_of(t, start=False)
    app, key = create(server)
    with contextlib.closing(sqlite3.connect(server.data / "applications.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE other(x)")
        server.start()
        equal(ask(server, app["ApplicationId"], key["ApiKeyValue"])[0], "RETRY")
        equal(server.hit("goes-on").status, 200)
        server.wait_log("alarm applications: .*applications.db.*locked.*another process holds the file")
        other.execute("ROLLBACK")
    becomes(server, app["ApplicationId"], key["ApiKeyValue"], "OK")
    server.wait_log("alarm applications is over")


@test("a server without applications makes no file, one without a store says so")
def _(t):
    server = server_of(t)
    equal(ask(server, UNKNOWN, "key")[0], "REJECT")
    check(not (server.data / "applications.db").exists(), "a file was made")
    none = server_of(t, {"store": "none"})
    equal(ask(none, UNKNOWN, "key")[0], "DECLINE")
    result = none.verb("app", "list")
    equal(result.returncode, 1)
    check("server.applications.store is none" in result.stderr, result)
    none.write_config(merged(none.config, {"server": {"applications": {"store": "postgres"}}}))
    result = none.verb("check")
    equal(result.returncode, 1)
    check("server.applications.postgres.connection: missing" in result.stderr, result)
    equal(ask(none, UNKNOWN, "key")[0], "DECLINE", "a wrong file changes nothing")


@test("full disk, failing disk, and kill at each step of a change: what was answered is kept, the rest is undone, and it says why")
def _(t):
    faults = Faults(t.tmp)
    server = server_of(t, start=False, preload=[faults.shim], env=faults.env)
    app, key = create(server)
    server.start()
    equal(ask(server, app["ApplicationId"], key["ApiKeyValue"])[0], "OK")
    known = {"Game"}

    def names():
        listed = json.loads(server.verb("app", "list", "--json", check=True).stdout)
        return {a["ApplicationName"] for a in listed["Applications"]}

    for calls, effect, error, says in (("write", "grow", errno.ENOSPC, "disk space"), ("sync", "error", errno.EIO, "kernel's log")):
        rule = faults.add(calls, effect, error, path="applications.db")
        result = server.verb("app", "create", f"refused by {calls}", "--description", "x" * 8000)
        check(faults.hits(rule) > 0, f"{calls} did not fail")
        equal(result.returncode, 1, result)
        check("applications.db" in result.stderr and says in result.stderr, result)
        equal(ask(server, app["ApplicationId"], key["ApiKeyValue"])[0], "OK", f"while {calls} fails")
        faults.off(rule)
        equal(names(), known, calls)
    for calls in ("write", "sync"):
        for nth in range(1, 8):
            rule = faults.add(calls, "kill", path="applications.db", nth=nth, times=1)
            name = f"{calls} {nth}"
            result = server.verb("app", "create", name)
            faults.off()
            faults.used = 0
            if result.returncode == 0:
                known.add(name)
            now = names()
            check(known <= now <= known | {name}, (name, result.returncode, now ^ known))
            known = now
            if result.returncode == 0 and nth > 1:
                break
        check(nth > 1, f"{calls} never killed it")
    equal(ask(server, app["ApplicationId"], key["ApiKeyValue"])[0], "OK")
    last, last_key = create(server, "Last")
    becomes(server, last["ApplicationId"], last_key["ApiKeyValue"], "OK")


@test("a list of 3,000 applications and 3,000 keys, and a start with them")
def _(t):
    server = server_of(t, start=False)
    app, key = create(server)
    a = app["ApplicationId"]
    with contextlib.closing(sqlite3.connect(server.data / "applications.db")) as db, db:
        db.executemany("INSERT INTO applications VALUES(?,?,NULL,0,-1,-1,-1,1,1)",
                       [(f"{i:08x}-0000-4000-8000-000000000000", f"n{i}") for i in range(3000)])
        db.executemany("INSERT INTO authorizations VALUES(?,?,?,'value',1,'n',NULL,1,-1,-1,-1,1,1)",
                       [(a, f"{i:08x}-0000-4000-8000-000000000000", f"{i:032x}") for i in range(3000)])
    listed = json.loads(server.verb("app", "list", "--json", check=True).stdout)
    equal((listed["Count"], len({x["ApplicationId"] for x in listed["Applications"]})), (3001, 3001))
    listed = json.loads(server.verb("key", "list", a, "--json", check=True).stdout)
    equal((listed["Count"], len({x["ApiKeyId"] for x in listed["Authorizations"]})), (3001, 3001))
    server.start()
    equal(ask(server, a, key["ApiKeyValue"])[0], "OK")
    until(lambda: metric(server, "application_keys{") == 3001, 5, "the metric")


@test("PostgreSQL: two nodes share one store, and notice each other's changes and its absence")
def _(t):
    pg = postgres.Postgres(t)
    options = {"store": "postgres", "postgres": {"connection": pg.conninfo(), "poll": "100ms"}, "per_application": {"quota": 1000}}
    one, two = server_of(t, options), server_of(t, options)
    app, key = create(one, "Shared '; DROP TABLE applications; --")
    a, k, value = app["ApplicationId"], key["ApiKeyId"], key["ApiKeyValue"]
    for node in (one, two):
        becomes(node, a, value, "OK")
    equal(json.loads(two.verb("app", "show", a, "--json", check=True).stdout)["ApplicationName"], "Shared '; DROP TABLE applications; --")
    two.verb("key", "disable", a, k, check=True)
    for node in (one, two):
        becomes(node, a, value, "REJECT")
    counted = 2 * int(pg.value("SELECT coalesce(sum(count), 0) FROM usage"))  # nothing yet, or what both told
    one.restart()
    check(int(pg.value("SELECT count FROM usage WHERE kind = 'app'")) > counted, "a stop tells the store what was counted")
    one.verb("key", "enable", a, k, check=True)
    becomes(two, a, value, "OK")
    equal(pg.value("SELECT count(*) FROM applications"), "1")
    one.verb("check", "--connect", check=True)
    pg.stop()
    one.wait_log("alarm applications: PostgreSQL")
    result = one.verb("check", "--connect")
    check(result.returncode == 1 and "PostgreSQL: cannot connect" in result.stderr and postgres.PASSWORD not in result.stderr, result)
    equal(ask(one, a, value)[0], "OK", "what was read goes on to count")
    result = one.verb("app", "list")
    equal(result.returncode, 1)
    check("is it running" in result.stderr and postgres.PASSWORD not in result.stderr, result)
    pg.start()
    one.wait_log("alarm applications is over")
    one.verb("key", "disable", a, k, check=True)
    for node in (one, two):
        becomes(node, a, value, "REJECT")
    one.verb("app", "delete", a, check=True)
    until(lambda: ask(two, a, None, how="get")[0] == "REJECT", 10, "the deletion", 0.02)
    equal(pg.value("SELECT count(*) FROM authorizations"), "0")
    check(postgres.PASSWORD not in one.log_text(), "the connection is logged")
    for connection in ("no-pairs hunter2secret", "host='hunter2secret", "postgresql://u:hunter2secret@[/x", "hunter2secret=1"):
        one.write_config(merged(one.config, {"server": {"applications": {"postgres": {"connection": connection}}}}))
        result = one.verb("app", "list")
        equal(result.returncode, 1)
        check("libpq knows" in result.stderr and "hunter2secret" not in result.stderr, result)


if __name__ == "__main__":
    sys.exit(main())
