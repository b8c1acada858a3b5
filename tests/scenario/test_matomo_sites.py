#!/usr/bin/env python3
"""Websites of a Matomo receiver: what is known of them, what is not kept, where visitors come from."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.server import merged
from tests.lib.tap import check, equal, main, test
from tests.lib.wait import until

SITES = {
    1: {"name": "Shop", "hosts": ["shop.example", "https://www.shop.example/de"], "timezone": "Europe/Berlin",
        "goals": [{"id": 2, "name": "Signup", "revenue": 3.5}], "search_parameters": ["find"],
        "search_category_parameters": ["in"], "excluded_parameters": ["/^tmp_/"], "keep_fragment": True},
    7: {"excluded_user_agents": ["checker"], "exclude_unknown_urls": True, "hosts": ["seven.example"]},
}


def receiver(**options):
    return {"receivers": {"matomo": options}}


def stored(server):
    server.stop()
    return {event.get("event_value_name"): event for event in lake.lines(server.lake)}


@test("with sites only their ids are taken, with goals only theirs; a goal has its own revenue")
def _(t):
    server = t.server(config=receiver(sites=SITES))
    equal(server.hit("a").status, 200)
    equal(server.hit("no", idsite=2).status, 400)
    equal(server.hit("goal", idgoal=2).status, 200)
    equal(server.hit("no", idgoal=3).status, 400)
    equal(server.hit("any", idsite=7, idgoal=3, url="http://seven.example/").status, 200)
    events = stored(server)
    equal(sorted(events), ["a", "any", "goal"])
    equal(events["goal"]["revenue"], 3.5)


@test("what a site says of its URLs, searches and referrers is followed")
def _(t):
    server = t.server(config=receiver(sites=SITES))
    page = dict(e_c=None, e_a=None)
    server.hit("search", url="http://Shop.example/x?find=Red+Shoes&in=men&gclid=1&tmp_1=2#top", urlref="https://www.google.de/search?q=Schuhe", **page)
    server.hit("own", url="http://shop.example/", urlref="https://www.shop.example/de/x", **page)
    server.hit("campaign", url="http://shop.example/?utm_campaign=Spring", urlref="https://news.example/", **page)
    events = stored(server)
    want = {"event_type": "site_search", "search_keyword": "Red Shoes", "search_category": "men",
            "page_view_url_normalized": "http://shop.example/x#top", "referrer_type": "search", "referrer_name": "Google",
            "referrer_keyword": "schuhe"}
    equal({field: events["search"].get(field) for field in want}, want)
    equal(events["own"]["referrer_type"], "direct")
    equal([events["campaign"].get(f) for f in ("referrer_type", "referrer_name", "referrer_keyword")], ["campaign", "spring", "news.example"])


@test("excluded hits are answered like others, not stored, and say why")
def _(t):
    spam = t.tmp / "spam.txt"
    spam.write_text("spam.example\n")
    server = t.server(config=receiver(sites=SITES, referrer_spam=str(spam), respect_gpc=True, exclude_requests=["action_name=@internal"]))
    seven = dict(idsite=7, url="http://seven.example/")
    hits = [(dict(seven, ua="URL-Checker/1"), ()), (dict(seven, url="http://other.example/"), ()), (dict(urlref="http://x.spam.example/"), ()),
            (dict(action_name="Internal page"), ()), ({}, [("Sec-GPC", "1")]), ({}, [("Sec-Purpose", "prefetch")]),
            ({}, [("Cookie", "matomo_ignore=ignore%3DKg%3D%3D")])]
    for fields, headers in hits:
        answer = server.get(http.hit("no", **fields), headers=headers)
        equal((answer.status, answer.header("Content-Type")), (200, "image/gif"), str((fields, headers)))
    server.hit("yes", **seven)
    said = until(lambda: server.verb("tail", "--rejected").stdout, 10, "an excluded hit")
    check("excluded_user_agents" in said, said)
    equal(list(stored(server)), ["yes"])


@test("a reload brings new sites; a wrong one is refused and the old ones stay")
def _(t):
    server = t.server(config=receiver(sites={1: {}}))
    equal(server.hit("no", idsite=2).status, 400)
    server.write_config(merged(server.config, receiver(sites={1: {}, 2: {}})))
    equal(server.reload().returncode, 0)
    equal(server.hit("two", idsite=2).status, 200)
    server.write_config(merged(server.config, receiver(sites={1: {"timezone": "Europe/Nowhere"}})))
    refused = server.reload()
    check(refused.returncode != 0 and "Europe/Nowhere" in refused.stdout + refused.stderr, refused)
    equal(server.hit("still", idsite=2).status, 200)
    equal(sorted(stored(server)), ["still", "two"])


@test("a third-party cookie comes back as the visitor")
def _(t):
    server = t.server(config=receiver(third_party_cookie=True))
    answer = server.hit("first", _id=None)
    cookie = answer.header("Set-Cookie")
    check(cookie and cookie.startswith("_pk_uid=0%3D") and "SameSite=Lax" in cookie, cookie)
    server.get(http.hit("second", _id=None), headers=[("Cookie", cookie.split(";")[0])])
    events = stored(server)
    equal(events["first"]["visitor_id"], events["second"]["visitor_id"])
    equal([events[n]["visitor_id_source"] for n in ("first", "second")], ["generated", "cookie"])


@test("record_statistics: false answers 503 and stores nothing")
def _(t):
    server = t.server(config=receiver(record_statistics=False))
    equal(server.hit("no").status, 503)
    equal(server.hit("no", send_image=0).status, 204)
    equal(server.post("/matomo.php", b'{"requests":["?idsite=1&rec=1"]}').body, b'{"status":"success","tracked":0,"invalid":0}')
    equal(stored(server), {})


if __name__ == "__main__":
    sys.exit(main())
