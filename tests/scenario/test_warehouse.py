#!/usr/bin/env python3
"""The warehouse: what was acknowledged is in its table, once, in SQLite and in PostgreSQL."""
# timeout: 900
import contextlib
import errno
import json
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import load
from tests.lib.postgres import Postgres
from tests.lib.server import ROOT, build_dir, slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until
from tests.torture.faults import Faults

KILLS = 12
SHOP = {"sale": {"schema": {"type": "object", "properties": {"amount": {"type": "integer"}, "note": {"type": "string"}, "more": {"type": "object"}}}}}
FAST = {"batch": {"linger": "5ms"}, "retry": {"base": "20ms", "max": "300ms"}}


class Sqlite:
    """The file beside a running server, read-only."""

    def __init__(self, server, name="warehouse.db"):
        self.path = server.data / name
        self.options = {}

    def rows(self, sql, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as db:
            return [[("" if cell is None else str(cell)) for cell in row] for row in db.execute(sql, values)]

    def value(self, sql):
        rows = self.rows(sql)
        return rows[0][0] if rows else None


def make_server(t, options, faults=False, env=None, receivers=None, **more):
    return t.server(start=False, faults=faults, env=env, config={"receivers": receivers} if receivers else None,
                    modules={"warehouse": {**FAST, **options, **more}})


def on_sqlite(t, **options):
    server = make_server(t, {}, **options)
    return server, Sqlite(server)


def on_postgres(t, **options):
    db = Postgres(t)
    return make_server(t, {"database": "postgres", "connection": db.conninfo()}, **options), db


BOTH = {"SQLite": on_sqlite, "PostgreSQL": on_postgres}


def both(name, **options):
    def add(function):
        for database, make in BOTH.items():
            test(f"{database}: {name}", **options)(lambda t, make=make: function(t, make))
        return function
    return add


def names(db, table="matomo"):
    return [row[0] for row in db.rows(f"SELECT event_value_name FROM {table}")]


def safely(function):
    try:
        return function()
    except (sqlite3.OperationalError, AssertionError):
        return None


def wait_rows(db, count, table="matomo", timeout_s=30):
    until(lambda: safely(lambda: int(db.value(f"SELECT count(*) FROM {table}"))) == count, timeout_s, f"{count} rows in {table}")


def problems(clients, db):
    return load.problems_of(clients, names(db))


def keep_records(server):
    """Else the journal lets go of what every module is done with."""
    server.config["server"]["journal"]["retain"] = "1h"
    server.write_config()


def settle(server):
    for _ in range(5):
        if not server.process:
            server.start()
            server.child("module warehouse", 60)
        if server.stop() == 0:
            return
    raise AssertionError("five stops did not settle the warehouse")


def post_event(server, event):
    answer = server.post("/events/sale", json.dumps(event["data"]))
    check(answer.status in (200, 202, 204), answer)


def alarms(server):
    """The texts of those that are raised, out of the log."""
    raised = {}
    for line in server.log_lines():
        name, over, text = re.match("(?:alarm ([a-z]+)(?:( is over)|: (.*)))?", line.get("msg", "")).groups()
        if name:
            raised[name] = "" if over else text
    return " ".join(text for text in raised.values() if text)


def copy_out(db):
    """Of a stopped server's database; for PostgreSQL its data directory, while it is stopped."""
    if isinstance(db, Postgres):
        db.stop("fast")
        subprocess.run(["cp", "-a", str(db.data), str(db.folder / "backup")], check=True)
        db.start()
        return db.folder / "backup"
    return db.path.read_bytes()


def put_back(db, backup):
    if isinstance(db, Postgres):
        db.stop("fast")
        shutil.rmtree(db.data)
        subprocess.run(["cp", "-a", str(backup), str(db.data)], check=True)
        db.start()
        return
    for extra in ("-wal", "-shm"):
        pathlib.Path(f"{db.path}{extra}").unlink(missing_ok=True)
    db.path.write_bytes(backup)


def field(db, row, column):
    return db.rows(f"SELECT {column} FROM matomo WHERE event_value_name = '{row}'")[0][0]


@both("events become rows with the types of the catalog")
def _(t, make):
    server, db = make(t)
    server.start()
    server.hit("a", e_v="9.5", send_image="0", gt_ms="120", cdt=int(time.time()) - 3600)
    server.hit("ü 'quoted' \\ \" \t \n end", pdf="1")
    wait_rows(db, 2)
    equal(field(db, "a", "event_value_numeric"), "9.5")
    equal(field(db, "a", "send_image").lower()[0], "f" if isinstance(db, Postgres) else "0")
    equal(field(db, "a", "performance_generation_time_ms"), "120")
    check(any("quoted" in name and name.startswith("ü") for name in names(db)), names(db))
    equal(db.value("SELECT count(DISTINCT event_id) FROM matomo"), "2")
    equal(db.value("SELECT min(ss_seq) FROM matomo"), "1")
    check(abs(int(db.value("SELECT max(ss_received_us) FROM matomo")) / 1e6 - time.time()) < 600, "ss_received_us")
    equal(db.rows("SELECT first, through, rows FROM load_log ORDER BY id")[-1][1], "2")
    equal(db.value("SELECT through FROM load_position"), "2")
    server.stop()
    server.verify()


@both("under load: all that was acknowledged, once; a restart repeats nothing", timeout_s=300)
def _(t, make):
    server, db = make(t)
    server.start()
    with load.Load(server, clients=2) as clients:
        clients.wait_acknowledged(600, 90)
        server.stop()
        server.start()
        clients.wait_acknowledged(400, 90)
    settle(server)
    equal(problems(clients, db), [])
    logged = db.value("SELECT sum(rows) FROM load_log")
    equal(logged, db.value("SELECT count(*) FROM matomo"))
    server.verify()


@both("kill -9 of the module and of everything under load: nothing lost, nothing double", timeout_s=400)
def _(t, make):
    server, db = make(t)
    server.start()
    with load.Load(server, clients=2) as clients:
        for round in range(KILLS):
            clients.wait_acknowledged(60, 60)
            if round % 4 == 3:
                server.kill_all()
                server.start()
            else:
                server.child("module warehouse")
                server.kill_child("module warehouse")
    settle(server)
    equal(problems(clients, db), [])
    server.verify()


@both("a kill at each of its fault points", timeout_s=400)
def _(t, make):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    for point, passage in (("warehouse.before_commit", 1), ("warehouse.before_commit", 3), ("warehouse.after_commit", 1),
                           ("warehouse.after_commit", 2), ("delivery.before_module_commit", 2), ("warehouse.started", 1)):
        once = t.tmp / f"{point}-{passage}"
        server, db = make(t, faults=True, env={"STREAMSTEAM_FAULT": f"{point}:{passage}", "STREAMSTEAM_FAULT_ONCE": str(once)})
        server.start()
        with load.Load(server, clients=2) as clients:
            clients.wait_acknowledged(100, 60)
            until(once.exists, 30, f"the kill at {point}")
            clients.wait_acknowledged(60, 60)
        settle(server)
        equal((point, problems(clients, db)), (point, []))
        server.verify()
        server.destroy()
        if isinstance(db, Postgres):
            db.stop("immediate")


@both("a database that was put back from a backup is noticed, and the journal's records are loaded again", timeout_s=300)
def _(t, make):
    server, db = make(t)
    keep_records(server)
    server.start()
    with load.Load(server, clients=2) as clients:
        clients.wait_acknowledged(100, 60)
    settle(server)
    backup = copy_out(db)
    server.start()
    with clients:
        clients.wait_acknowledged(200, 60)
    settle(server)
    put_back(db, backup)
    check(problems(clients, db), "the backup lacks what came later")
    server.start()
    server.wait_log("are loaded again")
    settle(server)
    equal(problems(clients, db), [])
    server.verify()


@both("a value that a column cannot hold, \\u0000 in texts, keys of all kinds: no row is lost, all of it is in ss_extra")
def _(t, make):
    server, db = make(t, receivers={"events": {"types": SHOP}})
    server.start()
    odd = [{"data": data} for data in (
        {"amount": 3, "note": "plain", "more": {"a": 1}},
        {"amount": 3, "note": "a\u0000b", "more": {"\u0000": "\u0000"}},
        {"amount": 4, "note": "x" * 100000, "more": {"deep": [[[[1]]]], "n": 1e308}},
        {"amount": 5, "note": "\ud83d\ude00 \\\\ \t\\N \\.", "more": {"k'\"\\": "\r\n"}})]
    for event in odd:
        post_event(server, event)
    wait_rows(db, len(odd), "events")
    extras = [row[0] for row in db.rows("SELECT ss_extra FROM events WHERE ss_extra IS NOT NULL")]
    equal(len(extras), 1)
    check("\\u0000" in extras[0], extras)
    server.stop()
    server.verify()


DOCUMENT = {"doc": {"schema": {"type": "object", "properties": {"METRIC_ID": {"type": "string"}, "METRIC_VERSION": {"type": "integer"}, "value": {"type": "integer"}}}}}


def post_documents(server, documents):
    for data in documents:
        until(lambda: safely_post(server, data), 60, "a document to be taken", 0.1)


def safely_post(server, data):
    """A kill may hit between storing and answering: then the document comes twice, which is what is tested here."""
    try:
        return server.post("/events/doc", json.dumps(data)).status in (200, 202, 204)
    except OSError:
        return False


def newest(documents):
    best = {}
    for d in documents:
        if d["METRIC_ID"] not in best or d["METRIC_VERSION"] > best[d["METRIC_ID"]]["METRIC_VERSION"]:
            best[d["METRIC_ID"]] = d
    return sorted([d["METRIC_ID"], str(d["METRIC_VERSION"]), str(d["value"])] for d in best.values())


def stored(db):
    return sorted(db.rows('SELECT "METRIC_ID", "METRIC_VERSION", value FROM events WHERE "METRIC_ID" IS NOT NULL'))


def wait_loaded(db, server):
    through = int(server.verb("journal", "stat", check=True).stdout.split("numbers")[1].split()[2])
    until(lambda: safely(lambda: int(db.value("SELECT max(through) FROM load_position") or 0)) == through, 60, f"record {through} to be loaded", 0.1)


@both("documents with a name and a version: one row each, the newest, in whatever order revisions, repeats and kills come", timeout_s=400)
def _(t, make):
    rng = random.Random(5)
    server, db = make(t, receivers={"events": {"types": DOCUMENT}})
    keep_records(server)
    server.start()
    documents = [{"METRIC_ID": f"d{rng.randrange(25)}", "METRIC_VERSION": version, "value": version * 7} for version in range(1, 241)]
    documents += rng.sample(documents, 60)
    rng.shuffle(documents)
    post_documents(server, [{"value": 1}, {"value": 2}])
    for i in range(0, len(documents), 20):
        post_documents(server, documents[i:i + 20])
        if i % 60 == 40:
            server.child("module warehouse", 60)
            server.kill_child("module warehouse")
    wait_loaded(db, server)
    equal(stored(db), newest(documents))
    equal(db.value('SELECT count(*) FROM events WHERE "METRIC_ID" IS NULL'), "2", "what has no name is no document: each stays")
    loaded = db.value("SELECT sum(rows) FROM load_log")
    settle(server)
    through = server.verb("journal", "stat", check=True).stdout.split("numbers")[1].split()[2]
    server.verb("journal", "replay", "--module", "warehouse", "--from", "1", "--to", through, check=True)
    equal(stored(db), newest(documents), "after a replay")
    equal(db.value("SELECT sum(rows) FROM load_log"), loaded, "a replay loads what load_log lacks, and nothing else")
    server.verify()


@both("a table that has a row for each version is thinned to the newest when it is first looked at")
def _(t, make):
    server, db = make(t, receivers={"events": {"types": DOCUMENT}})
    server.start()
    documents = [{"METRIC_ID": "a", "METRIC_VERSION": 5, "value": 5}, {"METRIC_ID": "b", "METRIC_VERSION": 1, "value": 1}]
    post_documents(server, documents)
    wait_loaded(db, server)
    settle(server)
    index = ("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'ss_latest_%'" if isinstance(db, Postgres)
             else "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'ss_latest_%'")
    rows = "".join(f"""INSERT INTO events (ss_seq, ss_load, ss_received_us, ss_event_us, "METRIC_ID", "METRIC_VERSION", value) VALUES ({seq}, 1, 1, 1, {name}, {version}, {version});"""
                   for seq, name, version in ((91, "'a'", 3), (92, "'b'", 9), (93, "'b'", 4), (94, "'c'", 2), (95, "'c'", 2), (96, "NULL", 0), (97, "NULL", 0)))
    change(db, f"DROP INDEX {db.value(index)}; {rows}")
    server.start()
    post_documents(server, [{"METRIC_ID": "c", "METRIC_VERSION": 1, "value": 1}])
    wait_loaded(db, server)
    equal(stored(db), [["a", "5", "5"], ["b", "9", "9"], ["c", "2", "2"]])
    equal(db.value('SELECT count(*) FROM events WHERE "METRIC_ID" IS NULL'), "2")


def change(db, sql):
    if isinstance(db, Postgres):
        db.rows(sql)
        return
    with contextlib.closing(sqlite3.connect(db.path, timeout=20)) as writer:
        writer.executescript(sql)


@test("SQLite: a disk that is full: the journal keeps, an alarm says it, and loading goes on by itself")
def _(t):
    faults = Faults(t.tmp)
    server = t.server(start=False, modules={"warehouse": FAST}, preload=[faults.shim], env=faults.env)
    db = Sqlite(server)
    rule = faults.add(["write", "allocate"], "grow", errno.ENOSPC, server.data / "warehouse.db", on=False)
    server.start()
    server.hit("before")
    wait_rows(db, 1)
    faults.on(rule)
    with load.Load(server, clients=1) as clients:
        clients.wait_acknowledged(100, 60)
        until(lambda: faults.hits(rule) > 0, 20, "the full disk")
        until(lambda: "full" in alarms(server), 20, "an alarm")
        faults.off(rule)
        until(lambda: not alarms(server), 20, "the end of the alarm")
    settle(server)
    clients.acknowledged.add("before")
    clients.sent.add("before")
    equal(problems(clients, db), [])
    server.verify()


@test("SQLite: a damaged file pauses the module with the remedy; when it is moved away all comes again")
def _(t):
    server, db = on_sqlite(t)
    keep_records(server)
    server.start()
    for i in range(20):
        server.hit(f"e{i}")
    wait_rows(db, 20)
    server.stop()
    whole = db.path.read_bytes()
    db.path.write_bytes(b"SQLite format 3\0" + b"\xa5" * (len(whole) - 16))
    for extra in ("-wal", "-shm"):
        pathlib.Path(f"{db.path}{extra}").unlink(missing_ok=True)
    server.start()
    until(lambda: "move the file away" in alarms(server), 20, "the remedy")
    check(server.hit("during").status in (200, 204), "events are taken")
    db.path.unlink()
    wait_rows(db, 21)
    equal(sorted(names(db)), sorted([f"e{i}" for i in range(20)] + ["during"]))
    settle(server)
    server.verify()


@test("SQLite: a file that is deleted under the running module is made again, with what the journal has")
def _(t):
    server, db = on_sqlite(t)
    keep_records(server)
    server.start()
    for i in range(5):
        server.hit(f"e{i}")
    wait_rows(db, 5)
    for path in server.data.glob("warehouse.db*"):
        path.unlink()
    server.hit("after")
    wait_rows(db, 6)
    equal(sorted(names(db)), ["after"] + [f"e{i}" for i in range(5)])
    settle(server)
    server.verify()


@test("SQLite: another process that writes holds loading up, no longer; one that reads for long lets the -wal file grow to wal_max only")
def _(t):
    server, db = on_sqlite(t, wal_max="1MiB")
    server.start()
    server.hit("first")
    wait_rows(db, 1)
    with contextlib.closing(sqlite3.connect(db.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        server.hit("second")
        until(lambda: "locked" in alarms(server) or "another process writes" in alarms(server), 30, "an alarm")
        writer.execute("ROLLBACK")
    wait_rows(db, 2)
    reader = sqlite3.connect(f"file:{db.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM matomo").fetchone()
    wal = pathlib.Path(f"{db.path}-wal")
    with load.Load(server, clients=2) as clients:
        until(lambda: "wal_max" in alarms(server), 60, "an alarm")
        size = wal.stat().st_size
        check(size < (16 << 20), f"the -wal file has {size} bytes")
        reader.close()
        until(lambda: not alarms(server), 30, "the end of the alarm")
    settle(server)
    for name in ("first", "second"):
        clients.acknowledged.add(name)
        clients.sent.add(name)
    equal(problems(clients, db), [])
    server.verify()


@both("rows that are too old go, and no others")
def _(t, make):
    server, db = make(t, retention="3s")
    server.start()
    server.hit("old")
    wait_rows(db, 1)
    wait_rows(db, 0)
    server.hit("new")
    wait_rows(db, 1)
    deleted = [value for name, value in server.metrics().items() if name.startswith("streamsteam_warehouse_deleted_total")]
    equal(deleted, [1.0])
    settle(server)
    server.verify()


@both("a new field becomes a new column; a column of another type keeps it; nothing is lost")
def _(t, make):
    server, db = make(t, receivers={"events": {"types": SHOP}})
    server.start()
    post_event(server, {"data": {"amount": 3, "note": "n", "more": {}}})
    wait_rows(db, 1, "events")
    server.stop()
    types = json.loads(json.dumps(SHOP))
    types["sale"]["schema"]["properties"]["size"] = {"type": "string"}
    types["sale"]["schema"]["properties"]["amount"] = {"type": "string"}
    server.config["receivers"]["events"]["types"] = types
    server.write_config()
    server.start()
    post_event(server, {"data": {"amount": "many", "note": "n", "more": {}, "size": "L"}})
    wait_rows(db, 2, "events")
    newest = db.rows("SELECT * FROM events ORDER BY ss_seq DESC")[0]
    check("L" in newest and any("many" in cell for cell in newest), newest)
    server.stop()
    server.verify()


@test("PostgreSQL: a wrong password or database pauses with the remedy, and the secret is in no log; mended, all comes")
def _(t):
    server, db = on_postgres(t)
    secret = t.tmp / "connection"
    secret.write_text(db.conninfo(password="not-the-one-77"))
    server.config["modules"]["warehouse"]["connection"] = f"${{file:{secret}}}"
    server.write_config()
    server.start()
    server.hit("a")
    server.wait_log("28P01")
    check("connection" in alarms(server), alarms(server))
    check("not-the-one-77" not in server.log_text(), "the password is in the log")
    check("28P01" in server.verb("check", "--connect").stderr + server.verb("check", "--connect").stdout, "check --connect")
    secret.write_text(db.conninfo())
    wait_rows(db, 1)
    settle(server)
    server.verify()


@test("PostgreSQL: its restart, its crash and its absence delay loading and nothing else", timeout_s=300)
def _(t):
    server, db = on_postgres(t)
    server.start()
    with load.Load(server, clients=2) as clients:
        for mode in ("fast", "immediate", "immediate"):
            clients.wait_acknowledged(80, 60)
            db.stop(mode)
            clients.wait_acknowledged(40, 60)
            db.start()
        clients.wait_acknowledged(80, 60)
    settle(server)
    equal(problems(clients, db), [])
    server.verify()


@both("setup, howto and teardown are for people, and can be repeated")
def _(t, make):
    server, db = make(t, tables={"matomo": "page views"})
    for _ in range(2):
        result = server.verb("module", "setup", "warehouse")
        equal((result.returncode, "page views" in result.stdout), (0, True), result)
    check("streamsteam query" in server.verb("module", "howto", "warehouse").stdout, "howto")
    server.start()
    server.hit("a")
    wait_rows(db, 1, '"page views"')
    for _ in range(2):
        equal(server.verb("module", "teardown", "warehouse").returncode, 0)
    equal(db.value('SELECT count(*) FROM "page views"'), "1")


@test("config/examples/warehouse.yaml is right, and runs")
def _(t):
    server = t.server(yaml=(ROOT / "config" / "examples" / "warehouse.yaml").read_text(), start=False)
    server.env.update(STREAMSTEAM_LISTEN="127.0.0.1:0", STREAMSTEAM_ADMIN="127.0.0.1:0", STREAMSTEAM_DATA=str(server.data))
    server.start()
    server.hit("a")
    wait_rows(Sqlite(server), 1, "page_views")


@test("the configuration is checked: names of tables, a connection that is none, PostgreSQL without one")
def _(t):
    for options, say in (({"tables": {"matomo": "load_log"}}, "load_"), ({"tables": {"a": "x", "b": "x"}}, "two receivers"),
                         ({"database": "postgres"}, "connection"), ({"database": "postgres", "connection": "nonsense at all"}, "conninfo"),
                         ({"retention_by": "size"}, "retention_by")):
        result = t.server(start=False, modules={"warehouse": options}).verb("check")
        check(result.returncode != 0 and say in result.stderr + result.stdout, f"{options}: {result}")



REFUSED = (6, 9)  # records, by their numbers
REFUSING = {"Sqlite": ("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.ss_seq IN (6, 9) BEGIN SELECT RAISE(ABORT, 'not this one'); END", "DROP TRIGGER refuse"),
            "Postgres": ("ALTER TABLE events ADD CONSTRAINT refuse CHECK (ss_seq NOT IN (6, 9))", "ALTER TABLE events DROP CONSTRAINT refuse")}


def alter(db, sql):
    if isinstance(db, Postgres):
        db.psql(sql)
        return
    with contextlib.closing(sqlite3.connect(db.path, timeout=20)) as own:
        own.execute(sql)
        own.commit()


def sales(server, first, count):
    body = "".join(json.dumps({"id": f"e{n}", "amount": n}) + "\n" for n in range(first, first + count))
    equal(server.post("/events/sale", body.encode(), [("Content-Type", "application/x-ndjson")]).status, 200)


@both("a row that the database refuses is in the quarantine before the others are there, also when the module is killed; alone in a batch, too", timeout_s=300)
def _(t, make):
    if not (build_dir(faults=True) / "bin" / "streamsteam").exists():
        t.skip("no build with fault points (make FAULTS=1)")
    for point, passage in (("warehouse.before_commit", 2), ("warehouse.after_commit", 2), ("state.after_commit", 1)):  # the first passage is that of the load that was refused
        once = t.tmp / point
        server, db = make(t, faults=True, receivers={"events": {"types": SHOP}})
        server.start()
        sales(server, 1, 5)
        wait_rows(db, 5, "events")
        server.stop()
        refuse, take = REFUSING[type(db).__name__]
        alter(db, refuse)
        server.env.update({"STREAMSTEAM_FAULT": f"{point}:{passage}", "STREAMSTEAM_FAULT_ONCE": str(once)})
        server.start()
        for first, count in ((6, 3), (9, 1), (10, 2)):
            sales(server, first, count)
            until(lambda n=first + count: len(db.rows("SELECT 1 FROM events")) == n - 1 - sum(r < n for r in REFUSED), 60 * slow(), f"the rows before {first + count} at {point}", 0.05)
        until(once.exists, 30 * slow(), f"the kill at {point}")
        held = lambda: {int(line.split()[1]) for line in server.verb("quarantine", "list", "warehouse", check=True).stdout.splitlines()}  # noqa: E731
        until(lambda: held() == set(REFUSED), 30 * slow(), f"the quarantine at {point}")
        equal(sorted(int(row[0]) for row in db.rows("SELECT ss_seq FROM events")), [n for n in range(1, 12) if n not in REFUSED])
        alter(db, take)
        server.verb("quarantine", "retry", "warehouse", "--all", check=True)
        wait_rows(db, 11, "events")
        until(lambda: not held(), 30 * slow(), "an empty quarantine")
        server.stop()
        equal(sorted(int(row[0]) for row in db.rows("SELECT ss_seq FROM events")), list(range(1, 12)))
        server.verify()
        server.destroy()
        if isinstance(db, Postgres):
            db.stop("immediate")


if __name__ == "__main__":
    sys.exit(main())
