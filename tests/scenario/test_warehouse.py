#!/usr/bin/env python3
"""The warehouse: what was acknowledged is in its table, once, in SQLite and in PostgreSQL."""
# timeout: 900
import collections
import json
import pathlib
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import load
from tests.lib.postgres import Postgres
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

FAST = {"batch": {"linger": "5ms"}, "retry": {"base": "20ms", "max": "300ms"}}


class Sqlite:
    """The file beside a running server, read-only."""

    def __init__(self, server, name="warehouse.db"):
        self.path = server.data / name
        self.options = {}

    def rows(self, sql, *values):
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20) as db:
            return [[("" if cell is None else str(cell)) for cell in row] for row in db.execute(sql, values)]

    def value(self, sql):
        rows = self.rows(sql)
        return rows[0][0] if rows else None


def on_sqlite(t, **options):
    server = t.server(start=False, modules={"warehouse": {**FAST, **options}})
    return server, Sqlite(server)


def on_postgres(t, **options):
    db = Postgres(t)
    server = t.server(start=False, modules={"warehouse": {**FAST, "database": "postgres", "connection": db.conninfo(), **options}})
    return server, db


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
    """As load.problems() says it of the lake."""
    counts = collections.Counter(names(db))
    missing = clients.acknowledged - counts.keys()
    double = [name for name, count in counts.items() if count > 1]
    foreign = counts.keys() - clients.sent
    torn = [group[0] for group in clients.groups if 0 < sum(name in counts for name in group) < len(group)]
    return [what for what in (("missing", sorted(missing)[:5]), ("double", sorted(double)[:5]), ("foreign", sorted(foreign)[:5]),
                              ("torn", torn[:5])) if what[1]]


def settle(server):
    for _ in range(5):
        if not server.process:
            server.start()
            server.child("module warehouse", 60)
        if server.stop() == 0:
            return
    raise AssertionError("five stops did not settle the warehouse")


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


if __name__ == "__main__":
    sys.exit(main())
