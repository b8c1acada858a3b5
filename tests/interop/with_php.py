"""The PHP tracker's requests through PHP's own curl extension."""
import base64
import json
import subprocess

from tests.interop.peers import HERE, Peer
from tests.lib import lake
from tests.lib.tap import check, equal, test

TOKEN = "0" * 31 + "a"
BULK = {"bulk": '{"status":"success","tracked":3,"invalid":0}', "expect": '{"status":"success","tracked":20,"invalid":0}'}


def php_with_curl(t):
    php = t.need("php")
    if "curl" not in subprocess.run([php, "-m"], capture_output=True, text=True, timeout=60).stdout.split():
        t.skip("php-curl is not installed")
    return php


@test("PHP tracker's forms through php-curl: GET, token in the body, form, bulk with absolute URLs, Expect")
def _(t):
    php = php_with_curl(t)
    server = t.server(config={"receivers": {"matomo": {"tokens": [{"secret": TOKEN, "role": "admin"}]}}})
    client = Peer(t, "php", [php, HERE / "track.php", f"http://127.0.0.1:{server.port}"])
    equal(client.wait(), 0, client.output())
    said = {answer["name"]: answer for answer in map(json.loads, client.output().splitlines())}
    equal({name: answer["status"] for name, answer in said.items()},
          {"get": 200, "token": 200, "no token": 400, "form": 200, "image": 204, "bulk": 200, "expect": 200}, client.output())
    check(all(not answer["error"] for answer in said.values()), said)
    for name in ("get", "token", "form"):
        check(base64.b64decode(said[name]["body"]).startswith(b"GIF89a") and said[name]["type"] == "image/gif", said[name])
    for name, answer in BULK.items():
        equal((base64.b64decode(said[name]["body"]).decode(), said[name]["type"]), (answer, "application/json"))
    server.stop()
    check_stored(lake.lines(server.lake))


def check_stored(events):
    stored = {event["action_name"]: event for event in events}
    equal(sorted(stored), sorted(["get", "token", "form", "image", "bulk 0", "bulk 1", 'bulk ü "2"']))
    equal(len(events), 7 + 20)
    for event in events:
        equal((event["site_id"], event["visitor_id_created_ts"], event["client_visitor_id"]), ("1", 1795310590, "046c8f8626864670"))
        equal((event["page_view_url"], event["referral_url"], event["page_view_id"]), ("http://h.example/a b?x=1&y=ä", "https://x.example/", "246db1"))
        check("extra_params" not in event or "token_auth" not in event["extra_params"], event)
    equal((stored["get"]["transport"], stored["get"]["language"]), ("get", "de-DE,de;q=0.8"))
    check("Firefox/128.0" in stored["get"]["user_agent"], stored["get"])
    equal((stored["token"]["transport"], stored["token"]["event_datetime"], stored["token"]["event_datetime_source"]),
          ("post", "2026-11-01 02:03:04", "client"))
    equal((stored["token"]["ip"], stored["form"]["language"]), ("203.0.113.77", "fr-FR,fr;q=0.8"))
    equal([stored[f"bulk {i}"]["transport"] for i in (0, 1)], ["bulk", "bulk"])
    equal((stored["bulk 0"]["language"], stored['bulk ü "2"']["event_value_numeric"]), ("fr-FR,fr;q=0.8", 1.5))
    check("Firefox/128.0" in stored["bulk 0"]["user_agent"], stored["bulk 0"])
