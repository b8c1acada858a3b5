#!/usr/bin/env python3
"""Ten thousand events of two games over three days, and several hundred that fit no picture, go through the server; then each saved query and
each view says what plain Python computes from the same events."""
# timeout: 900
import json
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import game_events, game_reference
from tests.lib.postgres import Postgres
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

CLOSE = 1e-9
COLUMNS = game_reference.COLUMNS


def settings(options):
    return {"receivers": {"matomo": None, "game": {}}, "modules": {"lake": None, "warehouse": {"batch": {"linger": "5ms"}, **options}}}


class Sqlite:
    name = "SQLite"

    def __init__(self, t, **options):
        self.server = t.server(config=settings(options))

    def insert(self, events):
        """What only direct producers can bring, in place of them."""
        db = sqlite3.connect(self.server.data / "warehouse.db")
        names = ", ".join(f'"{name}"' for name in ["ss_seq", "ss_load", "ss_received_us", "ss_event_us", *COLUMNS])
        for event in events:
            values = [json.dumps(v) if name in ("event_data", "metadata") and v is not None else v
                      for name, v in zip(COLUMNS, map(event.get, COLUMNS))]
            db.execute(f"INSERT INTO game ({names}) VALUES (0, 0, 0, 0{', ?' * len(COLUMNS)})", values)
        db.commit()
        db.close()


    def run(self, sql):
        db = sqlite3.connect(self.server.data / "warehouse.db")
        db.execute(sql)
        db.commit()
        db.close()


class Postgresql:
    name = "PostgreSQL"

    def __init__(self, t, **options):
        self.db = Postgres(t)
        self.server = t.server(config=settings({"database": "postgres", "connection": self.db.conninfo(), **options}))

    def insert(self, events):
        types = ", ".join(f"{name} {'jsonb' if name in ('event_data', 'metadata') else 'bigint' if name == 'event_timestamp' else 'text'}"
                          for name in COLUMNS)
        text = json.dumps([{name: event.get(name) for name in COLUMNS} for event in events]).replace("'", "''")
        self.db.psql(f"INSERT INTO game (ss_seq, ss_load, ss_received_us, ss_event_us, {', '.join(COLUMNS)}) "
                     f"SELECT 0, 0, 0, 0, {', '.join(COLUMNS)} FROM jsonb_to_recordset('{text}') AS r({types})")

    def run(self, sql):
        self.db.psql(sql)


def both(name):
    def add(function):
        for make in (Sqlite, Postgresql):
            test(f"{make.name}: {name}", timeout_s=400)(lambda t, make=make: function(t, make))
        return function
    return add


def send(server, requests, apps):
    """All are taken. The events as processing leaves them."""
    processed = []
    with server.connect() as connection:
        for app, events in requests:
            answer = connection.post(f"/live/applications/{app}/events", json.dumps({"events": events}),
                                     [("Authorization", apps[app][1]), ("Content-Type", "application/json")])
            equal(answer.status, 200, repr(answer))
            equal(json.loads(answer.body), {"Total": len(events), "FailedRecordCount": 0, "Events": [{"Result": "Ok"}] * len(events)})
            processed += [{**event, "application_id": app, "application_name": apps[app][0]} for event in events]
    return processed


def ask(server, *words):
    result = server.verb("query", "--format", "json", *words)
    equal(result.returncode, 0, f"{words}: {result.stderr}")
    return json.loads(result.stdout)


def wait_loaded(server, count):
    def loaded():
        result = server.verb("query", "--format", "json", "SELECT count(*) AS n FROM event_data")
        return result.returncode == 0 and json.loads(result.stdout)[0]["n"] == count
    until(loaded, 120, f"{count} rows", 0.2)


def is_close(got, want):
    if isinstance(got, (int, float)) and isinstance(want, (int, float)) and not isinstance(got, bool):
        return abs(got - want) <= CLOSE * max(1, abs(want))
    return got == want


def compare(what, found, columns, want):
    for row in found:
        equal(list(row), columns, f"columns of {what}")
        if "metadata" in row:
            check(json.loads(row.pop("metadata"))["processing_result"]["status"] in ("ok", "unregistered", "schema_mismatch"), row)
        if row.get("event_data") is not None:
            row["event_data"] = json.loads(row["event_data"])
    if "metadata" in columns:
        at = columns.index("metadata")
        want = [row[:at] + row[at + 1:] for row in want]
    got = [list(row.values()) for row in found]
    equal(len(got), len(want), f"rows of {what}")
    for number, (one, other) in enumerate(zip(got, want), 1):
        check(len(one) == len(other) and all(map(is_close, one, other)), f"{what}, row {number}: got {one}, want {other}")


def compare_all(server, events):
    for query, (view, columns, computed) in game_reference.QUERIES.items():
        compare(query, ask(server, "--saved", query), columns, computed(events))
        compare(query.upper(), ask(server, "--saved", query.upper()), columns, computed(events))
        if view == "latest_events":
            columns, computed = COLUMNS + ["parsed_date"], game_reference.latest_events
        compare(view, ask(server, f"SELECT * FROM {view}"), columns, computed(events))
        compare(view, ask(server, "--saved", view), columns, computed(events))


def only_direct_producers(apps):
    """Processed as A3 tells: nothing of it would pass the API."""
    app = next(iter(apps))
    plain = {"metadata": {"processing_result": {"status": "schema_mismatch"}}, "event_id": "00000000-0000-4000-8000-000000000001",
             "event_type": "login", "event_name": "login", "event_timestamp": 1772700000, "application_id": app, "application_name": apps[app][0],
             "event_data": {"level_id": "1", "user_rating": 1}}
    unregistered = {"metadata": {"processing_result": {"status": "unregistered"}}, "application_id": "no such game", "application_name": None}
    changes = [{"event_timestamp": None}, {"event_timestamp": 10**15}, {"event_timestamp": -10**15}, {"event_timestamp": 253402300799},
               {"event_timestamp": 253402300800}, {"event_timestamp": -62135510400}, {"event_timestamp": -62135510401}, {"event_id": None},
               {"event_type": None}, {"event_name": None}, {"event_data": None}, unregistered,
               {**unregistered, "event_type": "level_started"}, {"event_id": "it's; DROP TABLE game --"},
               {"event_type": "user_registration", "event_timestamp": None}, {"event_type": "iap_transaction", "event_timestamp": None,
                                                                              "event_data": {"transaction_id": "t"}}]
    changes += [{"event_type": kind, "event_data": data} for kind in ("level_started", "level_completed", "iap_transaction", "user_sentiment")
                for data in ("text", '{"level_id": "1"}', 5, 1.5, True, ["level_id"], [], {"level_id": {"level_id": 1}})]
    return [{**plain, **change} for change in changes]


@both("all saved queries and views equal an independent computation")
def _(t, make):
    database = make(t)
    server = database.server
    apps = game_events.applications(server, "Dragons", "Tanks")
    events = send(server, game_events.published(list(apps)), apps)
    equal(len(events), game_events.COUNT)
    wait_loaded(server, len(events))
    compare_all(server, events)
    check(len({game_reference.day(e) for e in events}) == game_events.DAYS + 1, "three times 24 hours that begin at noon")

    events += send(server, game_events.odd(list(apps)), apps)
    wait_loaded(server, len(events))
    compare_all(server, events)
    server.verify()

    server.stop()
    direct = only_direct_producers(apps)
    database.insert(direct)
    compare_all(server, events + direct)


@both("an empty table, and one whose newest events have no time")
def _(t, make):
    database = make(t)
    server = database.server
    wait_loaded(server, 0)
    server.stop()
    compare_all(server, [])
    few = only_direct_producers({"app": ("Game", "")})[:5]
    few += [{**event, "event_timestamp": None, "event_id": f"none {n % 3}"} for n, event in enumerate(few)]
    database.insert(few)
    compare_all(server, few)


@both("a view that was lost is made again at the next start, over a table that has another name")
def _(t, make):
    database = make(t, tables={"game": "raw_events"})
    server = database.server
    apps = game_events.applications(server, "Dragons", "Tanks")
    events = send(server, game_events.published(list(apps), "again", 300), apps)
    wait_loaded(server, len(events))
    compare_all(server, events)
    server.stop()
    database.run("DROP VIEW level_completion_rate")
    check("level_completion_rate" in server.verb("query", "SELECT * FROM level_completion_rate").stderr, "it is still there")
    server.start()
    events += send(server, game_events.published(list(apps), "and again", 300), apps)
    wait_loaded(server, len(events))
    compare_all(server, events)
    equal(ask(server, "SELECT count(*) AS n FROM raw_events"), [{"n": len(events)}])


if __name__ == "__main__":
    sys.exit(main())
