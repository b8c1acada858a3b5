"""`streamsteam query --lake`: SQL over a lake's files through DuckDB's library, compared with plain Python over the same lines; while it is compacted, and with
statements that want more than that."""
import collections
import json
import pathlib
import random
import threading

from tests.lib import duckdb, lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

SALE = {"type": "object", "properties": {"n": {"type": "integer"}, "price": {"type": "number"}, "shop": {"type": "string"}, "gift": {"type": "boolean"},
                                         "sold_at": {"type": "string", "format": "date-time"}, "more": {"type": "object"}}}
BATCHES, BATCH = 12, 40


def server_of(t, **options):
    library = pathlib.Path(duckdb.fetched(t))
    server = t.server(config={"receivers": {"matomo": None, "events": {"types": {"sale": {"schema": SALE}}}}},
                      modules={"lake": {"path": "lake", "roll": {"age": "1s"}, "partition": "raw/day=%d/", **options}}, env={"LD_LIBRARY_PATH": str(library.parent)})
    return server


def sales(rng, first, count):
    return [{"id": f"e{n}", "n": n, "price": rng.choice([1, 2.5, 1e20, -0.125]), "shop": rng.choice(["Köln", "O'Fallon", "a\"b", "", None]), "gift": rng.random() < 0.5,
             "sold_at": f"2026-11-{1 + n % 28:02d}T10:00:00Z", "more": {"deep": [n]}} for n in range(first, first + count)]


def fill(server, rng, count=BATCHES):
    sent = []
    for number in range(count):
        some = [{k: v for k, v in sale.items() if v is not None} for sale in sales(rng, number * BATCH, BATCH)]
        body = "".join(json.dumps(sale) + "\n" for sale in some)
        equal(server.post("/events/sale", body.encode(), [("Content-Type", "application/x-ndjson")]).status, 200)
        sent += some
        if number % 4 == 3:
            until(lambda: len(lake.lines(server.lake)) >= len(sent), 60, "a cut", 0.1)
    until(lambda: len(lake.lines(server.lake)) == len(sent), 60, "the lake", 0.1)
    return sent


def asked(server, sql, *more, check=True):
    result = server.verb("query", "--lake", sql, "--format", "json", *more, check=check)
    return json.loads(result.stdout) if check else result


@test("query --lake: what SQL says of the files is what Python says of the events; types are those of the catalog", timeout_s=240)
def _(t):
    rng = random.Random(3)
    server = server_of(t)
    sent = fill(server, rng)
    equal(asked(server, "SELECT count(*) AS n, sum(n) AS total FROM lake"), [{"n": len(sent), "total": sum(s["n"] for s in sent)}])
    shops = collections.Counter(s.get("shop") for s in sent)
    got = asked(server, "SELECT shop, count(*) AS n FROM events GROUP BY shop")
    equal({row["shop"]: row["n"] for row in got}, dict(shops))
    (types,) = asked(server, "SELECT typeof(n) AS n, typeof(price) AS price, typeof(gift) AS gift, typeof(sold_at) AS sold_at FROM events LIMIT 1")
    equal(types, {"n": "BIGINT", "price": "DOUBLE", "gift": "BOOLEAN", "sold_at": "TIMESTAMP WITH TIME ZONE"})
    pairs = asked(server, "SELECT a.n AS n, b.price AS price FROM lake a JOIN lake b USING (n) WHERE a.gift ORDER BY n;")  # two scans in one query
    equal([(row["n"], row["price"]) for row in pairs], [(s["n"], s["price"]) for s in sent if s["gift"]])
    equal(asked(server, "WITH x AS (SELECT n FROM lake) SELECT max(n) AS n FROM x -- the last"), [{"n": len(sent) - 1}])
    # Files without an event of that time are not opened.
    equal(asked(server, "SELECT count(*) AS n FROM lake", "--to", "2020-01-01"), [{"n": 0}])
    equal(asked(server, "SELECT count(*) AS n FROM lake", "--from", "2020-01-01"), [{"n": len(sent)}])
    table = server.verb("query", "--lake", "SELECT n, shop FROM events ORDER BY n LIMIT 2", check=True).stdout
    check("shop" in table and "0" in table, table)


@test("query --lake: a file that is not whole is named, not passed over")
def _(t):
    server = server_of(t)
    fill(server, random.Random(5), count=4)
    server.stop()
    victim = max(lake.objects(server.lake), key=lambda path: path.stat().st_size)
    data, manifests = victim.read_bytes(), list((server.lake / "_manifest").glob("*.json"))
    equal(data[:2], b"\x1f\x8b")
    for size in (len(data) - 1, len(data) // 2, 0):
        victim.write_bytes(data[:size])
        result = asked(server, "SELECT count(*) AS n FROM lake", check=False)
        check(result.returncode == 1 and victim.name in result.stderr, (size, result.stdout, result.stderr))
    half = len(data) // 2  # also where the manifest believes it
    victim.write_bytes(data[:half])
    for path in manifests:
        path.write_text(path.read_text().replace(f'"bytes":{len(data)},', f'"bytes":{half},'))
    result = asked(server, "SELECT count(*) AS n FROM lake", check=False)
    check(result.returncode == 1 and victim.name in result.stderr, (result.stdout, result.stderr))


@test("query --lake: a lake of lines and one of Parquet give the same answers", timeout_s=240)
def _(t):
    library = duckdb.fetched(t)
    parquet = {"format": "parquet", "parquet": {"library": str(library)}}
    server = server_of(t, parquet={"library": str(library)})
    server.config["modules"]["columns"] = {"use": "lake", "path": "columns", "roll": {"age": "1s"}, **parquet}
    server.write_config()
    server.restart()
    sent = fill(server, random.Random(6))
    odd = {"id": "odd", "n": "many", "price": True, "other": [1, {"x": None}], "sold_at": "yesterday"}  # nothing of it fits
    equal(server.post("/events/sale", json.dumps(odd).encode(), [("Content-Type", "application/x-ndjson")]).status, 200)
    both = lambda sql: [asked(server, sql.replace("LAKE", name), "--database", name) for name in ("lake", "columns")]  # noqa: E731
    until(lambda: both("SELECT count(*) AS n FROM LAKE") == [[{"n": len(sent) + 1}]] * 2, 60, "both lakes", 0.3)
    files = list((server.data / "columns").rglob("*.parquet"))
    check(files and all(path.stat().st_mode & 0o777 == 0o640 for path in files), "no Parquet, or for everybody to read")
    for sql in ("DESCRIBE LAKE", "SELECT * FROM LAKE ORDER BY n, event_id", "SELECT shop, gift, count(*), sum(n), max(sold_at) FROM LAKE GROUP BY ALL ORDER BY ALL",
                "SELECT invalid_reasons, ss_extra FROM LAKE WHERE event_type = 'quarantine'"):
        lines, columns = both(sql) if not sql.startswith("DESCRIBE") else both("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'LAKE' ORDER BY 1")
        check(lines, sql)
        equal(lines, columns, sql)


@test("query --lake reads and nothing else: statements, files, extensions and settings are refused", timeout_s=120)
def _(t):
    server = server_of(t)
    fill(server, random.Random(4), 1)
    secret = t.tmp / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    out = server.lake / "out.csv"
    for sql in (f"SELECT * FROM read_csv('{secret}')", "SELECT * FROM read_text('/etc/passwd')", f"COPY lake TO '{out}'", "CREATE TABLE x AS SELECT 1", "DROP VIEW lake",
                "SELECT 1; SELECT 2", "1) ; COPY lake TO '/tmp/x' ; SELECT * FROM (SELECT 1", "INSTALL httpfs", "LOAD httpfs", "SET enable_external_access=true",
                f"ATTACH '{t.tmp / 'x.db'}'", "PRAGMA memory_limit='10GB'", "SELECT * FROM 'http://127.0.0.1:1/x.csv'", "SELECT getenv('HOME')", "SELEC 1", "SELECT nowhere FROM lake", ""):
        result = asked(server, sql, check=False)
        check(result.returncode != 0 and result.stderr.startswith("streamsteam query:"), f"{sql}: {result.returncode} {result.stdout} {result.stderr}")
    check(not out.exists(), "a statement wrote a file")
    result = asked(server, "SELECT count(*) FROM range(100000000) a, range(100000) b", "--timeout", "1s", check=False)
    check(result.returncode == 1 and "--timeout" in result.stderr, result.stderr)
    result = asked(server, "SELECT list(i) FROM range(200000000) t(i)", "--memory", "32MiB", check=False)
    check(result.returncode == 1 and "--memory" in result.stderr, result.stderr)


@test("query --lake while files are compacted: every line once, at every moment", timeout_s=240)
def _(t):
    server = server_of(t)
    sent = fill(server, random.Random(5))
    server.config["modules"]["compact"] = {"lake": "lake", "keep": "1s", "grace": "1s"}
    server.write_config()
    before, rounds = len(lake.objects(server.lake)), 0
    compacting = threading.Thread(target=lambda: until(lambda: server.verb("compact", "--partition", "raw", check=True) and len(lake.objects(server.lake)) < before, 60,
                                                       "the old files to go", 0.2))
    compacting.start()
    while compacting.is_alive() or rounds == 0:
        equal(asked(server, "SELECT count(*) AS n, count(DISTINCT n) AS d FROM lake"), [{"n": len(sent), "d": len(sent)}])
        rounds += 1
    compacting.join()
    equal(asked(server, "SELECT count(*) AS n, count(DISTINCT n) AS d FROM lake"), [{"n": len(sent), "d": len(sent)}])
    check(len(lake.objects(server.lake)) < before, "nothing was compacted")
    print(f"# {before} files, {rounds} queries")


@test("query --lake without the library says what to install; a lake on S3 is Athena's")
def _(t):
    library = pathlib.Path(duckdb.fetched(t))
    check(library.is_file(), "no library")
    server = t.server(start=False)
    result = asked(server, "SELECT 1", check=False)
    check(result.returncode == 1 and ("libduckdb" in result.stderr or not result.stderr), result.stderr)
    server = t.server(start=False, modules={"lake": {"path": "s3://bucket/x"}})
    result = asked(server, "SELECT 1", check=False)
    check(result.returncode == 1 and "--athena" in result.stderr, result.stderr)
