#!/usr/bin/env python3
"""Module redshift: loads through a faulty Data API that runs on a real PostgreSQL, and direct inserts. After each script every record is in
its table exactly once."""
# timeout: 600
import collections
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.aws import Fake
from tests.fakes.copy_proxy import CopyProxy
from tests.lib.postgres import PASSWORD, Postgres
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

EVENTS = 120
TOKEN = "a-token-of-the-tests-0123456789"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "pad": {"type": "string"}}}
RECEIVERS = {"events": {"types": {"click": {"schema": SCHEMA}}}}
FAST = {"retry": {"base": "20ms", "max": "100ms"}, "batch": {"records": 40, "linger": "5ms"}, "timeout": "1500ms", "connect_timeout": "1s",
        "deadline": "20s"}
# A PostgreSQL that has JSON_EXTRACT_PATH_TEXT as Redshift has it: of a text, null where that is no JSON.
SHIM = """CREATE OR REPLACE FUNCTION json_extract_path_text(text, text, boolean) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$BEGIN RETURN $1::json #>> ARRAY[$2]; EXCEPTION WHEN others THEN RETURN NULL; END$$"""
SUBMIT, ASK = "BatchExecuteStatement", "DescribeStatement"

# name, faults of the API, what the database makes of the next transactions, how often a statement is asked about before it runs
SCRIPTS = [
    ("plain", [], [], 0),
    ("it takes its time", [], [], 3),
    ("throttled", [{"op": SUBMIT, "do": "throttle", "times": 4}], [], 0),
    ("throttled at once by requests", [{"op": SUBMIT, "do": "throttle", "code": "ThrottlingException", "times": 3}], [], 0),
    ("the answer is lost before", [{"op": SUBMIT, "do": "close", "times": 2}], [], 0),
    ("the answer is lost afterwards", [{"op": SUBMIT, "do": "close", "after": True, "times": 4}], [], 0),
    ("the answer is cut", [{"op": SUBMIT, "do": "cut", "times": 4}], [], 1),
    ("an error after it was taken in", [{"op": SUBMIT, "do": "error", "after": True, "times": 4}], [], 1),
    ("no answer in time, taken in", [{"op": SUBMIT, "do": "hang", "delay_ms": 2500, "after": True, "times": 1}], [], 0),
    ("a page instead of an answer", [{"op": SUBMIT, "do": "garbage", "after": True, "times": 4}], [], 0),
    ("no word of how it stands", [{"op": ASK, "do": "error", "times": 4}], [], 0),
    ("no word of how it stands, and it ran", [{"op": ASK, "do": "close", "after": True, "times": 4}], [], 0),
    ("no word of how it stands, cut", [{"op": ASK, "do": "cut", "times": 4}], [], 0),
    ("no result", [{"op": "GetStatementResult", "do": "error", "times": 4}], [], 0),
    ("an expired token", [{"op": SUBMIT, "do": "expired_token", "times": 1}], [], 0),
    ("a statement that nobody knows any more", [{"op": ASK, "do": "error", "code": "ResourceNotFoundException", "status": 400, "after": True, "times": 1}], [], 0),
    ("a statement that nobody knows, and it did not run", [{"op": ASK, "do": "error", "code": "ResourceNotFoundException", "status": 400, "times": 1}], [], 2),
    ("it failed", [], ["FAILED: ERROR: Serializable isolation violation on table - 1"] * 2, 0),
    ("it was aborted", [], ["ABORTED"] * 2, 0),
    ("the bucket is slow", [{"op": "PutObject", "do": "throttle", "times": 4}], [], 0),
    ("the bucket's answer is lost afterwards", [{"op": "PutObject", "do": "close", "after": True, "times": 3}], [], 0),
    ("the bucket fails", [{"op": "PutObject", "do": "error", "times": 4}], [], 0),
    ("objects cannot be deleted", [{"op": "DeleteObject", "do": "error", "code": "AccessDenied", "status": 403, "times": 2}], [], 0),
    ("everything at once", [{"op": SUBMIT, "do": "close", "after": True, "chance": 0.4, "times": 4}, {"op": ASK, "do": "error", "chance": 0.3, "times": 4},
                            {"op": "PutObject", "do": "close", "after": True, "chance": 0.3, "times": 3}],
     [None, "FAILED: ERROR: Serializable isolation violation", None, "ABORTED"], 1),
]


def send(server, first, count, pad="x"):
    body = "".join(json.dumps({"id": f"e{n}", "n": n, "pad": pad * (n % 7)}) + "\n" for n in range(first, first + count))
    answer = server.post("/events/click", body, [("Content-Type", "application/x-ndjson")])
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, count))


def state(server, name="rs"):
    return next(m for m in server.status()["modules"] if m["name"] == name)


def numbers(db, table="events"):
    if db.value(f"SELECT to_regclass('{table}') IS NULL") == "t":
        return []
    return [int(row[0]) for row in db.rows(f"SELECT n FROM {table}")]


class Cloud:
    def __init__(self, t):
        self.fake = Fake(seed=5)
        t.defer(self.fake.close)
        self.db = Postgres(t)
        self.data = self.fake.service("redshift-data")
        self.data.attach(self.db)
        self.fake.service("s3").make("staging")

    def module(self, **more):
        return {"use": "redshift", "region": "eu-central-1", "workgroup": "analytics", "database": "dev", "staging": "s3://staging/in", **FAST, **more}


def exactly_once(server, db, wanted, what):
    until(lambda: state(server)["cursor"] >= EVENTS and set(numbers(db)) >= wanted, 60 * slow(), f"all events of '{what}'", 0.1)
    equal(collections.Counter(numbers(db)), collections.Counter(wanted), what)


@test("copy: whatever goes wrong, each record is there exactly once, and nothing stays in the bucket", timeout_s=400)
def _(t):
    cloud = Cloud(t)
    for what, faults, script, hold in SCRIPTS:
        cloud.db.psql("DROP TABLE IF EXISTS events, ss_load_position")
        cloud.fake.script.clear()
        cloud.fake.script.add([dict(fault) for fault in faults])
        cloud.data.script, cloud.data.hold = list(script), hold
        server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, env=cloud.fake.env())
        for part in range(3):
            send(server, part * EVENTS // 3, EVENTS // 3)
        exactly_once(server, cloud.db, set(range(EVENTS)), what)
        cloud.data.run_held()  # late ones change nothing
        equal(collections.Counter(numbers(cloud.db)), collections.Counter(range(EVENTS)), what)
        check(not faults or any(f["done"] for f in cloud.fake.script.state()), f"{what}: no fault was made")
        if "deleted" not in what:
            equal(list(cloud.fake.service("s3").stored("staging")), [], what)
        cloud.fake.service("s3").make("staging")
        server.verify()
        equal(server.stop(), 0)
    equal(cloud.fake.refused, [])


@test("copy: a row that Redshift does not take is found and quarantined with its reason; the others are there")
def _(t):
    cloud = Cloud(t)
    bad = {17, 18, 99}
    cloud.data.bad = lambda row: "n: Numeric overflow" if row["n"] in bad else None
    server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, env=cloud.fake.env())
    for part in range(3):
        send(server, part * EVENTS // 3, EVENTS // 3)
    exactly_once(server, cloud.db, set(range(EVENTS)) - bad, "bad rows")
    until(lambda: server.verb("quarantine", "list", "rs", check=True).stdout.count("Redshift: n: Numeric overflow") == len(bad), 30 * slow(),
          "three in quarantine with Redshift's reason", 0.1)
    server.verify()
    cloud.data.bad = lambda row: None
    server.verb("quarantine", "retry", "rs", "--all", check=True)
    until(lambda: set(numbers(cloud.db)) == set(range(EVENTS)), 30 * slow(), "the three that came again", 0.1)
    equal(collections.Counter(numbers(cloud.db)), collections.Counter(range(EVENTS)))
    server.verify()


@test("copy: what is wrong with rights pauses, says why, and keeps everything")
def _(t):
    cloud = Cloud(t)
    cloud.fake.script.add({"op": SUBMIT, "do": "error", "code": "AccessDeniedException", "message": "not allowed", "status": 400, "times": 2})
    server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, env=cloud.fake.env())
    send(server, 0, EVENTS)
    until(lambda: "not allowed" in server.log_text(), 30 * slow(), "the reason in the log", 0.1)
    exactly_once(server, cloud.db, set(range(EVENTS)), "rights")
    server.verify()


STEPS = ["redshift.planned", "redshift.half_staged", "redshift.staged", "redshift.submitted", "redshift.noted", "redshift.finished", "redshift.deleted",
         "redshift.loaded", "delivery.before_module_commit", "delivery.after_module_commit", "delivery.after_deliver"]


@test("copy: killed at every step of a load, also with statements that run later, each record is there exactly once", timeout_s=600)
def _(t):
    cloud = Cloud(t)
    for hold in (0, 2):
        for step in STEPS:
            for passage in ((1, 2) if hold == 0 else (1,)):
                cloud.db.psql("DROP TABLE IF EXISTS events, ss_load_position")
                cloud.data.hold = hold
                once = t.tmp / f"once-{step}-{passage}-{hold}"
                server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, faults=True,
                                  env={**cloud.fake.env(), "STREAMSTEAM_FAULT": f"{step}:{passage}", "STREAMSTEAM_FAULT_ONCE": str(once)})
                for part in range(3):
                    send(server, part * EVENTS // 3, EVENTS // 3)
                exactly_once(server, cloud.db, set(range(EVENTS)), f"{step} {passage}")
                cloud.data.run_held()
                equal(collections.Counter(numbers(cloud.db)), collections.Counter(range(EVENTS)), f"{step} {passage}, late ones")
                check(once.exists(), f"{step} {passage}: nobody was killed")
                server.verify()
                server.stop()


def through(cloud, proxy, **more):
    return {**cloud.module(connection=cloud.db.conninfo(port=proxy.port, sslmode="disable"), **more), "workgroup": ""}


@test("copy through a connection: killed at every step, answers of COMMIT lost, the database restarted: each record is there exactly once", timeout_s=400)
def _(t):
    cloud = Cloud(t)
    proxy = CopyProxy(t, cloud.db, cloud.data)
    for step in ("redshift.planned", "redshift.half_staged", "redshift.staged", "redshift.copied", "redshift.copy_committed", "redshift.deleted", "redshift.loaded", "lost"):
        cloud.db.psql("DROP TABLE IF EXISTS events, ss_load_position")
        once = t.tmp / f"through-{step}"
        server = t.server(config={"receivers": RECEIVERS}, modules={"rs": through(cloud, proxy)}, faults=True,
                          env={**cloud.fake.env(), "STREAMSTEAM_FAULT": f"{step}:1", "STREAMSTEAM_FAULT_ONCE": str(once)})
        proxy.lose_commits, lost = 2 if step == "lost" else 0, proxy.lost
        for part in range(3):
            send(server, part * EVENTS // 3, EVENTS // 3)
            if step == "lost" and part == 1:
                cloud.db.stop("immediate")
                cloud.db.start()
        exactly_once(server, cloud.db, set(range(EVENTS)), step)
        check(once.exists() if step != "lost" else proxy.lost == lost + 2, f"{step}: nothing was done to it")
        server.verify()
        equal(server.stop(), 0)
        equal(list(cloud.fake.service("s3").stored("staging")), [], step)
    check(proxy.copies >= 24, f"{proxy.copies} COPYs")
    equal([call for call in cloud.fake.calls if call[1] == "redshift-data"], [])


@test("copy through a connection: rows that Redshift does not take are found and quarantined with their reason; the others are there")
def _(t):
    cloud = Cloud(t)
    proxy = CopyProxy(t, cloud.db, cloud.data)
    bad = {17, 18, 99}
    cloud.data.bad = lambda row: "n: Numeric overflow" if row["n"] in bad else None
    server = t.server(config={"receivers": RECEIVERS}, modules={"rs": through(cloud, proxy)}, env=cloud.fake.env())
    send(server, 0, EVENTS)
    exactly_once(server, cloud.db, set(range(EVENTS)) - bad, "rows that are refused")
    told = server.verb("quarantine", "list", "rs", check=True).stdout
    equal(told.count("n: Numeric overflow"), 3, told)
    server.verify()


@test("insert: rows through a connection, quotes and all; killed before and after the commit, the database restarted")
def _(t):
    db = Postgres(t)
    for step in ("redshift.inserted", "redshift.insert_committed", "redshift.loaded"):
        db.psql("DROP TABLE IF EXISTS events, ss_load_position")
        once = t.tmp / f"once-{step}"
        server = t.server(config={"receivers": RECEIVERS}, modules={"rs": {"use": "redshift", "mode": "insert", "connection": db.conninfo(), **FAST}}, faults=True,
                          env={"STREAMSTEAM_FAULT": f"{step}:2", "STREAMSTEAM_FAULT_ONCE": str(once)})
        send(server, 0, EVENTS // 2, pad="it's \"quoted\" \\ \u00e9")
        until(lambda: len(numbers(db)) == EVENTS // 2, 60 * slow(), "the first half", 0.1)
        db.stop("immediate")
        db.start()
        send(server, EVENTS // 2, EVENTS // 2, pad="it's \"quoted\" \\ \u00e9")
        exactly_once(server, db, set(range(EVENTS)), step)
        equal(db.value("SELECT pad FROM events WHERE n = 1"), "it's \"quoted\" \\ \u00e9")
        check(once.exists(), f"{step}: nobody was killed")
        server.verify()
        server.stop()


@test("insert: user and password come from AWS, for a workgroup and for a cluster")
def _(t):
    db, fake = Postgres(t), Fake()
    t.defer(fake.close)
    fake.service("redshift-serverless").workgroups["analytics"] = (db.user, PASSWORD)
    fake.service("redshift").clusters["cl"] = (db.user, PASSWORD)
    for target in ({"workgroup": "analytics"}, {"cluster": "cl", "user": "loader"}):
        db.psql("DROP TABLE IF EXISTS events, ss_load_position")
        module = {"use": "redshift", "mode": "insert", "iam": True, "database": "postgres", "region": "eu-central-1",
                  "connection": db.conninfo(user=None, password=None), **target, **FAST}
        server = t.server(config={"receivers": RECEIVERS}, modules={"rs": module}, env=fake.env())
        send(server, 0, EVENTS)
        exactly_once(server, db, set(range(EVENTS)), str(target))
        check(PASSWORD not in server.log_text(), "the password is in the log")
        server.stop()
    equal(fake.refused, [])


def game_event(n, kind, **data):
    return {"event_id": f"00000000-0000-4000-8000-{n:012d}", "event_type": kind, "event_name": kind, "event_version": "1.0.0", "event_timestamp": 1737658977 + n,
            "app_version": "1.0.0", "event_data": data}


VIEWS = ["latest_events", "total_events", "total_events_last_month", "total_iap_transactions_last_month", "new_users_last_month", "total_plays_by_level",
         "total_failures_by_level", "total_completions_by_level", "level_completion_rate", "average_sentiment_per_day", "user_reported_reasons_count"]
WITHOUT_SHIM = {"latest_events", "total_events", "total_events_last_month", "new_users_last_month"}


@test("insert: setup makes the table and the eleven views on PostgreSQL, twice; the views say what they should; teardown leaves the rows")
def _(t):
    db = Postgres(t)
    db.psql(SHIM)
    module = {"use": "redshift", "mode": "insert", "connection": db.conninfo(), "views": "bound", "tables": {"game": "event_data"}, **FAST}
    server = t.server(config={"receivers": {"game": {"stage": "live"}}, "server": {"mode": "redshift", "applications": {"api": {"stage": "live", "bearer_token": TOKEN}}}},
                      modules={"rs": module})
    bearer = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]
    for _ in range(2):
        answer = server.post("/live/redshift/setup", "", bearer)
        equal((answer.status, json.loads(answer.body)), (200, {"Result": "OK"}), server.log_text()[-2000:])
    equal({row[0] for row in db.rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'")}, set(VIEWS))
    said = server.verb("app", "create", "Game", "--with-key", "--json", check=True).stdout
    app, key = (re.search(rf'"{name}": ?"([^"]+)"', said).group(1) for name in ("ApplicationId", "ApiKeyValue"))
    events = [game_event(1, "level_started", level_id="1"), game_event(2, "level_started", level_id=1), game_event(3, "level_completed", level_id="1"),
              game_event(4, "user_feedback", user_rating="4"), game_event(5, "user_feedback", user_rating=2), game_event(6, "user_feedback", user_rating="x"),
              game_event(7, "user_report", report_reason="it's \"bad\""), game_event(8, "user_registration"), game_event(9, "iap_transaction", transaction_id="t1")]

    def taken():
        answer = server.post(f"/live/applications/{app}/events", json.dumps({"events": events}), [("Authorization", key), ("Content-Type", "application/json")])
        return answer if answer.status == 200 else None
    until(taken, 20 * slow(), "the events to be taken")
    until(lambda: db.value("SELECT count(*) FROM event_data") == str(len(events)), 30 * slow(), "the rows", 0.1)
    rows = {view: db.rows(f"SELECT * FROM {view}") for view in VIEWS}
    equal(rows["total_events"], [[app, "9"]])
    equal(rows["level_completion_rate"][0][0], "1")
    equal(round(float(rows["level_completion_rate"][0][1]), 9), round(100 / 3, 9))
    equal(rows["total_plays_by_level"], [["1", "2"]])
    equal([(float(r[0]), r[1]) for r in rows["average_sentiment_per_day"]], [(3.0, "2025-01-23")])
    equal(sorted(rows["user_reported_reasons_count"]), [["0", ""], ["1", "it's \"bad\""]])
    equal(rows["new_users_last_month"], [["2025-01-01", "1"]])
    equal(rows["total_iap_transactions_last_month"], [["2025-01-01", app, "1"]])
    equal(len(rows["latest_events"]), 9)
    server.verb("module", "teardown", "rs", check=True)
    equal(db.rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'"), [])
    equal(db.value("SELECT count(*) FROM event_data"), "9")


@test("which statements run on PostgreSQL as they are is what the page says")
def _(t):
    cloud = Cloud(t)
    module = cloud.module(mode="insert", connection=cloud.db.conninfo(), views="none", tables={"game": "event_data"})
    for key in ("workgroup", "staging"):
        module.pop(key)
    server = t.server(config={"receivers": {"game": {}}}, modules={"rs": module}, start=False)
    server.verb("module", "setup", "rs", check=True)
    cloud_module = cloud.module(tables={"game": "event_data"})
    other = t.server(config={"receivers": {"game": {}}}, modules={"rs": cloud_module}, start=False, env=cloud.fake.env())
    cloud.db.psql(SHIM)
    other.verb("module", "setup", "rs", check=True)
    texts = {}
    for statement in cloud.data.statements.values():
        for sql in statement["sqls"]:
            if sql.startswith("CREATE OR REPLACE VIEW"):
                texts[sql.split('"')[3]] = sql
    equal(set(texts), set(VIEWS))
    cloud.db.psql("DROP FUNCTION json_extract_path_text(text, text, boolean) CASCADE")
    runs = set()
    for view, sql in texts.items():
        check(sql.endswith(" WITH NO SCHEMA BINDING"), sql)
        query = sql[:-len(" WITH NO SCHEMA BINDING")].partition(" AS ")[2]
        if cloud.db.psql(query, check=False).returncode == 0:
            runs.add(view)
    equal(runs, WITHOUT_SHIM)


@test("streaming: setup makes the external schema, the materialized view and the eleven views, twice; teardown takes away what it made")
def _(t):
    cloud = Cloud(t)
    cloud.db.psql(SHIM)
    for more, origin in (({"stream": "clicks"}, "FROM KINESIS IAM_ROLE default"),
                         ({"stream": "clicks", "source": "msk", "msk_cluster_arn": "arn:aws:kafka:x"},
                          "FROM MSK IAM_ROLE default AUTHENTICATION iam CLUSTER_ARN 'arn:aws:kafka:x'")):
        module = cloud.module(mode="streaming", **more)
        module.pop("staging")
        server = t.server(config={"receivers": {"game": {}}}, modules={"rs": module}, start=False, env=cloud.fake.env())
        for _ in range(2):
            server.verb("module", "setup", "rs", check=True)
        equal(set(cloud.data.made), {'"kds"', '"public"."event_data"'})
        check(origin in cloud.data.made['"kds"'], cloud.data.made['"kds"'])
        check("AUTO REFRESH YES" in cloud.data.made['"public"."event_data"'], "no refresh")
        equal({row[0] for row in cloud.db.rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'")}, set(VIEWS))
        server.verb("module", "teardown", "rs", check=True)
        server.verb("module", "teardown", "rs", check=True)
        equal(cloud.data.made, {})
        equal(cloud.db.rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'"), [])


@test("check --connect names what is wrong: the bucket, the workgroup's rights, the password")
def _(t):
    cloud = Cloud(t)
    server = t.server(config={"receivers": RECEIVERS}, modules={"rs": cloud.module()}, start=False, env=cloud.fake.env())
    equal(server.verb("check", "--connect").returncode, 0)
    del cloud.fake.service("s3").buckets["staging"]
    said = server.verb("check", "--connect")
    check(said.returncode != 0 and "staging" in said.stderr, said.stderr)
    cloud.fake.service("s3").make("staging")
    cloud.fake.script.add({"op": "ExecuteStatement", "do": "error", "code": "AccessDeniedException", "message": "not you", "status": 400, "times": 1})
    said = server.verb("check", "--connect")
    check(said.returncode != 0 and "not you" in said.stderr, said.stderr)


if __name__ == "__main__":
    sys.exit(main())
