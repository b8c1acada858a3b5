#!/usr/bin/env python3
"""streamsteam query: asks a warehouse of either kind while the server writes it, changes nothing, ends in time."""
# timeout: 600
import csv
import io
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import game_reference, http
from tests.lib.postgres import Postgres
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

FAST = {"batch": {"linger": "5ms"}}
TEXT = 'a "quoted", text\nof two lines \x1b[31m'
HELP = ROOT / "tests" / "golden" / "query-help"


def on_sqlite(t, **more):
    return t.server(config={"modules": {"lake": None, "warehouse": {**FAST, **more}}})


def on_postgres(t, **more):
    return t.server(config={"modules": {"lake": None, "warehouse": {**FAST, "database": "postgres", "connection": Postgres(t).conninfo(), **more}}})


BOTH = {"SQLite": on_sqlite, "PostgreSQL": on_postgres}


def both(name):
    def add(function):
        for database, make in BOTH.items():
            test(f"{database}: {name}", timeout_s=240)(lambda t, make=make: function(t, make))
        return function
    return add


def answer(server, sql, *words, **options):
    result = server.verb("query", *words, sql, **options)
    equal(result.returncode, 0, result.stderr)
    return result.stdout


def rows(server, sql, *words):
    return json.loads(answer(server, sql, "--format", "json", *words))


def loaded(server, count):
    until(lambda: server.verb("query", "--format", "json", "SELECT count(*) AS n FROM matomo").stdout == '[{"n":%d}]\n' % count, 30,
          f"{count} rows", 0.1)


@both("a question is answered in every format while events come in")
def _(t, make):
    server = make(t)
    for name in ("one", "two", TEXT):
        server.hit(name)
    server.get(http.hit("four", e_v="2.5", e_a=None))
    loaded(server, 4)
    sql = "SELECT event_value_name AS name, event_value_numeric AS value, event_action FROM matomo ORDER BY ss_seq"
    found = rows(server, sql)
    equal([row["name"] for row in found], ["one", "two", TEXT, "four"])
    equal((found[3]["value"], found[3]["event_action"]), (2.5, None))
    text = answer(server, sql, "--format", "csv", text=False)
    equal([row[0] for row in csv.reader(io.StringIO(text.decode(), newline=""))], ["name", "one", "two", TEXT, "four"])
    check(text.startswith(b"name,value,event_action\r\n"), text)
    table = answer(server, sql)
    check("\x1b" not in table and "of two lines \\x1b[31m" in table, table)
    check("(4 rows)" in table and "| NULL" in table, table)
    equal(rows(server, sql, "--limit", "1")[0]["name"], "one")
    check("(2 rows, and there are more" in answer(server, sql, "--limit", "2"), "more rows are not told of")
    result = server.verb("query", "--format", "json", "-", stdin="SELECT 1 AS one\n-- that is all\n;")
    equal(result.stdout, '[{"one":1}]\n', result.stderr)
    for n in range(20):
        server.hit(f"while {n}")
        answer(server, "SELECT count(*) FROM matomo")
    loaded(server, 24)


@both("nothing can be changed, and only one thing asked")
def _(t, make):
    server = make(t)
    server.hit("one")
    loaded(server, 1)
    for sql in ("DELETE FROM matomo", "INSERT INTO load_meta VALUES('x', 'y')", "DROP TABLE matomo", "CREATE TABLE x(a int)", "BEGIN", "COMMIT",
                "SELECT 1; DELETE FROM matomo", "WITH x AS (DELETE FROM matomo RETURNING 1) SELECT 1", "VACUUM", "",
                "COPY matomo TO PROGRAM 'cat > /tmp/x'", "COPY (SELECT 1) TO '/tmp/x'", "SET statement_timeout = 0", "ATTACH '/tmp/x.db' AS x",
                "SELECT load_extension('x')", "PRAGMA journal_mode = DELETE", "EXPLAIN ANALYZE DELETE FROM matomo",
                "DO $$ BEGIN DELETE FROM matomo; END $$", "CALL x()", "LISTEN x", "SELECT nextval('x')", "LOCK matomo", "SELECT 1 INTO x",
                "SELECT * FROM matomo FOR UPDATE"):
        result = server.verb("query", "--", sql)
        check(result.returncode in (1, 2) and result.stderr.startswith("streamsteam query: "), f"{sql}: {result}")
        equal(result.stdout, "", sql)
    equal(rows(server, "SELECT count(*) AS n FROM matomo"), [{"n": 1}])


@both("mistakes are shown where they are, with what to do")
def _(t, make):
    server = make(t)
    server.hit("one")
    loaded(server, 1)
    result = server.verb("query", "SELECT event_value_name,\n  no_such_column FROM matomo")
    equal(result.returncode, 1)
    lines = result.stderr.splitlines()
    check("byte 28, line 2: " in lines[0] and "no_such_column" in lines[0] and "--list" in lines[0], lines)
    equal(lines[1:], ["    no_such_column FROM matomo", "    ^"])
    result = server.verb("query", "SELEC 1")
    check(result.returncode in (1, 2), result)
    result = server.verb("query", "--saved", "TotalEventsQuery")
    check(result.returncode == 1 and "game receiver" in result.stderr, result)


@both("a query ends in its time, and a connection does")
def _(t, make):
    server = make(t)
    server.hit("one")
    loaded(server, 1)
    result = server.verb("query", "--timeout", "300ms", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    equal(result.returncode, 1)
    check("after 0.3 s" in result.stderr and "--timeout" in result.stderr, result.stderr)
    server.stop()
    equal(rows(server, "SELECT count(*) AS n FROM matomo"), [{"n": 1}])


@both("--list has the saved queries, the tables and the views")
def _(t, make):
    server = make(t)
    server.hit("one")
    loaded(server, 1)
    result = server.verb("query", "--list")
    equal(result.returncode, 0, result.stderr)
    for word in ("LatestEventsQuery (latest_events)", "      level, level_completion_rate\n", "CTASCreateIcebergTables", "  matomo (table)\n", "load_log",
                 "event_value_name"):
        check(word in result.stdout, f"{word}: {result.stdout}")


@test("memory is limited, in SQLite's work and in a table")
def _(t):
    server = on_sqlite(t)
    server.hit("one")
    loaded(server, 1)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT "
    for sql in (numbers + "length(group_concat(hex(randomblob(10000)), '')) FROM n", numbers + "i, hex(randomblob(40)) FROM n"):
        result = server.verb("query", "--memory", "4MiB", "--limit", "1000000", sql)
        check(result.returncode == 1 and "--memory" in result.stderr, f"{sql}: {result.stderr}")
    equal(answer(server, numbers + "i FROM n", "--memory", "4MiB", "--format", "csv").count("\n"), 300001)
    many = numbers + "count(DISTINCT hex(i) || 'and forty letters more, as in an id of its own') AS n FROM n"
    equal(rows(server, many, "--memory", "8MiB"), [{"n": 300000}])  # in temporary files


@test("which warehouse is asked, and what is said where there is none")
def _(t):
    server = t.server(start=False, config={"modules": {"lake": None, "first": {"use": "warehouse", "path": "first.db"},
                                                       "second": {"use": "warehouse", "path": "second.db"}}})
    result = server.verb("query", "SELECT 1")
    check(result.returncode == 2 and "--database" in result.stderr, result)
    result = server.verb("query", "--database", "secnd", "SELECT 1")
    check(result.returncode == 2 and "second" in result.stderr, result)
    result = server.verb("query", "--database", "second", "SELECT 1")
    check(result.returncode == 1 and "second.db is not there" in result.stderr, result)
    server.start()
    until(lambda: server.verb("query", "--database", "second", "SELECT 1").returncode == 0, 20, "the second file")
    server.stop()
    (server.data / "first.db").write_bytes(b"not a database, but long enough to look at" * 100)
    result = server.verb("query", "--database", "first", "SELECT 1")
    check(result.returncode == 1 and "damaged" in result.stderr, result)
    server = t.server(start=False)
    result = server.verb("query", "SELECT 1")
    check(result.returncode == 1 and "modules: {warehouse: {}}" in result.stderr, result)


@test("PostgreSQL: a wrong password, a server that is gone, no password in what is said")
def _(t):
    db = Postgres(t)
    for connection in (db.conninfo(password="secret word"), db.conninfo(port=1, password="secret word")):
        server = t.server(start=False, config={"modules": {"lake": None, "warehouse": {"database": "postgres", "connection": connection}}})
        result = server.verb("query", "SELECT 1", "--timeout", "5s")
        equal(result.returncode, 1, result.stderr)
        check("PostgreSQL" in result.stderr and "secret" not in result.stderr, result.stderr)


@test("wrong use is told, with exit code 2; CTASCreateIcebergTables is refused, and says who does it")
def _(t):
    server = t.server(start=False, config={"modules": {"warehouse": {}}})
    for words in ([], ["SELECT 1", "SELECT 2"], ["--saved", "TotalEventsQuery", "SELECT 1"], ["--list", "SELECT 1"], ["--saved"],
                  ["--format", "xml", "SELECT 1"], ["--limit", "0", "SELECT 1"], ["--limit", "x", "SELECT 1"], ["--timeout", "5", "SELECT 1"],
                  ["--timeout", "2d", "SELECT 1"], ["--memory", "1MiB", "SELECT 1"], ["--memory", "many", "SELECT 1"], ["--saved", "TotalEvents"]):
        result = server.verb("query", *words)
        equal((result.returncode, result.stdout), (2, ""), f"{words}: {result.stderr}")
        check(result.stderr.startswith("streamsteam query: "), result.stderr)
    check("did you mean 'total_events'?" in server.verb("query", "--saved", "total_event").stderr, "no suggestion")
    for name in ("CTASCreateIcebergTables", "ctascreateicebergtables"):
        result = server.verb("query", "--saved", name)
        check(result.returncode == 1 and "batch job" in result.stderr and "docs/queries.md" in result.stderr, result)


@test("the help is as it was agreed on; help lists the verb")
def _(t):
    server = t.server(start=False)
    equal(server.verb("query", "--help", config=False).stdout, HELP.read_text())
    check("  query " in server.verb("help", config=False).stdout, "help")


@test("docs/queries.md has every saved query with its view and columns, and its own queries can be asked")
def _(t):
    page = (ROOT / "docs" / "queries.md").read_text()
    server = t.server(config={"receivers": {"game": {}}, "modules": {"lake": None, "warehouse": FAST}})
    until(lambda: server.verb("query", "SELECT * FROM event_data").returncode == 0, 20, "the views")
    listed = server.verb("query", "--list", check=True).stdout
    for name, (view, columns, _) in game_reference.QUERIES.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` | `{view}` |"))
        check(f"  {name} ({view})\n" in listed, name)
        wanted = "the ten above, `event_timestamp_america_new_york`" if view == "latest_events" else ", ".join(f"`{c}`" for c in columns)
        check(f"| {wanted} " in row, row)
    questions = re.findall(r"`(SELECT [^`]+)`", page) + re.findall(r"query (?:--format csv )?'(SELECT [^']+)'", page)
    check(len(questions) >= 4, questions)
    for sql in questions:
        equal(server.verb("query", sql).returncode, 0, sql)
    for expression in ("datetime(event_timestamp, 'unixepoch')", "event_data ->> 'level_id'", "metadata ->> '$.processing_result.status'",
                       "event_timestamp >= unixepoch('2026-03-01') AND event_timestamp < unixepoch('2026-04-01')"):
        check(expression in page, expression)
        equal(server.verb("query", f"SELECT {expression} FROM event_data").returncode, 0, expression)


if __name__ == "__main__":
    sys.exit(main())
