#!/usr/bin/env python3
"""What a Matomo tracker gets for an answer, and what of it is stored."""
import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.tap import check, equal, main, test

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
INFO = b"This resource is part of Matomo."


def stored(server):
    server.stop()
    return {event.get("event_value_name"): event for event in lake.lines(server.lake)}


@test("a hit is answered with Matomo's GIF and stored")
def _(t):
    server = t.server()
    answer = server.hit("one")
    equal((answer.status, answer.header("Content-Type"), answer.body), (200, "image/gif", GIF))
    equal(answer.header("Cache-Control"), "no-store")
    equal(list(stored(server)), ["one"])


@test("send_image=0 is answered with 204 and no body")
def _(t):
    server = t.server()
    answer = server.hit("one", send_image=0)
    equal((answer.status, answer.body, answer.header("Content-Length")), (204, b"", None))
    equal(list(stored(server)), ["one"])


@test("every path of the receiver takes hits, with a trailing slash too")
def _(t):
    server = t.server()
    want = []
    for path in ("/matomo.php", "/piwik.php", "/matomo-event-receiver"):
        for slash in ("", "/"):
            want.append(path + slash)
            equal(server.get(http.hit(path + slash, path=path + slash)).status, 200, path + slash)
    equal(sorted(stored(server)), sorted(want))


@test("a missing or impossible idsite is 400 and not stored")
def _(t):
    server = t.server()
    for site in (None, "", "-1", "abc", "1abc", "12.5"):
        answer = server.hit("bad", idsite=site)
        equal((answer.status, answer.body), (400, GIF), f"idsite={site}")
        answer = server.hit("bad", idsite=site, send_image=0)
        equal(answer.status, 400, f"idsite={site} without an image")
        check(answer.body.startswith(INFO), answer)
    for site in ("0", "1", "7", "1.0"):
        equal(server.hit(f"good{site}", idsite=site).status, 200, f"idsite={site}")
    equal(sorted(stored(server)), ["good0", "good1", "good1.0", "good7"])


@test("without rec=1 the answer is the same and nothing is stored")
def _(t):
    server = t.server()
    for rec in (None, "0"):
        answer = server.hit("no", rec=rec)
        equal((answer.status, answer.body), (200, GIF))
    equal(server.hit("no", rec=None, send_image=0).status, 204)
    equal(stored(server), {})


@test("require_rec: false stores hits without rec=1")
def _(t):
    server = t.server(config={"receivers": {"matomo": {"require_rec": False}}})
    server.hit("yes", rec=None)
    equal(list(stored(server)), ["yes"])


@test("a bare GET shows what this is, a bare POST is 400")
def _(t):
    server = t.server()
    answer = server.get("/matomo.php")
    equal((answer.status, answer.header("Content-Type").split(";")[0]), (200, "text/html"))
    check(answer.body.startswith(INFO), answer)
    answer = server.post("/matomo.php", b"")
    equal(answer.status, 400)
    check(answer.body.startswith(INFO), answer)


@test("a form POST, its query winning over its body")
def _(t):
    server = t.server()
    body = http.query(idsite=1, rec=1, url="http://h.example/", e_c="c", e_a="a", e_n="form", action_name="body")
    form = [("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")]
    equal(server.post("/matomo.php", body, form).status, 200)
    equal(server.post("/matomo.php?e_n=query&send_image=0", body, form).status, 204)
    events = stored(server)
    equal(sorted(events), ["form", "query"])
    equal(events["query"]["action_name"], "body")


@test("a beacon: POST with the parameters in the query and an empty body")
def _(t):
    server = t.server()
    equal(server.post(http.hit("beacon", send_image=0), b"", [("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")]).status, 204)
    equal(list(stored(server)), ["beacon"])


@test("HEAD with a query is tracked and has no body")
def _(t):
    server = t.server()
    with server.connect() as connection:
        answer = connection.request("HEAD", http.hit("head"))
        equal((answer.status, answer.body), (200, b""))
        equal(connection.get(http.hit("next")).body, GIF, "the next answer on the same connection")
    equal(sorted(stored(server)), ["head", "next"])


@test("fields have StreamSteam's names and types")
def _(t):
    server = t.server()
    server.hit("n", action_name="Söme / page & <more>", idsite=7, r=4711, res="1920x1080", pdf=1, java=0, cookie="1", e_v="2.5", gt_ms=12,
               urlref="http://r.example/?q=ä", pv_id="Ab12Cd", _idts=1795310590, lang="de-DE", ua="Agent/1.0", cdt="")
    event = stored(server)["n"]
    want = {"site_id": "7", "random_part": 4711, "display_resolutions": "1920x1080", "supports_pdf": True, "supports_java": False,
            "supports_cookie": True, "event_value_numeric": 2.5, "performance_generation_time_ms": 12, "referral_url": "http://r.example/?q=ä",
            "page_view_id": "Ab12Cd", "visitor_id_created_ts": 1795310590, "language": "de-DE", "user_agent": "Agent/1.0",
            "action_name": "Söme / page & <more>", "event_category": "c", "event_action": "a", "page_view_url": "http://h.example/p"}
    for field, value in want.items():
        equal((field, event.get(field)), (field, value))
    check("event_datetime" in event and "event_id" in event, event)


@test("parameters without a field are kept")
def _(t):
    server = t.server()
    server.hit("n", mystery="42", dimension3="dim", token_auth="0123456789abcdef0123456789abcdef")
    event = stored(server)["n"]
    check("42" in str(event) and "mystery" in str(event), event)
    equal(event.get("dimension3"), "dim")
    check("0123456789abcdef0123456789abcdef" not in str(event), "the token was stored")


@test("a wrong optional value never costs the hit")
def _(t):
    server = t.server()
    for i, bad in enumerate((dict(r="abc"), dict(e_v="x"), dict(pdf="maybe"), dict(gt_ms="99999999999999999999"), dict(cdt="yesterday-ish"),
                             dict(ec_items="{not json"), dict(_cvar="["), dict(action_name="%FF%FE"), dict(country="de"))):
        equal(server.hit(f"h{i}", **bad).status, 200, str(bad))
    equal(sorted(stored(server)), sorted(f"h{i}" for i in range(9)))


@test("bytes that are no UTF-8, control characters and percent signs come out as valid JSON")
def _(t):
    server = t.server()
    for i, raw in enumerate(("%FF%FE", "%00%01%1f", "100%", "%zz", "%e2%82", '"quote"\\', "a+b%2Bc", "%F0%9F%98%80")):
        equal(server.get(f"/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n=n{i}&action_name={raw}".replace('"', "%22")).status, 200, raw)
    events = stored(server)
    equal(len(events), 8)
    equal(events["n6"]["action_name"], "a b+c")
    equal(events["n7"]["action_name"], "😀")


@test("cip and an old cdt without a token are 400, a fresh cdt is stored as the time")
def _(t):
    server = t.server()
    equal(server.hit("no", cip="1.2.3.4").status, 400)
    equal(server.hit("no", cdt="2012-02-10 21:42:07").status, 400)
    import time
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 3600))
    equal(server.hit("yes", cdt=at).status, 200)
    events = stored(server)
    equal(list(events), ["yes"])
    equal(str(events["yes"]["event_datetime"])[:19].replace("T", " "), at)


@test("an unknown path is 404 with a JSON reason")
def _(t):
    server = t.server()
    answer = server.get("/nothing/here")
    equal((answer.status, answer.header("Content-Type").split(";")[0]), (404, "application/json"))


if __name__ == "__main__":
    sys.exit(main())
