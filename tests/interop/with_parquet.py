"""Parquet of the lake and of compaction, read by PyPI's pyarrow and duckdb: every shipped catalog's columns have their types, and each
row is the line that a lake of lines has of the same event."""
import collections
import json
import os
import random
import subprocess
import sys
import time

from tests.interop.peers import npm_package, pip_packages
from tests.lib import compact, duckdb, lake, windows_game
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

PYARROW, DUCKDB = "pyarrow==26.0.1", "duckdb==2.0.1"
RECEIVERS = ("matomo", "game", "events", "metrics")
ARROW = {"string": "string", "int": "int64", "double": "double", "bool": "bool", "timestamp": "timestamp[us, tz=UTC]", "datetime": "timestamp[us, tz=UTC]",
         "json": "extension<arrow.json>"}
DUCK = {"string": "VARCHAR", "int": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "timestamp": "TIMESTAMP WITH TIME ZONE",
        "datetime": "TIMESTAMP WITH TIME ZONE", "json": "JSON"}
SHAPES = {
    "signup": {"schema": {"type": "object", "properties": {"plan": {"type": "string"}, "age": {"type": "integer"}, "score": {"type": "number"}, "paid": {"type": "boolean"},
                                                           "tags": {"type": "array"}, "customer": {"type": "object", "properties": {"name": {"type": "string"}, "address": {
                                                               "type": "object", "properties": {"city": {"type": "string"}, "floor": {"type": "integer"}}}}}}}},
    "free": {"schema": {"type": "object"}},
}
ODD = ["plain", "Ä\u2028\U0001f409", "", " ", "a\tb\"c\\d", "x" * 70000, 0, -1, 2**53 + 1, 2**63 - 1, -2**63, 10**25, 1.5, -1e300, 1e-320, True, False, None, [], [1, [2]], {},
       {"a": {"b": None}}, "2026-02-30 00:00:00", "2026-11-26T07:53:18.9001234Z"]

# argv: reader, files. One JSON list for each row: names and values of all that is not null, objects within by dotted names; then the types.
READ = r'''
import datetime, json, sys
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
def plain(value):
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=datetime.timezone.utc) if value.tzinfo is None else value
        return {"us": (value - EPOCH) // datetime.timedelta(microseconds=1)}
    return value
def flat(row, before=""):
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flat(value, before + name + ".")
        elif value is not None:
            yield before + name, plain(value)
if sys.argv[1] == "pyarrow":
    import pyarrow as pa, pyarrow.parquet as pq
    def types(schema, before=""):
        for field in schema:
            if pa.types.is_struct(field.type):
                yield from types(field.type, before + field.name + ".")
            else:
                yield before + field.name, str(field.type)
    for path in sys.argv[2:]:
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            meta = file.metadata.row_group(group)
            bare = [meta.column(i).path_in_schema for i in range(meta.num_columns) if not meta.column(i).is_stats_set]
            assert not bare, f"no statistics: {bare}"
            assert {meta.column(i).compression for i in range(meta.num_columns)} == {"ZSTD"}
        for row in file.read().to_pylist():
            print(json.dumps(dict(flat(row))))
        print(json.dumps([list(types(file.schema_arrow))]))
else:
    import duckdb
    db = duckdb.connect()
    db.execute("SET TimeZone='UTC'")
    for path in sys.argv[2:]:
        told = db.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}', hive_partitioning = false)").fetchall()
        cursor = db.execute(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
        for row in cursor.fetchall():
            print(json.dumps(dict(flat(dict(zip([c[0] for c in told], row))))))
        print(json.dumps([[[c[0], c[1]] for c in told]]))
'''


def read(t, reader, files):
    """(rows, [{column: type} of each file])"""
    folder = pip_packages(t, "parquet-readers-1", PYARROW, DUCKDB, "pytz")
    result = subprocess.run([sys.executable, "-c", READ, reader, *map(str, files)], capture_output=True, text=True, timeout=300,
                            env=dict(os.environ, PYTHONPATH=str(folder), TZ="UTC"))
    equal(result.returncode, 0, result.stderr[-2000:])
    told = [json.loads(line) for line in result.stdout.splitlines()]
    return [x for x in told if isinstance(x, dict)], [dict(x[0]) for x in told if isinstance(x, list)]


def library(t):
    npm_package(t, duckdb.PACKAGE, duckdb.VERSION)
    return str(duckdb.cached())


def catalog(server, receiver):
    """{dotted name: type}"""
    found = {}
    for line in server.verb("catalog", "--receiver", receiver, "--format", "markdown", check=True).stdout.splitlines():
        cells = [cell.strip().replace("\\", "") for cell in line.split("|")]
        if len(cells) > 3 and cells[2] in ARROW:
            found[cells[1]] = cells[2]
    return found


# ---- the line that a row is ----

def micros(text):
    whole, _, fraction = text.rstrip("Z").replace(" ", "T").partition(".")
    return calendar_seconds(whole) * 1000000 + int((fraction + "000000")[:6])


def calendar_seconds(text):
    import calendar
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def flat(value, fields, before=""):
    """{dotted name: value} of a line, as far as the catalog has objects; nulls are not there."""
    found = {}
    for name, inner in value.items():
        path = before + name
        if inner is None:
            continue
        if isinstance(inner, dict) and any(field.startswith(path + ".") for field in fields):
            found.update(flat(inner, fields, path + "."))
        else:
            found[path] = inner
    return found


def same(kind, value, cell):
    """Whether the cell of that type says what the line's value says."""
    if kind in ("timestamp", "datetime"):
        return isinstance(value, str) and cell == {"us": micros(value)}
    if kind == "json":
        return json.loads(cell) == value
    if kind == "string":
        return cell == value if isinstance(value, str) else json.loads(cell) == value
    return cell == value and isinstance(cell, bool) == isinstance(value, bool)


def compare(rows, lines, fields):
    by_id = collections.defaultdict(list)  # a client may use an id twice; rows keep the lines' order
    for line in lines:
        by_id[line["event_id"]].append(line)
    equal(sorted(row["event_id"] for row in rows), sorted(line["event_id"] for line in lines), "ids")
    for row in rows:
        what = row["event_id"]
        line = flat(by_id[what].pop(0), fields)
        extra = json.loads(row.pop("ss_extra", "{}"))
        for name, value in line.items():
            if name in extra:
                equal(extra[name], value, f"{name} in ss_extra")
                row.pop(name, None)  # the part of it that fits: the whole number of 1.5
                continue
            check(name in row, f"{name} of {what} is lost: {str(value)[:100]}")
            check(same(fields[name], value, row.pop(name)), f"{name} of {what} is not {str(value)[:100]}")
        equal({name: str(value)[:100] for name, value in row.items()}, {}, "values that the line has not")
        check(set(extra) <= set(line), f"{set(extra) - set(line)} in ss_extra alone")


# ---- a server with all receivers ----

def serve(t, metrics=True, **more):
    from tests.scenario.test_modes import application  # here, so that its tests are not ours
    roll = {"age": "1h"}
    modules = {"lake": {"path": "lake", "roll": roll}, "columns": {"use": "lake", "path": "columns", "format": "parquet", "parquet": {"library": library(t)}, "roll": roll}, **more}
    server = t.server(config={"receivers": {"matomo": {}, "game": {"stage": "live"}, "events": {"types": SHAPES, "on_invalid": "quarantine"}}}, modules=modules, start=False)
    if metrics:
        windows_game.add_metrics(server, 0)
    server.start()
    return server, application(server)


def send(server, app, key):
    rng = random.Random(5)
    now = int(time.time()) // 60 * 60
    for n in range(40):
        server.hit(f"hit {n} \u00e4", cdt=now - n * 7919, revenue=n / 3, search="x", search_count=n)
    for n, value in enumerate(ODD):
        body = {"type": rng.choice(("signup", "free")), "id": f"odd-{n}", "plan": value, "age": value, "score": value, "paid": value, "tags": value, "more": value,
                "customer": {"name": value, "address": {"city": "x", "floor": value}, "unknown": value}}
        equal(server.post("/events", json.dumps(body)).status, 200)
        equal(server.post("/events", json.dumps({"type": "free", "id": f"free-{n}", "customer": value, "deep": {"er": value}})).status, 200)
    for n in range(6):
        windows_game.post(server, app, key, windows_game.batch(rng, 20, now - 7200 + n * 60, 50, []))
    windows_game.post(server, app, key, [windows_game.event(rng, now)])


@test("pyarrow and duckdb read the Parquet of matomo, game, events and metrics: types, statistics, row for row the lines", timeout_s=240)
def _(t):
    server, (app, key) = serve(t)
    send(server, app, key)
    until(lambda: len(windows_game.journal(server, "metrics")) > 5, 60, "documents of metrics", 0.2)
    server.stop()
    for receiver in RECEIVERS:
        fields = catalog(server, receiver)
        lines = [json.loads(line) for path in lake.objects(server.lake) if receiver in path.parts for line in lake.raw(path).splitlines()]
        files = [path for path in lake.objects(server.data / "columns") if receiver in path.relative_to(server.data / "columns").parts]
        check(len(lines) > 5 and files, f"nothing of {receiver}")
        for reader, names in (("pyarrow", ARROW), ("duckdb", DUCK)):
            rows, types = read(t, reader, files)
            if receiver == "metrics":  # its lines' id is another
                rows, lines = [dict(r, event_id=r["METRIC_ID"] + str(r["METRIC_VERSION"])) for r in rows], [dict(l, event_id=l["METRIC_ID"] + str(l["METRIC_VERSION"])) for l in lines]
                fields = dict(fields, event_id="string")
            compare(rows, lines, fields)
            for told in types:
                wanted = {name: names[kind] for name, kind in fields.items() if "." not in name and name in catalog(server, receiver)}
                equal({name: told.get(name) for name in wanted}, wanted, f"{reader}, {receiver}")
    equal(lake.temporaries(server.data / "columns"), [])


@test("compaction makes Parquet of lines and few files of many: the same rows for pyarrow and duckdb", timeout_s=240)
def _(t):
    options = {"lake": "lake", "grace": "0s", "keep": "0s", "format": "parquet", "parquet": {"library": library(t)}}
    server, (app, key) = serve(t, metrics=False, compact=dict(options, every="1h"))
    send(server, app, key)
    server.stop()
    lines = [json.loads(line) for path in lake.objects(server.lake) if "game" in path.parts for line in lake.raw(path).splitlines()]
    fields = catalog(server, "game")
    server.verb("compact", "--partition", "game", check=True)
    server.verb("compact", "--partition", "game", check=True)
    made = [server.lake / path for path in compact.live(server.lake) if "game/" in path]
    check(made and all(path.suffix == ".parquet" for path in made), made)
    for reader in ("pyarrow", "duckdb"):
        compare(read(t, reader, made)[0], lines, fields)
    equal(collections.Counter(path.suffix for path in lake.objects(server.lake) if "game" in path.parts)[".gz"], 0)
