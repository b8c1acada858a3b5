#!/usr/bin/env python3
"""streamsteam windows export: the text for the shipped sets and for names that have to be quoted, and what is refused. That real Flink takes it
and says the same as the module is tested in tests/interop/with_flink.py."""
import collections
import copy
import os
import pathlib
import re
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import flink_sql
from tests.lib.server import ROOT
from tests.lib.tap import check, equal, main, test

GOLDEN = ROOT / "tests" / "golden" / "flink"
RECEIVERS, MODULES = flink_sql.hostile()


def shipped(t, name):
    server = t.server(start=False, config={"receivers": {"game": {"stage": "live"}}, "server": {"applications": {"api": {"stage": "live"}}}}, modules={})
    folder = server.file.parent / "conf.d"
    folder.mkdir()
    (folder / "metrics.yaml").write_text((ROOT / "config" / "metrics" / f"{name}.yaml").read_text())
    return server


def export(server, *words, **options):
    return server.verb("windows", "export", "--to", "flink-sql", *words, **options)


def words(statement):
    return re.sub(r"\s+", " ", re.sub("--.*", "", statement)).strip()


def is_golden(name, text):
    file = GOLDEN / f"{name}.sql"
    if os.environ.get("STREAMSTEAM_GOLDEN") == "write":
        file.write_text(text)
    equal(text, file.read_text(), f"{file} (STREAMSTEAM_GOLDEN=write writes it anew)")


@test("the shipped sets, for Kafka, Kinesis and files: as in tests/golden/flink")
def _(t):
    game, web = shipped(t, "game"), shipped(t, "web")
    kafka = ("--set", "brokers=10.0.0.5:9092", "--set", "topic=events", "--set", "properties.security.protocol=SASL_SSL")
    is_golden("game-kafka", export(game, *kafka, check=True).stdout)
    is_golden("web-kinesis", export(web, "--source", "kinesis", "--set", "sink=kinesis", "--set", "late=wait", check=True).stdout)
    is_golden("web-files", export(web, "--source=files", "--set", "path=/lake/matomo", "--set", "sink=files", "--set", "metrics_path=/lake/metrics", check=True).stdout)


@test("quotes, backslashes, semicolons, line ends, comments and reserved words, in every name and text: as in tests/golden/flink, whoever cuts it into statements")
def _(t):
    server = flink_sql.hostile_server(t, RECEIVERS, MODULES)
    text = export(server, check=True).stdout
    is_golden("hostile", text)
    statements = flink_sql.statements(text)
    kinds = collections.Counter(statement.split("`")[0].split("'")[0].split("\n")[0].strip() for statement in statements)
    equal(kinds, {"SET": 4, "CREATE TEMPORARY TABLE": 2 + 7, "CREATE TEMPORARY VIEW": len(flink_sql.METRICS) + 2, "EXECUTE STATEMENT SET": 1})
    in_front = text.split("EXECUTE STATEMENT SET")[0]
    equal([words(s) for s in flink_sql.cut_by_lines(in_front)], [words(s) for s in statements[:-1]])


REFUSED = [  # what is changed in the first metric, words of the reason
    ({"by": {"a;b": "n"}}, "'a;b' cannot be a column's name"),
    ({"by": {"a\nb": "n"}}, "cannot be a column's name"),
    ({"by": {"METRIC_NAME": "n"}}, "the member METRIC_NAME twice"),
    ({"by": {"A": "nowhere"}}, "'nowhere' is no field of events; `streamsteam catalog` lists them"),
    ({"by": {"A": "select.x"}}, "'select.x': select holds nothing but a plain value"),
    ({"by": {"A": "@key"}}, "@key is not in the line"),
    ({"value": "sum", "of": "select"}, "'select' is no number"),
    ({"filter": {"nowhere": 1}}, "'nowhere' is no field"),
    ({"dedupe": "nowhere"}, "'nowhere' is no field"),
    ({"document": {"id": "{id}"}}, "{id} and {version} are of this server's journal"),
    ({"document": {"v": "v{version}"}}, "{id} and {version} are of this server's journal"),
    ({"document": {"v": "<{value}>"}, "value": "top", "of": "select"}, "a list cannot stand within a text"),
]


@test("what Flink cannot say is refused with file, line, module and metric, and nothing is printed")
def _(t):
    for changes, words in REFUSED:
        receivers, modules = flink_sql.hostile()
        metric = {"name": "Refused", **changes}
        modules["odd"]["metrics"] = [copy.deepcopy(flink_sql.METRICS[1]), metric]
        server = flink_sql.hostile_server(t, receivers, modules)
        said = export(server)
        equal((said.returncode, said.stdout), (1, ""), said.stderr)
        check(f"{server.file}:" in said.stderr and "modules.odd: metric Refused: " in said.stderr and words in said.stderr, said.stderr)


@test("a field that two receivers declare with different types, and no field for the time, are refused; --set time names one")
def _(t):
    receivers, modules = flink_sql.hostile(receivers=["events", "others"], types=[])
    other = copy.deepcopy(receivers["events"])
    other["types"]["click"]["schema"]["properties"]["n"] = {"type": "string"}
    other["routes"] = {"/events": "/others", "/events/{type}": "/others/{type}"}
    server = flink_sql.hostile_server(t, {**receivers, "others": {"use": "events", **other}}, modules)
    said = export(server)
    check(said.returncode == 1 and "'n' is of one type in one receiver and of another in the next" in said.stderr, said.stderr)
    metric = {"name": "M", "by": {"A": "METRIC_NAME"}}
    config = {"receivers": {"first": {"use": "metrics"}, "metrics": {}}}
    server = t.server(start=False, config=config, modules={"w": {"use": "windows", "receivers": ["first"], "watermark": "stream", "metrics": [metric]}})
    said = export(server)
    check(said.returncode == 1 and "--set time=FIELD" in said.stderr, said.stderr)
    text = export(server, "--set", "time=METRIC_TIMESTAMP", check=True).stdout
    check("TO_TIMESTAMP(`METRIC_TIMESTAMP`" in text, text)


@test("the verb: wrong use is 2, unknown keys and modules are named, -o writes a file that nobody else reads, several modules follow one another")
def _(t):
    server = shipped(t, "game")
    for words, code, reason in ((["--set", "nonsense=1"], 1, "there is no such key"), (["--set", "topic"], 1, "KEY=VALUE is wanted"),
                                (["--set", "start=never"], 1, "one of committed|earliest|latest"), (["--source", "paper"], 1, "kafka, kinesis, files"),
                                (["--module", "nobody"], 2, "no module 'nobody'"), (["surplus"], 2, "--help")):
        said = export(server, *words)
        check(said.returncode == code and reason in said.stderr and not said.stdout, f"{words}: {said}")
    equal(server.verb("windows", "export", "--to", "spark").returncode, 2)
    file = t.tmp / "job.sql"
    equal(export(server, "-o", str(file), check=True).stdout, "")
    equal(stat.S_IMODE(file.stat().st_mode), 0o600)
    equal(file.read_text(), export(server, check=True).stdout)
    metrics = server.file.parent / "conf.d" / "metrics.yaml"
    metrics.write_text(metrics.read_text().replace("    receivers: [game]\n", ""))
    check("must hold the events of matomo, game and nothing else" in export(server, check=True).stdout, "the receivers, but for the one of the documents")
    (server.file.parent / "conf.d" / "web.yaml").write_text((ROOT / "config" / "metrics" / "web.yaml").read_text())
    both = export(server, check=True).stdout
    equal(both.count("EXECUTE STATEMENT SET"), 2)
    equal(export(server, "--module", "web_metrics", check=True).stdout, both[both.index("-- The metrics of the module web_metrics"):])
    nobody = t.server(start=False)
    said = export(nobody)
    check(said.returncode == 1 and "docs/windows.md" in said.stderr, said.stderr)
    check("windows export" in server.verb("module", "howto", "windows", check=True).stdout, "howto")


if __name__ == "__main__":
    main()
