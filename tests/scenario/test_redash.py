#!/usr/bin/env python3
"""Module redash against a fake of ours: setup makes everything once, whatever gets lost; teardown takes away what is ours alone."""
# timeout: 600
import copy
import json
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.fakes.redash import KEY, Fake
from tests.lib.tap import check, equal, main, test

QUERIES = 11
CHARTS = 10
SQLITE = {"source": {"type": "sqlite"}, "sqlite": {"file": "/data/warehouse.db"}}


class Case:
    def __init__(self, t, **options):
        self.t, self.fake = t, Fake()
        t.defer(self.fake.close)
        self.options = {"url": self.fake.url + "/", "api_key": KEY, **(options or SQLITE)}
        self.server = t.server(start=False, config=self.config())

    def config(self):
        return {"modules": {"redash": self.options}}

    def run(self, verb="setup", good=True, **options):
        self.options.update(options)
        self.server.config["modules"]["redash"] = self.options
        self.server.write_config()
        result = self.server.verb("module", verb, "redash")
        equal(result.returncode, 0 if good else 1, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def state(self):
        return {kind: {i["id"]: {k: v for k, v in i.items() if k != "version"} for i in self.fake.all(kind)} for kind in self.fake.items}

    def writes(self):
        return [(m, p) for m, p, _ in self.fake.requests if m != "GET"]

    def check_whole(self, queries=QUERIES, charts=CHARTS):
        f = self.fake
        equal((len(f.all("data_sources")), len(f.all("queries")), len(f.all("dashboards")), len(f.all("widgets"))), (1, queries, 1, queries))
        equal(sorted(q["name"] for q in f.all("queries")), sorted({q["name"] for q in f.all("queries")}))
        live = {q["id"] for q in f.all("queries")}
        equal(sum(v["type"] == "CHART" and v["query_id"] in live for v in f.all("visualizations")), charts)
        equal([i["is_draft"] for i in f.all("queries") + f.all("dashboards")], [False] * (queries + 1))
        equal({tuple(i["tags"]) for i in f.all("queries") + f.all("dashboards")}, {("streamsteam-redash",)})
        shown = [w["visualization_id"] for w in f.all("widgets")]
        equal(len(set(shown)), queries)
        places = {json.dumps(w["options"]["position"], sort_keys=True) for w in f.all("widgets")}
        equal(len(places), queries, "widgets lie on each other")


@test("setup makes it all; a second one changes nothing but sends the data source's settings")
def _(t):
    c = Case(t)
    said = c.run()
    check("data source StreamSteam: made" in said and "query TotalEventsQuery: made" in said and "dashboard Games: made" in said, said)
    c.check_whole()
    equal(c.fake.all("data_sources")[0]["options"], {"dbpath": "/data/warehouse.db"})
    before = copy.deepcopy(c.state())
    c.fake.requests.clear()
    said = c.run()
    check("query TotalEventsQuery: is there" in said and "made" not in said, said)
    equal(c.writes(), [("POST", f"/api/data_sources/{c.fake.all('data_sources')[0]['id']}")])
    equal(c.state(), before)


@test("what was changed in Redash or in the configuration is changed in place; what others made stays")
def _(t):
    c = Case(t)
    c.run()
    ids = {q["name"]: q["id"] for q in c.fake.all("queries")}
    mine = c.fake.make("queries", {"name": "TotalEventsQuery", "query": "SELECT 1", "data_source_id": c.fake.all("data_sources")[0]["id"]})  # somebody's own
    c.fake.items["queries"][ids["NewUsersLastMonth"]]["query"] = "SELECT 'edited'"
    c.fake.all("widgets")[0]["options"]["position"]["row"] = 77  # moved by a person
    said = c.run(refresh="1h")
    check("query NewUsersLastMonth: changed" in said, said)
    equal({q["name"]: q["id"] for q in c.fake.all("queries") if q["id"] != mine["id"]}, ids)
    check("edited" not in c.fake.items["queries"][ids["NewUsersLastMonth"]]["query"], "the text")
    equal({q["schedule"]["interval"] for q in c.fake.all("queries") if q["id"] != mine["id"]}, {3600})
    equal(c.fake.items["queries"][mine["id"]]["query"], "SELECT 1")
    equal(c.fake.all("widgets")[0]["options"]["position"]["row"], 77)
    c.fake.requests.clear()
    c.run()
    equal(len(c.writes()), 1)


@test("teardown takes away what is ours; the data source stays while others ask it")
def _(t):
    c = Case(t)
    c.run()
    mine = c.fake.make("queries", {"name": "mine", "query": "SELECT 1", "data_source_id": c.fake.all("data_sources")[0]["id"]})
    said = c.run("teardown")
    check("other queries ask it" in said, said)
    equal(([q["id"] for q in c.fake.all("queries")], c.fake.all("dashboards"), len(c.fake.all("data_sources"))), ([mine["id"]], [], 1))
    c.fake.remove("queries", c.fake.items["queries"][mine["id"]])
    c.run("teardown")
    equal([len(c.fake.all(kind)) for kind in ("queries", "dashboards", "data_sources", "widgets")], [0, 0, 0, 0])
    c.run("teardown")
    c.run()
    c.check_whole()


@test("a lost answer, a cut connection, a 500 at each request: everything is there once at the end", timeout_s=300)
def _(t):
    for do in ("lose", "close", 500):
        for op in ("POST /api/data_sources", "GET /api/data_sources", "POST /api/queries", "POST /api/queries/.*", "GET /api/queries.*", "POST /api/visualizations",
                   "POST /api/dashboards", "POST /api/dashboards/.*", "GET /api/dashboards.*", "POST /api/widgets"):
            c = Case(t)
            c.fake.faults = [{"op": op, "do": do, "skip": skip} for skip in (0, 1, 3)]
            c.run()
            c.check_whole()
            check(c.fake.faults[0]["times"] == 0, f"{op} was never asked")
            c.fake.close()


@test("a Redash that stays down is told after some tries; the next setup goes on where it was")
def _(t):
    c = Case(t)
    c.fake.faults = [{"op": "POST /api/visualizations", "do": 503, "skip": 2, "times": 100}]
    said = c.run(good=False)
    check("answers 503" in said, said)
    c.fake.faults = []
    c.run()
    c.check_whole()
    c.fake.close()
    said = c.run(good=False)
    check(c.fake.url in said, said)


@test("a create that came true late makes no second one for long")
def _(t):
    c = Case(t)
    c.run()
    twin = copy.deepcopy(c.fake.all("queries")[3])
    c.fake.last += 1
    c.fake.items["queries"][c.fake.last] = {**twin, "id": c.fake.last}
    c.run()
    c.check_whole()
    equal([q["id"] for q in c.fake.all("queries") if q["name"] == twin["name"]], [twin["id"]])


@test("more than a page of queries; ours are found among them")
def _(t):
    c = Case(t, **SQLITE, queries=["TotalEventsQuery", "LatestEventsQuery"])
    source = c.fake.make("data_sources", {"name": "other", "type": "sqlite", "options": {"dbpath": "x"}})
    for i in range(250):
        c.fake.make("queries", {"name": f"q{i}", "query": "SELECT 1", "data_source_id": source["id"]})
    c.run()
    c.run()
    equal(sorted(q["name"] for q in c.fake.all("queries") if q["tags"]), ["LatestEventsQuery", "TotalEventsQuery"])


@test("a wrong key, no key, a taken name, a missing source, an unknown query: one sentence each")
def _(t):
    c = Case(t)
    c.fake.make("data_sources", {"name": "StreamSteam", "type": "pg", "options": {}})
    said = c.run(good=False)
    check("is a pg, not a sqlite" in said, said)
    equal(c.writes(), [])
    said = c.run(good=False, source={"type": "existing", "name": "nowhere"})
    check("there is no data source 'nowhere'" in said, said)
    said = c.run(good=False, source={"type": "sqlite"}, api_key="wrong-key-12345")
    check("answers 404" in said and "login" in said and "wrong-key-12345" not in said, said)
    equal(c.writes(), [])
    said = c.run(good=False, api_key=KEY, queries=["NoSuchQuery"])
    check("'NoSuchQuery' is not known" in said, said)


@test("an existing source is left as it is, and tells the language")
def _(t):
    c = Case(t, source={"type": "existing", "name": "theirs"})
    c.fake.make("data_sources", {"name": "theirs", "type": "pg", "options": {"host": "db"}})
    c.run()
    c.check_whole()
    check(not [p for m, p in c.writes() if "data_sources" in p], c.writes())
    check(any("jsonb_typeof" in q["query"] for q in c.fake.all("queries")), "PostgreSQL's texts")
    c.run("teardown")
    equal(len(c.fake.all("data_sources")), 1)


@test("passwords go to the data source and nowhere else")
def _(t):
    c = Case(t, source={"type": "postgres"}, postgres={"host": "db", "password": "s3cr3t-of-redash"})
    said = c.run()
    equal(c.fake.all("data_sources")[0]["options"], {"host": "db", "port": 5432, "user": "redash", "dbname": "streamsteam", "sslmode": "prefer", "password": "s3cr3t-of-redash"})
    check("s3cr3t" not in said, said)
    c.fake.faults = [{"op": "POST /api/data_sources.*", "do": 400, "times": 9}]
    said = c.run(good=False)
    check("s3cr3t" not in said, said)


@test("each text is of its data source's language")
def _(t):
    c = Case(t, source={"type": "athena"}, athena={"staging": "s3://b/tmp/redash/", "database": "games", "table": "raw_events"})
    c.run()
    c.check_whole()
    for q in c.fake.all("queries"):
        check('"games"."raw_events"' in q["query"] and "{table}" not in q["query"], q["query"])
        check("->>" not in q["query"] and "::" not in q["query"] and "strftime" not in q["query"], q["query"])
    check('json_extract_scalar(event_data, \'$.level_id\')' in next(q["query"] for q in c.fake.all("queries") if q["name"] == "TotalPlaysByLevel"), "members")
    s = Case(t)
    s.run()
    db = sqlite3.connect(":memory:")  # what Redash has: no function of ours
    columns = "event_id, event_type, event_name, event_version, event_timestamp, app_version, application_id, application_name, event_data, metadata"
    db.execute(f"CREATE TABLE event_data({columns})")
    db.execute("CREATE VIEW latest_events AS SELECT *, datetime(event_timestamp, 'unixepoch') AS parsed_date FROM event_data ORDER BY event_timestamp DESC LIMIT 10")
    db.execute("INSERT INTO event_data(event_id, event_type, event_timestamp, application_id, event_data) VALUES ('1', 'level_started', 1764000000, 'a', '{\"level_id\":\"7\"}')")
    for q in s.fake.all("queries"):
        rows = db.execute(q["query"])
        chart = next((v for v in s.fake.all("visualizations") if v["query_id"] == q["id"] and v["type"] == "CHART"), None)
        for column in chart["options"]["columnMapping"] if chart else ():
            check(column in [d[0] for d in rows.description], f"{q['name']} has no column {column}")


@test("howto, check --connect, and config/examples/redash.yaml")
def _(t):
    c = Case(t)
    said = c.run("howto")
    check(c.fake.url in said and "streamsteam-redash" in said, said)
    c.server.verb("check", "--connect", check=True)
    c.options["api_key"] = "wrong-key-12345"
    c.server.write_config(c.server.config)
    result = c.server.verb("check", "--connect")
    check(result.returncode != 0 and "answers 404" in result.stderr + result.stdout, result.stderr)
    example = pathlib.Path(__file__).resolve().parents[2] / "config" / "examples" / "redash.yaml"
    t.server(yaml=example.read_text(), start=False).verb("check", check=True)


if __name__ == "__main__":
    main()
