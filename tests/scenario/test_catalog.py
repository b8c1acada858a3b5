#!/usr/bin/env python3
"""streamsteam catalog on the real plugins: every name of StreamSteam is there with its type, whoever reads the
formats takes them, and modules see the same list."""
# timeout: 400
import glob
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.server import ROOT, build_dir
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

GOLDEN = ROOT / "tests" / "golden" / "catalog"
TYPES = ["", "string", "int", "double", "bool", "timestamp", "datetime", "json"]

# StreamSteam's columns: name -> type, as its own receiver stored them.
STRINGS = """site_id referral_url display_resolutions language page_view_id page_view_url action_name ip user_agent event_category event_action
event_value_name""".split()
INTS = """random_part visitor_id_created_ts visitor_visit_count referral_ts visitor_last_visit_ts performance_generation_time_ms""".split()
BOOLS = """supports_silverlight supports_cookie supports_director supports_flash supports_gears supports_java supports_pdf supports_quicktime
supports_mplayer2 supports_realaudio send_image""".split()
COLUMNS = {**dict.fromkeys(STRINGS, "string"), **dict.fromkeys(INTS, "int"), **dict.fromkeys(BOOLS, "bool"), "event_datetime": "datetime",
           "event_value_numeric": "double"}
GEO = """ip hostname city region country loc.longitude loc.latitude org postal timezone""".split()
DEVICE = """ua type brand name url os.name os.code os.url os.family os.family_code os.family_vendor os.icon os.icon_large
device.is_mobile_device device.type device.brand device.brand_code device.brand_url device.name browser.name browser.version
browser.version_major browser.engine crawler.is_crawler crawler.category crawler.last_seen""".split()


def contract(name):
    return str(build_dir() / "tests" / "contract" / f"plugin_{name}.so")


def catalog(server, *words, **options):
    return server.verb("catalog", *words, check=True, **options).stdout


def fields(server, *words):
    """{name: type} from the manual."""
    rows = [re.split(r"(?<!\\)\|", line)[1:4] for line in catalog(server, "--format", "markdown", *words).splitlines() if line.startswith("| ")]
    clean = lambda cell: re.sub(r"\\(.)", r"\1", cell.strip())
    return {clean(name): clean(kind) for name, kind, _ in rows if clean(name) != "Field"}


@test("all of StreamSteam's flat columns are in the catalog, with their types")
def _(t):
    server = t.server(start=False)
    have = fields(server)
    equal(len(COLUMNS), 31)
    equal({name: have.get(name) for name in COLUMNS}, COLUMNS)


def enriched(t, name, **options):
    """A server that enriches with one plugin of ours, where it is built."""
    if not (build_dir() / "plugins" / f"enricher-{name}.so").exists():
        t.skip(f"enricher {name} is not built")
    return t.server(start=False, config={"enrichers": {name: options}, "receivers": {"matomo": {"enrich": [name]}}})


def check_object(server, name, members):
    have = fields(server)
    missing = [m for m in members if f"{name}.{m}" not in have]
    check(not missing, f"{name} lacks {missing}")


@test("geo_info has every member of StreamSteam's, postal and timezone too")
def _(t):
    server = enriched(t, "geoip", database=str(t.tmp / "city.mmdb"))
    from tests.lib import mmdb  # came with the enricher
    (t.tmp / "city.mmdb").write_bytes(mmdb.build({"192.0.2.0/24": {"country": {"iso_code": "DE"}}}))
    check_object(server, "geo_info", GEO)
    have = fields(server)
    equal((have["geo_info.loc.longitude"], have["geo_info.loc.latitude"]), ("double", "double"))


@test("device_info has every member of StreamSteam's")
def _(t):
    server = enriched(t, "device")
    result = server.verb("check")
    if result.returncode:
        t.skip(f"enricher device has no data here: {result.stderr.splitlines()[0]}")
    check_object(server, "device_info", DEVICE)
    have = fields(server)
    equal((have["device_info.device.is_mobile_device"], have["device_info.crawler.is_crawler"]), ("bool", "bool"))


def texts(server, format):
    """The golden text, which is full of what has to be quoted, and that of the real receiver."""
    return [(GOLDEN / format).read_text(), catalog(server, "--format", format)]


@test("SQLite takes the DDL and an event's values")
def _(t):
    server = t.server(start=False)
    for text in texts(server, "sqlite"):
        db = sqlite3.connect(":memory:")
        db.executescript(text)
        db.close()
    db = sqlite3.connect(":memory:")
    db.executescript(catalog(server, "--format", "sqlite", "--table", "my \"own\""))
    db.execute('insert into "my ""own""" (event_id, event_datetime, event_value_numeric, send_image, order_items) values (?, ?, ?, ?, ?)',
               ("id", "2026-11-22 03:24:00", 1.5, 1, "[]"))
    columns = {row[1]: row[2] for row in db.execute('pragma table_info("my ""own""")')}
    equal(list(columns), [name.replace(".", "_") for name in fields(server)])
    equal((columns["event_value_numeric"], columns["goal_id"], columns["send_image"]), ("REAL", "INTEGER", "INTEGER"))


@test("Glue's TableInput and OpenSearch's template are JSON without double keys, with a column or property for every field")
def _(t):
    def once(pairs):
        equal(len(pairs), len(dict(pairs)), "a key twice")
        return dict(pairs)
    server = t.server(start=False)
    names = list(dict.fromkeys(name.partition(".")[0] for name in fields(server)))  # an object is one
    for text in texts(server, "glue"):
        table = json.loads(text, object_pairs_hook=once)
        columns = [c["Name"] for c in table["StorageDescriptor"]["Columns"]]
        equal(len(columns), len(set(columns + ["year", "month", "day"])) - 3)
        check(all(re.fullmatch("[a-z0-9_]+", c) for c in columns), columns)
        equal([k["Name"] for k in table["PartitionKeys"]], ["year", "month", "day"])
    equal(columns, names)
    table = json.loads(catalog(server, "--format", "glue", "--table", "Page Views", "--location", "s3://b/l//"))
    equal((table["Name"], table["StorageDescriptor"]["Location"]), ("page_views", "s3://b/l/matomo/"))
    equal(table["Parameters"]["storage.location.template"], "s3://b/l/matomo/year=${year}/month=${month}/day=${day}")
    for text in texts(server, "opensearch"):
        mappings = json.loads(text, object_pairs_hook=once)["template"]["mappings"]
        equal(mappings["dynamic"], False)
    equal(list(mappings["properties"]), names)
    equal((mappings["properties"]["extra_params"], mappings["properties"]["custom_data"]), ({"type": "flat_object"}, {"type": "object", "enabled": False}))


def postgres(t):
    """Debian's, which is not in PATH; it refuses to run as root."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found:
        t.skip("PostgreSQL is not installed")
    runuser = [t.need("runuser"), "-u", "nobody", "--"] if os.getuid() == 0 else []
    return pathlib.Path(found[-1]).parent, runuser


@test("PostgreSQL takes its own DDL, and Redshift's, where SUPER is a domain and the two table attributes are left out")
def _(t):
    binaries, runuser = postgres(t)
    server = t.server(start=False)
    data = t.tmp / "pg"
    data.mkdir()
    if runuser:
        shutil.chown(data, "nobody")

    def run(program, *words, text=None):
        result = subprocess.run([*runuser, str(binaries / program), *words], input=text, capture_output=True, text=True, timeout=120, cwd="/")
        equal(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout + result.stderr
    run("initdb", "-D", str(data), "-A", "trust", "-N", "-E", "UTF8", "--locale", "C")
    for table, text in zip(("shop", "matomo"), texts(server, "redshift")):
        ddl = text.replace("\nDISTSTYLE AUTO\nSORTKEY (\"received_at\")", "").replace(";\n", ";\n\n")  # a blank line ends a statement there
        count = f"select count(*) as columns from information_schema.columns where table_name = '{table}';\n\n"
        said = run("postgres", "--single", "-j", "-D", str(data), "postgres", text="create domain super as jsonb;\n\n" + ddl + count +
                   "drop domain super cascade;\n\n")
        check("ERROR" not in said and "FATAL" not in said, said)
        equal(re.findall(r'columns = "(\d+)"', said), [str(len(re.findall(r'^  "', text, re.M)))])
    for table, text in zip(("shop", "matomo"), texts(server, "postgres")):
        count = f"select count(*) as columns from information_schema.columns where table_name = '{table}';\n\n"
        said = run("postgres", "--single", "-j", "-D", str(data), "postgres", text=f"drop table if exists {table};\n\n" + text.replace(";\n", ";\n\n") + count)
        check("ERROR" not in said and "FATAL" not in said, said)
        equal(re.findall(r'columns = "(\d+)"', said), [str(len(re.findall(r'^  "', text, re.M)))])


@test("a module sees the same list as the catalog prints, in check and in its own process")
def _(t):
    out = t.tmp / "fields"
    modules = {"looker": {"use": contract("catalog_module"), "out": str(out)}, "lost": {"use": contract("catalog_module"), "of": "nobody",
                                                                                          "out": str(t.tmp / "none")}}
    server = t.server(start=False, modules=modules)
    want = fields(server)  # that has loaded the configuration, as check does
    read = lambda when: {name: TYPES[int(kind)] for name, kind, *_ in (line.split("\t") for line in pathlib.Path(f"{out}.{when}").read_text().splitlines())}
    equal(read("create"), want)
    pathlib.Path(f"{out}.create").unlink()
    server.start()
    for path in (f"{out}.start", t.tmp / "none.start"):
        until(pathlib.Path(path).exists, 20, f"{path}")
    server.stop()
    equal(read("create"), want)
    equal(read("start"), want)
    docs = {line.split("\t")[0]: line.split("\t")[2:] for line in pathlib.Path(f"{out}.start").read_text().splitlines()}
    equal((docs["site_id"], docs["extra_params"][-1]), (["Website id.", "idsite", "0"], "1"))
    for when in ("create", "start"):
        equal((t.tmp / f"none.{when}").read_text(), "status 2\n", "an unknown receiver is SS_REJECT")


@test("wrong use is told with a suggestion; several receivers, and what a broken configuration says")
def _(t):
    server = t.server(start=False, config={"receivers": {"second": {"use": "matomo", "routes": {"/matomo.php": "/2"}}}})
    for words, code, say in ((["--format", "redshfit"], 2, "redshift"), (["--receiver", "mattomo"], 2, "matomo"), (["--format"], 2, "without its value"),
                             (["extra"], 2, "does not know"), (["--format", "glue"], 2, "--receiver"), (["--table", "x"], 2, "--receiver"),
                             (["--receiver", "matomo", "--table", ""], 2, "without its value")):
        result = server.verb("catalog", *words)
        check(result.returncode == code and say in result.stderr and not result.stdout, f"{words}: {result}")
    equal(catalog(server, "--format", "sqlite").count("CREATE TABLE"), 2)
    equal(json.loads(catalog(server, "--format", "glue", "--receiver", "second"))["Name"], "second")
    server.write_config({**server.config, "receivers": {"matomo": {"enrich": ["nothing"]}}})
    result = server.verb("catalog")
    check(result.returncode == 1 and "nothing" in result.stderr and not result.stdout, result)


if __name__ == "__main__":
    sys.exit(main())
