"""A page in headless Chromium, from another origin, that speaks matomo.js's wire forms."""
import json
import re
import urllib.parse

from tests.interop.browser import Chromium, Pages, Wire, names
from tests.interop.peers import HERE
from tests.lib import lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

FORM = "application/x-www-form-urlencoded; charset=utf-8"

# What each hit of page.html becomes: a field that tells it from all others, its value, and what else must be there.
STORED = [
    ("action_name", "Seite ä", {"event_type": "pageview", "dimension1": "dimension ä", "referral_url": "https://x.example/?q=1", "is_new_visitor": True,
                                "user_id": "user ü", "transport": "post"}),
    ("action_name", "product", {"event_type": "pageview", "product_sku": "SKU1", "product_name": "Büch", "product_categories": '["Books","New"]',
                                "product_price": 9.5}),
    ("event_value_name", "event & co", {"event_type": "event", "event_category": "Vidéo", "event_action": "play", "event_value_numeric": 1.5}),
    ("goal_id", 7, {"event_type": "goal", "revenue": 12.25}),
    ("order_id", "A1", {"event_type": "ecommerce_order", "revenue": 22.5, "order_subtotal": 19, "order_tax": 1.5, "order_shipping": 2, "order_discount": 0,
                        "order_items": [{"sku": "SKU1", "name": "Büch", "categories": ["Books", "New"], "price": 9.5, "quantity": 2},
                                        {"sku": "SKU2", "name": "Pen", "categories": [], "price": 0, "quantity": 1}]}),
    ("event_type", "ecommerce_cart", {"revenue": 3, "goal_id": 0}),
    ("search_keyword", "schöne Schuhe", {"event_type": "site_search", "search_category": "shop", "search_count": 3}),
    ("outlink_url", "https://other.example/a?b=c#d", {"event_type": "outlink"}),
    ("download_url", "http://h.example/f.zip", {"event_type": "download"}),
    ("event_type", "ping", {"is_ping": True}),
    ("content_name", "Ad9", {"event_type": "content_interaction", "content_interaction": "click", "content_piece": "nine.png",
                             "content_target": "https://ad.example/9"}),
    ("event_value_name", "long " + "ö" * 600, {"transport": "post"}),
    ("event_value_name", "form beacon", {"transport": "post"}),
    ("event_value_name", "xhr form", {"transport": "post"}),
    ("event_value_name", "image", {"transport": "get", "send_image": True}),
    *(("content_name", f"Ad{i}", {"event_type": "content_impression", "transport": "bulk", "bulk_index": (i - 1) % 2}) for i in range(1, 9)),
]
VIEW = """action_name idsite rec r h m s url urlref uid _id _idn send_image _refts _ref dimension1 pv_id pf_net pf_srv pf_tfr pf_dm1 pf_dm2 pf_onl uadata
pdf qt realp wma fla java ag cookie res""".split()


def find(events, field, value):
    found = [e for e in events if e.get(field) == value]
    equal(len(found), 1, f"events with {field} = {value!r}")
    return found[0]


def check_stored(events):
    for field, value, more in STORED:
        event = find(events, field, value)
        equal({name: event.get(name) for name in more}, more, f"{field} = {value}")
    equal(len(events), len(STORED))
    equal(len({e["client_visitor_id"] for e in events}), 1)
    equal({e["user_id"] for e in events}, {"user ü"})
    for event in events:
        check(re.fullmatch("[0-9a-f]{16}", event["client_visitor_id"]) and "HeadlessChrome" in event["user_agent"], event)
        equal((event["site_id"], event["supports_cookie"]), ("1", True))
        check({"platform", "fullVersionList", "mobile"} <= set(event["client_hints"]), event["client_hints"])
    view = find(events, "action_name", "Seite ä")
    check(view["perf_server_ms"] >= 0 and view["page_view_id"] and "tracker=" in view["page_view_url"], view)


def in_order(query):
    """The captured order, less what this browser or page has not."""
    equal([n for n in VIEW if n in names(query)], names(query))
    check({"action_name", "uadata", "pv_id", "res", "_ref"} <= set(names(query)), query)


def check_wire(requests, origin):
    """The forms that were captured: method, content type, where the parameters are, credentials, preflight."""
    by = lambda text: [r for r in requests if text in urllib.parse.unquote(r[2] + r[4])]
    method, path, query, headers, body = by("action_name=Seite")[0]
    equal((method, path, body, headers["content-length"], headers["content-type"].lower()), ("POST", "/matomo.php", "", "0", FORM))
    equal((headers["origin"], headers["sec-fetch-mode"]), (origin, "no-cors"))
    check("_pk_id.1.dc78=" in headers.get("cookie", ""), "a page of the same host sends its own cookies along")
    in_order(query)
    for text, mode in (("e_n=long", "no-cors"), ("e_n=form beacon", "no-cors"), ("e_n=xhr form", "cors")):
        method, _, query, headers, body = by(text)[0]
        equal((method, query, headers["content-type"].lower(), headers["sec-fetch-mode"]), ("POST", "", FORM, mode), text)
        equal(names(body)[:4], ["e_c", "e_a", "e_n", "ca"])
    method, _, query, headers, body = by("e_n=image")[0]
    equal((method, body, headers["sec-fetch-dest"], "send_image=1" in query), ("GET", "", "image", True))
    bulks = [(json.loads(body), headers) for _, _, _, headers, body in requests if body.startswith("{")]
    equal([(list(bulk), len(bulk["requests"]), bulk["send_image"]) for bulk, _ in bulks], [(["requests", "send_image"], 2, 0)] * 4)
    equal(sorted(headers["content-type"].lower() for _, headers in bulks), ["application/json"] + [FORM] * 3)
    check(all(item.startswith("?c_n=Ad") and "&ca=1&idsite=1&rec=1&" in item for bulk, _ in bulks for item in bulk["requests"]), bulks)
    preflights = [headers for method, _, _, headers, _ in requests if method == "OPTIONS"]
    equal([headers["access-control-request-headers"] for headers in preflights], ["content-type"])


@test("Chromium, another origin: page view, event, goal, order, content, search, dimension, heartbeat, beacon are stored")
def _(t):
    server = t.server()
    wire = Wire(t, server.port)
    pages = Pages(t, {"/": HERE / "page.html", "/paq.js": HERE / "paq.js"})
    browser = Chromium(t, f"{pages.origin}/?tracker=http://127.0.0.1:{wire.port}")
    said = browser.said("finished")
    for name in ("xhr", "preflight", "queue"):
        equal(said.pop(name), ["xhr 204 "], name)
    equal(said.pop("image"), ["image 1x1"])
    equal({name: outcome for name, outcome in said.items() if outcome != ["queued"]}, {})
    browser.said("left")
    until(lambda: len(lake.lines(server.lake)) >= len(STORED), 60, "all events in the lake", 0.1)
    browser.close()
    server.stop()
    check_stored(lake.lines(server.lake))
    check_wire(wire.requests(), pages.origin)
