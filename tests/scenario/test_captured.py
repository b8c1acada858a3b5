#!/usr/bin/env python3
"""Requests as they were captured on the wire from real clients, byte for byte but for ids and times: each is answered
as its client needs it, and stored with the right fields."""
import base64
import gzip
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import http, lake
from tests.lib.tap import check, equal, main, test

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
TOKEN = "0" * 31 + "a"
TOKENS = {"receivers": {"matomo": {"tokens": [{"secret": TOKEN, "role": "superuser"}]}}}
BEACON = "application/x-www-form-urlencoded; charset=utf-8"
PLUGINS = "&pdf=1&qt=0&realp=0&wma=0&fla=0&java=0"
HINTS = ("%7B%22formFactors%22%3A%5B%22Desktop%22%5D%2C%22fullVersionList%22%3A%5B%7B%22brand%22%3A%22Chromium%22%2C%22version%22%3A%22156.0.1%22%7D%5D"
         "%2C%22mobile%22%3Afalse%2C%22model%22%3A%22%22%2C%22platform%22%3A%22Linux%22%2C%22platformVersion%22%3A%22%22%7D")
TAIL = (f"idsite=1&rec=1&r=951496&h=1&m=23&s=38&url=http%3A%2F%2Fh.example%2Fp&urlref=https%3A%2F%2Fx%2F&_id=b7b53d306ad3b954&_idn=1&send_image=0"
        f"&_refts=1795310618&_ref=https%3A%2F%2Fx%2F&pv_id=JNWG1c&pf_net=0&pf_srv=3&pf_tfr=0&pf_dm1=8&uadata={HINTS}{PLUGINS}&ag=0&cookie=1&res=1280x720")


def events(server):
    server.stop()
    return lake.lines(server.lake)


def has(event, **want):
    equal({name: event.get(name) for name in want}, want)


def utc(format, ago_s=60, offset_s=0):
    return time.strftime(format, time.gmtime(time.time() - ago_s + offset_s))


@test("matomo.js: a page view is a beacon with an empty body, all parameters in the query")
def _(t):
    server = t.server()
    answer = server.post(f"/matomo.php?action_name=Seite%20%C3%A4&{TAIL}", "", [
        ("Content-Type", BEACON), ("Origin", "http://page"), ("Sec-Fetch-Mode", "no-cors"), ("Cookie", "_pk_id.1.dc78=b7b53d306ad3b954.1795310618.; _pk_ses.1.dc78=1")])
    equal((answer.status, answer.body, answer.header("Access-Control-Allow-Origin"), answer.header("Access-Control-Allow-Credentials")),
          (204, b"", "http://page", "true"))
    (event,) = events(server)
    has(event, event_type="pageview", action_name="Seite ä", site_id="1", random_part=951496, local_time="01:23:38", page_view_url="http://h.example/p",
        referral_url="https://x/", visitor_id="b7b53d306ad3b954", is_new_visitor=True, send_image=False, referral_ts=1795310618,
        attribution_referral_url="https://x/", page_view_id="JNWG1c", perf_network_ms=0, perf_server_ms=3, perf_transfer_ms=0, perf_dom_processing_ms=8,
        supports_pdf=True, supports_quicktime=False, supports_silverlight=False, supports_cookie=True, display_resolutions="1280x720", transport="post")
    equal(event["client_hints"]["fullVersionList"], [{"brand": "Chromium", "version": "156.0.1"}])
    check("extra_params" not in event, event)


@test("matomo.js: an order with its items, as beacon and, longer, as form")
def _(t):
    server = t.server()
    items = "%5B%5B%22SKU1%22%2C%22B%C3%BCch%22%2C%5B%22Books%22%2C%22New%22%5D%2C9.5%2C2%5D%2C%5B%22SKU2%22%2C%22Pen%22%2C%22%22%2C0%2C1%5D%5D"
    order = f"idgoal=0&ec_id=ORDER&revenue=22.5&ec_st=19&ec_tx=1.5&ec_sh=2&ec_dt=0&ec_items={items}&{TAIL}"
    equal(server.post("/matomo.php?" + order.replace("ORDER", "A1"), "", [("Content-Type", BEACON)]).status, 204)
    equal(server.post("/matomo.php", order.replace("ORDER", "A2"), [("Content-Type", BEACON)]).status, 204)
    found = {event["order_id"]: event for event in events(server)}
    equal(sorted(found), ["A1", "A2"])
    for event in found.values():
        has(event, event_type="ecommerce_order", goal_id=0, revenue=22.5, order_subtotal=19, order_tax=1.5, order_shipping=2, order_discount=0)
        equal([(i["sku"], i["name"], i["categories"], i["price"], i["quantity"]) for i in event["order_items"]],
              [("SKU1", "Büch", ["Books", "New"], 9.5, 2), ("SKU2", "Pen", [], 0, 1)])


@test("matomo.js: a queue of content impressions is bulk under a form's content type")
def _(t):
    server = t.server()
    body = '{"requests":["?c_n=Ad1&c_p=a.png&ca=1&%s","?c_n=Ad2&ca=1&%s"],"send_image":0}' % (TAIL, TAIL)
    answer = server.post("/matomo.php", body, [("Content-Type", BEACON), ("Origin", "https://page.example")])
    equal((answer.status, answer.body, answer.header("Access-Control-Allow-Origin")), (204, b"", "https://page.example"))
    found = events(server)
    equal([(e["event_type"], e["content_name"], e["transport"], e["bulk_index"]) for e in found],
          [("content_impression", "Ad1", "bulk", 0), ("content_impression", "Ad2", "bulk", 1)])
    has(found[0], content_piece="a.png")


@test("PHP tracker: the token in a form body, all else in the query; bulk with absolute URLs and escaped slashes")
def _(t):
    server = t.server(config=TOKENS)
    query = "idsite=1&rec=1&apiv=1&r=930540&_idts=1795310590&_id=046c8f8626864670&url=http%3A%2F%2Fh%2F&urlref=&pv_id=246db1&action_name="
    answer = server.post(f"/matomo.php?{query}tok&cip=203.0.113.9", f"token_auth={TOKEN}", [("Content-Type", "application/x-www-form-urlencoded")])
    equal((answer.status, answer.body), (200, GIF))
    base = "http:\\/\\/host\\/matomo.php?" + query
    body = f'{{"requests":["{base}b0&ua=Mozilla%2F5.0+%28X11%29&lang=fr-FR%2Cfr%3Bq%3D0.8","{base}b1#fragment&action_name=no"],"token_auth":"{TOKEN}"}}'
    answer = server.post("/matomo.php", body, [("Content-Type", "application/json"), ("User-Agent", "PHP")])
    equal((json.loads(answer.body)["tracked"], json.loads(answer.body)["invalid"]), (2, 0))
    found = {event["action_name"]: event for event in events(server)}
    has(found["tok"], ip="203.0.113.9", visitor_id_created_ts=1795310590, client_visitor_id="046c8f8626864670", page_view_id="246db1")
    has(found["b0"], user_agent="Mozilla/5.0 (X11)", language="fr-FR,fr;q=0.8", transport="bulk")
    has(found["b1"], user_agent="PHP")
    equal(len(found), 3)


@test("npm matomo-tracker: bulk as JSON without a User-Agent")
def _(t):
    server = t.server()
    body = '{"requests":["?url=http%3A%2F%2Fh%2F&action_name=b0&e_c=c&e_a=a&idsite=1&rec=1","?url=http%3A%2F%2Fh%2F&action_name=b1&idsite=1&rec=1"]}'
    answer = server.post("/matomo.php", body, [("Content-Type", "application/json")])
    equal((answer.status, answer.body), (200, b'{"status":"success","tracked":2,"invalid":0}'))
    equal([(e["action_name"], e["event_type"], "user_agent" in e) for e in events(server)], [("b0", "event", False), ("b1", "pageview", False)])


@test("iOS: always bulk, even for one event; capitals in _id, ISO time with Z, revenue twice")
def _(t):
    server = t.server()
    when = utc("%Y-%m-%dT%H:%M:%SZ")
    item = ("?idsite=1&rec=1&_id=046C8F8626864ABC&_idvc=3&_viewts=1795310590&_idts=1795310500&url=http%3A%2F%2Fapp.example%2Fmenu%2Fplay&action_name=menu%2Fplay"
            f"&lang=de&h=1&m=23&s=38&cdt={when.replace(':', '%3A')}&res=1170x2532&idgoal=GOAL&revenue=1&revenue=2.5&cookie=1&pdf=0")
    headers = [("Content-Type", "application/json; charset=utf-8"), ("User-Agent", "Darwin/23.0 iPhone15,2")]
    for goals in ([1], range(2, 22)):
        body = '{"requests":[' + ",".join('"' + item.replace("GOAL", str(goal)) + '"' for goal in goals) + "]}"
        answer = server.post("/matomo.php", body, headers)
        equal((answer.status, json.loads(answer.body)), (200, {"status": "success", "tracked": len(goals), "invalid": 0}))
    found = events(server)
    equal(sorted(event["goal_id"] for event in found), list(range(1, 22)))
    for event in found:
        has(event, visitor_id="046c8f8626864abc", client_visitor_id="046C8F8626864ABC", visitor_visit_count=3, visitor_last_visit_ts=1795310590,
            visitor_id_created_ts=1795310500, page_view_url="http://app.example/menu/play", language="de", event_datetime=when.replace("T", " ").rstrip("Z"),
            event_datetime_source="client", display_resolutions="1170x2532", revenue=2.5, local_time="01:23:38")


@test("Android: one event is a GET, several are bulk with gzip; time with an offset, new_visit, a country without a token")
def _(t):
    server = t.server()
    stored = utc("%Y-%m-%d %H:%M:%S")
    sent = utc("%Y-%m-%d %H:%M:%S+0100", offset_s=3600).replace(" ", "%20").replace(":", "%3A").replace("+", "%2B")
    query = ("?new_visit=1&idsite=1&rec=1&apiv=1&send_image=0&rand=%d&_id=0123456789abcdef&uid=f8d3a0a5&url=http%%3A%%2F%%2Fapp.example%%2Fmain&action_name=main"
             f"&h=1&m=23&s=38&cdt={sent.replace('%', '%%')}&res=1080x2400&lang=de&_idts=1795310500&_idvc=1&_viewts=1795310500&country=de"
             "&ua=Dalvik%%2F2.1.0%%20%%28Linux%%3B%%20U%%3B%%20Android%%2014%%29")
    answer = server.get("/matomo.php" + query % 1, [("User-Agent", "okhttp/4.12")])
    equal((answer.status, answer.body), (204, b""))
    body = '{"requests":[%s]}' % ",".join(f'"{query % i}"' for i in range(2, 22))
    answer = server.post("/matomo.php", gzip.compress(body.encode()), [("Content-Type", "application/json"), ("Content-Encoding", "gzip")])
    equal((answer.status, json.loads(answer.body)), (200, {"status": "success", "tracked": 20, "invalid": 0}))
    found = events(server)
    equal(len(found), 21)
    for event in found:
        has(event, client_visitor_id="0123456789abcdef", user_id="f8d3a0a5", is_new_visit_forced=True, event_datetime=stored, event_datetime_source="client",
            user_agent="Dalvik/2.1.0 (Linux; U; Android 14)", action_name="main", send_image=False)
        check("country" not in (event.get("geo_info") or {}), "a country without a token")
    equal(sorted(e["transport"] for e in found), ["bulk"] * 20 + ["get"])


IMPORTED = ('{"token_auth": "%s", "requests": [{"rec": "1", "apiv": "1", "url": "http://h/", "urlref": "", "cip": "1.2.3.4", "cdt": "2012-02-10 21:42:07", '
            '"idsite": "1", "queuedtracking": "0", "dp": "1", "ua": "", "uid": "theuser", "_cvar": "{\\"1\\": [\\"Not-Bot\\", \\"\\"]}", '
            '"cvar": "{\\"1\\": [\\"HTTP-code\\", \\"301\\"]}", "bots": "1", "action_name": "301/URL = http%%3A%%2F%%2Fh%%2F", "bw_bytes": 368}, null, '
            '{"rec": 1, "idsite": 1, "url": "http://h/f.zip", "download": "http://h/f.zip", "cip": "-", "cdt": "2012-02-10 21:42:08", "pf_srv": 12}]}')


@test("import_logs: objects with addresses and old times; numbers and null among the items")
def _(t):
    server = t.server(config=TOKENS)
    headers = [("Content-type", "application/json"), ("User-Agent", "Matomo/LogImport")]
    answer = server.post("/piwik.php?queuedtracking=0", IMPORTED % TOKEN, headers)
    said = json.loads(answer.body)
    equal((answer.status, said["status"], said["tracked"], said["invalid"]), (200, "success", 3, 0))
    answer = server.post("/piwik.php?queuedtracking=0", IMPORTED % "wrong", headers)
    equal((answer.status, json.loads(answer.body)), (200, {"status": "success", "tracked": 1, "invalid": 2}))
    page, download = events(server)
    has(page, ip="1.2.3.4", event_datetime="2012-02-10 21:42:07", event_datetime_source="client", user_id="theuser", response_bytes=368,
        action_name="301/URL = http%3A%2F%2Fh%2F", custom_vars_visit={"1": ["Not-Bot", ""]}, custom_vars_page={"1": ["HTTP-code", "301"]}, bulk_index=0)
    has(download, event_type="download", download_url="http://h/f.zip", ip="0.0.0.0", perf_server_ms=12, bulk_index=2)


@test("StreamSteam's own web client, version 3: every column of StreamSteam from one GET, site 0 and the old path too")
def _(t):
    server = t.server()
    target = ("%s?action_name=SS&idsite=%d&rec=1&r=353257&h=1&m=24&s=30&url=http%%3A%%2F%%2Fh%%2F&urlref=http%%3A%%2F%%2Fx%%2F&_id=0c512638ee37cf8b"
              "&_idts=1795310671&_idvc=1&_idn=0&_refts=0&_viewts=1795310671&send_image=1&pdf=1&qt=0&realp=0&wma=0&dir=0&fla=0&java=0&gears=0&ag=0"
              "&cookie=1&res=1280x720&gt_ms=1&pv_id=Ab31cG&e_c=c&e_a=a&e_n=n&e_v=1.5")
    headers = [("User-Agent", "Mozilla/5.0 (X11)"), ("Accept-Language", "de-DE,de;q=0.9")]
    for path, site in (("/matomo.php", 1), ("/matomo-event-receiver", 0)):
        answer = server.get(target % (path, site), headers)
        equal((answer.status, answer.body), (200, GIF))
    found = events(server)
    equal([event["site_id"] for event in found], ["1", "0"])
    for event in found:
        has(event, random_part=353257, visitor_id_created_ts=1795310671, visitor_visit_count=1, referral_ts=0, referral_url="http://x/",
            visitor_last_visit_ts=1795310671, display_resolutions="1280x720", language="de-DE,de;q=0.9", performance_generation_time_ms=1,
            page_view_id="Ab31cG", page_view_url="http://h/", action_name="SS", ip="127.0.0.1", user_agent="Mozilla/5.0 (X11)", supports_silverlight=False,
            supports_cookie=True, supports_director=False, supports_flash=False, supports_gears=False, supports_java=False, supports_pdf=True,
            supports_quicktime=False, supports_mplayer2=False, supports_realaudio=False, send_image=True, event_category="c", event_action="a",
            event_value_name="n", event_value_numeric=1.5)
        check(len(event["event_datetime"]) == 19, event["event_datetime"])


if __name__ == "__main__":
    sys.exit(main())
