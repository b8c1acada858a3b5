#!/usr/bin/env python3
"""Visits on the real server, while ingest is killed and the configuration reloaded; the script; the API of the log importer."""
import gzip
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.server import slow
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

IDS = {"one": "1" * 16, "two": "2" * 16}


def kill(server):
    pid = server.kill_child("ingest")
    until(lambda: server.children().get("ingest") not in (None, pid), 20 * slow(), "a new ingest")
    until(lambda: answered(server), 20 * slow(), "an answer")


def answered(server):
    try:
        return server.get("/readyz").status == 200
    except (OSError, http.Closed):
        return False


def reload(server, **options):
    """As an administrator does it: the file is changed, then SIGHUP."""
    server.log_from = server.log_path.stat().st_size
    server.config["receivers"]["matomo"].update(options)
    server.write_config()
    server.signal(signal.SIGHUP)
    server.wait_log("configuration reloaded")


@test("visits outlive SIGKILL of ingest, a restart and reloads, of another size too")
def _(t):
    server = t.server()
    steps = [lambda: None, lambda: kill(server), lambda: reload(server, script_max_age="5m"), lambda: kill(server),
             lambda: reload(server, visits=2000), lambda: kill(server), lambda: (server.restart(), None),
             lambda: reload(server, visits=30000)]
    for number, step in enumerate(steps):
        step()
        for visitor, digits in IDS.items():
            equal(server.hit(f"{visitor} {number}", _id=digits, ua=visitor).status, 200)
        equal(server.hit(f"none {number}", ua="no id").status, 200)
    server.hit("new", _id=IDS["one"], new_visit=1)
    server.stop()
    events = {event["event_value_name"]: event for event in lake.lines(server.lake)}
    equal(len(events), 3 * len(steps) + 1)
    visits = {}
    for visitor in [*IDS, "none"]:
        of = [events[f"{visitor} {number}"] for number in range(len(steps))]
        equal({event["visit_id"] for event in of}, {of[0]["visit_id"]}, visitor)
        equal({event["visitor_id"] for event in of}, {IDS.get(visitor, of[0]["visitor_id"])}, visitor)
        equal([event["is_new_visit"] for event in of], [True] + [False] * (len(steps) - 1), visitor)
        visits[visitor] = of[0]["visit_id"]
    visits["new"] = events["new"]["visit_id"]
    equal(events["new"]["is_new_visit"], True)
    equal(len(set(visits.values())), 4)


@test("an order is taken once, whatever happens to ingest in between")
def _(t):
    server = t.server()
    for number in range(4):
        equal(server.hit(f"order {number}", idgoal=0, ec_id="A1", r=number).status, 200)
        kill(server)
    server.stop()
    equal([event["event_value_name"] for event in lake.lines(server.lake)], ["order 0"])


@test("the script is served under its own and under renamed paths, gzipped, and read again when it changes")
def _(t):
    file = t.tmp / "matomo.js"
    file.write_text("var first;" * 100)
    server = t.server(config={"receivers": {"matomo": {
        "script": str(file), "routes": {"/matomo.js": ["/matomo.js", "/lib/a.js"], "/matomo.php": ["/matomo.php", "/lib/a"]}}}})
    for path in ("/matomo.js", "/piwik.js", "/js/", "/js", "/lib/a.js", "/lib/a.js?v=1"):
        answer = server.get(path)
        equal((answer.status, answer.header("Content-Type")), (200, "application/javascript; charset=utf-8"), path)
        equal(answer.body, file.read_bytes(), path)
    answer = server.get("/lib/a.js", [("Accept-Encoding", "gzip")])
    equal((answer.header("Content-Encoding"), gzip.decompress(answer.body)), ("gzip", file.read_bytes()))
    tag = answer.header("ETag")
    answer = server.get("/lib/a.js", [("Accept-Encoding", "gzip"), ("If-None-Match", tag)])
    equal((answer.status, answer.body, answer.header("ETag")), (304, b"", tag))
    with server.connect() as c:
        equal(c.request("HEAD", "/matomo.js").status, 200)
        equal(c.request("GET", "/matomo.js").body, file.read_bytes())
    equal(server.get(http.hit("renamed", path="/lib/a")).status, 200)
    equal(server.get(http.hit("script", path="/js/")).status, 200)
    file.write_text("var second;")
    until(lambda: server.get("/matomo.js").body == b"var second;", 20 * slow(), "the changed script")
    equal(server.get("/matomo.js", [("If-None-Match", tag)]).status, 200)
    server.stop()
    equal(sorted(lake.names(server.lake)), ["renamed", "script"])


@test("without a script its paths are 404, and a missing file is refused with its name")
def _(t):
    server = t.server()
    for path in ("/matomo.js", "/piwik.js", "/js/"):
        equal(server.get(path).status, 404, path)
        equal(json.loads(server.get(path).body)["error"], "no_script")
    server.config["receivers"]["matomo"]["script"] = "/nowhere/matomo.js"
    server.write_config()
    result = server.verb("check")
    check(result.returncode != 0 and "/nowhere/matomo.js: No such file" in result.stdout + result.stderr, result)


FORM = [("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", "Matomo/LogImport")]


@test("the log importer's first questions are answered, the rest of / stays 404")
def _(t):
    server = t.server(config={"receivers": {"matomo": {
        "sites": {"1": {"name": "One", "hosts": ["example.org"]}}, "tokens": [{"secret": "s3cret", "role": "superuser"}]}}})

    def ask(method, path="/", token="s3cret", **more):
        body = f"module=API&format=json&method={method}&filter_limit=-1&token_auth={token}"
        answer = server.post(path, "".join([body] + [f"&{k}={v}" for k, v in more.items()]).encode(), FORM)
        equal((answer.status, answer.header("Content-Type")), (200, "application/json"))
        return json.loads(answer.body)

    one = {"idsite": 1, "name": "One", "main_url": "https://example.org", "timezone": "UTC"}
    equal(ask("SitesManager.getSiteFromId", idSite=1), one)
    equal(ask("SitesManager.getSiteFromId", "/index.php", idSite=1), one)
    equal(ask("SitesManager.getSitesIdFromSiteUrl", url="example.org"), [{"idsite": 1}])
    equal(ask("SitesManager.getAllSites"), {"1": one})
    for wrong in (ask("SitesManager.getAllSites", token="x"), ask("SitesManager.addSite", siteName="b"), ask("Nothing.known")):
        equal(wrong["result"], "error")
    equal(ask("SitesManager.getAllSites", "//"), {"1": one})  # --url ends with a slash
    equal(server.get(http.hit("one", path="//piwik.php")).status, 200)
    for path in ("/", "/index.php", "/index.php?module=Login"):
        equal(server.get(path).status, 404, path)
    check("s3cret" not in server.log_text(), "the token is in the log")


if __name__ == "__main__":
    main()
