#!/usr/bin/env python3
"""Module glue: tables made from the catalog and kept up to date, partitions registered, drift told; and `query --athena`."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.fakes.aws import Fake
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "price-eur": {"type": "number"}, "geo": {"type": "object", "properties": {"city": {"type": "string"}}}}}
CONFIG = {"receivers": {"matomo": {}, "events": {"types": {"click": {"schema": SCHEMA}}}}}
BASE = {"database": "Lake_DB", "tables": {"matomo": "visits", "events": "clicks"}, "location": "s3://bkt/lake/", "retry": {"base": "20ms", "max": "200ms"},
        "batch": {"linger": "5ms"}}


def make(t, start=False, fake=None, config=None, **options):
    fake = fake or Fake(seed=1)
    t.defer(fake.close)
    return fake, t.server(config=config or CONFIG, modules={"glue": dict(BASE, **options)}, env=fake.env(), start=start)


def setup(server, good=True):
    result = server.verb("module", "setup", "glue")
    equal(result.returncode, 0 if good else 1, result.stdout + result.stderr)
    return result.stdout + result.stderr


def columns(table):
    return {c["Name"]: c["Type"] for c in table["StorageDescriptor"]["Columns"]}


@test("setup makes database and tables; again, it changes nothing")
def _(t):
    fake, server = make(t)
    glue = fake.service("glue")
    check("there is no table lake_db.visits" in server.verb("check", "--connect").stderr, server.verb("check", "--connect").stderr)
    said = setup(server)
    check("database lake_db was made" in said and "table lake_db.clicks was made, in s3://bkt/lake/events/" in said, said)
    table = glue.table("lake_db", "visits")
    equal(table["StorageDescriptor"]["Location"], "s3://bkt/lake/matomo/")
    equal([k["Name"] for k in table["PartitionKeys"]], ["year", "month", "day"])
    parameters = table["Parameters"]
    equal(parameters["storage.location.template"], "s3://bkt/lake/matomo/year=${year}/month=${month}/day=${day}")
    equal((parameters["projection.enabled"], parameters["projection.year.range"], parameters["projection.day.digits"]), ("true", "2020,2039", "2"))
    printed = json.loads(server.verb("catalog", "--format", "glue", "--receiver", "matomo", "--location", "s3://bkt/lake", check=True).stdout)
    equal(table["StorageDescriptor"]["Columns"], printed["StorageDescriptor"]["Columns"])  # the same as the verb prints
    equal(table["StorageDescriptor"]["SerdeInfo"], printed["StorageDescriptor"]["SerdeInfo"])
    check("is there" in setup(server) and not [c for c in fake.calls if c[2] == "UpdateTable"], fake.calls)
    equal(server.verb("check", "--connect").returncode, 0)


@test("new fields are added, narrow ones widened, what others changed stays, conflicts are told")
def _(t):
    fake, server = make(t)
    glue = fake.service("glue")
    setup(server)
    full = columns(glue.table("lake_db", "visits"))

    def older(table):
        kept = [c for c in table["StorageDescriptor"]["Columns"] if c["Name"] not in ("event_type", "extra_params")]
        for c in kept:
            if c["Type"] == "bigint":
                c["Type"] = "int"
                break
        next(c for c in kept if c["Type"] == "string")["Comment"] = "by hand"
        conflict = [c for c in kept if c["Type"] == "string"][3]
        conflict["Type"] = "double"
        struct = next(c for c in kept if c["Type"].startswith("struct<"))
        struct["Type"] = re.sub(r"^struct<[^,<>]+:[^,<>]+,", "struct<", struct["Type"])
        table["StorageDescriptor"]["Columns"] = kept + [{"Name": "mine", "Type": "array<string>"}]
        table["Parameters"]["own"] = "yes"
        table["Parameters"].pop("projection.day.digits")
        table["conflict"] = conflict["Name"]
    glue.change("lake_db", "visits", older)
    conflict = glue.databases["lake_db"]["visits"]["table"].pop("conflict")
    result = server.verb("check", "--connect")
    check(result.returncode != 0 and "lake_db.visits" in result.stderr, result.stderr)
    said = setup(server)
    table = glue.table("lake_db", "visits")
    have = columns(table)
    check("is new" in said and "becomes wider" in said and f"column {conflict} is double there and string here" in said, said)
    equal(have.pop("mine"), "array<string>")
    equal(have.pop(conflict), "double")
    wanted = {k: v for k, v in full.items() if k != conflict}
    order = lambda kind: "".join(sorted(re.split(r"[,<>]", kind)))  # noqa: E731  a struct's new fields come last
    equal({k: order(v) for k, v in have.items()}, {k: order(v) for k, v in wanted.items()})
    equal(table["Parameters"]["own"], "yes")
    check("projection.day.digits" not in table["Parameters"], "a parameter was put back")
    check(any(c.get("Comment") == "by hand" for c in table["StorageDescriptor"]["Columns"]), "a comment was lost")
    check("left as it is" in setup(server), "the conflict is told again")
    equal(fake.count("UpdateTable"), 1)


@test("somebody else changes the table at the same time: looked at again")
def _(t):
    fake, server = make(t)
    glue = fake.service("glue")
    setup(server)
    glue.change("lake_db", "clicks", lambda table: table["StorageDescriptor"]["Columns"].pop())
    wanted = len(columns(glue.table("lake_db", "visits")))
    true, twice = glue.UpdateTable, []

    def meanwhile(arguments):
        if len(twice) < 2:
            twice.append(1)
            glue.change("lake_db", "clicks", lambda table: table["StorageDescriptor"]["Columns"].append({"Name": f"other{len(twice)}", "Type": "string"}))
        return true(arguments)
    glue.UpdateTable = meanwhile
    fake.script.add({"op": "UpdateTable", "do": "throttle", "times": 1})
    setup(server)
    names = columns(glue.table("lake_db", "clicks"))
    check("other1" in names and "other2" in names, names)
    equal(len(columns(glue.table("lake_db", "visits"))), wanted)
    fake.script.add({"op": "UpdateTable", "do": "error", "code": "ConcurrentModificationException", "status": 400})
    glue.change("lake_db", "clicks", lambda table: table["StorageDescriptor"]["Columns"].pop(0))
    check("changed by others all the time" in setup(server, good=False), "no end")


@test("other partition keys, another place: told, nothing changed")
def _(t):
    fake, server = make(t)
    glue = fake.service("glue")
    setup(server)
    glue.change("lake_db", "visits", lambda table: table["PartitionKeys"].pop())
    glue.change("lake_db", "clicks", lambda table: table["StorageDescriptor"].update(Location="s3://elsewhere/x"))
    result = server.verb("check", "--connect")
    check(result.returncode != 0 and "partition keys" in result.stderr, result.stderr)
    said = setup(server)
    check("partition keys" in said and "s3://elsewhere/x" in said, said)
    equal(fake.count("UpdateTable"), 0)


@test("teardown takes the definitions that setup made, and says what stays")
def _(t):
    fake, server = make(t)
    glue = fake.service("glue")
    setup(server)
    glue.change("lake_db", "clicks", lambda table: table["Parameters"].pop("streamsteam.module"))
    result = server.verb("module", "teardown", "glue")
    equal(result.returncode, 0, result.stderr)
    equal(sorted(glue.databases["lake_db"]), ["clicks"])
    for words in ("visits was removed from the catalog; its objects below s3://bkt/lake/matomo/ stay", "clicks stays", "database lake_db stays"):
        check(words in result.stdout, result.stdout)
    equal(server.verb("module", "teardown", "glue").returncode, 0)


@test("layouts: dates in one folder, hours, applications")
def _(t):
    fake, server = make(t, partition="site={app}/dt=%Y-%m-%d/hour=%H/", tables={"matomo": "visits"})
    setup(server)
    table = fake.service("glue").table("lake_db", "visits")
    equal([k["Name"] for k in table["PartitionKeys"]], ["site", "dt", "hour"])
    p = table["Parameters"]
    equal(p["storage.location.template"], "s3://bkt/lake/site=${site}/dt=${dt}/hour=${hour}")
    equal([p["projection.site.type"], p["projection.dt.type"], p["projection.dt.format"], p["projection.dt.range"], p["projection.dt.interval.unit"], p["projection.hour.range"]],
          ["injected", "date", "yyyy-MM-dd", "2020-01-01,NOW", "DAYS", "0,23"])
    said = server.verb("module", "howto", "glue", check=True).stdout
    check('streamsteam query --athena "SELECT * FROM visits WHERE site = ' in said, said)
    for partition, words in (("x{app}y/", "cannot be a partition key"), ("Day=%d/", "no name of a partition key"), ("%d/a/%d/", "two keys"), ("%Q/", "unknown")):
        _, other = make(t, fake=fake, partition=partition)
        result = other.verb("check")
        check(result.returncode != 0 and words in result.stderr, f"{partition}: {result.stderr}")


@test("partitions are registered once each, whatever Glue says in between")
def _(t):
    fake, server = make(t, partitions="both", partition="{receiver}/app={app}/year=%Y/", tables={"matomo": "visits"})
    glue = fake.service("glue")
    fake.script.add([{"op": "BatchCreatePartition", "do": "throttle", "times": 2}, {"op": "BatchCreatePartition", "do": "close", "after": True, "times": 2},
                     {"op": "BatchCreatePartition", "do": "records", "times": 2}, {"op": "GetTable", "do": "error", "times": 1}])
    server.start()
    for site in range(1, 150):
        server.hit("x", idsite=site)
    time.sleep(0.3)
    until(lambda: "there is no table" in json.dumps(server.status()), 20 * slow(), "the reason")
    setup(server)
    year = time.strftime("%Y", time.gmtime())
    until(lambda: len(glue.partitions("lake_db", "visits")) == 149, 60 * slow(), "all partitions")
    until(lambda: server.status()["modules"][0]["cursor"] >= 149, 60 * slow(), "the end")
    made = glue.partitions("lake_db", "visits")
    equal(sorted(made), sorted((str(site), year) for site in range(1, 150)))
    equal(made["7", year]["StorageDescriptor"]["Location"], f"s3://bkt/lake/matomo/app=7/year={year}/")
    equal(made["7", year]["StorageDescriptor"]["SerdeInfo"], glue.table("lake_db", "visits")["StorageDescriptor"]["SerdeInfo"])
    calls = fake.count("BatchCreatePartition")
    server.hit("x", idsite=7)
    until(lambda: server.status()["modules"][0]["cursor"] >= 150, 20 * slow(), "one more")
    equal(fake.count("BatchCreatePartition"), calls)
    server.verify()


@test("the part of the modes passes check")
def _(t):
    server = t.server(start=False, yaml=(ROOT / "config/modes/data-lake-direct-batch.yaml").read_text(),
                      env={"STREAMSTEAM_LISTEN": "127.0.0.1:0", "STREAMSTEAM_ADMIN": "127.0.0.1:0", "STREAMSTEAM_DATA": str(t.tmp / "data")})
    (server.folder / "conf.d").mkdir()
    (server.folder / "conf.d" / "glue.yaml").write_text((ROOT / "config/modes/parts/glue.yaml").read_text())
    result = server.verb("check")
    equal(result.returncode, 0, result.stdout + result.stderr)


# ---- Athena ----

ROWS = [["1", "a,b", "true", None], ["2", 'say "x"', "false", "1.5"], ["3", "Zürich 🎮", "true", "NaN"]]
COLUMNS = [("n", "bigint"), ("text", "varchar"), ("good", "boolean"), ("x", "double")]


@test("query --athena prints rows as table, CSV and JSON, through pages and faults")
def _(t):
    fake, server = make(t, workgroup="wg", output="s3://results/x/")
    athena = fake.service("athena")
    athena.page_rows = 2
    athena.give("SELECT 1", COLUMNS, ROWS)
    fake.script.add([{"op": "StartQueryExecution", "do": "close", "after": True, "times": 1}, {"op": "GetQueryExecution", "do": "throttle", "times": 1},
                     {"op": "GetQueryResults", "do": "error", "times": 1}])
    said = server.verb("query", "--athena", "SELECT 1", "--format", "json")
    equal(said.returncode, 0, said.stderr)
    equal(json.loads(said.stdout), [{"n": 1, "text": "a,b", "good": True, "x": None}, {"n": 2, "text": 'say "x"', "good": False, "x": 1.5},
                                    {"n": 3, "text": "Zürich 🎮", "good": True, "x": "NaN"}])
    equal(len(athena.queries), 1)  # the lost answer started nothing twice
    arguments = next(iter(athena.queries.values()))["arguments"]
    equal((arguments["WorkGroup"], arguments["ResultConfiguration"], arguments["QueryExecutionContext"]),
          ("wg", {"OutputLocation": "s3://results/x/"}, {"Database": "lake_db"}))
    said = server.verb("query", "--athena", "SELECT 1", "--format", "csv", check=True).stdout
    equal(said.splitlines(), ["n,text,good,x", '1,"a,b",true,', '2,"say ""x""",false,1.5', "3,Zürich 🎮,true,NaN"])
    said = server.verb("query", "--athena", "SELECT 1", "--limit", "2", check=True).stdout
    check("(2 rows, and there are more" in said, said)


@test("query --athena: failures, limits and Ctrl-C cancel what runs")
def _(t):
    fake, server = make(t)
    athena = fake.service("athena")
    athena.give("SELECT bad", [], failure="COLUMN_NOT_FOUND: line 1:8: Column 'bad' cannot be resolved")
    athena.give("SELECT long", COLUMNS, ROWS, looks=10 ** 6)
    said = server.verb("query", "--athena", "SELECT bad")
    check(said.returncode == 1 and "COLUMN_NOT_FOUND" in said.stderr, said.stderr)
    said = server.verb("query", "--athena", "SELECT unknown")
    check(said.returncode == 1 and "nobody laid down" in said.stderr, said.stderr)
    said = server.verb("query", "--athena", "SELECT long", "--timeout", "700ms")
    check(said.returncode == 1 and "time was over" in said.stderr, said.stderr)
    equal(sorted(athena.state().values()), ["CANCELLED", "FAILED"])
    asking = subprocess.Popen([str(server.binary), "query", "--athena", "SELECT long", "-c", str(server.file)], env=server.environment(), cwd=server.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: "RUNNING" in athena.state().values(), 20 * slow(), "the query")
    asking.send_signal(signal.SIGINT)
    equal((asking.wait(20), b"cancelled" in asking.stderr.read()), (1, True))
    asking.stdout.close()
    asking.stderr.close()
    equal(sorted(athena.state().values()), ["CANCELLED", "CANCELLED", "FAILED"])
    equal(server.verb("query", "--athena", "--list").returncode, 2)
    server.config["modules"] = {"lake": {}}
    server.write_config()
    said = server.verb("query", "--athena", "SELECT 1")
    check(said.returncode == 1 and "needs a module glue" in said.stderr, said.stderr)


if __name__ == "__main__":
    sys.exit(main())
