"""npm's @jonkoops/matomo-tracker in headless Chromium, unchanged: it must find matomo.js on the server. What is served
there is the test client paq.js."""
from tests.interop.browser import Chromium, Pages, Wire
from tests.interop.peers import HERE, npm_package
from tests.interop.with_chromium import find
from tests.lib import lake
from tests.lib.tap import check, equal, test
from tests.lib.wait import until

# a field that tells the event, its value, what else must be there
STORED = [
    ("event_type", "pageview", {"action_name": "Wrapped ü", "dimension2": "two ü", "referral_url": "https://x.example/", "user_id": "wrapped"}),
    ("event_value_name", "before the script", {"event_category": "wrapper", "event_action": "early", "event_value_numeric": 2}),
    ("event_value_name", "after the script", {"event_action": "late", "page_view_url": "http://h.example/late"}),
    ("search_keyword", "wrapped search", {"event_type": "site_search", "search_category": "shop", "search_count": 4}),
    ("order_id", "W-1", {"event_type": "ecommerce_order", "revenue": 6, "order_subtotal": 5, "order_tax": 1,
                         "order_items": [{"sku": "W1", "name": "Wrap", "categories": ["Wraps"], "price": 2.5, "quantity": 2}]}),
    ("download_url", "http://h.example/wrapped.pdf", {"event_type": "download"}),
    ("outlink_url", "https://other.example/away", {"event_type": "outlink"}),
]


def server_with_script(t):
    server = t.server(start=False)
    said = server.verb("explain", "receiver-matomo", check=True).stdout
    if "script:" not in said:
        t.skip("the receiver cannot serve matomo.js")
    server.config["receivers"]["matomo"] = {"script": str(HERE / "paq.js")}
    server.write_config()
    return server.start()


@test("npm @jonkoops/matomo-tracker in Chromium: finds matomo.js on the server, its calls are stored")
def _(t):
    modules = npm_package(t, "@jonkoops/matomo-tracker", "0.7.0")
    server = server_with_script(t)
    wire = Wire(t, server.port)
    pages = Pages(t, {"/": HERE / "wrapper.html"}, {"/modules/": modules.resolve()})
    browser = Chromium(t, f"{pages.origin}/?tracker=http://127.0.0.1:{wire.port}")
    equal(browser.said("finished"), ["queued"] * len(STORED))
    browser.said("left")
    until(lambda: len(lake.lines(server.lake)) >= len(STORED), 60, "all events in the lake", 0.1)
    browser.close()
    server.stop()
    events = lake.lines(server.lake)
    equal(len(events), len(STORED))
    for field, value, more in STORED:
        event = find(events, field, value)
        equal({name: event.get(name) for name in more}, more, f"{field} = {value}")
    check([r for r in wire.requests() if r[:2] == ("GET", "/matomo.js")], "nobody asked for /matomo.js")
